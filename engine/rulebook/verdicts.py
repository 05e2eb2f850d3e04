"""Why a rule did or did not hold for an event: its `when`, checked in a fixed order, with the first thing that failed.

The order is type, mode, scope, livemode, account, unmatched, where: the cheap and coarse before the particular.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.match import because, compile_pattern, compile_type_pattern, examine, held
from engine.model.event import Event, Json, ScopeSource
from engine.model.fetch import wanted, with_fetched
from engine.model.rule import Rule, RuleMode, When
from engine.model.verdict import Because, Branch, Verdict, VerdictKind

FETCH = "fetch"
"""The path of what is wanted from Stripe, where it is why a rule was not judged."""

PLATFORM = "platform"
"""What stands for the account of an event that is about the platform itself."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """One `when` for one event: what held, in order, and what did not, None when all did."""

    held: tuple[str, ...]
    because: Because | None


_OFF = Because(path="mode", actual="off", needs="live or shadow", value="off")


def verdict_of(
    rule: Rule,
    event: Event,
    *,
    looks: bool,
    taken_by: str | None = None,
    unread: str | None = None,
    wants: tuple[str, ...] = (),
) -> Verdict:
    """The verdict on one rule, without its tree. `looks`: whether one of its patterns takes the event's type;
    `taken_by`: a live rule that holds, so that the event is not `unmatched`; `unread`: why what the rule wants read
    could not be; `wants`: what rules wait for, so that nobody knows yet whether the event is `unmatched`."""
    if not looks:
        patterns = ", ".join(dict.fromkeys(pattern for when in rule.when for pattern in when.types))
        missed = Because(path="type", actual=event.type, needs=patterns, value=event.type)
        return Verdict(rule=rule.id, kind=VerdictKind.NO, because=missed)
    if rule.mode is RuleMode.OFF:
        return Verdict(rule=rule.id, kind=VerdictKind.NO, because=_OFF, held=("type",))
    judged = [_judge(when, rule, event, taken_by, unread, wants) for when in looking(rule, event.type)]
    best = min(judged, key=_rank)
    kind = VerdictKind.WOULD if rule.mode is RuleMode.SHADOW else VerdictKind.FIRED
    if best.because is not None:
        kind = VerdictKind.NO
        if best.because.path == FETCH:
            kind = VerdictKind.WAITING if unread is None else VerdictKind.ERROR
    return Verdict(rule=rule.id, kind=kind, because=best.because, held=best.held)


def tree_of(
    rule: Rule, event: Event, taken_by: str | None, unread: str | None = None, wants: tuple[str, ...] = ()
) -> Branch:
    """Everything that a rule asks of an event, each with what was found, whatever the rest of it said: its mode, and
    of each `when` type, scope, livemode, account and `where`; of several one has to hold."""
    off = [_test(_OFF, held=False)] if rule.mode is RuleMode.OFF else []
    takers = looking(rule, event.type)
    whens = [_branch_of(when, rule, event, taken_by, unread, wants, takes=when in takers) for when in rule.when]
    if len(whens) == 1:
        children = (*off, *whens[0].children)
    else:
        children = (*off, Branch(label="any", kind="any", held=any(w.held for w in whens), children=tuple(whens)))
    return Branch(label="all", kind="all", held=all(child.held for child in children), children=children)


def _branch_of(
    when: When,
    rule: Rule,
    event: Event,
    taken_by: str | None,
    unread: str | None,
    wants: tuple[str, ...],
    *,
    takes: bool,
) -> Branch:
    asked = Because(path="type", actual=event.type, needs=", ".join(when.types), value=event.type)
    seen, missing = as_seen(when, rule, event, unread, wants)
    where = examine(when.where, seen)
    read = () if missing is None else (_test(missing, held=False),)
    conditions = where.children if where.kind == "all" else (where,)
    framed = (_test(about, held=held) for about, held in _frame(when, event, taken_by))
    children = (_test(asked, held=takes), *framed, *read, *conditions)
    return Branch(label="all", kind="all", held=all(child.held for child in children), children=children)


def _test(about: Because, *, held: bool) -> Branch:
    return Branch(
        label=about.path, held=held, actual=about.actual, needs=about.needs, value=about.value, note=about.note
    )


def looking(rule: Rule, event_type: str) -> tuple[When, ...]:
    """Those of the rule's `when` that take events of that type."""
    return tuple(when for when in rule.when if any(compile_type_pattern(pattern)(event_type) for pattern in when.types))


def _rank(judged: _Judged) -> tuple[int, int]:
    """What held before what could not be judged, and that before the one that came furthest: it is no plain no."""
    reason = judged.because
    return 0 if reason is None else 1 if reason.path == FETCH else 2, -len(judged.held)


