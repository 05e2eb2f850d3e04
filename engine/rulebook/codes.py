"""Every code that a mistake in a rule file can have, and what it means. Codes are stable: scripts and docs use them."""

CODES: dict[str, str] = {
    # Found while reading the file as YAML (engine.source).
    "syntax": "the file is not YAML",
    "quote-this": "YAML would read this as something else; it needs quotes",
    "duplicate-key": "a key stands twice in the same map",
    "merge-key": "YAML 1.2 has no merge key",
    "tag": "YAML tags have no meaning here",
    "number": "a number that cannot be meant",
    "too-large": "the file is too large to be read",
    # Found while reading the rules.
    "rules-path": "a file or folder of rules is not there or cannot be read",
    "unknown-key": "a key that the language does not have",
    "missing-key": "something that must be written is not",
    "type": "a value of the wrong kind",
    "empty": "a value, list or map with nothing in it",
    "null": "a test against null; write exists: false",
    "id": "an id that is not lower case words with hyphens",
    "duplicate-id": "an id that another rule or step has",
    "duplicate-name": "a variable, a table or a calendar that is already defined, in this file or another",
    "unknown-value": "a word that is none of those which may stand here",
    "defaults": "something that cannot stand in defaults",
    "duration": "not a duration like 10m",
    "unknown-type": "an event type that Stripe is not known to send (a warning)",
    "unknown-scope": "a scope that there is not",
    "account": "something that does not look like the id of an account (a warning)",
    "path": "a path that cannot be read",
    "unknown-operator": "an operator that there is not",
    "operand": "a value that the operator beside it cannot use",
    "money": "an amount that is not written as one, or whose currency is not sure",
    "changed": "a use of changed that can never hold",
    "changed-needs-updated": "changed on an event that carries no previous_attributes (a warning)",
    "unknown-field": "a field that the object of such an event is not known to have (a warning)",
    "only-an-id": "a field of an object of which the event carries only the id (a warning)",
    "enum-value": "a value that Stripe is not known to use there (a warning)",
    "wildcard": "a * in a condition where it stands for itself (a warning)",
    "field-type": "a test that cannot hold of a field of that type (a warning)",
    "never-holds": "conditions that nothing can meet (a warning)",
    "redundant": "something that could be left out and would change nothing (a warning)",
    "duplicate-rule": "a rule that is the same as another (a warning)",
    "shadowed-rule": "a rule that does what another does for all its events anyway (a warning)",
    "linear": "many rules for one type that no index helps with (a warning)",
    "scope": "a scope in which such events do not come (a warning)",
    "other-accounts": "events of accounts that are hardly meant (a warning)",
    "unknown-verb": "a step that is none of notify, callback and stripe",
    "unknown-channel": "a channel that is not configured",
    "unknown-callback": "a callback that is not configured",
    "callback-host": "a URL that rules may not call",
    "unknown-operation": "an operation that Stripe's SDK does not have",
    "write-not-allowed": "a Stripe operation that writes and is not in stripe.allow of the configuration",
    "disconnected": "a Stripe step as an account that has just disconnected",
    "template": "a text that cannot be rendered, or one where a condition has a value",
    "unknown-step": "the result of a step that there is not",
    "step-cycle": "steps that wait for each other",
    "given": "an event of a test that cannot be made",
    "expect": "an expectation of a test that no event can meet",
    "unknown-rule": "a test of a rule that there is not",
    "unknown-name": "a variable, a table, a column or a calendar that there is not",
    "table": "a table that cannot be used: its rows, its key, its types",
    "table-file": "the CSV file of a table is not there or cannot be read",
    "vars": "a variable that cannot be one",
    "fetch": "something that cannot be read from Stripe",
    "supersedes": "rules that supersede themselves, each other, or a rule that there is not",
    "retry": "a retry policy that cannot be followed",
    "combination": "keys that cannot stand together, or one without another that it needs",
    "clock": "not a clock time like 09:00",
    "timezone": "a time zone that there is not",
    "calendar": "a calendar that cannot be used: its days, its times",
    "no-effect": "something that changes nothing in this rule (a warning)",
    "no-endpoint": "a rule for events that no configured endpoint takes (a warning)",
    "no-key": "a rule that needs a key to Stripe that is not configured (a warning)",
    "unused-ignore": "an ignored warning that there is not in the rule (a warning)",
}

WARNINGS = frozenset(
    {
        *("unknown-type", "account", "fetch", "money", "changed-needs-updated"),
        *("duplicate-rule", "shadowed-rule", "no-endpoint", "no-key"),
        *("never-holds", "redundant", "no-effect", "scope", "other-accounts"),
        *("unknown-field", "only-an-id", "enum-value", "field-type", "wildcard"),
    }
)
"""The codes that a rule may ignore: warnings, some of which are errors in other places, where they are not ignored."""

OF_SEVERAL_RULES = frozenset({"duplicate-rule", "shadowed-rule"})
"""Those of them that are found where all rules are held together."""

OF_SETTINGS = frozenset({"no-endpoint", "no-key"})
"""Those that depend on what is configured, besides names: they may be ignored where there is nothing to ignore."""
