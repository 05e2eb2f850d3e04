"""What the loader says of every mistake, word for word, and where."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine.rulebook import CODES, Known, load
from tests.rulebook.books import KNOWN, mistakes, rule, where

A = "rules/a.yaml"


EXACT = [
    # the examples of section 6
    (
        rule(more="throtle: {max: 1}"),
        f"{A}:5:5  error[unknown-key]  unknown key 'throtle' in a rule; did you mean 'throttle'?",
    ),
    (
        rule(then="{notify: rsik}"),
        f"{A}:4:20  error[unknown-channel]  no channel 'rsik'; configured: console, risk, payments, onboarding; "
        "did you mean 'risk'?",
    ),
    (
        rule(then="{notify: risk, retry: {max: 10 minutes}}"),
        f"{A}:4:39  error[duration]  expected a duration like 10m, got '10 minutes'",
    ),
    (
        "rules:\n  - id: a\n    when: payout.paid\n    when: payout.failed\n    then: {notify: risk}\n",
        f"{A}:4:5  error[duplicate-key]  'when' appears twice (first on line 3)",
    ),
    (
        rule(when="*.failed"),
        f'{A}:3:11  error[quote-this]  put quotes around *.failed: in YAML a leading * is an alias; write "*.failed"',
    ),
    (
        where("{amount: {gt: 500}}"),
        f"{A}:3:59  warning[money]  500 has no currency: amounts are minor units, so this is $5.00 or ¥500; "
        "write '500 USD', or fix currency beside it",
    ),
    (
        rule(when="{type: payout.failed, where: {status: {changed: true}}}"),
        f"{A}:3:50  warning[changed-needs-updated]  'changed' reads previous_attributes, which only *.updated events "
        "carry",
    ),
    # what rules are to each other, and steps
    (rule(more="supersedes: r"), f"{A}:5:17  error[supersedes]  a rule cannot supersede itself"),
    (
        rule(more="supersedes: [other]"),
        f"{A}:5:18  warning[supersedes]  there is no rule 'other' to supersede",
    ),
    (
        rule(when="{unmatched: false}"),
        f"{A}:3:23  error[type]  expected true, got false; leave 'unmatched' out for a rule that does not ask for it",
    ),
    (
        where("{$steps.a.ok: true}"),
        f"{A}:3:50  error[path]  $steps is not known when a rule is matched; "
        "write it under 'if' of a step that comes after",
    ),
    (
        rule(then="{notify: risk, if: {$steps.charge.ok: true}}"),
        f"{A}:4:31  error[unknown-step]  there is no step 'charge' in this rule; the steps of this rule are notify-1",
    ),
    (
        rule(then="{notify: risk, if: {a: {greater: 1}}}"),
        f"{A}:4:35  error[unknown-operator]  unknown operator 'greater' under a; write a: {{gt: 1}}",
    ),
    (
        rule(then="{notify: risk, text: '{{ failed.reason }}'}"),
        f"{A}:4:32  error[template]  'failed' is known only in the steps of on_failure",
    ),
    (
        rule(more="on_failure: {notify: risk, text: '{{ failed.raeson }}'}"),
        f"{A}:5:38  error[template]  'failed.raeson' is undefined; did you mean 'failed.reason'?",
    ),
    (
        rule(more="on_failure: {notify: risk, id: notify-1}"),
        f"{A}:5:36  error[duplicate-id]  step id 'notify-1' is already used on line 4",
    ),
    (
        rule(id_="tocsin"),
        f"{A}:2:9  error[id]  'tocsin' is what Tocsin's own reports stand under; give the rule another id",
    ),
    # what is read from Stripe first
    (
        rule(when="{unmatched: true}", then="{notify: risk, title: '{{ account.metadata.tier }}'}"),
        f"{A}:4:11  error[fetch]  'unmatched' is known only when everything was read, the account too",
    ),
    (
        rule(when="{type: payout.failed, fetch: balance_transaction}"),
        f"{A}:3:40  error[type]  expected 'object', a list of paths to ids like [charge], or "
        "{object: {include: [requirements]}}, got the text 'balance_transaction'; write [balance_transaction]",
    ),
    (
        rule(when="{type: payout.failed, fetch: {}}"),
        f"{A}:3:40  error[type]  expected 'object', a list of paths to ids like [charge], or {{object: {{include: "
        "[requirements]}}, got a map",
    ),
    (
        rule(when="{type: payout.failed, fetch: ['a b']}"),
        f"{A}:3:41  error[fetch]  a path to an id is a few names with dots between, like charge",
    ),
    (
        rule(when="{type: payout.failed, fetch: [status]}"),
        f"{A}:3:41  warning[fetch]  status is no id of an object in events of this type, as far as is known",
    ),
    (
        rule(when="{type: payout.failed, fetch: {object: {include: [requirements]}}}"),
        f"{A}:3:59  error[fetch]  include is known to API v2 alone; write fetch: object",
    ),
    (
        rule(when="{unmatched: true, fetch: object}"),
        f"{A}:3:36  error[fetch]  'unmatched' is known only when everything was read; "
        "write one rule that reads it, and one for what nobody looks after",
    ),
    # what is not there
    (rule(id_="[]"), f"{A}:2:9  error[type]  expected the id of a rule, got a list"),
    (
        rule(id_="Big_Dispute"),
        f"{A}:2:9  error[id]  the id of a rule is lower case words with hyphens, like payout-failed; "
        "write 'big-dispute'",
    ),
    ("rules:\n  - id: a\n    then: {notify: risk}\n", f"{A}:2:5  error[missing-key]  rule 'a' has no 'when'"),
    ("rules:\n  - id: a\n    when: payout.paid\n", f"{A}:2:5  error[missing-key]  rule 'a' has no 'then'"),
    (
        "- id: a\n  when: payout.paid\n",
        f"{A}:1:1  error[type]  a file of rules is a map, and this is a list; "
        "put 'rules:' above it, and indent the list",
    ),
    (
        "id: a\nwhen: payout.paid\nthen: {notify: risk}\n",
        f"{A}:1:1  error[unknown-key]  this is a rule by itself; put 'rules:' above it, and '- ' before its id",
    ),
    # when
    (
        rule(when="payout.faild"),
        f"{A}:3:11  warning[unknown-type]  Stripe is not known to send 'payout.faild'; did you mean 'payout.failed'?",
    ),
    (
        rule(when="payuot.*"),
        f"{A}:3:11  warning[unknown-type]  Stripe is not known to send anything like 'payuot.*'; "
        "did you mean 'payout.*'?",
    ),
    (
        rule(when="{type: payout.paid, scope: connect}"),
        f"{A}:3:38  error[unknown-scope]  unknown scope 'connect': there are platform, connected, organization, any; "
        "did you mean 'connected' (events of your connected accounts)?",
    ),
    (
        rule(when="{type: payout.paid, livemode: live}"),
        f"{A}:3:41  error[type]  expected true, false or any, got the text 'live'; write true",
    ),
    (
        rule(when="{type: payout.paid, account: {in_table: vip}}"),
        f"{A}:3:51  error[unknown-name]  there is no table 'vip'; "
        "define it under 'tables' at the top of a file of rules",
    ),
    (
        rule(when="{type: payout.paid, account: po_1}"),
        f"{A}:3:40  warning[account]  'po_1' is no account: their ids begin with acct_",
    ),
    # then
    (
        rule(then="{notfy: risk}"),
        f"{A}:4:12  error[unknown-verb]  unknown verb 'notfy' in a step; did you mean 'notify'?",
    ),
    (rule(then="risk"), f"{A}:4:11  error[type]  expected a step like {{notify: payments}}; write {{notify: risk}}"),
    (
        rule(then="{notify: risk, callback: case-system}"),
        f"{A}:4:26  error[unknown-verb]  a step does one thing, and this has 'notify' and 'callback'; "
        "write two steps: a list under then",
    ),
    (
        rule(then="{notify: risk, body: x}"),
        f"{A}:4:26  error[unknown-key]  'body' is an option of callback, not of notify",
    ),
    (
        rule(then='{callback: "https://evil.example.com/x"}'),
        f"{A}:4:22  error[callback-host]  rules may not call evil.example.com; "
        "add to config.yaml: callback_hosts: [evil.example.com]",
    ),
    (
        rule(then="{stripe: payouts.create}"),
        f"{A}:4:20  error[write-not-allowed]  rules may not use payouts.create, which changes something; "
        "add to config.yaml: stripe: {allow: [{operation: payouts.create, max: 20, every: 1h}]}",
    ),
    (
        rule(when="account.application.deauthorized", then="{stripe: accounts.retrieve}"),
        f"{A}:4:20  error[disconnected]  the account of account.application.deauthorized has disconnected: "
        "nothing can be done as it; add as: platform",
    ),
    (
        rule(then='{notify: risk, title: "{{ steps.chrge.result }}"}'),
        f"{A}:4:33  error[unknown-step]  there is no step 'chrge' in this rule; the steps of this rule are notify-1",
    ),
    (
        rule(more="severity: hgih"),
        f"{A}:5:15  error[unknown-value]  expected a severity: info, low, medium, high, critical; "
        "got the text 'hgih'; did you mean 'high'?",
    ),
    (rule(more="owner: null"), f"{A}:5:12  error[empty]  expected a text, got nothing"),
]


@pytest.mark.parametrize(("text", "expected"), EXACT, ids=lambda value: str(value)[:60])
def test_the_mistake_says_where_what_and_what_instead(text: str, expected: str) -> None:
    """Exactly one finding, in exactly these words."""
    assert mistakes(text) == [expected]


def test_all_mistakes_of_all_files_come_in_one_run_and_in_order() -> None:
    """Reading goes on after each; they are by file, line and column."""
    bad = "rules:\n  - id: A\n    when: {type: payout.paid, scope: self}\n    then: {notfy: risk}\n    severity: x\n"
    found = load({"b.yaml": bad, "a.yaml": bad}, KNOWN).mistakes
    places = [(m.position.file, m.position.line, m.position.column) for m in found if m.position]
    assert places == sorted(places)
    assert [m.code for m in found] == ["id", "unknown-scope", "unknown-verb", "unknown-value"] * 2


def test_a_second_rule_of_an_id_is_the_mistaken_one() -> None:
    """Over files, and within one; the first file goes on."""
    both = load({"a.yaml": rule("x"), "b.yaml": rule("x")}, KNOWN)
    assert [str(m) for m in both.mistakes] == [
        "b.yaml:2:9  error[duplicate-id]  rule id 'x' is already used in a.yaml:2"
    ]
    assert set(both.files) == {"a.yaml"}
    twice = rule("x") + rule("x").removeprefix("rules:\n")
    assert mistakes(twice) == [f"{A}:5:9  error[duplicate-id]  rule id 'x' is already used in {A}:2"]


def test_an_error_leaves_out_its_own_file_and_no_other() -> None:
    """Warnings leave out none."""
    found = load({"a.yaml": rule("x", when="payout.nothing"), "b.yaml": rule("y", more="q: 1")}, KNOWN)
    assert [each.id for each in found.rulebook.rules] == ["x"]
    assert not found.ok


def test_steps_that_wait_for_each_other_are_named() -> None:
    """In the order of the circle."""
    text = rule(
        then='[{stripe: payouts.retrieve, id: a, with: {id: "{{ steps.b.result }}"}}, '
        '{stripe: payouts.retrieve, id: b, with: {id: "{{ steps.a.result }}"}}]'
    )
    assert mistakes(text) == [f"{A}:4:12  error[step-cycle]  these steps wait for each other: a -> b -> a"]


def test_a_template_is_checked_where_it_stands() -> None:
    """Syntax, filters and names, at the text's own position."""
    (found,) = mistakes(rule(then='{notify: risk, title: "{{ object | monye }}"}'))
    assert found == f"{A}:4:33  error[template]  there is no filter 'monye'; did you mean 'money'?"


