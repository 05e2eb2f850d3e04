"""Rules that want something read: matching and explaining agree, whatever was read so far."""

from dataclasses import replace
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.event import Event, Json
from engine.model.verdict import VerdictKind
from engine.rulebook import Known, Rulebook, load
from tests.builders import event

WHENS = [
    "{type: payout.failed}",
    "{type: payout.failed, where: {amount: {gt: 5}, currency: usd}}",
    "{type: payout.failed, where: {none: [{amount: 5}]}}",
    "{type: payout.failed, fetch: object, where: {status: paid}}",
    "{type: payout.failed, fetch: [balance_transaction], where: {balance_transaction.fee: 1}}",
    "{type: payout.failed, where: {$account.country: DE}}",
    "{type: payout.failed, where: {$account.country: {exists: false}}}",
    "{type: payout.failed, account: acct_2, where: {$account.country: DE, amount: 5}}",
    "[{type: payout.failed, fetch: object, where: {amount: 7}}, {type: payout.failed, livemode: false}]",
    "{unmatched: true}",
    "{unmatched: true, where: {amount: 5}}",
]
BOOKS = [
    load(
        {"a.yaml": "rules:\n" + "".join(f"  - {{id: r{n}, when: {when}, then: {{notify: x}}}}\n" for n, when in each)},
        Known(default_livemode=True),
    ).rulebook
    for size in (1, 2, 4)
    for each in list(combinations(enumerate(WHENS), size))[:: max(1, size * size - 5)]
]
OBJECTS = st.fixed_dictionaries(
    {
        "amount": st.sampled_from([5, 7]),
        "currency": st.just("usd"),
        "status": st.sampled_from(["paid", "failed"]),
        "balance_transaction": st.sampled_from(["txn_1", None]),
    }
)
READ: dict[str, st.SearchStrategy[Json]] = {
    "object": OBJECTS,
    "id:balance_transaction": st.fixed_dictionaries({"fee": st.sampled_from([1, 2])}),
    "account": st.sampled_from([{"country": "DE"}, {"country": "FR"}, {}]),
}


@st.composite
def events(draw: st.DrawFn) -> Event:
    """A payout.failed or its thin twin, with some of what rules may want."""
    account = draw(st.sampled_from(["acct_1", "acct_2", None]))
    if draw(st.booleans()):
        found = event("payout.failed", object=draw(OBJECTS), account=account)
    else:
        related = {"id": "po_1", "type": "payout", "url": "/v1/payouts/po_1"} if draw(st.booleans()) else ...
        found = event("v1.payout.failed", context=account, related_object=related)
    return replace(found, fetched=draw(st.one_of(st.none(), st.fixed_dictionaries({}, optional=READ))))


@given(st.sampled_from(BOOKS), events())
@settings(max_examples=400, deadline=None)
def test_a_rule_fires_exactly_when_explain_says_so(book: Rulebook, given_event: Event) -> None:
    """And where nothing is wanted any more, no verdict waits."""
    fired = {match.rule.id for match in book.match(given_event)}
    wants = book.wants(given_event)
    for verdict in book.explain(given_event):
        unmatched = any(when.unmatched for rule in book.rules if rule.id == verdict.rule for when in rule.when)
        if not unmatched or not wants:
            assert (verdict.kind is VerdictKind.FIRED) == (verdict.rule in fired), verdict
        assert wants or verdict.kind is not VerdictKind.WAITING


@given(st.sampled_from(BOOKS), events())
@settings(max_examples=200, deadline=None)
def test_what_has_fired_stays_fired_when_more_is_read(book: Rulebook, given_event: Event) -> None:
    """The plan that is made then holds all that came before: nothing is taken back, and nothing is made twice."""
    before = {match.rule.id for match in book.match(given_event)}
    answers = {"object": {"amount": 5, "status": "paid", "currency": "usd"}, "account": {"country": "DE"}}
    more = {need: answers.get(need, {"fee": 1}) for need in book.wants(given_event)}
    whole = replace(given_event, fetched={**(given_event.fetched or {}), **more})
    assert book.wants(whole) == ()
    assert before <= {match.rule.id for match in book.match(whole)}
