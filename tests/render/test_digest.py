"""Digests: one message of many alerts, what it counts, what it lists, and how it looks in each form."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import TemplateError
from engine.model.event import Json
from engine.model.outcome import Scene
from engine.render import Form, Item, Message, Rest, digest_scene, render_digest
from tests.golden_files import Golden
from tests.render.digests import NOW, RULE, gathered, item

SUFFIXES = {Form.HTML: "html", Form.BLOCK: "md", Form.LIST: "list.md"}


def render(scene: Scene, form: Form = Form.TERMINAL, limit: int = 30_000, **options: Json) -> Message:
    """The message of a digest."""
    return render_digest(options, scene, form, limit=limit)


def grouped(count: int = 9, **options: Any) -> Scene:
    """Failed payouts by account."""
    items = [replace(item(number), group=f"acct_{number % 3 + 1}") for number in range(count)]
    return digest_scene(items, RULE, now=NOW, grouped=True, **options)


def mixed() -> Scene:
    """What a quiet night held, of two rules, some of it without an amount; from the day before on."""
    disputes = [replace(item(number, "charge.dispute.created"), rule="dispute-opened") for number in (0, 3)]
    night = [replace(each, when=each.when - timedelta(hours=11)) for each in (item(1), *disputes)]
    held = [*night, item(8, "account.application.deauthorized", account="acct_9")]
    return digest_scene(held, RULE, now=NOW, notes=["and 12 more left out since 09:02 UTC"], timezone="Europe/Berlin")


SCENES: dict[str, Callable[[], Scene]] = {
    "payouts": lambda: gathered(4),
    "grouped": lambda: grouped(max_items=7),
    "many": lambda: gathered(30, max_items=3, rest=Rest(count=10, total={"eur": 1_000, "jpy": 75_000})),
    "night": mixed,
    "test": lambda: digest_scene([item(0, livemode=False)], RULE, now=NOW),
}
OPTIONS: dict[str, dict[str, Json]] = {
    "payouts": {},
    "own": {
        "title": "{{ digest.count }} payouts came back: {{ digest.totals }}",
        "text": "Call **{{ digest.items | map(attribute='account.name') | unique | join(' and ') }}**.",
        "format": "markdown",
        "table": {"Who": "$account.name", "Code": "failure_code", "Amount": "{{ object | money }}"},
    },
}


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("name", [*SCENES, "own"])
def test_a_digest_reads_as_it_was_approved(name: str, form: Form, golden: Golden) -> None:
    """Whoever changes a text sees the whole of it in the review."""
    made = render(SCENES.get(name, SCENES["payouts"])(), form, **OPTIONS.get(name, {}))
    golden.check(f"{name}.{SUFFIXES.get(form, f'{form}.txt')}", f"{made.title}\n\n{made.text}\n")


def test_it_counts_all_and_lists_some() -> None:
    """What is not listed is in the counts, the totals and the time."""
    rest = Rest(count=10, total={"eur": 1_000, "jpy": 75_000}, last=NOW)
    scene = gathered(5, max_items=2, rest=rest)
    digest = scene["digest"]
    assert (digest["count"], len(digest["items"]), digest["more"]) == (15, 2, 13)
    amounts = [420_050 + 1_000 * number for number in range(5)]
    assert digest["total"] == {"usd": amounts[0] + amounts[4], "eur": sum(amounts[1:4]) + 1_000, "jpy": 75_000}
    assert digest["last"] == NOW.isoformat()
    text = render(scene).text
    assert "15 alerts of payout-failed between 09:12 and 10:30 UTC: €12,671.50, $8,441.00, ¥75,000 in all" in text
    assert "and 13 more" in text


def test_texts_have_the_names_of_the_language() -> None:
    """`digest.items[]` with `.object .account .event .created`, `digest.count`, `.total`, `.more`; and of all, what
    they share."""
    template = (
        "{% for each in digest.items %}{{ each.object.id[:3] }} {{ each.account.name }} {{ each.event.id }} "
        "{{ each.created | date('time') }}\n{% endfor %}{{ digest.count }} {{ digest.more }} {{ digest.total.usd }}"
        "{% for currency, amount in digest.total | items %} {{ amount | money(currency) }}{% endfor %}"
        " {{ account.name }}"
    )
    assert render(gathered(3, max_items=2), text=template).text == (
        "po_ Nordwind Coffee GmbH evt_0 09:12 UTC\npo_ 東京ベーカリー evt_1 09:17 UTC\n"
        "3 1 420050 $4,200.50 €8,431.00 3 accounts"
    )


def test_a_text_about_the_event_says_that_there_are_several() -> None:
    """Rather than tell of one as if it were all."""
    with pytest.raises(TemplateError, match=r"'object.amount' is undefined: a digest is about several events"):
        render(gathered(2), text="{{ object.amount }}")


def test_a_digest_of_one_account_is_of_that_account() -> None:
    """In its title, its text, and for who reads what was sent."""
    scene = digest_scene([item(0), item(3)], RULE, now=NOW)
    assert scene["account"]["id"] == "acct_1"
    made = render(scene)
    assert made.title.endswith(" · Nordwind Coffee GmbH")
    assert "Account: Nordwind Coffee GmbH (acct_1)" in made.text
    assert "Account  " not in made.text
    assert gathered(3)["account"]["id"] is None


def test_items_stand_in_the_order_they_came() -> None:
    """However they are given."""
    scene = digest_scene([item(2), item(0), item(1)], RULE, now=NOW, max_items=2)
    assert [each["event"]["id"] for each in scene["digest"]["items"]] == ["evt_0", "evt_1"]


def test_a_test_digest_says_so_first() -> None:
    """Also where the title is the rule's own."""
    scene = digest_scene([item(0, livemode=False), item(1, livemode=False)], RULE, now=NOW)
    assert render(scene).title.startswith("[TEST] 2 × Payout failed")
    assert render(scene, title="Payouts").title == "[TEST] Payouts"


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("options", [{}, {"text": "Call them"}, {"text": "Call them", "table": {"Who": "account"}}])
def test_what_else_has_to_be_said_is_said_once(form: Form, options: dict[str, Any]) -> None:
    """Below the text, own or not, unless that says it."""
    scene = gathered(notes=["acted on 3 h late"])
    assert render_digest(options, scene, form).text.count("acted on 3 h late") == 1
    own = {"text": "{{ digest.notes | join('; ') }}: call them"}
    assert render_digest(own, scene, form).text.count("acted on 3 h late") == 1


