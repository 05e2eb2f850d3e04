"""`tocsin render`: what each destination would get, and that nothing is sent."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from engine.model.delivery import DeliveryStatus, delivery_id, firing_id
from engine.model.rule import Verb
from engine.store import Store
from tests.builders import event, snapshot_body
from tests.cli.conftest import CONFIG, NOW, Sink, commit, delivery, stock

runner = CliRunner()

RULES = """\
rules:
  - id: told
    severity: high
    when: {type: payout.failed, scope: connected, where: {amount: {gte: 500 USD}, currency: usd}}
    then:
      - notify: [payments, grave]
        title: "{{ object | money }} failed"
        text: "At {{ account.id }}, api_key is {{ object.id }}"
      - callback: cases
        body: {id: "{{ object.id }}", amount: "{{ object.amount }}"}
  - id: asks
    mode: shadow
    when: charge.dispute.created
    then:
      - stripe: charges.retrieve
        id: charge
        with: {charge: "{{ object.charge }}"}
      - notify: payments
        title: Dispute
        text: "{{ steps.charge.result.object }} of {{ steps.charge.result.billing_details.email }}"
"""


@pytest.fixture
def place(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sink: Sink) -> Path:
    """A working folder whose channel and callback are a server that would notice."""
    channels = 'channels:\n  grave: {{url: "json://127.0.0.1:{port}/grave", min_severity: critical}}'
    config = CONFIG.replace("channels:", channels).format(database=database, port=sink.port)
    (tmp_path / "config.yaml").write_text(config + "stripe: {keys: {live: rk_live_1, test: rk_test_1}}\n")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mine.yaml").write_text(RULES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def render(*arguments: str, input: bytes | None = None) -> Any:  # noqa: A002 (CliRunner's word)
    """Runs it."""
    return runner.invoke(app, ["render", *arguments], input=input)


def rendered(*arguments: str) -> dict[str, Any]:
    """What it prints as JSON; deliveries by destination."""
    found: dict[str, Any] = json.loads(render(*arguments, "--json").stdout)
    return {**found, "deliveries": {each["destination"]: each for each in found["deliveries"]}}


def test_a_made_up_event_of_the_rules_own_kind_will_do(place: Path, sink: Sink) -> None:
    result = render("told", "--set", "amount=75000", "--set", "currency=usd")
    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[0].split()[1] == "payout.failed"
    assert lines[0].endswith("live  made up")
    assert not any("does not hold" in line for line in lines)
    assert "notify payments   through JSON" in lines
    assert "title  $750.00 failed" in lines
    assert "callback cases" in lines
    assert f"POST {sink.url}/cases" in lines
    assert "webhook-signature: ****" in lines
    assert '"amount": 75000' in lines
    assert sink.got == []


def test_a_channel_that_does_not_take_it_says_why(place: Path) -> None:
    assert "notify grave   skipped: grave takes severity critical and above" in render("told").stdout


def test_a_rule_that_does_not_hold_is_rendered_and_says_so(place: Path) -> None:
    result = render("told", "--set", "amount=100", "--set", "currency=usd")
    assert "told does not hold for it: amount 1.00 USD   needs >= 500.00 USD" in result.stdout
    assert "title  $1.00 failed" in result.stdout


def test_a_file_and_standard_input_will_do(place: Path) -> None:
    body = snapshot_body("payout.failed", id="evt_9", object={"amount": 60000, "currency": "usd"})
    (place / "event.json").write_bytes(body)
    assert "evt_9 payout.failed  acct_1  live  from event.json" in render("told", "--event", "event.json").stdout
    assert "from standard input" in render("told", "--event", "-", input=body).stdout


def test_a_stored_event_is_rendered_with_its_own_ids_and_results(place: Path, database: str) -> None:
    """As the delivery would have been sent: its id is that of the signature and the idempotency key."""
    one = event("charge.dispute.created", id="evt_1", object={"charge": "ch_1"}, received=NOW)
    firing = firing_id("asks", "evt_1")
    step = delivery(
        "charges.retrieve",
        id=delivery_id(firing, "charge", "charges.retrieve"),
        firing=firing,
        step="charge",
        verb=Verb.STRIPE,
        status=DeliveryStatus.DELIVERED,
        result={"object": "charge", "billing_details": {"email": "kai@example.com"}},
    )

    async def fill(store: Store) -> None:
        await commit(store, one)
        await store.deliveries.insert([step])

    stock(database, fill)
    found = rendered("asks", "--event", "evt_1")
    assert found["made_up"] == []
    assert found["event"] == {"id": "evt_1", "type": "charge.dispute.created", "source": "stored"}
    (message,) = found["deliveries"]["payments"]["sent"]["messages"]
    assert message["text"] == "charge of kai@example.com"
    call = found["deliveries"]["charges.retrieve"]["sent"]
    assert call["url"] == "https://api.stripe.com/v1/charges/ch_1"
    assert call["headers"] == {"Stripe-Account": "acct_1"}
    assert call["key"] == "stripe.keys.live"


def test_what_other_steps_return_is_made_up_unless_it_is_given(place: Path) -> None:
    result = render("asks")
    assert result.exit_code == 0, result.output
    assert "asks is in shadow" in result.stdout
    assert "made up: what charge returned" in result.stdout
    assert "charge of kai@customer.example" in result.stdout
    given = json.dumps({"object": "other", "billing_details": {"email": "x@example.com"}})
    (place / "charge.json").write_text(given)
    for value in (given, "charge.json"):
        assert "other of x@example.com" in render("asks", "--result", f"charge={value}").stdout


def test_what_would_be_read_from_stripe_first_is_made_up_and_said_to_be(place: Path) -> None:
    rules = "rules: [{id: reads, when: {type: payout.failed, fetch: object}, then: {notify: payments}}]\n"
    (place / "rules" / "reads.yaml").write_text(rules)
    result = render("reads")
    assert result.exit_code == 0, result.output
    assert "made up: what is read from Stripe first (object)" in result.stdout
    assert rendered("reads")["made_up"] == ["object"]


def test_a_text_that_fails_says_so_and_fails(place: Path) -> None:
    result = render("asks", "--result", 'charge={"object": "charge"}')
    assert result.exit_code == 1
    assert "notify payments   refused: " in result.stdout
    assert "billing_details" in result.stdout


def test_what_would_be_refused_is_shown_all_the_same(place: Path) -> None:
    """Before there is a key, what is wanted is to see the call."""
    config = (place / "config.yaml").read_text()
    (place / "config.yaml").write_text(config.replace("stripe: {keys: {live: rk_live_1, test: rk_test_1}}", ""))
    result = render("asks")
    assert result.exit_code == 1
    assert "stripe charges.retrieve   refused: there is no key for this live event" in result.stdout
    assert '"method": "get"' in result.stdout
    assert rendered("asks")["deliveries"]["charges.retrieve"]["request"]["operation"] == "charges.retrieve"


def test_steps_that_are_not_for_this_event_say_why(place: Path) -> None:
    """Their own condition, another rule that supersedes this one, and that nothing has failed yet."""
    (place / "rules" / "more.yaml").write_text(
        """rules:
  - id: careful
    when: refund.failed
    then:
      - {notify: payments, if: {amount: {gte: 500 USD}}}
      - {callback: cases}
    on_failure: {notify: payments, title: "Given up: {{ failed.step }}"}
  - {id: wins, when: {type: refund.failed, where: {currency: eur}}, supersedes: [careful], then: {notify: payments}}
