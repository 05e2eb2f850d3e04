"""Texts: what a template may say, and what an author hears of a mistake."""

import json
import time
from typing import Any

import pytest

from engine.errors import TemplateError
from engine.model.event import Json
from engine.render import check_template, render_text, render_title, render_value, survey
from engine.render.budget import MAX_TEXT
from engine.render.sandbox import Absent
from tests.render.scenes import scene_with

LISTS_OF_LISTS = "{% set a = [1, 2, 3, 4, 5, 6, 7, 8, 9, 0] %}" + "".join(
    f"{{% set {name} = [{', '.join([of] * 10)}] %}}" for of, name in zip("abcde", "bcdef", strict=True)
)
"""A million numbers in sixty lists."""


def test_a_key_wins_over_the_method_of_a_map() -> None:
    """A subscription has `items`, a list object may have `values`: they are its fields."""
    fields = {"items": "a", "values": "b", "keys": "c", "get": "d", "pop": "e", "update": "f"}
    text = render_text("{{ object.items }}{{ object.values }}{{ object.keys }}{{ object.get }}{{ object.pop }}",
                       scene_with(fields))  # fmt: skip
    assert text == "abcde"


def test_maps_can_be_gone_through_where_they_have_no_such_key() -> None:
    """As people write it in Jinja, and by the filters."""
    scene = scene_with({"metadata": {"b": 2, "a": 1}})
    assert render_text("{% for k, v in object.metadata.items() %}{{ k }}={{ v }} {% endfor %}", scene) == "b=2 a=1 "
    assert render_text("{% for k, v in object.metadata | dictsort %}{{ k }}={{ v }} {% endfor %}", scene) == "a=1 b=2 "
    assert render_text("{{ object.metadata.get('a') }}", scene) == "1"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ object.custmer }}", "'object.custmer' is undefined; did you mean 'object.customer'?"),
        (
            "{{ object.details.due_bye }}",
            "'object.details.due_bye' is undefined; did you mean 'object.details.due_by'?",
        ),
        ("{{ object.gone.further.down }}", "'object.gone' is undefined"),
        ("{{ object.nothing.id }}", "'object.nothing.id' is undefined: 'object.nothing' is null"),
        ("{{ object.list[3] }}", "'object.list[3]' is undefined: the list has 1 elements"),
        ("{{ object.list[0].nam }}", "'object.list[0].nam' is undefined; did you mean 'object.list[0].name'?"),
        ("{{ object['custmer'] }}", "'object.custmer' is undefined; did you mean 'object.customer'?"),
        ("{{ objekt.id }}", "'objekt' is undefined; did you mean 'object'?"),
        ("{% if object.custmer %}x{% endif %}", "'object.custmer' is undefined; did you mean 'object.customer'?"),
        ("{{ object.custmer | money }}", "'object.custmer' is undefined; did you mean 'object.customer'?"),
        ("{{ object.custmer ~ 'x' }}", "'object.custmer' is undefined; did you mean 'object.customer'?"),
        ("{{ object.custmer + 1 }}", "'object.custmer' is undefined; did you mean 'object.customer'?"),
        ("{{ object.custmer == 1 }}", "'object.custmer' is undefined; did you mean 'object.customer'?"),
        ("{% for x in object.custmer %}{% endfor %}", "'object.custmer' is undefined; did you mean 'object.customer'?"),
        ("{{ object.amount.value }}", "'value' is undefined: a number has no such name"),
        ("{{ previous.status }}", "'previous.status' is undefined: the event does not say what changed"),
        ("{{ steps.lookup.result }}", "'steps.lookup' is undefined"),
    ],
)
def test_what_is_undefined_is_named_with_its_path(template: str, message: str) -> None:
    """Never an empty place in an alert, and never a riddle."""
    scene = scene_with(
        {"customer": "cus_1", "amount": 5, "details": {"due_by": 1}, "nothing": None, "list": [{"name": "x"}]},
        previous=Absent("the event does not say what changed"),
    )
    with pytest.raises(TemplateError) as caught:
        render_text(template, scene)
    assert str(caught.value) == message


