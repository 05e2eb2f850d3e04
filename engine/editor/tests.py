"""The form of tests: those of a rule, and files of them."""

from collections.abc import Mapping

from engine.editor.conditions import where_definitions
from engine.editor.forms import (
    Schema,
    described,
    document,
    duration,
    either,
    event_types,
    flag,
    listed,
    named,
    number,
    one_or_more,
    record,
    ref,
    text,
    words,
)
from engine.model.event import Scope
from engine.model.rule import Severity
from engine.testing.acting import MUTE_KEYS, TAKE_KEYS
from engine.testing.expecting import FIRES, KEYS, NO, STEP_WORDS
from engine.testing.giving import KEYS as GIVEN_KEYS
from engine.testing.reading import FILE_KEYS, FILE_TEST_KEYS, TEST_KEYS
from engine.testing.stages import SENT, STAGE_KEYS
from engine.testing.timelines import MOST, MOST_EVENTS, OUTCOME_KEYS, SILENCES, STEP_KEYS

GIVEN: Mapping[str, Schema] = {
    "event": ref("eventType", "the type of the event"),
    "set": {"minProperties": 1, **named({}, "fields of the event's object by their paths, with $. of its root")},
    "fetched": named({}, "fields of what the rules want read from Stripe, by the paths that rules find them at"),
    "previous": named({}, "previous_attributes, as Stripe nests them"),
    "account": text("the account of the event: acct_1"),
    "scope": words(Scope, "where the event comes in"),
    "livemode": flag("whether it is a live event; left out: as the rule wants it"),
    "file": text("a file with an event of Stripe's, beside this one"),
    "results": named({}, "by the id of a step, what it comes back with; null: it fails"),
}
ANSWER: Mapping[str, Schema] = {
    "fires": flag("whether the rule fires"),
    "because": text("the path of the test that fails, or a key of when"),
    "title": ref("test", "a test of the title that is sent"),
    "text": ref("test", "a test of the text that is sent"),
    "steps": named(either(words(STEP_WORDS), ref("where")), "by the id of a step, tests of what it sends"),
}
_STAGE_FORMS: Mapping[str, Schema] = {
    "sent": number(0, MOST, "how many messages of it go out"),
    "title": ANSWER["title"],
    "text": ANSWER["text"],
}
_STAGE: Schema = either(words((SENT, NO)), record({key: _STAGE_FORMS[key] for key in STAGE_KEYS}))
_MUTE_FORMS: Mapping[str, Schema] = {
    "for": duration("how long"),
    "rule": text("messages of this rule, with * for anything"),
    "account": text("messages about this account"),
    "severity": words(Severity, "messages of at most this severity"),
    "tag": text("messages of rules with this tag"),
}
_MUTE = record({key: _MUTE_FORMS[key] for key in MUTE_KEYS}, ("for",))
_TAKE_FORMS: Mapping[str, Schema] = {
    "by": text("who does it"),
    "comment": text("why"),
    "about": text("what the incidents are about: acct_1"),
}
_TAKE = either(text(), record({key: _TAKE_FORMS[key] for key in TAKE_KEYS}))
OUTCOME: Mapping[str, Schema] = {
    "fires": described(either(flag(), number(0, MOST)), "whether the rule fires, or how often"),
    "because": ANSWER["because"],
    "sent": number(0, MOST, "how many messages go out"),
    "suppressed": either(
        number(0, MOST),
        record({name: number(0, MOST) for name in SILENCES}),
        description="how many messages are kept quiet, of all or by what does it",
    ),
    "gathered": number(0, MOST, "how many messages wait to be sent together"),
    "on_update": described(_STAGE, "what goes out at a later match of an incident"),
    "escalate": described(_STAGE, "what goes out because nobody took an incident up"),
    "on_resolve": described(_STAGE, "what goes out at the end of an incident"),
    "remind": described(_STAGE, "the reminders that go out"),
    "title": ANSWER["title"],
    "text": ANSWER["text"],
    "steps": ANSWER["steps"],
}
STEP: Mapping[str, Schema] = {
    "at": text(
        'when: "09:00", +10m after the step before, "+1d 09:00"', r"^(\+\d{1,6}[smhdw])?( ?\d\d:\d\d(:\d\d)?)?$"
    ),
    "mute": described(either(duration(), _MUTE, listed(_MUTE)), "what is muted from then on"),
    "acknowledge": described(_TAKE, "who takes up the open incidents, or those about that"),
    "resolve": described(_TAKE, "who ends them"),
    "given": one_or_more(ref("given"), "the event that comes, or several at once"),
    "repeat": number(1, MOST_EVENTS, "how often they come"),
    "every": duration("the time between repetitions"),
    "late": duration("how long before it came each event was created"),
    "expect": ref("outcome", "what came of it since the step before"),
}
_DOCS = {
    "name": "what the test is about, as it is reported",
    "given": "the event",
    "expect": "what comes of it: fires, no, or a map",
    "rule": "the id of the rule it is about",
    "timeline": "events over time, and what comes of them",
    "day": "the first day of the timeline, like 2026-03-29",
    "timezone": "the time zone of its times, like Europe/Berlin",
}


def test_definitions() -> Mapping[str, Schema]:
    """A test of a rule and what it is made of, to stand under `$defs`."""
    given = record({key: GIVEN.get(key, {}) for key in GIVEN_KEYS}, description=_DOCS["given"])
    answer = record({key: ANSWER.get(key, {}) for key in KEYS})
    return {
        **event_types(),
        **where_definitions(),
        "given": {**given, "anyOf": [{"required": ["event"]}, {"required": ["file"]}]},
        "answer": either(words((FIRES, NO)), answer, description=_DOCS["expect"]),
        "outcome": either(words((FIRES, NO)), record({key: OUTCOME[key] for key in OUTCOME_KEYS})),
        "ruleTest": _test(TEST_KEYS, ref("answer"), STEP["expect"]),
    }


def _test(keys: tuple[str, ...], expect: Schema, in_time: Schema) -> Schema:
    """A test of one event, or a timeline whose steps expect what is given as `in_time`."""
    step = record({key: in_time if key == "expect" else STEP[key] for key in STEP_KEYS}, ("at",))
    forms = {"given": ref("given"), "expect": expect, "timeline": listed(step)}
    forms["day"] = text(pattern=r"^\d{4}-\d\d-\d\d$")
    made = record({key: described(forms.get(key, text()), _DOCS.get(key)) for key in keys})
    return {**made, "anyOf": [{"required": ["given", "expect"]}, {"required": ["timeline"]}]}


def schema_of_tests() -> Schema:
    """The schema of files of tests, `*_test.yaml`."""
    fired = record({"fired": one_or_more(text("the id of a rule"), "all rules that fire")}, ("fired",))
    test = _test(FILE_TEST_KEYS, either(ref("answer"), fired), either(ref("outcome"), fired))
    listed: Schema = {"type": "array", "items": test, "description": "tests of rules"}
    root = record(dict.fromkeys(FILE_KEYS, listed), least=0)
    return document("tests", "A file of tests of Tocsin's rules", root, test_definitions())