def test_a_text_of_its_own_has_a_table_only_where_it_asks_for_one() -> None:
    """Whoever writes the items does not want them twice."""
    assert render(gathered(3), text="Look: {{ digest.count }}").text == "Look: 3"
    assert render(gathered(3), text="Look", table={"Id": "id"}).text.startswith("Look\n\nId\n---")


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("failure_code", "account_closed"),
        ("account", "acct_1"),
        ("$account.name", "Nordwind Coffee GmbH"),
        ("$.data.object.currency", "usd"),
        ("$.data['object'].amount", "420050"),
        ("metadata.absent", ""),
        ("list[*].a", "1, 2"),
        ("list[1].a", "2"),
        ("list[7].a", ""),
        ("{{ object | money }}", "$4,200.50"),
        ("{{ account.name | upper }}", "NORDWIND COFFEE GMBH"),
        ("{{ rule.severity }} {{ event.type }}", "high payout.failed"),
        ("{{ object.absent.deep }}", ""),
    ],
)
def test_columns_are_paths_or_texts(source: str, shown: str) -> None:
    """What an item lacks leaves a cell empty, and the rest is sent."""
    scene = digest_scene([item(0, list=[{"a": 1}, {"a": 2}])], RULE, now=NOW)
    assert (
        render(scene, Form.LINES, text="-", table={"X": source, "Y": "id"})
        .text.splitlines()[2]
        .startswith(f"• {shown} · po_" if shown else "• po_")
    )