@pytest.mark.parametrize("path", ["object.gone", "object.gone.deeper", "object.nothing", "object.nothing.id"])
def test_default_stands_in_for_what_is_missing_or_null(path: str) -> None:
    """Null is missing in the language; filters in between pass both on."""
    scene = scene_with({"nothing": None})
    assert render_text(f"{{{{ {path} | default('-') }}}}", scene) == "-"
    assert render_text(f"{{{{ {path} | date | default('no date') }}}}", scene) == "no date"
    assert render_text(f"{{{{ {path} | words | join | default('none') }}}}", scene) == "none"


def test_false_and_zero_and_empty_are_values() -> None:
    """`default` leaves them, unless asked."""
    scene = scene_with({"a": 0, "b": False, "c": "", "d": []})
    text = "{{ object.a | default(1) }} {{ object.b | default(1) }} {{ object.c | default(1) }}|"
    assert render_text(text, scene) == "0 false |"
    assert render_text("{{ object.d | default('none', boolean=true) }}", scene) == "none"


def test_values_are_written_as_json_writes_them() -> None:
    """Not as Python does: no None, True or single quotes."""
    scene = scene_with({"null": None, "yes": True, "map": {"ü": [1, None]}, "number": 1.5})
    text = render_text("{{ object.null }} {{ object.yes }} {{ object.map }} {{ object.number }}", scene)
    assert text == '(none) true {"ü": [1, null]} 1.5'


def test_data_is_never_a_template() -> None:
    """A customer may be called `{{ 1 + 1 }}`."""
    assert render_text("{{ object.name }}", scene_with({"name": "{{ 1 + 1 }}"})) == "{{ 1 + 1 }}"


def test_a_long_text_is_cut_visibly() -> None:
    """An alert cut short is better than none."""
    text = render_text("{{ object.note }}", scene_with({"note": "x" * 100_000}))
    assert len(text) == MAX_TEXT
    assert text.endswith("(cut: the text is longer than it may be)")
    assert len(render_text("{{ object.note }}", scene_with({"note": "x" * 999}), limit=100)) == 100


def test_a_title_is_one_short_line_that_says_when_it_is_a_test() -> None:
    """Line breaks of a customer's name must not become headers of a mail."""
    scene = scene_with({"name": "A\r\nBcc: x@y.example\n" + "z" * 500})
    title = render_title("{{ object.name }}", scene)
    assert title.startswith("A Bcc: x@y.example z")
    assert len(title) == 200
    testing = scene_with(event={"livemode": False})
    assert render_title("Hello", testing) == "[TEST] Hello"
    assert render_title("[TEST] Hello", testing) == "[TEST] Hello"


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        ("{{ object.amount }}", 42_000),
        ("{{ object }}", {"id": "ch_1", "amount": 42_000, "currency": "eur"}),
        ("{{ [object.amount, true, none] }}", [42_000, True, None]),
        ("{{ object.amount > 5 }}", True),
        ("{{ object.amount | money }}", "€420.00"),
        ("{{ object.gone | default(none) }}", None),
        ("{{ [1, 2] | map('string') }}", ["1", "2"]),
        ("amount: {{ object.amount }}", "amount: 42000"),
        ("{{ object.amount }}{{ object.amount }}", "4200042000"),
        ("plain {text}", "plain {text}"),
        (7, 7),
        (None, None),
        ({"a": ["{{ object.id }}", {"b": "{{ object.amount }}"}]}, {"a": ["ch_1", {"b": 42_000}]}),
    ],
)
def test_a_value_that_is_one_expression_keeps_its_type(value: Any, rendered: Any) -> None:
    """So that a callback's body and Stripe's parameters get numbers as numbers."""
    assert render_value(value, scene_with()) == rendered


