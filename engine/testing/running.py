"""Running tests: each event is matched and explained by the rules, and what they would send is rendered. Nothing is
sent, stored or read from Stripe."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from engine.decide.judge import remembers
from engine.match import holds
from engine.model.condition import Condition
from engine.model.delivery import Firing, FiringStatus
from engine.model.event import Event
from engine.model.rule import Rule, RuleMode, Verb
from engine.model.verdict import Verdict
from engine.rulebook import Rulebook
from engine.samples import as_if_read
from engine.testing.given import CannotBeGiven, event_of
from engine.testing.playing import Player, because_of, key_of_reason, wants_of
from engine.testing.problems import Problem, not_sent
from engine.testing.sending import Sent, Writer
from engine.testing.trial import Answer, Fired, Given, RuleTest, Test, TimelineTest


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a test; it passed where there are no problems. `event` is None where it could not be made,
    or where there are several."""

    test: Test
    event: Event | None
    problems: tuple[Problem, ...]

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.problems


class Runner:
    """Runs tests on the rules of one rulebook. A rule in shadow is tested as a live one; a rule that is off by
    itself, as if it were live."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self._alone: dict[str, Rulebook] = {}
        self._writer = Writer()

    def run(self, test: Test) -> Result:
        """What became of one test. Its rule, and those it expects to fire, must be in the rulebook."""
        return self._play(test) if isinstance(test, TimelineTest) else self._run(test)

    def _play(self, test: TimelineTest) -> Result:
        steps = tuple(
            replace(step, given=tuple(self._in_mode(test, each) for each in step.given)) for step in test.timeline.steps
        )
        test = replace(test, timeline=replace(test.timeline, steps=steps))
        book = self._live(test.rule, shadow_too=True) if test.rule is not None else self._rulebook
        problems: list[Problem] = []
        try:
            problems += Player(book, self._writer, test).play()
        except (CannotBeGiven, ValueError) as error:
            problems.append(Problem(said=f"an event cannot be made: {error}"))
        return Result(test=test, event=None, problems=tuple(problems))

    def _run(self, test: RuleTest) -> Result:
        try:
            event = event_of(self._in_mode(test, test.given))
            book = self._live(test.rule) if test.rule is not None else self._rulebook
            event = as_if_read(event, wants_of(book, test.rule, event), test.given.fetched)
        except (CannotBeGiven, ValueError) as error:
            return Result(test=test, event=None, problems=(Problem(said=f"the event cannot be made: {error}"),))
        if isinstance(test.expect, Fired):
            problems = self._check_fired(event, test.expect)
        else:
            assert test.rule is not None
            problems = self._check_answer(event, self._live(test.rule), test.rule, test)
        return Result(test=test, event=event, problems=tuple(problems))

    def _in_mode(self, test: Test, given: Given) -> Given:
        """What is given, in the mode that its rules look at where the test does not say: which mode that is may be the
        configuration's to say, and no affair of the test's."""
        if given.livemode is not None:
            return given
        rules = [rule for rule_id in test.rules if (rule := self._rulebook.rule(rule_id)) is not None]
        testing = bool(rules) and all(when.livemode is False for rule in rules for when in rule.when)
        return replace(given, livemode=not testing)

    def _live(self, rule_id: str, *, shadow_too: bool = False) -> Rulebook:
        """The rulebook to test a rule in: one where it is live, or at least not off."""
        rule = self._rulebook.rule(rule_id)
        assert rule is not None, rule_id
        if rule.mode is RuleMode.LIVE or (rule.mode is RuleMode.SHADOW and not shadow_too):
            return self._rulebook
        if rule_id not in self._alone:
            self._alone[rule_id] = Rulebook(revision="", rules=(replace(rule, mode=RuleMode.LIVE),))
        return self._alone[rule_id]

    def _check_fired(self, event: Event, expect: Fired) -> Iterable[Problem]:
        rules = [match.rule for match in self._rulebook.match(event)]
        fired = [rule.id for rule in rules if not remembers(rule) or self._fires_alone(event, rule)]
        missing = [rule_id for rule_id in expect.rules if rule_id not in fired]
        extra = [rule_id for rule_id in fired if rule_id not in expect.rules]
        for rule_id in missing:
            (verdict,) = self._rulebook.explain(event, rule=rule_id)
            yield Problem(said=f"expected {rule_id} to fire, and it did not", shown=_why(verdict))
        for rule_id in extra:
            (verdict,) = self._rulebook.explain(event, rule=rule_id)
            yield Problem(said=f"{rule_id} fired, too", shown=_why(verdict))

    def _fires_alone(self, event: Event, rule: Rule) -> bool:
        return next(iter(because_of(event, self._rulebook, rule))).status is FiringStatus.FIRED

    def _check_answer(self, event: Event, rulebook: Rulebook, rule_id: str, test: RuleTest) -> Iterable[Problem]:
        expect = test.expect
        assert isinstance(expect, Answer)
        (verdict,) = rulebook.explain(event, rule=rule_id)
        matches = [match.rule for match in rulebook.match(event)]
        matched = next((rule for rule in matches if rule.id == rule_id), None)
        fired = matched is not None
        if matched is not None and remembers(matched):
            held = next(iter(because_of(event, rulebook, matched)))
            fired = held.status is FiringStatus.FIRED
            if not fired:
                yield from _check_remembered(held, expect)
                return
        if fired and not expect.fires:
            yield Problem(said="expected not to fire, and it fired", shown=_why(verdict))
        elif not fired and expect.fires:
            yield Problem(said="expected to fire, and it did not", shown=_why(verdict))
        elif expect.because is not None and verdict.because is not None and verdict.because.path != expect.because:
            said = f"expected not to fire because of {expect.because}, and it did not because of {verdict.because.path}"
            yield Problem(said=said, shown=_why(verdict))
        elif fired:
            rule = rulebook.rule(rule_id)
            assert rule is not None
            yield from _check_sent(event, rule, self._writer.sent(event, rule, matches, test.given.results), expect)


def _check_remembered(firing: Firing, expect: Answer) -> Iterable[Problem]:
    """The rule holds for the event, and one event is not all that it asks."""
    key, shown = key_of_reason(firing), (firing.reason or "",)
    if expect.fires:
        yield Problem(said="expected to fire, and for one event by itself it does not: write a timeline", shown=shown)
    elif expect.because is not None and expect.because != key:
        said = f"expected not to fire because of {expect.because}, and it did not because of {key}"
        yield Problem(said=said, shown=shown)


def _check_sent(event: Event, rule: Rule, sent: Mapping[str, Sent], expect: Answer) -> Iterable[Problem]:
    """Everything that the rule would send can be written, and is as expected."""
    for step_id, one in sent.items():
        if one.wrong is not None:
            yield Problem(said=f"{step_id} cannot be written: {one.wrong}")
    if expect.message is not None:
        yield from _check_message(event, rule, sent, expect.message)
    for step_id, wanted in expect.steps.items():
        yield from _check_step(event, step_id, sent.get(step_id, Sent(skipped="it has no destination")), wanted)


def _check_message(event: Event, rule: Rule, sent: Mapping[str, Sent], condition: Condition) -> Iterable[Problem]:
    """One of the rule's messages is as expected."""
    written = {step_id: one.request for step_id, one in sent.items() if one.request is not None}
    messages = {step.id: written[step.id] for step in rule.steps if step.verb is Verb.NOTIFY and step.id in written}
    if not messages:
        yield Problem(said="no message of this rule is sent", shown=tuple(_fates(sent)))
    elif not any(holds(condition, replace(event, object=message)) for message in messages.values()):
        step_id, message = next(iter(messages.items()))
        yield not_sent(event, step_id, message, condition)