def test_groups_come_with_their_counts_and_totals_the_largest_first() -> None:
    """Those of all of it, also where rows are not listed."""
    scene = grouped(8, max_items=4)
    groups = scene["digest"]["groups"]
    assert [(group["name"], group["count"]) for group in groups] == [
        ("Nordwind Coffee GmbH (acct_1)", 3),
        ("東京ベーカリー (acct_2)", 3),
        ("Smith & Sons | Bakers (acct_3)", 2),
    ]
    text = render(scene).text
    assert "東京ベーカリー (acct_2) · 3 · " in text
    assert "Smith" not in text
    assert "and 4 more" in text


@pytest.mark.parametrize("group", [None, True, 7, "could_not_process", ["a"], {"a": 1}, "<b>\n"])
def test_anything_can_be_grouped_by(group: Json) -> None:
    scene = digest_scene([replace(item(0), group=group), replace(item(1), group="x")], RULE, now=NOW, grouped=True)
    for form in Form:
        assert render(scene, form).text


@pytest.mark.parametrize("form", list(Form))
def test_what_does_not_fit_is_counted(form: Form) -> None:
    """Down to channels that take hardly anything; never longer than it may be."""
    scene = gathered(60)
    for limit in (20_000, 4_000, 1_500, 900, 420, 160, 40):
        text = render(scene, form, limit).text
        assert len(text) <= limit
        if limit > 420:
            listed = len(re.findall(r"\d\d:\d\d", text)) - 2  # those of the span
            assert f"and {60 - listed} more" in text
    whole = render(scene, form, 60_000).text
    assert "and 10 more" in whole


def test_a_long_text_of_its_own_is_cut() -> None:
    """In HTML before it is escaped, so that nothing is cut in two."""
    scene = gathered(2)
    for form in Form:
        text = render(scene, form, 500, text="&<b> " * 400, table={"Id": "id"}).text
        assert len(text) <= 500
    assert render(scene, Form.HTML, 500, text="&<b> " * 400).text.endswith("…</p>")


@pytest.mark.parametrize(
    ("amount", "currency"),
    [(None, "eur"), ("12", "eur"), (True, "eur"), (10**20, "eur"), (5, "<b>"), (5, None), (5, ["eur"]), ({}, "eur")],
)
def test_what_is_no_amount_is_in_no_total(amount: Json, currency: Json) -> None:
    """And a currency that is none writes nothing into a message."""
    scene = digest_scene([item(0, amount=amount, currency=currency), item(1)], RULE, now=NOW)
    assert scene["digest"]["total"] == {"eur": 421_050}


def test_there_is_no_digest_of_nothing() -> None:
    with pytest.raises(ValueError, match="without items"):
        digest_scene([], RULE, now=NOW)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields = st.dictionaries(
    st.sampled_from(["id", "object", "amount", "currency", "failure_code", "failure_message", "metadata", "status"]),
    json_values | st.text("`|<>*\n[]()", max_size=20),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(fields, st.text(max_size=30), json_values), min_size=1, max_size=4), st.sampled_from(Form))
def test_it_never_raises_whatever_the_events_carry(given_: list[tuple[Any, str, Json]], form: Form) -> None:
    """A digest that fails to be written is many alerts that nobody gets."""
    items: list[Item] = []
    for number, (found, name, group) in enumerate(given_):
        made = item(number, name=name or None)
        event = replace(made.event, object=(made.event.object or {}) | found)
        items.append(replace(made, event=event, group=group))
    for by_group in (False, True):
        message = render(digest_scene(items, RULE, now=NOW, grouped=by_group), form, 1_000)
        assert "\n" not in message.title
        assert len(message.title) <= 200
        assert len(message.text) <= 1_000