def test_a_value_is_refused_rather_than_cut() -> None:
    """Half a parameter is a wrong one."""
    with pytest.raises(TemplateError, match="longer than 32,768"):
        render_value("x {{ object.note }}", scene_with({"note": "x" * 100_000}))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{ object.anything.at.all }} {{ account.name | truncate(5) }}", None),
        ("{{ object | monney }}", "there is no filter 'monney'; did you mean 'money'?"),
        ("{{ object is defiened }}", "there is no test 'is defiened'; did you mean 'defined'?"),
        ("{{ acount.id }}", "'acount' is undefined; did you mean 'account'?"),
        ("{{ event.typ }}", "'event.typ' is undefined; did you mean 'event.type'?"),
        ("{{ rule.runbok }}", "'rule.runbok' is undefined; did you mean 'rule.runbook'?"),
        ("line\n{{ object. }}", "line 2: expected name or number"),
        ("{% include 'x' %}", "the tag 'include' is not available in texts; there are if, for, set and with"),
        ("{% for x in range(3) %}{{ x }}{% endfor %}", None),
        ("{% set event = object %}{{ event.whatever }}", None),
        ("{% if false %}{{ x | nofilter }}{% endif %}", "there is no filter 'nofilter'"),
    ],
)
def test_check_finds_what_can_be_known_without_an_event(text: str, problem: str | None) -> None:
    """At `check` rather than at 3 a.m."""
    assert check_template(text) == problem


def test_the_steps_a_text_reads_are_found_wherever_they_stand() -> None:
    """They decide what waits for what."""
    assert survey("{{ steps.charge.result.id }} {% if steps['re-fund'].result %}x{% endif %}").steps == {
        "charge",
        "re-fund",
    }
    assert survey("steps.charge, but no template").steps == frozenset()
    assert survey("{{ broken steps.x").steps == frozenset()


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ object.__class__ }}",
        "{{ object['__class__'] }}",
        "{{ object | attr('__class__') }}",
        "{{ [].append(1) }}",
        "{{ object.update({'a': 1}) }}",
        "{{ object.clear() }}",
        "{{ object.amount.__add__(1) }}",
        "{{ '{0.__class__}'.format(object) }}",
        "{{ '%s' % object }}",
        "{{ self.__init__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ lipsum.__globals__ }}",
        "{{ range.__class__ }}",
        "{{ object.amount() }}",
        "{{ (object | money).__class__ }}",
        "{{ object | map(attribute='__class__') | list }}",
        "{{ [object] | map(attribute='__class__') | list | first | string }}",
        "{% for x in [1] %}{{ loop.__class__ }}{% endfor %}",
        "{% for x in [1] %}{{ loop._iterable }}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set x %}a{% endset %}",
        "{% import 'os' as os %}",
        "{% extends 'a' %}",
        "{% for x in [[[]]] recursive %}{{ loop(x) }}{% endfor %}",
    ],
)
def test_a_template_cannot_leave_its_sandbox(template: str) -> None:
    """Names are keys of JSON, and nothing else is there."""
    with pytest.raises(TemplateError):
        render_text(template, scene_with())


