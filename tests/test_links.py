"""Links in messages: signed, good for a week, and for one incident alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from engine.links import Links
from engine.settings import load_settings
from engine.wiring import links_of

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
LINKS = Links("https://tocsin.example.com", SecretStr("links_" + "a" * 40))


def token(links: Links = LINKS) -> str:
    return links.to("inc_1", NOW).rpartition("/")[2]


def test_a_link_names_its_incident_for_a_week() -> None:
    assert LINKS.to("inc_1", NOW).startswith("https://tocsin.example.com/ack/inc_1.")
    assert LINKS.read(token(), NOW + timedelta(days=6, hours=23)) == "inc_1"
    assert LINKS.read(token(), NOW + timedelta(days=7)) is None


def test_what_was_changed_is_not_ours() -> None:
    incident, until, mac = token().split(".")
    assert LINKS.read(f"inc_2.{until}.{mac}", NOW) is None
    assert LINKS.read(f"{incident}.{int(until, 16) + 1:x}.{mac}", NOW) is None
    assert LINKS.read(f"{incident}.{until}.{mac[:-1]}x", NOW) is None
    assert LINKS.read(token(Links(LINKS.base, SecretStr("links_" + "b" * 40))), NOW) is None


@pytest.mark.parametrize("given", ["", ".", "..", "inc_1", "inc_1.zz.a", "inc_1.-1.", "\ud800.1.\ud800", "a" * 10_000])
def test_no_nonsense_is_ours(given: str) -> None:
    assert LINKS.read(given, NOW) is None


def test_a_token_needs_no_escaping_in_an_address() -> None:
    assert set(token()) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.")
    assert token()[-1].isalnum()  # mails and chats leave out what is not


@pytest.mark.parametrize(
    ("role", "url", "secret", "said"),
    [
        ("work", "postgresql://h/d", "", ["link_secret_made"]),
        ("receive", "postgresql://h/d", "", ["link_secret_made"]),
        ("work", "postgresql://h/d", "0123456789abcdef", []),
        ("all", "postgresql://h/d", "", []),
        ("work", "embedded", "", []),
    ],
)
def test_a_secret_that_others_do_not_have_is_warned_of(
    tmp_path: Path, role: str, url: str, secret: str, said: list[str]
) -> None:
    """What one process signs another has to verify."""
    file = tmp_path / "config.yaml"
    file.write_text(f"console: {{url: 'https://t.example.com'}}\nstore: {{url: '{url}'}}\nrole: {role}\n")
    settings = load_settings(file, {"TOCSIN_CONSOLE__SECRET": secret} if secret else {})
    with capture_logs() as logs:
        assert links_of(settings) is not None
    assert [each["event"] for each in logs] == said
