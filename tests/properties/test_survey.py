"""What a text asks for does not depend on how it is looked at: expression by expression, or as a whole."""

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from engine.render import Survey, survey

EXPRESSIONS = (
    "object.amount | money",
    "object.a.b['c'][0]",
    "object['d'] | default('-') | date",
    "previous.status ~ object.status",
    "steps.charge.result.id",
    "steps['re-fund'].result",
    "vars.big + vars[event.type]",
    "tables.accounts.csm",
    "account.metadata.tier",
    "failed.reason",
    "event.typ",
    "acount.id",
    "object | monney",
    "object.id is defned",
    '"a quote',
    "'}}'",
    "{'a': object.b}",
    "object.",
    "",
    "- object.trimmed -",
    "+ object.kept +",
)
PLAIN = ("", " ", "\n", "text, ", "{", "}", "}}", "{{", "{%", "%}", "#}", "'", '"', "-", "object.id")
TAGS = ("{% if object.paid %}", "{% endif %}", "{% set event = object %}", "{# object.hidden #}", "{% raw %}")

pieces = st.one_of(
    st.sampled_from(EXPRESSIONS).map("{{{{ {} }}}}".format),
    st.sampled_from(EXPRESSIONS).map("{{{{{}}}}}".format),
    st.sampled_from(PLAIN),
    st.sampled_from(TAGS),
)


@given(st.lists(pieces, max_size=6).map("".join))
@example("{{{ object.a }}}")
@example("{{ 'a }} {{ b' }}")
@example("{{ object.a }} {{ 'b }} {{ object.c }}")
def test_a_text_asks_for_what_its_expressions_ask_for(text: str) -> None:
    """A comment in front has no meaning, but has the text read as a whole."""
    assert without_words(survey(text)) == without_words(survey("{##}" + text))


def without_words(found: Survey) -> Survey:
    """That there is a problem, not how it is said: the place is one of the text."""
    return replace(found, problem=None if found.problem is None else "a problem")