@pytest.mark.parametrize(
    "template",
    [
        "{{ 9 ** 9 ** 9 }}",
        "{{ 'a' * 999999999 }}",
        "{{ [1] * 999999999 }}",
        "{{ 999999999 * 'a' }}",
        "{% for a in range(999999999) %}{% endfor %}",
        "{% for a in range(999) %}{% for b in range(999) %}{% endfor %}{% endfor %}",
        "{% for a in object.l %}{% for b in object.l %}{% for c in object.l %}{% endfor %}{% endfor %}{% endfor %}",
        "{% set a = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' %}" + "{% set a = a ~ a %}" * 40,
        "{% set a = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' %}" + "{% set a = a + a %}" * 40,
        "{% set a = [1, 2, 3] %}" + "{% set a = a + a %}" * 40,
        "{% set a = 99999999999999999999 %}" + "{% set a = a * a %}" * 60,
        "{% set a = object.l | join('x' ~ object.big) %}" + "{% set a = object.l | join(a) %}" * 5,
        "{{ object.big | replace('x', object.big) }}",
        "{{ 'a'.ljust(999999999) }}",
        "{{ '%999999999d' | format(1) }}",
        "{{ 1.5 | round(999999999) | string | length + 'x' }}",
        "{{ 1 | date('%999999999Y') }}",
        "{{ 'x' | indent(999999999) }}",
        "{{ 'x' | center(999999999) }}",
        "{{ lipsum(n=999999) }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "[" * 300 + "]" * 300 + " | json }}" * 2,
        "x" * 40_000,
        *(
            LISTS_OF_LISTS + each
            for each in (
                "{{ [f, f, f, f, f, f] }}",
                "{{ f | json }}",
                "{{ f | words | length }}",
                "{{ [f, f] == [f, f, f] }}",
                "{{ {'f': {'f': f}} | json }}",
                "{{ (f, f) | string }}",
                "{{ f + f + f + f + f + f + f | string }}",
            )
        ),
        "{% set l = object.l %}{% set a = [l, l, l, l, l, l, l, l] | sum(start=[]) %}"
        + "{% set a = [a, a] | sum(start=[]) %}" * 20,
        "{% set b = [object.big] %}{% set b = b + b + b + b %}{% set b = b + b + b + b %}" * 5 + "{{ b | join }}",
        "{% set a = [1] %}{% set b = [1] %}" + "{% set a = [a, a] %}{% set b = [b, b] %}" * 40 + "{{ a == b }}",
        "{% for x in object.l %}{% set t = object.l | json %}{% for y in object.l %}{% set t = object.l | json %}"
        "{% endfor %}{% endfor %}",
    ],
)
def test_no_template_runs_for_long_or_grows_without_bound(template: str) -> None:
    """Each is stopped with a reason, in well under the limit of time."""
    scene = scene_with({"l": list(range(1000)), "big": "x" * 20_000})
    started = time.monotonic()
    with pytest.raises(TemplateError):
        render_text(template, scene)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "value",
    [
        LISTS_OF_LISTS + "{{ [f, f, f, f, f, f] }}",
        [["{{ object.deep }}"] * 200] * 20,
        [["{{ object.deep.text }}"] * 200] * 20,
        [["x {{ object.text }}"] * 200] * 20,
        {
            f"k{n}": "{% for a in range(90) %}{% for b in range(90) %}{{ 1 }}{% endfor %}{% endfor %}"
            for n in range(5000)
        },
    ],
    ids=["lists of lists", "objects", "texts", "parts of texts", "loops"],
)
def test_no_value_runs_for_long_or_grows_without_bound(value: Json) -> None:
    """All texts of a value have one allowance."""
    scene = scene_with({"deep": {"text": "x" * 900_000}, "text": "x" * 20_000})
    started = time.monotonic()
    with pytest.raises(TemplateError):
        render_value(value, scene)
    assert time.monotonic() - started < 5


def test_a_large_event_may_be_written_out_several_times() -> None:
    """A callback may have the event, and its object beside it, of the largest body that is taken."""
    scene = scene_with({"lines": [{"id": f"il_{n:020}", "amount": n, "description": "x" * 60} for n in range(8_000)]})
    assert len(json.dumps(scene["object"])) > 900_000
    body = render_value({"object": "{{ object }}", "lines": "{{ object.lines }}"}, scene)
    assert body == {"object": scene["object"], "lines": scene["object"]["lines"]}
    assert render_text("{{ object }}", scene).endswith("(cut: the text is longer than it may be)")


def test_an_error_never_shows_a_value() -> None:
    """Errors go to logs and deliveries; the data may be a person's."""
    scene = scene_with({"secret": "4242 4242 4242 4242"})
    for template in ("{{ object.secret | date }}", "{{ object.secret | money('usd') }}", "{{ object.secret + 1 }}",
                     "{{ object.secret | int / 0 }}", "{{ object.secret() }}", "{{ object.secret.foo }}"):  # fmt: skip
        with pytest.raises(TemplateError) as caught:
            render_text(template, scene)
        assert "4242" not in str(caught.value)
