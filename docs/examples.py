"""What the docs show of Tocsin at work. Every output on a page is made by running the code on these inputs."""

import io
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from typer.testing import CliRunner

from engine.cli.app import GROUPS, SUMMARIES, app
from engine.cli.explained import Explained, print_explained
from engine.cli.test import print_failure
from engine.cli.whynot import print_why_not
from engine.model.event import Event, Scope
from engine.model.outcome import Scene
from engine.model.rule import Rule
from engine.receive.normalize import normalize
from engine.render import default_message, render_text, scene
from engine.rulebook import Known, load
from engine.rulebook.whynot import WhyNot
from engine.samples import sample
from engine.source import print_mistakes
from engine.stripe_api import operations
from engine.testing import read_tests
from engine.testing.running import Runner

DOCS = Path(__file__).parent
CREATED = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
COMMANDS = [
    *([name] for name in SUMMARIES if name not in GROUPS),
    *([group, name] for group, names in GROUPS.items() for name in names),
]
"""Every command that does something, as it is typed."""

KNOWN = Known(
    channels=("console", "payments", "risk", "onboarding", "on-call"),
    callbacks=("case-system",),
    callback_hosts=("cases.example.com",),
    stripe_operations=operations,
    allowed_writes=("accounts.update", "payouts.update", "refunds.create"),
    default_livemode=True,
)
"""The names that rules in the docs use."""

OPERATORS = {
    "eq": "id: {eq: $account.id}",
    "not": "reason: {not: [duplicate, fraudulent]}",
    "gt": "evidence_details.submission_count: {gt: 0}",
    "gte": "amount: {gte: 500 USD}",
    "lt": "evidence_details.due_by: {lt: 2027-01-01T00:00:00Z}",
    "lte": "amount: {lte: 20 USD}",
    "between": "amount: {between: [100 USD, 500 USD]}",
    "exists": "metadata.order: {exists: true}",
    "prefix": "charge: {prefix: py_}",
    "suffix": "evidence.customer_email_address: {suffix: '@example.com'}",
    "contains": "requirements.past_due: {contains: external_account}",
    "changed": "payouts_enabled: {changed: {from: true, to: false}}",
    "length": "requirements.currently_due: {length: {gte: 3}}",
    "glob": "receipt_email: {glob: '*@example.com'}",
    "matches": "description: {matches: '^order [0-9]+$'}",
    "ignore_case": "receipt_email: {suffix: '@example.com', ignore_case: true}",
    "cidr": "evidence.customer_purchase_ip: {cidr: 10.0.0.0/8}",
    "older_than": "created: {older_than: 30d}",
    "newer_than": "created: {newer_than: 1h}",
    "same_as": "id: {same_as: $account.id}",
    "in_table": "currency: {in_table: main_currencies}",
    "any_item": "lines.data: {any_item: {amount: {gte: 500 USD}, quantity: 1}}",
    "all_items": "lines.data: {all_items: {quantity: 1}}",
    "no_item": "lines.data: {no_item: {quantity: 0}}",
}
"""One use of each operator, as it stands under `where`."""

FILTERS: dict[str, tuple[str, ...]] = {
    "money": (
        "{{ object | money }}",
        "{{ 75000 | money('jpy') }}",
        "{{ object.amount | money('chf') }}",
    ),
    "date": (
        "{{ event.created | date }}",
        "{{ event.created | date('date') }}",
        "{{ event.created | date('time', timezone='Europe/Paris') }}",
        "{{ event.created | date('iso') }}",
        "{{ event.created | date('%d/%m/%Y') }}",
    ),
    "ago": ("{{ object.evidence_details.due_by | ago }}", "{{ object.created | ago }}"),
    "percent": ("{{ 0.0312 | percent }}", "{{ 3 | percent(of=50) }}"),
    "mask": ("{{ object.charge | mask }}", "{{ object.evidence.customer_email_address | mask }}"),
    "truncate": ("{{ 'The customer says that the goods never arrived.' | truncate(30) }}",),
    "words": ("{{ 'requirements.past_due' | words }}", "{{ object.status | words }}"),
    "join": ("{{ ['visa', 'amex'] | join }}", "{{ ['visa', 'amex'] | join(' or ') }}"),
    "default": ("{{ object.network_decision | default('none given') }}", "{{ '' | default('empty', boolean=true) }}"),
    "json": ("{{ object.evidence | json }}",),
    "dashboard_url": ("{{ object | dashboard_url }}", "{{ account | dashboard_url }}"),
    "replace": ("{{ 'sub_sched' | replace('_', '-') }}",),
    "round": ("{{ 2.675 | round(1) }}", "{{ 2.675 | round }}"),
    "string": ("{{ object.is_charge_refundable | string }}",),
    "length": ("{{ ['visa', 'amex'] | length }}",),
    "count": ("{{ 'visa' | count }}",),
}
"""Uses of each filter of Tocsin's own. What they give is rendered for `dispute()`."""


