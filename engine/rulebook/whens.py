"""`when`: which events a rule looks at."""

from collections.abc import Sequence as Items
from dataclasses import replace

from engine.match import compile_type_pattern
from engine.match.patterns import is_literal
from engine.match.reads import reads_account, reads_object
from engine.model.catalog import catalog
from engine.model.condition import ALWAYS, All, Condition
from engine.model.event import Scope
from engine.model.fetch import Fetch
from engine.model.rule import When
from engine.rulebook import foreign
from engine.rulebook.conditions import read_where
from engine.rulebook.fetches import check_account_fields, read_fetch
from engine.rulebook.fields import check_keys, expected, listed, texts
from engine.rulebook.findings import Findings
from engine.rulebook.known import Known
from engine.source import Entry, Mapping, Node, Scalar, Sequence, nearest

KEYS = ("type", "scope", "livemode", "account", "fetch", "where", "unmatched")
ANY = "any"

_SCOPE_WORDS = {
    "connect": "did you mean 'connected' (events of your connected accounts)?",
    "connected_accounts": "did you mean 'connected' (events of your connected accounts)?",
    "account": "did you mean 'platform' (your own account) or 'connected' (your connected accounts)?",
    "accounts": "did you mean 'connected' (events of your connected accounts)?",
    "self": "did you mean 'platform' (events of your own account)?",
    "own": "did you mean 'platform' (events of your own account)?",
}
_LIVEMODE_WORDS = {"live": "true", "test": "false", "both": ANY, "all": ANY, "yes": "true", "no": "false"}
_LONGEST_PATTERN = 200


def read_whens(found: Findings, node: Node, known: Known) -> tuple[When, ...] | None:
    """Every way for the rule to be concerned; None with a mistake where one cannot be used."""
    items = listed(found, node, "an event type, a map, or a list of either")
    if items is None:
        return None
    read = [_read_when(found, item, known) for item in items]
    good = tuple(when for when in read if when is not None)
    return good if len(good) == len(read) else None


def _read_when(found: Findings, node: Node, known: Known) -> When | None:
    types: tuple[str, ...] | None
    if isinstance(node, Scalar):
        types = read_types(found, node)
        return None if types is None else When(types=types, livemode=known.default_livemode, position=node.position)
    if isinstance(node, Sequence):
        return expected(found, node, "an event type or a map")
    errors = found.errors
    check_keys(found, node, "when", KEYS, foreign.in_when(node, KEYS))
    types_node = node.get("type")
    unmatched = _read_unmatched(found, node.get("unmatched"))
    types = ("*",)
    if types_node is not None:
        types = read_types(found, types_node)
    elif node.get("unmatched") is None:
        found.error("missing-key", node, "'when' has no 'type'", "write type: payout.failed, or a pattern")
    scopes = _read_scopes(found, node.get("scope"))
    livemode, source = _read_livemode(found, node.get("livemode"), known.default_livemode)
    account_node = node.get("account")
    in_table = account_node if isinstance(account_node, Mapping) else None
    accounts = _read_accounts(found, account_node) if in_table is None else None
    conditions = [read_where(found, each) for each in (_account_in_table(found, in_table), node.get("where")) if each]
    fetch_node = node.get("fetch")
    fetch = None if fetch_node is None else read_fetch(found, fetch_node, types, known)
    if fetch_node is not None and unmatched:
        hint = "write one rule that reads it, and one for what nobody looks after"
        found.error("fetch", fetch_node, "'unmatched' is known only when everything was read", hint)
    where = _all([condition for condition in conditions if condition is not None])
    if reads_account(where):
        fetch = replace(fetch or Fetch(), account=True)
        check_account_fields(found, node.get("where") or node, known)
        if unmatched:
            found.error("fetch", node, "'unmatched' is known only when everything was read, fields of $account too")
    if found.errors > errors or types is None:
        return None
    return When(
        types=types,
        scopes=scopes,
        livemode=livemode,
        livemode_source=source,
        accounts=accounts,
        unmatched=unmatched,
        fetch=fetch,
        where=where,
        reads_object=reads_object(where),
        position=node.position,
    )


def read_types(found: Findings, node: Node) -> tuple[str, ...] | None:
    """One pattern of event types or a list of them; warns of what Stripe is not known to send."""
    patterns = texts(found, node, "an event type")
    if patterns is None:
        return None
    places = node.items if isinstance(node, Sequence) else (node,)
    for place in places:
        if isinstance(place, Scalar) and not _check_type(found, place):
            return None
    return patterns


