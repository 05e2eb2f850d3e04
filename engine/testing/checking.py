"""What came of a rule in a step of a timeline, held to what is expected of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.match import holds
from engine.model.condition import Condition
from engine.model.delivery import Delivery, Firing
from engine.model.event import Event
from engine.model.rule import Rule, Verb
from engine.testing.problems import Problem, not_sent
from engine.testing.sending import Sent
from engine.testing.stages import stage_of
from engine.testing.trial import StageOutcome, Tally


@dataclass(frozen=True, slots=True)
class Written:
    """What is sent, by step, of a firing, or by the clock alone (None)."""

    event: Event
    firing: Firing | None
    sent: Mapping[str, Sent]


def skipped_in(written: Written) -> Iterator[str]:
    """Steps of which it is known only when they are carried out that they are not meant."""
    yield from (step for step, one in written.sent.items() if one.skipped is not None)


def check_times(fired: int, wanted: bool | int) -> Iterator[Problem]:
    """That it fires, or does not, or how often."""
    if wanted is True and not fired:
        yield Problem(said="expected to fire, and it did not")
    elif wanted is False and fired:
        yield Problem(said="expected not to fire, and it fired" + (f" {fired} times" if fired > 1 else ""))
    elif not isinstance(wanted, bool) and fired != wanted:
        yield Problem(said=f"expected to fire {_times(wanted)}, and it fired {_times(fired)}")


def _times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number} times")


def check_count(what: str, found: int, wanted: int) -> Iterator[Problem]:
    """So many messages."""
    if found != wanted:
        there = "is" if found == 1 else "are"
        yield Problem(said=f"expected {_messages(wanted)} {what}, and there {there} {found}")


def check_tally(quiet: Sequence[Delivery], wanted: Tally) -> Iterator[Problem]:
    """So many kept quiet, of all or by what did it."""
    if wanted.count is not None:
        yield from check_count("suppressed", len(quiet), wanted.count)
    by = Counter((each.silence or "").partition(" ")[0] for each in quiet)
    for name, count in wanted.by.items():
        yield from check_count(f"suppressed by {name}", by[name], count)


def check_message(rule: Rule, written: Sequence[Written], condition: Condition) -> Iterator[Problem]:
    """One of the messages is as expected."""
    messages = [
        (each.event, step_id, one.request)
        for each in written
        for step_id, one in each.sent.items()
        if one.request is not None and (step := rule.step(step_id)) is not None and step.verb is Verb.NOTIFY
    ]
    if not messages:
        yield Problem(said="no message of this rule is sent")
    elif not any(holds(condition, replace(event, object=message)) for event, _, message in messages):
        event, step_id, message = messages[-1]
        yield not_sent(event, step_id, message, condition)


def check_stage(
    rule: Rule, name: str, sent: int, written: Sequence[Written], wanted: StageOutcome
) -> Iterator[Problem]:
    """What comes of `escalate`, say: `sent` messages of it went out."""
    if wanted.sent is False and sent:
        yield Problem(said=f"expected no message of {name}, and {_are(sent)} sent")
    elif not sent and (wanted.sent is True or (wanted.sent is None and wanted.message is not None)):
        yield Problem(said=f"expected a message of {name}, and none is sent")
    elif wanted.sent is not None and not isinstance(wanted.sent, bool) and sent != wanted.sent:
        yield Problem(said=f"expected {_messages(wanted.sent)} of {name}, and {_are(sent)} sent")
    elif wanted.message is not None and sent:
        own = [_of_stage(rule, name, each) for each in written]
        yield from check_message(rule, own, wanted.message)


def _of_stage(rule: Rule, name: str, written: Written) -> Written:
    own = {step: one for step, one in written.sent.items() if stage_of(rule, step, written.firing) == name}
    return replace(written, sent=own)


def _messages(number: int) -> str:
    return f"{number} message{'' if number == 1 else 's'}"


def _are(number: int) -> str:
    return f"{number} {'is' if number == 1 else 'are'}"


def check_step(step_id: str, found: Sequence[tuple[Event, Sent]], wanted: Condition | bool) -> Iterator[Problem]:
    """A step is sent, or never, or sends once what passes the condition."""
    requests = [(event, one.request) for event, one in found if one.request is not None]
    waits = next((one.waits for _, one in found if one.waits is not None), None)
    if waits is not None and not requests:
        yield Problem(said=f"{step_id} waits for the result of {waits}: write it in given, under results")
    elif wanted is False:
        if requests:
            yield Problem(said=f"expected {step_id} to be skipped, and it is sent")
    elif not requests:
        skipped = next((one.skipped for _, one in found if one.skipped is not None), None)
        yield Problem(said=f"{step_id} is skipped: {skipped}" if skipped else f"{step_id} is not sent: nothing fired")
    elif wanted is not True and not any(holds(wanted, replace(event, object=sent)) for event, sent in requests):
        event, sent = requests[-1]
        yield not_sent(event, step_id, sent, wanted)
