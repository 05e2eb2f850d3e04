"""Other events that a rule waits for, or remembers: `preceded_by`, `not_followed_by`, `resolve`, `until` and `of`."""

from dataclasses import replace

from engine.match import parse_path
from engine.model.rule import When
from engine.model.timing import BY_ACCOUNT, Absence, Other
from engine.rulebook.fetches import check_object
from engine.rulebook.fields import check_keys, expected, flag, listed, with_vars
from engine.rulebook.findings import Findings
from engine.rulebook.known import Known
from engine.rulebook.lints import advise
from engine.rulebook.lints.carried import Carried
from engine.rulebook.lints.cells import about as about_of
from engine.rulebook.spans import read_span, required
from engine.rulebook.timing.paths import Pairs, read_same
from engine.rulebook.whens import read_whens
from engine.source import Mapping, Node, Scalar, Sequence

EVENT_KEYS = ("type", "scope", "where")
"""What another event is known by. Its livemode is that of the rule's event."""

PRECEDED_KEYS = (*EVENT_KEYS, "within", "same")
FOLLOWED_KEYS = (*PRECEDED_KEYS, "restart")
SETTLING_KEYS = (*EVENT_KEYS, "same")
OF_KEYS = (*EVENT_KEYS, "account")

FROM_TRIGGER = "trigger"
"""The `livemode_source` of other events: theirs is the trigger's, so that their `when` takes both."""

_NOT_HERE = {
    "livemode": "the livemode of the other event is that of the rule's own",
    "account": "whether it is of the same account is said under 'same'",
    "unmatched": "'unmatched' is known only of a rule's own event",
    "fetch": "what is to be read from Stripe is said under 'when' of a rule",
}


def read_preceded(found: Findings, node: Node, about: Carried, known: Known) -> Other | None:
    """`preceded_by`."""
    return _read_other(found, node, about, known, "preceded_by", PRECEDED_KEYS)


def read_absences(found: Findings, node: Node, about: Carried, known: Known) -> tuple[Absence, ...] | None:
    """`not_followed_by`: one or a list."""
    items = listed(found, node, "a map like {type: payout.paid, within: 3d}, or a list of them")
    read = [_read_absence(found, item, about, known) for item in items or ()]
    good = tuple(absence for absence in read if absence is not None)
    return good if read and len(good) == len(read) else None


def _read_absence(found: Findings, node: Node, about: Carried, known: Known) -> Absence | None:
    other = _read_other(found, node, about, known, "not_followed_by", FOLLOWED_KEYS)
    again = node.get("restart") if isinstance(node, Mapping) else None
    restart = again is not None and flag(found, again)
    return None if other is None or restart is None else Absence(other=other, restart=restart)


def read_settling(found: Findings, node: Node, about: Carried, known: Known, what: str) -> Other | None:
    """`resolve` of an incident, `until` of a reminder: what ends it, with `same`, which says which one."""
    return _read_other(found, node, about, known, what, SETTLING_KEYS)


def _read_other(
    found: Findings, node: Node, about: Carried, known: Known, what: str, keys: tuple[str, ...]
) -> Other | None:
    if not isinstance(node, Mapping) or not node.entries:
        rest = "within: 3d" if "within" in keys else "same: id"
        given = node.text if isinstance(node, Scalar) and isinstance(node.value, str) else ""
        hint = f"write {{type: {given}, {rest}}}" if given.strip() else None
        return expected(found, node, f"a map like {{type: payout.paid, {rest}}}", hint)
    errors = found.errors
    _check_event_keys(found, node, what, keys)
    if node.get("type") is None:
        found.error("missing-key", node, f"'{what}' has no 'type'", "write type: payout.paid, or a pattern")
    whens = _read_event(found, node, known) if node.get("type") is not None else None
    within_node = required(found, node, "within", what, "write within: 24h") if "within" in keys else None
    within = None if within_node is None else read_span(found, within_node)
    same_node = node.get("same")
    pairs: Pairs = ((BY_ACCOUNT[0], BY_ACCOUNT[0]),)
    if same_node is None and "within" not in keys:
        found.error("missing-key", node, f"'{what}' has no 'same'", "write same: account, or a path like same: id")
    elif same_node is not None:
        pairs = read_same(found, same_node, about, about_of(whens or ())) or pairs
    if found.errors > errors or whens is None:
        return None
    if any(parse_path(its.path).of_object is not None for _, its in pairs):
        whens = tuple(replace(when, reads_object=True) for when in whens)
    for when in whens:
        check_object(found, node, when, known, asked=False)
    return Other(when=whens, same=pairs, within=within, position=node.position)


def _read_event(found: Findings, node: Mapping, known: Known) -> tuple[When, ...] | None:
    """The keys of another event that a `when` has, as one."""
    keys = tuple(entry for entry in node.entries if entry.name in EVENT_KEYS)
    return _advised(found, replace(node, entries=keys), known)


def _advised(found: Findings, node: Node, known: Known) -> tuple[When, ...] | None:
    whens = read_whens(found, node, known)
    if whens is None:
        return None
    if any(when.fetch is not None for when in whens):
        message = "of another event's account only the id is known: nothing else of it is read from Stripe"
        return found.error("fetch", node, message, "put such conditions under 'when' of the rule")
    whens = tuple(replace(when, livemode=None, livemode_source=FROM_TRIGGER) for when in whens)
    advise(found, whens)
    return whens


def _check_event_keys(found: Findings, node: Mapping, what: str, keys: tuple[str, ...]) -> None:
    mistaken = [entry for entry in node.entries if entry.name in _NOT_HERE and entry.name not in keys]
    for entry in mistaken:
        found.error("unknown-key", entry.key, f"'{entry.name}' cannot stand in '{what}': {_NOT_HERE[entry.name]}")
    check_keys(found, node, what, [*keys, *(entry.name for entry in mistaken)])


def read_of(found: Findings, node: Node, known: Known) -> tuple[When, ...] | None:
    """`of` of a ratio: a `when` of types, scopes, accounts and conditions."""
    given = with_vars(found, node)
    errors = found.errors
    for item in given.items if isinstance(given, Sequence) else (given,):
        if isinstance(item, Mapping):
            _check_event_keys(found, item, "of", OF_KEYS)
            if item.get("type") is None:
                found.error("missing-key", item, "'of' has no 'type'", "write type: charge.*, or a pattern")
    if given is None or found.errors > errors:
        return None
    if isinstance(given, Scalar) and given.value is None:
        return expected(found, given, "an event type, a map, or a list of either")
    return _advised(found, given, known)
