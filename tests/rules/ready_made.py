"""The rules of `rules/` and their inline tests, read plainly, and the events that those tests describe."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from engine.model.event import Event, Json, Scope
from engine.model.rule import Rule, RuleMode, Severity
from engine.receive.normalize import normalize
from engine.samples import sample
from engine.source import parse, plain
from tests.builders import endpoint

FOLDER = Path(__file__).parent.parent.parent / "rules"
CREATED = 1_790_000_000
NOW = datetime.fromtimestamp(CREATED + 5, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineTest:
    """One entry of a rule's `tests`."""

    rule: str
    given: dict[str, Json]
    fires: bool
    because: str | None
    number: int

    def __str__(self) -> str:
        return f"{self.rule}-{self.number}-{'fires' if self.fires else 'no'}"


def written_rules() -> list[dict[str, Any]]:
    """Every rule as it stands in the files, in order."""
    found: list[dict[str, Any]] = []
    for path in sorted(FOLDER.rglob("*.yaml")):
        document = parse(path.read_text(encoding="utf-8"), path.name)
        assert document.root is not None, document.mistakes
        assert not document.mistakes, document.mistakes
        found += plain(document.root)["rules"]
    return found


def inline_tests() -> list[InlineTest]:
    """Every inline test of every rule."""
    found = []
    for rule in written_rules():
        for number, entry in enumerate(rule["tests"], start=1):
            expect = entry["expect"]
            fires = expect == "fires" if isinstance(expect, str) else expect["fires"]
            because = None if isinstance(expect, str) else expect.get("because")
            found.append(InlineTest(rule=rule["id"], given=entry["given"], fires=fires, because=because, number=number))
    return found


def event_of(given: dict[str, Json], *, id: str = "evt_1SReadyMade") -> Event:  # noqa: A002 (Stripe's word)
    """The event that `given` describes, as it would arrive at an endpoint of that scope."""
    scope = Scope(given["scope"]) if "scope" in given else None
    root = sample(
        given["event"],
        account=given.get("account"),
        livemode=given.get("livemode", True),
        scope=scope,
        set=given.get("set"),
        previous=given.get("previous"),
        created=CREATED,
        id=id,
    )
    return normalize(orjson.dumps(root), endpoint(scope=scope), NOW)


def bare_rule(written: dict[str, Any]) -> Rule:
    """As much of a rule as a text reads."""
    return Rule(
        id=written["id"],
        when=(),
        steps=(),
        description=written["description"],
        severity=Severity(written["severity"]),
        owner=written.get("owner"),
        tags=tuple(written.get("tags", ())),
        runbook=written.get("runbook"),
        mode=RuleMode(written.get("mode", "live")),
    )