"""
    )
    asked = ("careful", "--set", "amount=100", "--set", "currency=usd")
    assert "notify payments   skipped: if: amount is 1.00 USD, needs >= 500.00 USD" in render(*asked).stdout
    lines = [line.strip() for line in render(*asked).stdout.splitlines()]
    at = lines.index("when a step is given up:")
    assert lines[at + 1] == "notify payments   through JSON"
    assert lines[at + 2] == "title  Given up: notify-1"
    result = render("careful", "--set", "currency=eur")
    assert "notify payments   skipped: superseded by wins" in result.stdout


def test_secrets_are_masked_in_requests(place: Path) -> None:
    text = render("told", "--json").stdout + render("told").stdout
    for secret in ("Y2FzZXMgYXJlIGEg", "rk_live_1"):
        assert secret not in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tol",), "did you mean 'told'?"),
        (("told", "--sample", "payout.faild"), "did you mean 'payout.failed'?"),
        (("told", "--event", "evt_1", "--live"), "not with --event"),
        (("asks", "--result", "chrge={}"), "did you mean 'charge'?"),
        (("asks", "--result", "charge"), "STEP=JSON"),
        (("asks", "--result", "charge={"), "neither JSON nor a file"),
        (("told", "--event", "nothing.json"), "cannot read nothing.json"),
    ],
)
def test_what_cannot_be_meant_says_what_can(place: Path, arguments: tuple[str, ...], said: str) -> None:
    result = render(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_the_mode_and_scope_of_a_made_up_event_are_the_rules(place: Path) -> None:
    when = "{type: 'payout.*', scope: platform, livemode: false}"
    rules = f"rules:\n  - {{id: testing, when: {when}, then: {{notify: payments}}}}\n"
    (place / "rules" / "testing.yaml").write_text(rules)
    result = render("testing")
    assert result.exit_code == 0, result.output
    assert "your own account  test  made up" in result.stdout
    assert "does not hold" not in result.stdout
    assert "[TEST]" in result.stdout
