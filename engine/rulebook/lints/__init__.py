"""Warnings: what loads and works, but probably not as meant. Each module knows one kind of doubt.

What Stripe's objects look like is known from the SDK (`engine.model.schema`), so that a misspelt field is told before
it makes a rule silent. Stripe adds fields and values at any time, hence these are warnings, never errors.
"""

from engine.match import parse_path
from engine.model.condition import ALWAYS, Changed, Condition, Nothing, PathTest, Reference
from engine.model.rule import Step, When
from engine.rulebook.findings import Findings
from engine.rulebook.lints.carried import Spot, carried, elements, with_ids
from engine.rulebook.lints.change import check_change
from engine.rulebook.lints.contradictions import check_contradictions
from engine.rulebook.lints.money import ORDERED, check_money, fixes_currency
from engine.rulebook.lints.paths import Context, spots_of
from engine.rulebook.lints.repeats import check_repeats
from engine.rulebook.lints.scopes import check_scopes
from engine.rulebook.lints.values import check_values

_ON_ITEMS = frozenset({"any_item", "all_items", "no_item"})


def advise(found: Findings, whens: tuple[When, ...]) -> None:
    """Warn of what can be read in the `when` of a rule but hardly be meant."""
    for when in whens:
        _Adviser(found, when).walk(when.where, Context(about=with_ids(carried(when.types), whens)), excluded=False)
        check_contradictions(found, when)
        check_scopes(found, when)
    check_repeats(found, whens)


def advise_step(found: Findings, whens: tuple[When, ...], step: Step) -> None:
    """The same for what a step asks of the event before it runs."""
    types = tuple(dict.fromkeys(pattern for when in whens for pattern in when.types))
    about = When(types=types, where=step.condition)
    if about.types and step.condition != ALWAYS:
        _Adviser(found, about).walk(
            step.condition, Context(about=with_ids(carried(about.types), whens)), excluded=False
        )


class _Adviser:
    """Goes through one `where`, and into what it asks of elements and of what changed."""

    def __init__(self, found: Findings, when: When) -> None:
        self._found = found
        self._when = when
        self._fixed = fixes_currency(when.where)

    def walk(self, condition: Condition, context: Context, *, excluded: bool) -> None:
        """`excluded`: it is under a `none` (or a `not`), which other currencies pass."""
        if isinstance(condition, PathTest):
            self._test(condition, context, excluded)
        else:
            for child in condition.children:
                self.walk(child, context, excluded=excluded or isinstance(condition, Nothing))

    def _test(self, test: PathTest, context: Context, excluded: bool) -> None:
        spots = spots_of(self._found, parse_path(test.path), context, test.position)
        for operation in test.operations:
            operand = operation.operand
            check_values(self._found, context.called(test.path), operation, spots)
            if operation.operator in ORDERED and not self._fixed and not excluded:
                check_money(self._found, test, operation, spots)
            if isinstance(operand, Reference):
                spots_of(self._found, parse_path(operand.path), context, operation.position)
            elif isinstance(operand, Changed):
                check_change(self._found, self._when, operation)
                values = Context(about=context.about, item=spots, name=test.path)
                members = self._elements(test, context, spots)
                pairs = (
                    (operand.old, values),
                    (operand.new, values),
                    (operand.added, members),
                    (operand.removed, members),
                )
                for inner, around in pairs:
                    if inner is not None:
                        self.walk(inner, around, excluded=excluded)
            elif operation.operator in _ON_ITEMS:
                self.walk(operand, self._elements(test, context, spots), excluded=excluded)

    def _elements(self, test: PathTest, context: Context, spots: tuple[Spot, ...]) -> Context:
        return Context(about=context.about, item=elements(spots), name=f"an element of {context.called(test.path)}")
