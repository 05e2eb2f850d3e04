"""Rules that each event of their type has to be tested against, one by one, once there are many of them."""

from collections.abc import Iterable

from engine.match.covers import Covers
from engine.match.selectors import Found, selector_of
from engine.model.rule import Rule, RuleMode, When
from engine.rulebook.findings import Findings
from engine.rulebook.lints.contradictions import conjuncts

MANY = 200
"""From so many rules on; one costs half a microsecond an event."""

_MICROSECONDS = 0.5


def check_cost(found: Findings, rules: Iterable[Rule]) -> None:
    """Warn, at the first of them, of many rules on one type that the index cannot tell apart."""
    by_type: dict[str, list[tuple[Rule, When]]] = {}
    for rule in rules:
        if rule.mode is not RuleMode.OFF:
            for when in rule.when:
                for pattern in when.types:
                    by_type.setdefault(pattern, []).append((rule, when))
    covers = Covers()
    for pattern, asking in by_type.items():
        if len(asking) < MANY:
            continue
        doubtful = [(rule, when) for rule, when in asking if not surely_found(when)]
        scanned = [rule for rule, when in doubtful if selector_of(when, covers).found is Found.SCAN]
        place = scanned[0].position if scanned else None
        if len(scanned) >= MANY and place is not None:
            cost = len(scanned) * _MICROSECONDS
            message = f"{len(scanned):,} rules are tested at every {pattern}, which takes about {cost:,.0f} µs an event"
            hint = "the index finds rules by a value, a beginning, a bound or an account: let each ask for one"
            found.warn("linear", place, message, hint)


def surely_found(when: When) -> bool:
    """Whether one look is enough: a text has to be equal, as in most rules there are many of."""
    return any(
        operation.operator == "eq" and isinstance(operation.operand, str) and not operation.fold
        for test in conjuncts(when.where)
        if "[" not in test.path
        for operation in test.operations
    )
