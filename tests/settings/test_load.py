"""What the configuration means once it is loaded, and which source wins."""

from datetime import timedelta
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.model.event import Scope
from engine.model.rule import Severity
from engine.settings import Settings, load_settings

CALLBACK_SECRET = "whsec_" + "QUJD" * 8


def load(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    (folder / "config.yaml").write_text(text)
    return load_settings(folder / "config.yaml", environ or {}, generate=False)


def test_without_anything_there_is_a_local_endpoint_for_test_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(environ={})
    (endpoint,) = settings.endpoints
    assert (endpoint.name, endpoint.path, endpoint.livemode, endpoint.scope) == (
        "local",
        "/webhooks/stripe",
        False,
        None,
    )
    assert endpoint.secrets[0].get_secret_value().startswith("whsec_")
    assert settings.default_livemode is None
    assert (settings.configured, settings.file) == (False, None)
    assert (settings.data, settings.rules) == (tmp_path / "data", (tmp_path / "rules",))
    assert settings.store.embedded
    assert set(settings.channels) == {"console", "payments", "risk", "onboarding"}
    assert load_settings(environ={}).endpoints[0].secrets == endpoint.secrets


def test_without_generating_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(environ={}, generate=False).endpoints[0].secrets == ()
    assert list(tmp_path.iterdir()) == []


def test_a_whole_configuration(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        """
        endpoints:
          - name: connect
            scope: connected
            secrets: ["${A}", whsec_old]
            key: sandbox-a
          - {name: platform, path: /webhooks/platform/, livemode: true, secrets: whsec_other}
        stripe:
          keys: {live: "${LIVE:-}", test: sk_test_1, sandbox-a: rk_test_2}
          api_base: http://127.0.0.1:9
          allow: [{operation: accounts.update, max: 20, every: 1h}]
        default_channel: payments
        channels:
          payments: "slack://A/B/C"
          on-call: {url: "mailtos://a:b@c", min_severity: high, livemode: true, rate: 30/m, timeout: 5s}
        callbacks:
          case-system: {url: "https://cases.example.com/h?a=b", secret: [SECRET, SECRET], headers: {X-Key: k}}
          near: {url: "http://127.0.0.1:1", secret: SECRET, allow_private: true}
        callback_hosts: [Hooks.Example.com]
        rules: [rules, /etc/rules]
        data: ../data
        store: {url: "postgresql://u:p@h:1/d?x=y", connections: 3}
        console: {token: "0123456789abcdef"}
        retention: {events: 2w}
        ops: {channel: risk}
        receive: {max_body: 64KiB, tolerance: 10m}
        """.replace("SECRET", CALLBACK_SECRET),
        {"A": " whsec_new\n"},
    )
    connect, platform = settings.endpoints
    assert [secret.get_secret_value() for secret in connect.secrets] == ["whsec_new", "whsec_old"]
    assert (connect.scope, connect.livemode, connect.key) == (Scope.CONNECTED, None, "sandbox-a")
    assert (platform.path, platform.livemode) == ("/webhooks/platform", True)
    assert settings.default_livemode is True
    assert set(settings.stripe.keys) == {"test", "sandbox-a"}
    (write,) = settings.stripe.allow
    assert (write.operation, write.max, write.every) == ("accounts.update", 20, timedelta(hours=1))
    on_call = settings.channels["on-call"]
    assert (on_call.min_severity, on_call.livemode, on_call.timeout) == (Severity.HIGH, True, timedelta(seconds=5))
    assert on_call.rate is not None
    assert on_call.rate.count == 30
    assert settings.channels["risk"].name == "risk"
    assert settings.channels["risk"].url == settings.channels["payments"].url
    assert settings.channels["console"].url is None
    assert len(settings.callbacks["case-system"].secrets) == 2
    assert settings.callbacks["near"].allow_private
    assert settings.callback_hosts == {"hooks.example.com"}
    assert settings.rules == (tmp_path / "rules", Path("/etc/rules"))
    assert settings.data == tmp_path / "../data"
    assert settings.store.place == "postgresql://h:1/d"
    assert settings.retention.events == timedelta(weeks=2)
    assert settings.ops_channel == "risk"
    assert (settings.receive.max_body, settings.receive.tolerance) == (65536, timedelta(minutes=10))
    assert (settings.configured, settings.file) == (True, tmp_path / "config.yaml")


def test_keys_without_a_value_count_as_left_out(tmp_path: Path) -> None:
    settings = load(tmp_path, "endpoints:\nchannels:\nstripe:\n  allow:\n")
    assert settings.endpoints[0].name == "local"
    assert settings.default_livemode is None


@pytest.mark.parametrize(("written", "meant"), [("any", None), ("true", True), ("false", False)])
def test_default_livemode_is_what_is_written(tmp_path: Path, written: str, meant: bool | None) -> None:
    assert load(tmp_path, f"default_livemode: {written}").default_livemode is meant


def test_the_environment_wins_over_the_file_and_secret_files_over_both(tmp_path: Path) -> None:
    text = "store: {url: postgresql://file/d, connections: 3}\nlogs: {level: debug}\nconsole: {token: aaaaaaaaaaaaaaaa}"
    settings = load(tmp_path, text, {"TOCSIN_STORE__URL": "postgresql://env/d", "TOCSIN_CONSOLE__TOKEN": "b" * 16})
    assert settings.store.url == "postgresql://env/d"
    assert (settings.store.connections, settings.logs.level) == (3, "debug")
    assert settings.console.token is not None
    assert settings.console.token.get_secret_value() == "b" * 16
    secret = tmp_path / "token"
    secret.write_text("c" * 16 + "\n")
    settings = load(tmp_path, text, {"TOCSIN_CONSOLE__TOKEN_FILE": str(secret)})
    assert settings.console.token is not None
    assert settings.console.token.get_secret_value() == "c" * 16


def test_variables_work_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"TOCSIN_DATA": "other", "TOCSIN_DEFAULT_LIVEMODE": "any", "TOCSIN_RECEIVE__MAX_BODY": "2048"}
    settings = load_settings(environ=environ, generate=False)
    assert (settings.data, settings.receive.max_body) == (tmp_path / "other", 2048)


