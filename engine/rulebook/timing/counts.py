"""`threshold`: how much must come together before a rule fires."""

from dataclasses import replace

from engine.match import parse_path
from engine.model.condition import Money, Reference
from engine.model.rule import When
from engine.model.schema import Field, Kind
from engine.model.timing import BY_ACCOUNT, Ratio, Threshold
from engine.rulebook.fields import check_keys, kind_of, mapping, read, whole_number
from engine.rulebook.findings import Findings
from engine.rulebook.known import Known
from engine.rulebook.lints.carried import Carried
from engine.rulebook.lints.cells import about as about_of
from engine.rulebook.lints.wording import kind_in_words
from engine.rulebook.money import better_money, looks_like_money, read_money
from engine.rulebook.spans import read_share, read_span, required
from engine.rulebook.timing.others import read_of
from engine.rulebook.timing.paths import Looked, read_looked, read_per
from engine.source import Entry, Node, Scalar, Sequence

MEASURES = ("count", "distinct", "sum", "ratio")
KEYS = (*MEASURES, "within", "per")
RATIO_KEYS = ("of", "gte", "min")
MOST = 1_000_000
"""Events that anything may be counted to."""

_AMOUNTS = (Kind.AMOUNT, Kind.INTEGER, Kind.NUMBER, Kind.ANY)


def read_threshold(
    found: Findings, node: Node, about: Carried, whens: tuple[When, ...], known: Known
) -> Threshold | None:
    """`threshold`; None with a mistake where it cannot be used."""
    given = mapping(found, node, "a map like {count: 20, within: 10m}")
    if given is None:
        return None
    errors = found.errors
    check_keys(found, given, "threshold", KEYS)
    if not any(given.get(measure) is not None for measure in MEASURES):
        hint = "write count: 20, distinct: {path: 5}, sum: {amount: 10000 USD} or ratio: {of: .., gte: 30%, min: 50}"
        found.error("missing-key", given, f"'threshold' has none of {', '.join(MEASURES)}", hint)
    within_node = required(found, given, "within", "threshold", "write within: 10m")
    within = None if within_node is None else read_span(found, within_node)
    per = read(given, "per", lambda value: read_per(found, value, about)) or BY_ACCOUNT
    count = read(given, "count", lambda value: whole_number(found, value, "a count", 1, MOST))
    distinct = read(given, "distinct", lambda value: _distinct(found, value, about)) or ()
    sums = read(given, "sum", lambda value: _sums(found, value, about)) or ()
    ratio = read(given, "ratio", lambda value: _ratio(found, value, whens, known))
    if found.errors > errors or within is None:
        return None
    if ratio is not None and any(parse_path(each.path).of_object is not None for each in per):
        ratio = replace(ratio, of=tuple(replace(when, reads_object=True) for when in ratio.of))
    return Threshold(within=within, per=per, count=count, distinct=distinct, sums=sums, ratio=ratio)


def _distinct(found: Findings, node: Node, about: Carried) -> tuple[tuple[Reference, int], ...] | None:
    given = mapping(found, node, "a map of a path and a count, like {payment_method: 5}")
    read: list[tuple[Reference, int]] = []
    for entry in given.entries if given else ():
        looked = read_looked(found, entry.key, about, several=True)
        count = whole_number(found, entry.value, "a count", 1, MOST)
        if looked is not None and count is not None:
            read.append((looked.reference, count))
    return tuple(read)


def _sums(found: Findings, node: Node, about: Carried) -> tuple[tuple[Reference, Money], ...] | None:
    given = mapping(found, node, "a map of a path and money, like {amount: 10000 USD}")
    read: list[tuple[Reference, Money]] = []
    for entry in given.entries if given else ():
        looked = read_looked(found, entry.key, about, several=True)
        money = _bound(found, entry)
        if looked is not None:
            _doubt_sum(found, entry.key, looked)
        if looked is not None and money is not None:
            if read and read[0][1].currency != money.currency:
                first = read[0][1].currency.upper()
                message = f"one event has one currency, so that sums in {first} and {money.currency.upper()} never meet"
                found.error("money", entry.value, message, "write one rule for each")
            read.append((looked.reference, money))
    return tuple(read)


def _bound(found: Findings, entry: Entry) -> Money | None:
    """The money of one sum: more than nothing, and of one currency."""
    node = entry.value
    if not isinstance(node, Scalar):
        several = isinstance(node, Sequence)
        hint = "only events in its currency are summed; write one rule for each currency" if several else None
        return found.error("money", node, f"'sum' takes one amount, like 10000 USD; got {kind_of(node)}", hint)
    if not looks_like_money(node.text) or node.value is None:
        better = better_money(node.text)
        hint = f"write '{better or node.text + ' USD'}'" if better or isinstance(node.value, int) else None
        return found.error("money", node, f"'sum' takes money, like 10000 USD; got {kind_of(node)}", hint)
    money = read_money(found, node)
    if money is not None and money.minor <= 0:
        return found.error("money", node, "a sum has to be more than 0")
    return money


def _doubt_sum(found: Findings, place: Scalar, looked: Looked) -> None:
    """Warn of a sum of what is no amount, or of what has no currency around it."""
    spots = looked.spots
    if spots and not any(spot.field.kind in _AMOUNTS or _is_amount(spot.field) for spot in spots):
        kind = kind_in_words(spots[0].field)
        found.warn("field-type", place, f"'sum' adds amounts, and {place.text} is {kind}")
    elif spots and not any(spot.priced or _is_amount(spot.field) for spot in spots):
        found.warn("money", place, f"nothing around {place.text} says its currency, so that none of it is summed")


def _is_amount(field: Field) -> bool:
    """Whether a field is an amount of API v2: a map of value and currency."""
    return any({"value", "currency"} <= fields.keys() for fields in field.within)


def _ratio(found: Findings, node: Node, whens: tuple[When, ...], known: Known) -> Ratio | None:
    given = mapping(found, node, "a map like {of: [charge.failed, charge.succeeded], gte: 30%, min: 50}")
    if given is None:
        return None
    errors = found.errors
    check_keys(found, given, "ratio", RATIO_KEYS)
    few = "write min: 50: of fewer events a share says nothing"
    of_node = required(found, given, "of", "ratio", "write of: [charge.failed, charge.succeeded]")
    gte_node = required(found, given, "gte", "ratio", "write gte: 30%")
    min_node = required(found, given, "min", "ratio", few)
    of = None if of_node is None else read_of(found, of_node, known)
    gte = None if gte_node is None else read_share(found, gte_node)
    least = None if min_node is None else whole_number(found, min_node, "a count", 1, MOST)
    if found.errors > errors or of is None or gte is None or least is None:
        return None
    own, all_of = set(about_of(whens).types), set(about_of(of).types)
    if of_node is not None and own and all_of and not own & all_of:
        message = f"'of' does not take what this rule is about ({sorted(own)[0]}), so that its share is always 0%"
        found.warn("never-holds", of_node, message, "write all types under 'of', those of the rule too")
    return Ratio(of=of, gte=gte, min=least)
