"""Running tests: each event is matched and explained by the rules, and what they would send is rendered. Nothing is
sent, stored or read from Stripe."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import unified_diff

from engine.match import because, examine, holds
from engine.model.condition import Condition, PathTest
from engine.model.event import Event, Json
from engine.model.rule import Rule, RuleMode, Verb
from engine.model.verdict import Verdict
from engine.rulebook import Rulebook
from engine.samples import as_if_read
from engine.testing.given import CannotBeGiven, event_of
from engine.testing.sending import Sent, Writer
from engine.testing.trial import Answer, Fired, Given, RuleTest

Request = dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that was not as expected: in a line, and the lines that show it."""

    said: str
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a test; it passed where there are no problems. `event` is None where it could not be made."""

    test: RuleTest
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

    def run(self, test: RuleTest) -> Result:
        """What became of one test. Its rule, and those it expects to fire, must be in the rulebook."""
        try:
            event = event_of(self._in_mode(test))
            book = self._live(test.rule) if test.rule is not None else self._rulebook
            event = as_if_read(event, book.wants(event), test.given.fetched)
        except (CannotBeGiven, ValueError) as error:
            return Result(test=test, event=None, problems=(Problem(said=f"the event cannot be made: {error}"),))
        if isinstance(test.expect, Fired):
            problems = self._check_fired(event, test.expect)
        else:
            assert test.rule is not None
            problems = self._check_answer(event, self._live(test.rule), test.rule, test)
        return Result(test=test, event=event, problems=tuple(problems))

    def _in_mode(self, test: RuleTest) -> Given:
        """What is given, in the mode that its rules look at where the test does not say: which mode that is may be the
        configuration's to say, and no affair of the test's."""
        if test.given.livemode is not None:
            return test.given
        rules = [rule for rule_id in test.rules if (rule := self._rulebook.rule(rule_id)) is not None]
        testing = bool(rules) and all(when.livemode is False for rule in rules for when in rule.when)
        return replace(test.given, livemode=not testing)

    def _live(self, rule_id: str) -> Rulebook:
        """The rulebook to test a rule in."""
        rule = self._rulebook.rule(rule_id)
        assert rule is not None, rule_id
        if rule.mode is not RuleMode.OFF:
            return self._rulebook
        if rule_id not in self._alone:
            self._alone[rule_id] = Rulebook(revision="", rules=(replace(rule, mode=RuleMode.LIVE),))
        return self._alone[rule_id]

    def _check_fired(self, event: Event, expect: Fired) -> Iterable[Problem]:
        fired = [match.rule.id for match in self._rulebook.match(event)]
        missing = [rule_id for rule_id in expect.rules if rule_id not in fired]
        extra = [rule_id for rule_id in fired if rule_id not in expect.rules]
        for rule_id in missing:
            (verdict,) = self._rulebook.explain(event, rule=rule_id)
            yield Problem(said=f"expected {rule_id} to fire, and it did not", shown=_why(verdict))
        for rule_id in extra:
            (verdict,) = self._rulebook.explain(event, rule=rule_id)
            yield Problem(said=f"{rule_id} fired, too", shown=_why(verdict))

    def _check_answer(self, event: Event, rulebook: Rulebook, rule_id: str, test: RuleTest) -> Iterable[Problem]:
        expect = test.expect
        assert isinstance(expect, Answer)
        (verdict,) = rulebook.explain(event, rule=rule_id)
        matches = [match.rule for match in rulebook.match(event)]
        fired = any(rule.id == rule_id for rule in matches)
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
        yield _not_sent(event, step_id, message, condition)


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
        yield _not_sent(event, step_id, one.request, wanted)


def _fates(sent: Mapping[str, Sent]) -> Iterable[str]:
    for step_id, one in sent.items():
        if one.skipped is not None:
            yield f"{step_id} is skipped: {one.skipped}"
        elif one.waits is not None:
            yield f"{step_id} waits for the result of {one.waits}: write it in given, under results"


def _not_sent(event: Event, step_id: str, request: Request, condition: Condition) -> Problem:
    """What a step sends, beside what it should."""
    reason = because(examine(condition, replace(event, object=request)))
    assert reason is not None
    said = f"{reason.path} of {step_id} is not as expected"
    whole, wanted = request.get(reason.path), _wanted(condition, reason.path)
    if isinstance(whole, str) and "\n" in whole + (wanted or ""):
        if wanted is not None:
            return Problem(said=said, shown=_diff(wanted, whole))
        return Problem(
            said=said, shown=(f"needs {reason.needs}", "it is:", *(f"  {line}" for line in whole.splitlines()))
        )
    actual = whole if isinstance(whole, str) else reason.actual
    note = f"   ({reason.note})" if reason.note else ""
    needs = wanted if wanted is not None else reason.needs
    return Problem(said=said, shown=(f"is     {actual}", f"needs  {needs}{note}"))


def _wanted(condition: Condition, path: str) -> str | None:
    """The one text that a path is to be equal to, None where it is tested otherwise."""
    if not isinstance(condition, PathTest):
        found = (_wanted(child, path) for child in condition.children)
        return next((text for text in found if text is not None), None)
    operation = condition.operations[0]
    if condition.path == path and operation.operator == "eq" and isinstance(operation.operand, str):
        return operation.operand
    return None


def _diff(wanted: str, whole: str) -> tuple[str, ...]:
    lines = unified_diff(wanted.splitlines(), whole.splitlines(), "expected", "sent", lineterm="", n=2)
    return tuple(lines)


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
