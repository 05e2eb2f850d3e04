"""Every mistake in the configuration at once, at its place, with what to write instead; never a secret."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.model.mistake import Mistake
from engine.settings import load_settings
from engine.source import print_mistakes, to_github, to_json


def mistakes(folder: Path, text: str, environ: dict[str, str] | None = None) -> tuple[Mistake, ...]:
    (folder / "config.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(folder / "config.yaml", environ or {}, generate=False)
    return caught.value.mistakes


def said(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[tuple[str, str, str | None]]:
    """(place, message, hint) of each mistake."""
    return [
        (f"{m.position.line}:{m.position.column}" if m.position else "", m.message, m.hint)
        for m in mistakes(folder, text, environ)
    ]


ESCAPES = "in a password write # as %23, / as %2F, ? as %3F, @ as %40, [ as %5B, ] as %5D and a blank as %20"
NAMES = "use letters, digits, '-', '_' and '.'"


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("rulse: [a]", "1:1", "unknown key 'rulse' in the configuration", "did you mean 'rules'?"),
        ("store: {urll: x}", "1:9", "unknown key 'urll' in 'store'", "did you mean 'url'?"),
        (
            "endpoints: [{name: a, secert: x}]",
            "1:13",
            "'secrets' is missing in 'endpoints[0]'",
            "or give 'secrets_file'",
        ),
        ("endpoints: [{name: a b, secrets: whsec_x}]", "1:20", "'a b' is no name", NAMES),
        ("channels: {a b: slack://x}", "1:12", "'a b' is no name", NAMES),
        ("endpoints: [{name: a, secrets: []}]", "1:32", "this list is empty; at least one is needed", None),
        (
            "endpoints: [{name: a, secrets: abc}]",
            "1:32",
            "a signing secret begins with whsec_",
            "copy it from the endpoint's page in Workbench",
        ),
        (
            "endpoints: [{name: a, secrets: whsec_x, scope: connect}]",
            "1:48",
            "no scope 'connect'",
            "did you mean 'connected'?",
        ),
        (
            "endpoints: [{name: a, secrets: whsec_x, livemode: live}]",
            "1:51",
            "expected true, false or any, got 'live'",
            "did you mean 'true'?",
        ),
        (
            "endpoints: [{name: a, secrets: whsec_x, path: x}]",
            "1:47",
            "'x' is no path",
            "write one like /webhooks/stripe, without host or query",
        ),
        (
            "endpoints: [{name: a, secrets: whsec_x, path: /metrics}]",
            "1:47",
            "the service itself answers at /metrics",
            "write one like /webhooks/stripe",
        ),
        ("endpoints: [{name: a, secrets: whsec_x, key: b}]", "1:46", "no stripe.keys 'b'; none is configured", None),
        ("endpoints: nothing", "1:12", "expected a list for 'endpoints'", None),
        ("stripe: []", "1:9", "expected a map for 'stripe'", None),
        ("- a", "1:1", "the configuration is a map, like 'endpoints: ..'", None),
        (
            "stripe: {keys: {live: sk_test_x}}",
            "1:23",
            "this is a test key, and stands under 'live'",
            "it belongs under 'test'",
        ),
        (
            "stripe: {keys: {test: rk_live_x}}",
            "1:23",
            "this is a live key, and stands under 'test'",
            "it belongs under 'live'",
        ),
        (
            "stripe: {keys: {a: pk_live_x}}",
            "1:20",
            "this is a publishable key",
            "use a secret (sk_) or restricted (rk_) one",
        ),
        (
            "stripe: {api_base: http://stripe.com}",
            "1:20",
            "keys are sent there, so it must be https (http only on this machine)",
            None,
        ),
        (
            "stripe: {allow: [{operation: x, max: 1, every: 1h}]}",
            "1:30",
            "'x' is no operation",
            "write it as in rules: accounts.update",
        ),
        ("stripe: {allow: [{operation: a.b, max: 0, every: 1h}]}", "1:40", "expected a number from 1, got 0", None),
        (
            "stripe: {allow: [{operation: a.b, max: 1, every: 1 hour}]}",
            "1:50",
            "expected a duration like 10m, got '1 hour'",
            None,
        ),
        ("retention: {events: 0d}", "1:21", "a duration of nothing is not possible here", None),
        (
            "retention: {events: 71h}",
            "1:21",
            "events are kept for 3d at the least, got '71h': for so long Stripe sends an event again, and one that is "
            "forgotten would fire a second time",
            "write 3d or longer",
        ),
        (
            "store: {statement_timeout: 25d}",
            "1:28",
            "a statement may take 1d at the most, got '25d'",
            "write 15s, or 5m",
        ),
        ("ops: {queue_age: 999999w}", "1:18", "the longest duration is 36500d, got '999999w'", None),
        ("default_channel: rsik", "1:18", "no channel 'rsik'; configured: console", None),
        (
            "ops: {channel: rsik}",
            "1:16",
            "no channel 'rsik'; configured: console, payments, risk, onboarding",
            "did you mean 'risk'?",
        ),
        ("channels: {risk: slack}", "1:18", "a channel is an Apprise URL like slack://... or mailtos://...", None),
        ("channels: {console: 'json://x'}", "1:21", "the channel 'console' is built in", "take another name"),
        ("channels: {a: {url: 'json://x', rate: 3}}", "1:39", "expected a rate like 30/m, got 3", None),
        ("breaker: {share: 120%}", "1:18", "expected a share from 1% to 100%, got '120%'", None),
        ("breaker: {requests: 0}", "1:21", "expected a number from 1, got 0", None),
        ("stripe: {breaker: {wait: soon}}", "1:26", "expected a duration like 10m, got 'soon'", None),
        ("stripe: {rates: {live: 0/s}}", "1:24", "expected a rate like 30/m, got '0/s'", None),
        (
            "channels: {a: {url: 'json://x', min_severity: hihg}}",
            "1:47",
            "expected info, low, medium, high or critical, got 'hihg'",
            "did you mean 'high'?",
        ),
        (
            "callback_hosts: ['https://x.com']",
            "1:18",
            "'https://x.com' is no host name",
            "write only the host, like hooks.example.com",
        ),
        ("receive: {max_body: 1}", "1:21", "expected a size from 1KiB to 64MiB, got 1", None),
        (
            "console: {token: short}",
            "1:18",
            "a token needs at least 16 characters",
            "generate one: openssl rand -hex 24",
        ),
        ("console: {token: 1234567890123456}", "1:18", "expected a secret, got a number", "put it in quotes"),
        ("store: {url: mysql://x}", "1:14", "expected embedded, or a postgresql:// URL", None),
        ("store: {url: 'postgresql://u:a#b@h/d'}", "1:14", "a # ends the URL", ESCAPES),
        ("store: {url: 'postgresql://u:a b@h/d'}", "1:14", "a URL holds no blanks", ESCAPES),
        (
            "store: {url: 'postgresql://u:1/b@h/d'}",
            "1:14",
            "a / or a ? in the user or the password ends the host",
            ESCAPES,
        ),
        (
            "store: {url: 'postgresql://u@one,two:99999/d'}",
            "1:14",
            "a port is a number from 1 to 65535",
            f"write host:5432; {ESCAPES}",
        ),
        (
            "store: {url: 'postgresql://u@::1/d'}",
            "1:14",
            "a host has one port at the most",
            "write an IPv6 address in brackets: [::1]:5432",
        ),
        (
            "store: {url: 'postgresql://u:a[b]c@h/d'}",
            "1:14",
            "a [ or a ] in the user or the password begins an IPv6 address",
            ESCAPES,
        ),
        (
            "store: {url: 'postgresql://u:a]b@h/d'}",
            "1:14",
            "a [ or a ] in the user or the password begins an IPv6 address",
            ESCAPES,
        ),
        (
            "store: {url: 'postgresql://u:a@b:c@h/d'}",
            "1:14",
            "an @ in the user or the password ends them",
            ESCAPES,
        ),
        ("store: {url: 'postgresql://u@[h]/d'}", "1:14", "an IPv6 address stands in brackets", "write [::1]:5432"),
        (
            "store: {url: 'postgresql://u@h:1,/d'}",
            "1:14",
            "between two commas, and at either end, stands a host",
            "write one,two:5433",
        ),
        (
            "store: {url: 'postgresql://u@h/d?sslmode'}",
            "1:14",
            "after the ? stand options with their values",
            "write ?sslmode=require&target_session_attrs=read-write",
        ),
        (
            "store: {url: 'postgresql://u@h,k/d?target_session_attrs=rw'}",
            "1:14",
            "target_session_attrs is any, primary, standby, prefer-standby, read-write or read-only",
            None,
        ),
        ("logs: {format: xml}", "1:16", "expected auto, console or json, got 'xml'", None),
        (
            "rules: ['${NOPE}']",
            "1:10",
            "the variable NOPE is not set",
            "set it, or write ${NOPE:-} where it may be empty",
        ),
        ("rules: ['a${1X}']", "1:11", "'${1X}' is no variable", "write ${NAME} or ${NAME:-default}"),
        ("rules: ['${X']", "1:10", "'${X' is no variable", "write ${NAME} or ${NAME:-default}"),
        ("a: 1\na: 2", "1:1", "unknown key 'a' in the configuration", None),
    ],
)
def test_a_mistake_has_its_place_and_what_to_write(
    tmp_path: Path, text: str, place: str, message: str, hint: str | None
) -> None:
    found = [(where, what) for where, what, _ in said(tmp_path, text)]
    assert (place, message) in found
    hints = [told for where, what, told in said(tmp_path, text) if what == message]
    assert hint is None or hints == [hint]


def test_all_mistakes_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """
default_channel: paymnts
channels: {payments: nothing}
store: {urll: embedded}
stripe: {keys: {live: sk_test_1}}
rules: ["${NOPE}"]
data: *x
retention: {events: 1 day}
"""
    found = mistakes(tmp_path, text, {"TOCSIN_STROE__URL": "x"})
    assert [(m.position.line if m.position else None, m.code) for m in found] == [
        (2, "unknown-channel"),
        (3, "url"),
        (4, "unknown-key"),
        (5, "stripe-key"),
        (6, "unset-variable"),
        (7, "quote-this"),
        (8, "duration"),
        (None, "unknown-variable"),
    ]


@pytest.mark.parametrize(
    ("environ", "message", "hint"),
    [
        ({"TOCSIN_STORE__ULR": "x"}, "unknown variable TOCSIN_STORE__ULR", "did you mean 'TOCSIN_STORE__URL'?"),
        (
            {"TOCSIN_ENDPOINTS": "[]"},
            "unknown variable TOCSIN_ENDPOINTS",
            "'endpoints' holds more than one value: write it in config.yaml, with ${VARIABLE} where needed",
        ),
        (
            {"TOCSIN_LOGS__LEVEL": "loud"},
            "TOCSIN_LOGS__LEVEL: expected debug, info, warning or error, got 'loud'",
            None,
        ),
        (
            {"TOCSIN_OPS__CHANNEL": "rsik"},
            "TOCSIN_OPS__CHANNEL: no channel 'rsik'; configured: console, payments, risk, onboarding",
            "did you mean 'risk'?",
        ),
        (
            {"TOCSIN_CONSOLE__TOKEN_FILE": "/none"},
            "TOCSIN_CONSOLE__TOKEN_FILE: cannot read /none: No such file or directory",
            None,
        ),
    ],
)
def test_variables_are_as_strict_as_the_file(
    tmp_path: Path, environ: dict[str, str], message: str, hint: str | None
) -> None:
    assert said(tmp_path, "", environ) == [("", message, hint)]


def test_a_secret_and_its_file_are_not_both_given(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("t" * 16)
    text = "console: {token: aaaaaaaaaaaaaaaa, token_file: t}"
    assert said(tmp_path, text) == [("1:36", "'token' and 'token_file' are both given; keep one", None)]
    environ = {"TOCSIN_CONSOLE__TOKEN": "b" * 16, "TOCSIN_CONSOLE__TOKEN_FILE": str(tmp_path / "t")}
    assert [what for _, what, _ in said(tmp_path, "", environ)] == [
        "TOCSIN_CONSOLE__TOKEN and TOCSIN_CONSOLE__TOKEN_FILE are both set; keep one"
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "cannot read"), (b" \n", "is empty"), (b"\xff", "is not text"), (b"x" * 70_000, "too large")],
)
def test_a_secret_file_that_cannot_be_used_is_said_once(tmp_path: Path, content: bytes | None, why: str) -> None:
    if content is not None:
        (tmp_path / "s").write_bytes(content)
    ((place, message, _),) = said(tmp_path, "endpoints: [{name: a, secrets_file: s}]")
    assert place == "1:37"
    assert why in message


def test_an_empty_secret_is_an_error(tmp_path: Path) -> None:
    text = 'endpoints: [{name: a, secrets: ["${S:-}"]}]'
    assert said(tmp_path, text) == [
        ("1:33", "this secret is empty", "set the variable it comes from, or leave the key out")
    ]


def test_two_endpoints_may_share_a_path_but_not_a_secret_on_it(tmp_path: Path) -> None:
    fine = (
        "endpoints: [{name: a, secrets: whsec_1}, {name: b, secrets: whsec_2}, {name: c, path: /c, secrets: whsec_1}]"
    )
    (tmp_path / "config.yaml").write_text(fine)
    assert len(load_settings(tmp_path / "config.yaml", {}).endpoints) == 3
    wrong = (
        "endpoints: [{name: a, secrets: whsec_1}, {name: a, path: /webhooks/stripe/, secrets: [whsec_2, ' whsec_1']}]"
    )
    assert [what for _, what, _ in said(tmp_path, wrong)] == [
        "another endpoint is named 'a' too",
        "endpoint 'a' has the same secret on the same path, so neither can be told apart",
    ]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://cases.example.com", "a callback must use https"),
        ("https://127.0.0.1/x", "this address is this machine"),
        ("https://localhost", "this address is this machine"),
        ("https://10.0.0.1", "this address is not a public one, and would be refused at every delivery"),
        ("https://[::ffff:10.0.0.1]", "this address is not a public one, and would be refused at every delivery"),
        ("https://2130706433", "this address is not a public one, and would be refused at every delivery"),
        ("https://me:pw@x.example.com", "a callback's URL may hold no user or password"),
        ("ftp://x.example.com", "expected a URL like https://cases.example.com/hook"),
        ("https://", "expected a URL like https://cases.example.com/hook"),
        ("https://x:99999/", "expected a URL like https://cases.example.com/hook"),
    ],
)
def test_callbacks_are_https_and_public(tmp_path: Path, url: str, message: str) -> None:
    secret = "whsec_" + "QUJD" * 8
    text = f"callbacks: {{c: {{url: '{url}', secret: {secret}}}}}"
    assert message in [what for _, what, _ in said(tmp_path, text)]


@pytest.mark.parametrize("secret", ["whsec_", "whsec_abc", "whsec_" + "&" * 32, "QUJD" * 8, "whsec_" + "QUJD" * 4])
def test_callback_secrets_are_those_of_standard_webhooks(tmp_path: Path, secret: str) -> None:
    text = f"callbacks: {{c: {{url: 'https://x.example.com', secret: '{secret}'}}}}"
    assert [what for _, what, _ in said(tmp_path, text)] == ["expected whsec_ and a base64 key of 24 to 64 bytes"]


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_said_without_a_traceback(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "config.yaml"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigError):
        load_settings(path, {})


SECRET = "hunter2XYZhunter2XYZ"
PLACES = [
    "endpoints: [{{name: a, secrets: {0}}}]",
    "endpoints: [{{name: a, secrets: [whsec_x, {0}], paht: {0}}}]",
    "endpoints: {0}",
    "stripe: {{keys: {{live: {0}, b: [{0}]}}}}",
    "stripe: {{keys: {0}}}",
    "stripe: {0}",
    "channels: {{risk: {0}}}",
    "channels: {{risk: {{url: {0}, uurl: {0}}}}}",
    "callbacks: {{c: {{url: https://x.example.com, secret: {0}, headers: {{a: {0}}}}}}}",
    "callbacks: {{c: {0}}}",
    "store: {{url: {0}}}",
    "console: {{token: {0}, tokn: {0}}}",
    "console:\n  token: {0}\n   {0}",
    "console:\n  token: |\n    {0}\n  x: 1",
    "secret: {0}",
    "default_channel: '${{S}}'",
    "data: ''\nrules: ['${{S}} ${{NOPE}}']\nlogs: {{level: '${{S}}', format: 'x${{S}}'}}",
]
SHAPES = [
    "{0}",
    "whsec_{0}",
    "sk_live_{0}",
    "slack://{0}",
    "'{0}'",
    '"{0}',
    "*{0}",
    "@{0}",
    "{{{{ {0} }}}}",
    "!{0}",
    "&{0}",
    "a: {0}",
    "postgresql://u:{0}@h/d",
    "postgresql://u:{0}/x@h/d",
    "postgresql://u:{0}#x@h/d",
    "postgresql://u:[{0}]@h/d",
    "postgresql://u:x@x:{0}@h/d",
    "postgresql://u@h/d?{0}",
    "[{0}",
    "0{0}",
    "mailto://{0}@x y",
    "{0}: 1",
    '"\\{0}"',
    "|{0}",
    "- {0}",
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", PLACES)
def test_no_error_ever_shows_a_secret(tmp_path: Path, place: str, shape: str) -> None:
    """Whatever is wrong with a secret or where it stands, no form of the error, and no repr, holds it."""
    (tmp_path / "config.yaml").write_text(place.format(shape.format(SECRET)))
    error = None
    try:
        shown = [repr(load_settings(tmp_path / "config.yaml", {"S": SECRET}, generate=False))]
    except ConfigError as caught:
        error = caught
    if error is not None:
        shown = [str(error), repr(error), repr(error.mistakes), repr(error.sources), repr(error.__cause__)]
        shown += [print_mistakes(error.mistakes, error.sources), to_json(error.mistakes), to_github(error.mistakes)]
        assert error.__suppress_context__ or error.__context__ is None
    for text in shown:
        assert SECRET not in text
        assert SECRET[:12] not in text


KEYS = (
    *("endpoints", "stripe", "keys", "channels", "url", "name", "secrets", "secrets_file", "store", "callbacks"),
    *("allow", "rules", "ops", "channel", "headers", "data"),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.sampled_from(["null", "1", "true", "x", "'${A}'", "[]", "{}", "1h", "any", "https://x.example.com"]),
        lambda inner: (
            st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
            | st.dictionaries(
                st.sampled_from(KEYS),
                inner,
                max_size=4,
            ).map(lambda map_: "{" + ", ".join(f"{key}: {value}" for key, value in map_.items()) + "}")
        ),
        max_leaves=12,
    )
)
def test_any_shape_is_loaded_or_has_mistakes(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    found: tuple[Mistake, ...] | None = None
    try:
        load_settings(tmp_path / "config.yaml", {"A": "b"}, generate=False)
    except ConfigError as error:
        found = error.mistakes
    assert found is None or found