def test_a_path_in_a_variable_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load(tmp_path / "etc", "data: x").data == tmp_path / "etc" / "x"
    assert load(tmp_path / "etc", "data: x", {"TOCSIN_DATA": "y"}).data == tmp_path / "y"


def test_a_link_to_nowhere_is_not_taken_for_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").symlink_to("gone.yaml")
    with pytest.raises(ConfigError, match="cannot read"):
        load_settings(environ={}, generate=False)


def test_an_empty_variable_sets_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, "logs: {level: error}", {"TOCSIN_LOGS__LEVEL": ""}).logs.level == "error"


def test_the_file_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.yaml").write_text("rules: mine")
    (tmp_path / "config.yaml").write_text("rules: [usual]")
    named = load_settings(environ={"TOCSIN_CONFIG": "there/mine.yaml"}, generate=False)
    assert named.rules == (tmp_path / "there" / "mine",)
    assert load_settings(environ={}, generate=False).rules == (tmp_path / "usual",)
    with pytest.raises(ConfigError, match=r"cannot read .*none\.yaml"):
        load_settings(environ={"TOCSIN_CONFIG": "none.yaml"})


def test_variables_are_put_into_any_text(tmp_path: Path) -> None:
    text = 'rules: ["${DIR}/x", "${NONE:-y}", "$${DIR}", "a-${EMPTY}-b", "${EMPTY:-z}"]'
    settings = load(tmp_path, text, {"DIR": "/d", "EMPTY": ""})
    assert [str(path).removeprefix(f"{tmp_path}/") for path in settings.rules] == [
        "/d/x",
        "y",
        "${DIR}",
        "a--b",
        "z",
    ]


def test_a_tocsin_variable_that_the_file_uses_is_known(tmp_path: Path) -> None:
    settings = load(tmp_path, 'console: {token: "${TOCSIN_TOKEN:-}"}', {"TOCSIN_TOKEN": "t" * 20})
    assert settings.console.token is not None


def test_secrets_come_from_files_next_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("whsec_a\nwhsec_b\n")
    (tmp_path / "two").write_text("slack://A/B/C\r\n")
    (tmp_path / "key").write_text("rk_live_x\n")
    (tmp_path / "cb").write_text(f"{CALLBACK_SECRET}\n")
    settings = load(
        tmp_path,
        """
        endpoints: [{name: a, secrets_file: one}]
        channels: {risk: {url_file: ./two}}
        stripe: {keys: {live_file: key}}
        callbacks: {c: {url: https://c.example.com, secret_file: cb}}
        """,
    )
    assert [secret.get_secret_value() for secret in settings.endpoints[0].secrets] == ["whsec_a", "whsec_b"]
    assert settings.channels["risk"].url is not None
    assert settings.channels["risk"].url.get_secret_value() == "slack://A/B/C"
    assert settings.stripe.keys["live"].get_secret_value() == "rk_live_x"
    assert len(settings.callbacks["c"].secrets) == 1


def test_the_process_environment_is_used_when_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_LOGS__LEVEL", "warning")
    assert load_settings(generate=False).logs.level == "warning"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@one,two:5433/d?target_session_attrs=read-write",
        "postgres://u@[::1]:5432,h/d",
        "postgresql:///d?host=/run/postgresql",
        "postgresql://u:a%5Bb%5D@h/d",
        "postgresql://u@h,[::1]:5432,[fe80::1%25eth0]/d?",
        "postgresql://u:a%23%2F@%2Frun%2Fpostgresql/d",
    ],
)
def test_libpqs_urls_are_taken(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, f"store: {{url: '{url}'}}").store.url == url
