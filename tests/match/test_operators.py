"""The table of operators, which docs are made from."""

from engine.match import OPERATORS
from engine.match.operators import Operand
from engine.rulebook.operands import READERS


def test_every_operator_has_a_reader_for_its_operand() -> None:
    """`not` and `changed`, whose operands are tests, are read where tests are."""
    items = {name for name, operator in OPERATORS.items() if operator.operand is Operand.CONDITIONS}
    assert set(READERS) | {"not", "changed", "ignore_case"} | items == set(OPERATORS)


def test_every_operator_says_what_it_is_on_and_what_it_means() -> None:
    """One line each, without a full stop."""
    for operator in OPERATORS.values():
        assert operator.on
        assert operator.doc
        assert not operator.doc.endswith(".")
        assert (operator.decides is None) == (operator.name in ("not", "ignore_case"))
