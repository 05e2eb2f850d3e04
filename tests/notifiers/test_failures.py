"""What the log of Apprise tells of a failure, from lines as its plugins write them."""

import pytest

from engine.model.outcome import Outcome, Refused, Retry
from notifiers.failures import Notes, judge_failure


def judged(*lines: str, several: bool = False) -> Outcome:
    notes = Notes()
    for line in lines:
        notes.add(line)
    return judge_failure("risk (Slack)", notes, several=several)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("Failed to send to Slack: Too Many Requests, error=429.", 429),
        ("Failed to send Discord notification: error=503.", 503),
        ("Failed to send Office 365 %s to x: error=502", 502),
    ],
)
def test_a_status_that_may_pass_is_retried(line: str, status: int) -> None:
    outcome = judged(line)
    assert isinstance(outcome, Retry)
    assert outcome.status == status


def test_a_status_that_cannot_pass_is_refused_with_what_to_look_at() -> None:
    assert judged("Failed to send to Slack: Forbidden, error=403.") == Refused(
        reason="risk (Slack) answered 403 Forbidden; check the token in the channel's URL and what it may do",
        status=403,
    )


@pytest.mark.parametrize(
    ("line", "says", "maybe"),
    [
        (
            "Socket Exception: HTTPSConnectionPool(host='hooks.slack.com', port=443): Max retries exceeded with url: "
            "/services/T/B/SECRET (Caused by ConnectTimeoutError(<..>, 'Connection to x timed out. "
            "(connect timeout=4.0)'))",
            "no connection in time",
            False,
        ),
        (
            "Socket Exception: HTTPSConnectionPool(host='h', port=443): Max retries exceeded with url: /SECRET (Caused "
            "by NameResolutionError(\"<..>: Failed to resolve 'h' ([Errno -2] Name or service not known)\"))",
            "its name does not resolve",
            False,
        ),
        ("Socket Exception: [Errno 111] Connection refused", "connection refused", False),
        (
            "Socket Exception: HTTPSConnectionPool(host='h', port=443): Read timed out. (read timeout=4.0) SECRET",
            "no answer in time",
            True,
        ),
        (
            "Socket Exception: ('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))",
            "the connection broke",
            True,
        ),
        (
            "Socket Exception: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate",
            "its certificate is not valid",
            False,
        ),
        ("A Connection error occurred sending Slack notification.", "the connection failed", True),
    ],
)
def test_a_connection_that_failed_is_named_without_its_url(line: str, says: str, maybe: bool) -> None:
    outcome = judged("A Connection error occurred sending Slack notification.", line)
    assert outcome == Retry(reason=f"risk (Slack): {says}", maybe_delivered=maybe)


@pytest.mark.parametrize(
    ("line", "kind", "status"),
    [
        ("Socket Exception: (535, b'5.7.8 Username and Password not accepted')", Refused, 535),
        ("Socket Exception: {'a@x.com': (550, b'no such user')}", Refused, 550),
        ("Socket Exception: {'a@x.com': (451, b'greylisted')}", Retry, 451),
        ("SMTP recipient a@x.com was refused: 452 b'full'", Retry, 452),
        ("Socket Exception: (421, 'busy')", Retry, 421),
    ],
)
def test_a_reply_of_a_mail_server_decides(line: str, kind: type[Outcome], status: int) -> None:
    outcome = judged(line)
    assert isinstance(outcome, kind)
    assert isinstance(outcome, Retry | Refused)
    assert outcome.status == status


def test_a_failure_without_a_word_is_retried() -> None:
    outcome = judged()
    assert isinstance(outcome, Retry)
    assert not outcome.maybe_delivered


def test_a_failure_of_several_recipients_in_one_may_have_reached_some() -> None:
    outcome = judged("Failed to send: error=503.", several=True)
    assert isinstance(outcome, Retry)
    assert outcome.maybe_delivered