def _check_type(found: Findings, node: Scalar) -> bool:
    pattern = node.text
    if len(pattern) > _LONGEST_PATTERN or any(character.isspace() for character in pattern):
        hint = foreign.type_hint(pattern)
        found.error("type", node, "an event type has no spaces, and at most 200 characters", hint)
        return False
    known = catalog()
    if is_literal(pattern):
        if pattern not in known:
            near = nearest(pattern, known)
            hint = foreign.type_hint(pattern) or (f"did you mean '{near}'?" if near else None)
            found.warn("unknown-type", node, f"Stripe is not known to send '{pattern}'", hint)
    elif not any(map(compile_type_pattern(pattern), known)):
        found.warn("unknown-type", node, f"Stripe is not known to send anything like '{pattern}'", _family(pattern))
    return True


def _family(pattern: str) -> str | None:
    """What to write for `payuot.*`: the nearest family of types that there is, or a type where that is none."""
    instead = foreign.type_hint(pattern)
    if instead is not None:
        return instead
    head, _, rest = pattern.partition("*")
    families = {name[: len(head)] if rest else name.rpartition(".")[0] + "." for name in catalog()}
    near = nearest(head, families)
    if near is not None and any(map(compile_type_pattern(f"{near}*{rest}"), catalog())):
        return f"did you mean '{near}*{rest}'?"
    type_ = nearest(pattern.replace("*.", "").replace("*", ""), catalog(), 0.8)
    return f"did you mean '{type_}'?" if type_ else None


def _read_unmatched(found: Findings, node: Node | None) -> bool:
    if node is None:
        return False
    if isinstance(node, Scalar) and node.value is True:
        return True
    expected(found, node, "true", "leave 'unmatched' out for a rule that does not ask for it")
    return False


def _read_scopes(found: Findings, node: Node | None) -> frozenset[Scope] | None:
    words = None if node is None else texts(found, node, "a scope")
    if node is None or words is None:
        return None
    places = node.items if isinstance(node, Sequence) else (node,)
    for place in places:
        if isinstance(place, Scalar) and place.text != ANY and place.text not in set(Scope):
            _unknown_scope(found, place)
    known = [word for word in words if word in set(Scope)]
    return None if ANY in words else frozenset(map(Scope, known))


def _unknown_scope(found: Findings, node: Scalar) -> None:
    names = [*map(str, Scope), ANY]
    near = nearest(node.text, names)
    hint = _SCOPE_WORDS.get(node.text.lower()) or (f"did you mean '{near}'?" if near else None)
    found.error("unknown-scope", node, f"unknown scope '{node.text}': there are {', '.join(names)}", hint)


def _read_livemode(found: Findings, node: Node | None, default: bool | None) -> tuple[bool | None, str]:
    if node is None:
        return default, "default"
    if isinstance(node, Scalar):
        if isinstance(node.value, bool):
            return node.value, "rule"
        if node.text == ANY:
            return None, "rule"
    meant = _LIVEMODE_WORDS.get(node.text.lower()) if isinstance(node, Scalar) else None
    expected(found, node, "true, false or any", f"write {meant}" if meant else None)
    return None, "rule"


def _account_in_table(found: Findings, node: Mapping | None) -> Mapping | None:
    """`account: {in_table: vip}` as the condition that it is: `$account.id: {in_table: vip}`."""
    if node is None:
        return None
    if node.keys() != ("in_table",):
        return expected(found, node, "an account id, a pattern, a list of them, or {in_table: vip}")
    first = node.entries[0].key
    key = Scalar("$account.id", "$account.id", False, first.file, first.line, first.column, first.length)
    return replace(node, entries=(Entry(key, node),))


def _all(conditions: list[Condition]) -> Condition:
    if len(conditions) == 1:
        return conditions[0]
    return All(children=tuple(conditions)) if conditions else ALWAYS


def _read_accounts(found: Findings, node: Node | None) -> tuple[str, ...] | None:
    if node is None:
        return None
    if isinstance(node, Scalar) and node.text == ANY:
        return None
    patterns = texts(found, node, "an account id")
    places: Items[Node] = node.items if isinstance(node, Sequence) else (node,)
    for place in places:
        if isinstance(place, Scalar) and isinstance(place.value, str) and not place.text.startswith(("acct_", "*")):
            found.warn("account", place, f"'{place.text}' is no account: their ids begin with acct_")
    return patterns
