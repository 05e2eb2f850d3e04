"""The console's alert: what it looks like, and that nothing an event carries can change how it looks."""

import io
import unicodedata
from dataclasses import replace
from typing import TextIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.rule import Severity
from notifiers.console import Alert, print_alert, visible, write_alert

ALERT = Alert(
    title="[TEST] Payout of $123.45 failed · Acme GmbH",
    text="Reason: The bank account has been closed.\n\nhttps://dashboard.stripe.com/acct_1/payouts/po_1",
    severity=Severity.HIGH,
    live=False,
    channel="payments",
    rule="payout-failed",
    event="evt_1",
    type="payout.failed",
    account="acct_1",
    delivery="dlv_1",
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_it_looks_like_this() -> None:
    assert (
        print_alert(ALERT)
        == """
┏━ HIGH ━ [TEST] Payout of $123.45 failed · Acme GmbH
┃
┃  Reason: The bank account has been closed.
┃
┃  https://dashboard.stripe.com/acct_1/payouts/po_1
┃
┗━ payout.failed · evt_1 · acct_1 · rule payout-failed · to payments

"""
    )


def test_a_report_of_tocsins_own_says_so() -> None:
    own = replace(ALERT, title="rules/a.yaml is broken", rule=None, event=None, type=None, account=None)
    assert print_alert(own).rstrip().endswith("┗━ Tocsin's own report · to payments")


def test_an_event_about_the_platform_says_so() -> None:
    assert " · the platform · " in print_alert(replace(ALERT, account=None))


def test_a_pipe_gets_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    write_alert(out, ALERT)
    assert "\x1b" not in out.getvalue()


def test_a_terminal_gets_color_unless_it_does_not_want_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    out = Terminal()
    write_alert(out, ALERT)
    assert "\x1b[1;91mHIGH\x1b[0m" in out.getvalue()
    assert " TEST " in out.getvalue()
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            plain = Terminal()
            write_alert(plain, ALERT)
            assert "\x1b" not in plain.getvalue()


def test_long_lines_are_wrapped_behind_the_rail_and_links_stay_whole() -> None:
    link = "https://dashboard.stripe.com/" + "x" * 200
    printed = print_alert(replace(ALERT, text="word " * 60 + "\n" + link), width=60)
    lines = printed.strip().split("\n")
    assert all(len(line) <= 60 for line in lines if link not in line and "rule" not in line)
    assert f"┃  {link}" in lines


def test_a_stream_without_unicode_gets_ascii() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    write_alert(cast("TextIO", out), ALERT)
    text = raw.getvalue().decode()
    assert "+- HIGH - [TEST] Payout of $123.45 failed - Acme GmbH" in text
    assert "|  Reason" in text


@pytest.mark.parametrize("severity", list(Severity))
def test_every_severity_has_its_color(severity: Severity) -> None:
    assert f"{str(severity).upper()}" in print_alert(replace(ALERT, severity=severity), color=True)


HOSTILE = "\x1b[2J\x1b]0;evil\x07\x9b31m\r\x08\x00\u202e\u2066\u2028\u0085\ud800\ufeff"


def test_hostile_text_cannot_reach_the_terminal() -> None:
    evil = replace(ALERT, title=HOSTILE, text=HOSTILE, channel=HOSTILE, rule=HOSTILE, event=HOSTILE, type=HOSTILE)
    printed = print_alert(replace(evil, account=HOSTILE))
    assert all(
        character == "\n" or unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp", "Cf")
        for character in printed
    )


def test_hostile_text_cannot_pass_for_the_end_of_the_alert() -> None:
    printed = print_alert(replace(ALERT, text="a\n┗━ fake\n\n2026-01-01 fake log line"))
    inner = printed.strip().split("\n")[1:-1]
    assert all(line.startswith("┃") for line in inner)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.text(max_size=200), st.sampled_from([None, 40, 80]))
def test_any_text_stays_behind_the_rail(title: str, text: str, width: int | None) -> None:
    lines = print_alert(replace(ALERT, title=title, text=text), width=width).strip("\n").split("\n")
    assert lines[0].startswith("┏━")
    assert lines[-1].startswith("┗━")
    assert all(line.startswith("┃") for line in lines[1:-1])
    assert all(visible(line) == line for line in lines)