def test_names_are_taken_on_trust_where_the_configuration_is_not_known() -> None:
    """A stored revision is rebuilt without it, and runs as it did."""
    text = rule(then="[{notify: gone}, {callback: gone}, {stripe: payouts.create}]")
    assert mistakes(text, Known()) == []
    assert len(mistakes(text)) == 3


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "rules:\n", "rules: []\n", "defaults: {severity: high}\n"])
def test_a_file_without_rules_is_no_mistake(text: str) -> None:
    """A file may be emptied, or commented out."""
    assert mistakes(text) == []


@pytest.mark.parametrize(
    "text", ["\udcff", "rules: [", "[" * 500, "a: &x [*x]", "rules: 5", "5", "rules: [5, null]", "\0"]
)
def test_nonsense_is_a_mistake_and_not_an_exception(text: str) -> None:
    """Whatever stands in the file."""
    assert any("error[" in line for line in mistakes(text))


def test_every_code_that_is_used_is_explained_and_every_one_explained_is_used() -> None:
    """Docs are held to the table, so the table is held to the code."""
    root = Path(__file__).parent.parent.parent / "engine"
    files = [*(root / "rulebook").rglob("*.py"), *(root / "source").glob("*.py"), *(root / "testing").glob("*.py")]
    files += [root / "match" / "paths.py"]
    text = "\n".join(file.read_text() for file in files if file.name != "codes.py")
    used = set(re.findall(r'(?:error|warn|_mistake|code=|code: str = )\(?\s*"([a-z-]+)"', text))
    used |= {code for code in ("empty", "type") if f'"{code}"' in text}
    assert used - set(CODES) == set()
    assert {code for code in CODES if f'"{code}"' not in text} == set()


