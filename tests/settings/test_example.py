"""config.example.yaml names every setting, works as it is, and so does every line that is commented out in it."""

import re
from pathlib import Path

from engine.settings import describe, load_settings, variables
from engine.source import Mapping, Node, Sequence, parse

EXAMPLE = Path(__file__).parent.parent.parent / "config.example.yaml"
VALUES = {
    "STRIPE_CONNECT_SECRET": "whsec_a",
    "STRIPE_SANDBOX_SECRET": "whsec_b",
    "STRIPE_LIVE_KEY": "rk_live_x",
    "STRIPE_SANDBOX_KEY": "sk_test_x",
    "PAYMENTS_CHANNEL_URL": "slack://A/B/C",
    "ON_CALL_URL": "mailtos://a:b@example.com",
    "CASES_SECRET": "whsec_" + "QUJD" * 8,
    "CASES_API_KEY": "k",
    "TOCSIN_TOKEN": "t" * 20,
}


def switched_on() -> str:
    """The example with every commented key in force: a "#" that is not followed by exactly one space goes away."""
    lines = EXAMPLE.read_text().splitlines()
    return "\n".join(line[1:] if re.match(r"#(?! \S)(?=.)", line) else line for line in lines)


def test_it_loads_as_it_is_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(EXAMPLE.read_text())
    found = load_settings(tmp_path / "config.yaml", {}, generate=False)
    (tmp_path / "config.yaml").write_text("")
    assert found == load_settings(tmp_path / "config.yaml", {}, generate=False)


def test_everything_commented_out_in_it_works(tmp_path: Path) -> None:
    for name, content in (("stripe_platform_secret", "whsec_c"), ("risk_channel_url", "json://example.com")):
        (tmp_path / name).write_text(content)
    (tmp_path / "config.yaml").write_text(switched_on().replace("/run/secrets/", ""))
    settings = load_settings(tmp_path / "config.yaml", VALUES)
    assert [endpoint.name for endpoint in settings.endpoints] == ["connect", "platform", "sandbox"]
    assert settings.default_livemode is True
    assert set(settings.stripe.keys) == {"live", "sandbox-a"}
    assert [write.operation for write in settings.stripe.allow] == ["accounts.update"]
    assert {"payments", "risk", "on-call"} <= set(settings.channels)
    assert (settings.ops_channel, set(settings.callbacks)) == ("payments", {"case-system"})


def test_every_key_is_in_it() -> None:
    root = parse(switched_on(), "example").root
    assert root is not None
    written = set(_keys(root, ""))
    documented = {_shape(key) for key, _, _ in describe()}
    twins = {key + suffix for key in documented for suffix in ("", "_file")}
    assert {key for key in documented if key not in written} == set()
    assert {key for key in written if key not in twins and not any(known.startswith(key) for known in documented)} == {
        "callbacks.*.headers.*",
        "stripe.keys.*",
    }


def _shape(key: str) -> str:
    return key.replace("<name>", "*").replace("[]", "")


def _keys(node: Node, at: str) -> list[str]:
    """The keys of a tree; names that are free to choose are `*`."""
    if isinstance(node, Sequence):
        return [key for item in node.items for key in _keys(item, at)]
    if not isinstance(node, Mapping):
        return []
    free = at in ("channels.", "callbacks.", "stripe.keys.") or at.endswith("headers.")
    found = []
    for entry in node.entries:
        key = f"{at}{'*' if free else entry.name}"
        found += [key, *_keys(entry.value, f"{key}.")]
    return found


def test_every_key_is_described() -> None:
    for key, default, text in describe():
        assert text.endswith("."), key
        assert "SecretStr" not in default
    defaults = {key: default for key, default, _ in describe()}
    assert defaults["receive.max_body"] == "1048576"
    assert defaults["retention.events"] == "90d"
    assert defaults["endpoints[].secrets"] == "required"
    assert defaults["stripe.keys"] == "{}"
    assert defaults["endpoints[].scope"] == ""


def test_every_single_value_has_its_variable() -> None:
    found = variables()
    assert found["TOCSIN_STORE__URL"] == "store.url"
    assert found["TOCSIN_DATA"] == "data"
    assert not [name for name in found if "ENDPOINTS" in name or "CHANNELS" in name]
