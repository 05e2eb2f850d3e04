"""The form of a file of rules, from the tables of keys that the loader reads by."""

from collections.abc import Mapping

from engine.editor.conditions import VARIABLE
from engine.editor.forms import (
    Schema,
    described,
    document,
    duration,
    either,
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
from engine.editor.tests import test_definitions
from engine.editor.timing import TIMING, timing_definitions
from engine.model.event import Scope
from engine.model.rule import OnError, RuleMode, Severity, Verb
from engine.rulebook import rules as language
from engine.rulebook.codes import CODES, WARNINGS
from engine.rulebook.defaults import NOWHERE
from engine.rulebook.fields import ID, LONGEST_ID
from engine.rulebook.lints.ignored import KEYS as LINT_KEYS
from engine.rulebook.policies import KEYS as RETRY_KEYS
from engine.rulebook.policies import MOST_ATTEMPTS
from engine.rulebook.steps import COMMON
from engine.rulebook.tables import KEYS as TABLE_KEYS
from engine.rulebook.tables import CellType
from engine.rulebook.verbs import VERBS, As, Format, Method
from engine.rulebook.whens import ANY
from engine.rulebook.whens import KEYS as WHEN_KEYS

NONE: Schema = {"const": "none", "description": "takes away what the defaults of this file say"}

_INCLUDING = record({"object": record({"include": one_or_more(text())}, ("include",))}, ("object",))
WHEN: Mapping[str, Schema] = {
    "type": one_or_more(ref("eventTypes"), "the types of the events, or patterns: payout.*"),
    "scope": either(
        one_or_more(words((*Scope, ANY))),
        VARIABLE,
        description="where the events come from, as Workbench has it: platform (your account), connected (accounts)",
    ),
    "livemode": either(words((ANY,)), flag(), VARIABLE, description="live events, test events, or any"),
    "account": either(
        one_or_more(text()),
        record({"in_table": text("a table of accounts")}, ("in_table",)),
        description="the accounts that the events are about: ids, patterns with *, or a table",
    ),
    "fetch": either(
        words(("object",)),
        listed(text()),
        _INCLUDING,
        description="what is read from Stripe before: the object as it is now, or the objects of ids",
    ),
    "where": ref("where"),
    "unmatched": flag("true: and no other rule fires for the event"),
}
RULE: Mapping[str, Schema] = {
    "id": {
        "type": "string",
        "pattern": f"^{ID.pattern}$",
        "maxLength": LONGEST_ID,
        "description": "lower case words with hyphens, unique over all files",
    },
    "description": text("one line on what the rule is for"),
    "severity": words(Severity, "how much it matters; a channel may take only the graver ones"),
    "owner": text("who answers for the rule"),
    "tags": one_or_more(text()),
    "runbook": text("where to read on, usually a URL"),
    "mode": words(RuleMode, "live acts, shadow records what it would have done, off is not evaluated"),
    "when": one_or_more(either(ref("eventTypes"), ref("when")), "the events that the rule is about"),
    "then": one_or_more(ref("step"), "the steps to take"),
    "on_failure": one_or_more(ref("step"), "the steps to take once one of then is given up"),
    "supersedes": one_or_more(text("the id of a rule"), "the rules that do not notify where this one fires"),
    "tests": {"type": "array", "items": ref("ruleTest"), "description": "what the rule is to do with which event"},
    "lint": ref("lint"),
    **TIMING,
}
LINT: Mapping[str, Schema] = {
    "ignore": one_or_more({"anyOf": [{"const": code, "description": CODES[code]} for code in sorted(WARNINGS)]}),
    "because": text("why it is right as it is, for who reads the rule next"),
}
RETRY: Mapping[str, Schema] = {
    "attempts": number(1, MOST_ATTEMPTS, "how often to try, in all"),
    "backoff": one_or_more(duration(), "the wait after the first try, doubled each time, or a list of waits"),
    "max": duration("the longest wait"),
}
COMMONS: Mapping[str, Schema] = {
    "id": text("names the step: another can use its result as steps.<id>"),
    "if": ref("where", "what has to hold for the step to run"),
    "fetch": described(either(words(("object",)), _INCLUDING), "what is read anew when the step is carried out"),
    "retry": record({key: RETRY.get(key, {}) for key in RETRY_KEYS}, description="how often to try, and when"),
    "timeout": duration("how long one attempt may take"),
    "on_error": words(OnError, "what steps that wait for this one do when it is dead"),
}
TARGETS: Mapping[Verb, Schema] = {
    Verb.NOTIFY: one_or_more(text(), "channels of the configuration, or a column of them: $tables.accounts.channel"),
    Verb.CALLBACK: text("a callback of the configuration, or an https URL"),
    Verb.STRIPE: text("an operation of Stripe's SDK, like payouts.retrieve, or GET and a path"),
}
_STATUS = either(number(100, 599), text(pattern=r"^[1-5]\d\d(\s*-\s*[1-5]\d\d)?$"))
OPTIONS: Mapping[str, Schema] = {
    "title": text("the first line of the message, a template"),
    "text": text("the message, a template; left out, one is made"),
    "format": words(Format, "how the text is written"),
    "table": {
        **named(text(), 'columns of a digest: {Reason: failure_code, Amount: "{{ object | money }}"}'),
        "minProperties": 1,
    },
    "method": words(Method, "how the callback is made"),
    "headers": named({"type": ["string", "number", "boolean"]}, "headers of the request, templates"),
    "body": {"not": {"enum": [None, ""]}, "description": "what is sent, with templates; left out, the whole event"},
    "success": one_or_more(_STATUS, "the statuses that mean it went well"),
    "with": {"type": "object", "minProperties": 1, "description": "the parameters of the operation, with templates"},
    "expand": one_or_more(text(), "the fields whose objects are to be read with it"),
    "as": words(As, "whom the operation is for: the account of the event, or the platform"),
}
DEFINITIONS: Mapping[str, Schema] = {
    "vars": named({}, "values by name, for the rules of all files: $vars.big", r"^[A-Za-z_][A-Za-z0-9_]*$"),
    "tables": named(ref("table"), "lists of values and CSV files by name, for the rules of all files"),
    "calendars": named(ref("calendar"), "times that come again by name, for the rules of all files"),
}
TABLE: Mapping[str, Schema] = {
    "file": text("a CSV file, beside this one"),
    "key": text("the column with the ids of accounts"),
    "types": named(words(CellType), "the types of columns that are not texts"),
}


def schema_of_rules() -> Schema:
    """The schema of files of rules."""
    rules: Schema = {"type": ["array", "null"], "items": ref("rule"), "description": "the rules"}
    forms: dict[str, Schema] = {"rules": rules, "defaults": _defaults(), **DEFINITIONS}
    root = record({key: forms.get(key, {}) for key in language.FILE_KEYS}, least=0)
    alone: Schema = {
        "if": {"not": {"required": ["defaults"]}},
        "then": {"properties": {"rules": {"items": {"required": ["when"]}}}},
    }
    return document("rules", "A file of Tocsin's rules", {**root, **alone, "type": ["object", "null"]}, _definitions())


def _definitions() -> Mapping[str, Schema]:
    needed = ("id", "when", "then")
    rule = {key: RULE.get(key, {}) if key in needed else _removable(RULE.get(key, {})) for key in language.RULE_KEYS}
    when = {key: WHEN.get(key, {}) for key in WHEN_KEYS}
    return {
        **test_definitions(),
        **timing_definitions(),
        "rule": record(rule, ("id", "then"), "a rule: which events, and what to do"),
        "when": record({key: form if key == "where" else _removable(form) for key, form in when.items()}),
        "step": either(*(_step(verb) for verb in VERBS), description="one thing to do: notify, callback or stripe"),
        "lint": record({key: LINT.get(key, {}) for key in LINT_KEYS}, description="warnings that are meant"),
        "table": either(
            listed({"type": ["string", "number", "boolean"]}),
            record({key: TABLE.get(key, {}) for key in TABLE_KEYS}, ("file",)),
            description="a list of values, or a CSV file",
        ),
    }


def _step(verb: Verb) -> Schema:
    common = {key: COMMONS.get(key, {}) for key in COMMON if (verb, key) != (Verb.NOTIFY, "timeout")}
    options = {key: OPTIONS.get(key, {}) for key in VERBS[verb].options}
    return record({str(verb): TARGETS[verb], **options, **common}, (verb,))


def _defaults() -> Schema:
    """The keys of a rule that several can have in common."""
    when = record({key: _removable(WHEN.get(key, {})) for key in WHEN_KEYS if key not in NOWHERE})
    forms = {key: _removable(RULE.get(key, {})) for key in language.RULE_KEYS if key not in NOWHERE}
    return record(forms | {"when": either(ref("eventTypes"), when)}, description="what the rules of this file share")


def _removable(form: Schema) -> Schema:
    text_of = form.get("description")
    return described({"anyOf": [form, NONE]}, text_of)