def test_a_notify_step_has_no_timeout_of_its_own() -> None:
    """It would be ignored: what bounds a message is its channel's timeout."""
    text = "rules:\n  - id: a-rule\n    when: payout.failed\n    then: {notify: payments, timeout: 5s}\n"
    (mistake,) = load({"rules/a.yaml": text}, Known(channels=("payments",))).mistakes
    assert str(mistake) == (
        "rules/a.yaml:4:30  error[unknown-key]  a notify step has its channel's timeout, and none of its own; "
        "set channels.<name>.timeout in the configuration"
    )


def test_rules_that_supersede_each_other_would_silence_each_other() -> None:
    """The last of them is refused; so in a circle of three."""
    circle = {
        "a.yaml": rule("a", more="supersedes: b"),
        "b.yaml": rule("b", more="supersedes: c"),
        "c.yaml": rule("c", more="supersedes: a"),
    }
    loaded = load(circle, KNOWN)
    assert [str(mistake) for mistake in loaded.mistakes] == [
        "c.yaml:5:17  error[supersedes]  these rules supersede each other, and none would notify: a -> b -> c -> a"
    ]
    assert [rule.id for rule in loaded.rulebook.rules] == ["a", "b"]
    del circle["c.yaml"]
    assert [str(mistake) for mistake in load(circle, KNOWN).mistakes] == [
        "b.yaml:5:17  warning[supersedes]  there is no rule 'c' to supersede"
    ]