def _judge(
    when: When, rule: Rule, event: Event, taken_by: str | None, unread: str | None, wants: tuple[str, ...]
) -> _Judged:
    passed = ["type"]
    for about, fits in _frame(when, event, taken_by):
        if not fits:
            return _Judged(tuple(passed), about)
        passed.append(about.path)
    seen, missing = as_seen(when, rule, event, unread, wants)
    if missing is not None:
        return _Judged(tuple(passed), missing)
    tree = examine(when.where, seen)
    return _Judged((*passed, *held(tree)), because(tree))


def as_seen(
    when: When, rule: Rule, event: Event, unread: str | None = None, wants: tuple[str, ...] = ()
) -> tuple[Event, Because | None]:
    """The event as a `when` sees it, and where something has to be read before it can be judged, that: what it wants
    itself, and for one that is about `unmatched` events what any rule `wants`."""
    fetch = wanted(when, rule, event)
    missing = () if fetch is None else fetch.missing(event)
    if not missing and when.unmatched:
        missing = wants
    if missing:
        return event, _not_read(missing, unread)
    return (event if fetch is None else with_fetched(event, fetch)), None


def _not_read(missing: tuple[str, ...], unread: str | None) -> Because:
    actual = "not read yet" if unread is None else f"could not be read: {unread}"
    return Because(path=FETCH, actual=actual, needs=", ".join(missing))


def outside(when: When, event: Event, taken_by: str | None) -> Because | None:
    """The first of scope, livemode, account and unmatched that is not as the rule asks; None where all are."""
    return next((about for about, fits in _frame(when, event, taken_by) if not fits), None)


def _frame(when: When, event: Event, taken_by: str | None) -> Iterator[tuple[Because, bool]]:
    """Scope, livemode, account and unmatched: what is there and what is asked, and whether it fits. What the rule does
    not ask for is left out."""
    if when.scopes is not None:
        yield _scope(when, event), event.scope in when.scopes
    if when.livemode is not None:
        yield _livemode(when, event), event.livemode is when.livemode
    if when.accounts is not None:
        about = event.account
        needs = ", ".join(when.accounts)
        fits = about is not None and any(compile_pattern(pattern)(about) for pattern in when.accounts)
        yield Because(path="account", actual=about or PLATFORM, needs=needs, value=about), fits
    if when.unmatched:
        taken = f"{taken_by} holds" if taken_by else "no other live rule holds"
        needs = "no other live rule to hold"
        yield Because(path="unmatched", actual=taken, needs=needs, value=taken_by), taken_by is None


def _scope(when: When, event: Event) -> Because:
    inferred = event.scope_source is ScopeSource.INFERRED
    source = "inferred from the event" if inferred else f"as configured for the endpoint {event.endpoint}"
    needs = " or ".join(sorted(when.scopes or ()))
    return Because(path="scope", actual=event.scope, needs=needs, value=event.scope, note=source)


def _livemode(when: When, event: Event) -> Because:
    word = str(when.livemode).lower()
    note = f"the rule does not say; default_livemode is {word}" if when.livemode_source == "default" else None
    return Because(
        path="livemode",
        actual=str(event.livemode).lower(),
        needs=word,
        value=event.livemode,
        note=note,
    )


def verdict_json(event: Event, verdicts: Iterable[Verdict]) -> dict[str, Json]:
    """What `explain --json` prints: the event in brief, and each rule's verdict with its reason (null: it held)."""
    return {
        "event": {
            "id": event.id,
            "type": event.type,
            "account": event.account,
            "livemode": event.livemode,
            "scope": str(event.scope),
            "scope_source": str(event.scope_source),
            "created": event.created.isoformat().replace("+00:00", "Z"),
            "object": event.object_type,
            "object_id": event.object_id,
        },
        "rules": [
            {
                "rule": verdict.rule,
                "verdict": str(verdict.kind),
                "because": _because_json(verdict.because) if verdict.because else None,
                "held": list(verdict.held),
                **({"tree": _branch_json(verdict.tree)} if verdict.tree is not None else {}),
            }
            for verdict in verdicts
        ],
    }


def _because_json(reason: Because) -> dict[str, Json]:
    found: dict[str, Json] = {"path": reason.path, "actual": reason.actual, "needs": reason.needs}
    if reason.note:
        found["note"] = reason.note
    return {**found, "value": reason.value}


def _branch_json(branch: Branch) -> dict[str, Json]:
    found: dict[str, Json] = {"kind": branch.kind, "held": branch.held}
    if branch.kind in ("test", "item"):
        found["path"] = branch.label
    if branch.kind == "test":
        found |= {"actual": branch.actual, "needs": branch.needs, "value": branch.value}
    if branch.note:
        found["note"] = branch.note
    return {**found, "children": [_branch_json(child) for child in branch.children]} if branch.children else found
