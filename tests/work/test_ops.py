"""Without an ops channel, the log says what it would have been told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from engine.decide.retry import Decision
from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.outcome import Held, Outcome, Refused
from engine.model.rule import Severity, Verb
from engine.observe import Metrics
from engine.store import Store
from engine.work.counting import finisher
from engine.work.dead import EVERY, dead_reports
from engine.work.ops import MOST, OpsLog
from tests.decide.test_retry import delivery

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def told(logs: Sequence[Any]) -> list[Any]:
    return [each for each in logs if each["event"] == "ops_report"]


async def test_a_held_write_is_in_the_log_once_an_hour() -> None:
    now = [NOON]
    finished = finisher(Metrics(), OpsLog(lambda: now[0]))
    held = Held(reason="accounts.update is allowed 1 times in 1h, and that is used up")
    with capture_logs() as logs:
        for number in range(59):
            write = replace(delivery(key=f"dlv_{number}"), verb=Verb.STRIPE, destination="accounts.update")
            await finished(write, held, _decision(DeliveryStatus.HELD, held.reason), 0.1)
    [line] = told(logs)
    assert (line["subject"], line["log_level"]) == ("held-accounts.update", "warning")
    assert "accounts.update is allowed 1 times in 1h" in line["text"]
    assert "tocsin retry --held" in line["text"]
    now[0] += timedelta(hours=1)
    with capture_logs() as logs:
        await finished(write, held, _decision(DeliveryStatus.HELD, held.reason), 0.1)
    assert len(told(logs)) == 1


async def test_a_fetch_that_was_given_up_is_in_the_log() -> None:
    finished = finisher(Metrics(), OpsLog(lambda: NOON))
    outcome: Outcome = Refused(reason="there is no key for this live event")
    fetch = replace(delivery(key="dlv_1"), verb=Verb.FETCH)
    with capture_logs() as logs:
        await finished(fetch, outcome, _decision(DeliveryStatus.DEAD, "there is no key for this live event"), 0.1)
    [line] = told(logs)
    assert line["title"] == "Rules were not judged: what they want from Stripe could not be read"
    assert "there is no key for this live event" in line["text"]


async def test_what_was_given_up_is_in_the_log_with_its_destination_rule_and_reason(store: Store) -> None:
    now = [NOON]
    dead = dead_reports(store.dead, OpsLog(lambda: now[0]).report, clock=lambda: now[0])
    assert await dead.once() == 0
    at = NOON + timedelta(minutes=1)
    gone = {"status": DeliveryStatus.DEAD, "reason": "503", "finished": at, "created": at}
    made: Delivery = replace(delivery(key="dlv_1"), destination="risk", rule="big-payout", **gone)  # type: ignore[arg-type]  # by their names
    await store.deliveries.insert([made])
    now[0] += EVERY + timedelta(seconds=20)
    with capture_logs() as logs:
        assert await dead.once() == 1
    [line] = told(logs)
    assert f"1 × {made.verb} risk (rule big-payout), the latest: 503" in line["text"]


async def test_the_log_of_an_hour_is_bounded() -> None:
    """Whatever the reasons are, and however many."""
    ops = OpsLog(lambda: NOON)
    with capture_logs() as logs:
        for number in range(3 * MOST):
            await ops.report("fetch", "Rules were not judged", f"reason {number}")
    assert len(told(logs)) == MOST
    assert [each["event"] for each in logs[MOST:]] == ["ops_reports_left_out"]


@pytest.mark.parametrize(("severity", "level"), [(Severity.INFO, "info"), (Severity.CRITICAL, "warning")])
async def test_good_news_is_no_warning(severity: Severity, level: str) -> None:
    with capture_logs() as logs:
        await OpsLog(lambda: NOON).report("queue", "Deliveries are on time again", "Well.", severity)
    assert told(logs)[0]["log_level"] == level


def _decision(status: DeliveryStatus, reason: str) -> Decision:
    return Decision(status=status, reason=reason)