def test_nothing_is_read_without_a_key() -> None:
    """Known before it runs, where the configuration is known."""
    text = rule(when="{type: payout.failed, fetch: object}")
    assert mistakes(text, replace(KNOWN, stripe_keys=())) == [
        f"{A}:3:40  error[fetch]  nothing can be read from Stripe: no key is configured; "
        "add to config.yaml: stripe: {keys: {live: .., test: ..}}"
    ]
    assert mistakes(text, replace(KNOWN, stripe_keys=("test",))) == []
    thin = rule(when="v2.core.account.closed", then="{notify: risk, title: '{{ object.id }}'}")
    assert mistakes(thin, replace(KNOWN, stripe_keys=())) == [
        f"{A}:3:11  warning[fetch]  these events carry no object, and no key is configured to read it: "
        "the rule can never be judged; add to config.yaml: stripe: {keys: {live: .., test: ..}}"
    ]
    of_account = rule(then="{notify: risk, title: '{{ account.metadata.tier }}'}")
    assert mistakes(of_account, replace(KNOWN, stripe_keys=())) == [
        f"{A}:4:11  error[fetch]  fields of the account but its id are read from Stripe, and no key is configured; "
        "add to config.yaml: stripe: {keys: {live: .., test: ..}}"
    ]


def test_every_circle_of_superseding_rules_is_found_in_one_run() -> None:
    """Each by its own mistake, and none of them stays."""
    pairs = {f"{name}.yaml": rule(name, more=f"supersedes: {other}") for name, other in ("ab", "ba", "cd", "dc")}
    loaded = load(pairs, KNOWN)
    circles = [
        mistake.position.file for mistake in loaded.mistakes if mistake.code == "supersedes" and mistake.position
    ]
    assert circles == ["b.yaml", "d.yaml"]
    assert [rule.id for rule in loaded.rulebook.rules] == ["a", "c"]


def test_a_variable_can_be_a_whole_when_beside_defaults() -> None:
    """It is put in before the defaults are laid under it."""
    text = "vars: {w: {type: payout.failed}}\ndefaults: {when: {scope: connected}}\n" + rule(when="$vars.w")
    loaded = load({"a.yaml": text}, KNOWN)
    assert [str(mistake) for mistake in loaded.mistakes] == []
    (when,) = loaded.rulebook.rules[0].when
    assert (when.types, when.scopes) == (("payout.failed",), frozenset({"connected"}))


@pytest.mark.parametrize("host", ["10.0.0.1", "[::ffff:10.0.0.1]", "2130706433", "localhost"])
def test_a_rule_may_call_no_private_address(host: str) -> None:
    """Not even one of callback_hosts: the connection would be refused at every delivery."""
    bare = host.strip("[]")
    (line,) = mistakes(
        rule(then=f"{{callback: 'https://{host}/x'}}"), replace(KNOWN, callback_hosts=(bare, "hooks.example.com"))
    )
    assert line == (
        f"{A}:4:22  error[callback-host]  {bare} is not a public address, and a rule may call no other directly; "
        "configure a callback with allow_private: true, and write its name here"
    )