def _check_step(event: Event, step_id: str, one: Sent, wanted: Condition | bool) -> Iterable[Problem]:
    """A step is sent, or skipped, or sends what passes the condition."""
    if one.waits is not None:
        yield Problem(said=f"{step_id} waits for the result of {one.waits}: write it in given, under results")
    elif one.skipped is not None:
        if wanted is not False:
            yield Problem(said=f"{step_id} is skipped: {one.skipped}")
    elif wanted is False:
        yield Problem(said=f"expected {step_id} to be skipped, and it is sent")
    elif one.request is not None and wanted is not True and not holds(wanted, replace(event, object=one.request)):
        yield not_sent(event, step_id, one.request, wanted)


def _fates(sent: Mapping[str, Sent]) -> Iterable[str]:
    for step_id, one in sent.items():
        if one.skipped is not None:
            yield f"{step_id} is skipped: {one.skipped}"
        elif one.waits is not None:
            yield f"{step_id} waits for the result of {one.waits}: write it in given, under results"


def _why(verdict: Verdict) -> tuple[str, ...]:
    """A verdict as `explain` shows it."""
    lines = []
    if verdict.because is not None:
        reason = verdict.because
        note = f"   ({reason.note})" if reason.note else ""
        lines.append(f"NO  {reason.path}  {reason.actual}   needs {reason.needs}{note}")
    if verdict.held:
        lines.append(f"ok  {' '.join(verdict.held)}")
    return tuple(lines)
