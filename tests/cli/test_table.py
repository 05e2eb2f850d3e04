"""Tables keep to the terminal and give whole values to pipes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cli.table import Column, Row, fitted, folded, print_table


def test_a_piped_row_is_one_line_of_whole_values_with_its_note_last(capsys: pytest.CaptureFixture[str]) -> None:
    name = "customer.subscription.pending_update_applied." * 4
    print_table(
        [Column(title="ID"), Column(title="TYPE"), Column(title="WHO")], [Row(cells=("1", name, ""), note="n b")]
    )
    title, row = capsys.readouterr().out.splitlines()
    assert title.split() == ["ID", "TYPE", "WHO", "NOTE"]
    assert row.split() == ["1", name, "-", "n", "b"]


@given(st.text(alphabet="ab-._ ", max_size=60), st.integers(min_value=1, max_value=20))
@settings(max_examples=100)
def test_folding_loses_nothing_but_blanks_and_keeps_to_the_width(text: str, width: int) -> None:
    pieces = folded(text, width)
    assert all(len(piece) <= width for piece in pieces)
    assert "".join(pieces).replace(" ", "") == text.replace(" ", "")


def test_a_name_is_folded_behind_a_separator() -> None:
    assert folded("charge.dispute.funds_withdrawn", 24) == ["charge.dispute.funds_", "withdrawn"]


def test_the_widest_column_gives_way_first_and_whole_ones_never() -> None:
    columns = [Column(title="ID", whole=True), Column(title="TYPE"), Column(title="TO")]
    rows = [Row(cells=("x" * 40, "y" * 30, "z" * 12))]
    assert fitted(columns, rows, 74) == [40, 18, 12]
    assert fitted(columns, rows, 40) == [40, 8, 8]


def test_what_strangers_wrote_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([Column(title="TYPE")], [Row(cells=("\x1b[2Jpayout\nfailed",))])
    assert capsys.readouterr().out.splitlines()[1] == "\ufffd[2Jpayout failed"