MISTAKEN = """\
rules:
  - id: dispute-big
    when:
      type: charge.dispute.creatd
      where:
        amount: {gte: $500}
    severty: high
    then:
      notify: rsik
      text: "{{ objct | money }}"
"""
"""A file of rules with one mistake in most of its lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Endpoint:
    """Where the events of the docs come in."""

    name: str = "connect"
    scope: Scope | None = Scope.CONNECTED
    livemode: bool | None = None


def event(type_: str, **fields: object) -> Event:
    """A plausible event of that type, the same each time: live, of a connected account."""
    root = sample(
        type_,
        account="acct_1NordwindCoffee",
        livemode=True,
        created=int(CREATED.timestamp()),
        id="evt_1SxDz2eZvKYlo2C",
        set=fields,
    )
    return normalize(json.dumps(root).encode(), _Endpoint(), CREATED + timedelta(seconds=2))


def dispute() -> Event:
    """A dispute over €420.00, due in a week."""
    return event("charge.dispute.created", charge="ch_3SxCz1eZvKYlo2C", id="du_1SxDyzeZvKYlo2C")


def block_with(rule_id: str) -> str:
    """The YAML block of rules.md that has that rule."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", (DOCS / "rules.md").read_text(), re.DOTALL | re.MULTILINE)
    return next(str(block) for block in blocks if f"- id: {rule_id}\n" in block)


def rule_of(rule_id: str) -> Rule:
    """That rule of rules.md, loaded."""
    loaded = load({"rules.yaml": block_with(rule_id)}, KNOWN)
    found = loaded.rulebook.rule(rule_id)
    if found is None:
        raise SystemExit(f"rule {rule_id} of docs/rules.md has a mistake: {loaded.mistakes}")
    return found


def scene_for(rule: Rule, about: Event) -> Scene:
    """What the texts of a rule see."""
    return scene(about, rule)


def alert_of(rule_id: str, about: Event) -> str:
    """The alert of a rule that says nothing of its text."""
    message = default_message(scene_for(rule_of(rule_id), about))
    return f"{message.title}\n\n{message.text}"


def filtered(template: str) -> str:
    """What a text gives for `dispute()`."""
    return render_text(template, scene_for(rule_of("large-dispute"), dispute()))


def explained(rule_id: str, about: Event, *, tree: bool = False) -> str:
    """What `tocsin explain` prints for a stored event that this rule of rules.md judged."""
    rulebook = load({"rules.yaml": block_with(rule_id)}, KNOWN).rulebook
    verdicts = [replace(each, tree=rulebook.tree(rule_id, about)) for each in rulebook.explain(about, rule=rule_id)]
    found = Explained(event=about, rulebook=rulebook, verdicts=verdicts)
    with redirect_stdout(io.StringIO()) as printed:
        print_explained(found, CREATED + timedelta(minutes=1), tree=tree)
    return printed.getvalue()


def disputes() -> Iterator[Event]:
    """Disputes as they come in a month: most of them small, some no more than an inquiry."""
    for number in range(400):
        amount = 1000 + number * 137 % 9000 if number % 16 else 62000
        currency = ("eur", "usd", "usd", "gbp")[number % 4]
        status = "warning_needs_response" if number % 11 == 0 else "needs_response"
        yield event("charge.dispute.created", amount=amount, currency=currency, status=status)


def counted(rule_id: str, events: Iterable[Event]) -> str:
    """What `tocsin rules show` says of why this rule of rules.md did not fire for those events."""
    why_not = WhyNot(rule_of(rule_id))
    for each in events:
        why_not.add(each)
    with redirect_stdout(io.StringIO()) as printed:
        print_why_not(why_not, received=why_not.events, days=30)
    return printed.getvalue()


def failed_test(rule_id: str, before: str, after: str) -> str:
    """What `tocsin test` prints of the tests of a rule of rules.md that fail once the rule says something else."""
    text = block_with(rule_id).replace(before, after)
    sources = {"rules/disputes.yaml": text}
    rulebook = load(sources, KNOWN).rulebook
    runner = Runner(rulebook)
    with redirect_stdout(io.StringIO()) as printed:
        for test in read_tests(sources, rulebook.rules, Path()).tests:
            result = runner.run(test)
            if not result.passed:
                print_failure(result)
    return printed.getvalue()


def run(*arguments: str) -> str:
    """What a command prints."""
    done = CliRunner().invoke(app, [*arguments], prog_name="tocsin", terminal_width=100)
    if done.exit_code:
        raise SystemExit(f"tocsin {' '.join(arguments)} ended with {done.exit_code}: {done.output}")
    return done.stdout.rstrip()


def shown_mistakes() -> str:
    """What `tocsin check` prints for MISTAKEN."""
    sources = {"rules/disputes.yaml": MISTAKEN}
    return print_mistakes(load(sources, KNOWN).mistakes, sources, color=False)
