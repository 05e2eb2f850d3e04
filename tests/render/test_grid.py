"""Tables in each form: what lines up, what is cut, and that no cell gets out of its place."""

import html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.render.grid import (
    LONGEST_CELL,
    Grid,
    Group,
    Row,
    as_aligned,
    as_block,
    as_html,
    as_lines,
    one_line,
    tamed,
    width,
)

HOSTILE = (
    "a | b",
    "`x` ```",
    "two\nlines\r\nand\u2028more",
    "<b onclick=x>bold</b></td></table><script>alert(1)</script>",
    "**b** _i_ [click](https://evil.example) <https://evil.example|here> <!channel> @everyone",
    "\x1b[31mred\x07 \u202eright to left\u2066",
    "&lt;b&gt; &amp;",
    "x" * 5_000,
    "東京" * 300,
    "",
)


def grid(*rows: tuple[str, ...], names: tuple[str | None, ...] = (None,)) -> Grid:
    """A table of these rows, in as many groups as there are names."""
    made = tuple(Row(cells=cells, link="https://dashboard.stripe.com/x") for cells in rows)
    share = len(made) // len(names)
    groups = (Group(name=name, rows=made[n * share : (n + 1) * share]) for n, name in enumerate(names))
    return Grid(headings=tuple(f"Column {n}" for n in range(len(rows[0]))), groups=tuple(groups))


class Reader(HTMLParser):
    """Which tags an HTML text opens, in their order, and the text in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_columns_line_up_and_numbers_stand_to_the_right() -> None:
    """Also beside letters that take two columns, and marks that take none."""
    made = as_aligned(grid(("東京", "€1,200.00"), ("Cafe\u0301", "-€3.10"), ("Acme", "12.50 CHF")), widest=80)
    assert made.splitlines() == [
        "Column 0   Column 1",
        "--------  ---------",
        "東京      €1,200.00",
        "Cafe\u0301         -€3.10",
        "Acme      12.50 CHF",
    ]


def test_a_wide_table_is_cut_at_its_widest_columns() -> None:
    """Visibly, and no wider than it may be; a heading too."""
    made = as_aligned(grid(("a" * 200, "short", "b" * 100), ("c", "d", "e")), widest=60)
    assert max(map(width, made.splitlines())) <= 60
    assert "short" in made
    assert made.count("…") == 2


def test_times_and_amounts_are_cut_last() -> None:
    """As half of one is worth nothing; a heading with hundreds of columns is still no wider than it may be."""
    made = as_aligned(grid(("22 Nov 23:12", "a" * 90, "b" * 40, "€12,000.00", "c" * 30)), widest=77)
    assert made.splitlines()[-1].startswith("22 Nov 23:12  aaaa")
    assert "€12,000.00" in made
    assert max(map(width, made.splitlines())) == 77
    many = as_aligned(grid(tuple("xx" for _ in range(20))), widest=60)
    assert max(map(width, many.splitlines())) <= 60


def test_groups_stand_under_their_names() -> None:
    made = grid(("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), names=("Acme · 2", "Beta · 2"))
    assert as_aligned(made, widest=80).splitlines()[2:] == [
        *("Acme · 2", "a                1", "b                2"),
        *("", "Beta · 2", "c                3", "d                4"),
    ]
    assert as_lines(made) == "Acme · 2\n• a · 1\n• b · 2\n\nBeta · 2\n• c · 3\n• d · 4"
    assert made.first(3).groups[1].rows == made.groups[1].rows[:1]
    assert len(made.first(2).groups) == 1


def test_empty_cells_are_left_out_of_lines() -> None:
    assert as_lines(grid(("a", "", "c"))) == "• a · c"


@pytest.mark.parametrize("cell", HOSTILE)
def test_no_cell_gets_out_of_its_place(cell: str) -> None:
    """One line for each row and no markup of its own in any form."""
    table = grid(("x", cell, "y"), (cell, "x", cell))
    assert len(as_aligned(table, widest=90).splitlines()) == 4
    assert max(map(width, as_aligned(table, widest=90).splitlines())) <= 90
    block = as_block(table, widest=90)
    assert block.count("`") == 6
    assert len(block.splitlines()) == 6
    assert len(as_lines(table).splitlines()) == 2
    read = Reader(as_html(table))
    assert read.tags == ["table", "tr", "th", "th", "th", *(["tr", "td", "a", "td", "td"] * 2)]
    assert set(read.links) == {"https://dashboard.stripe.com/x"}
    assert one_line(cell) in html.unescape(as_html(table))


@given(st.text(max_size=300) | st.text("`|<>&*_\n\r\\[]()#\"'~@ \x1b\u202ea", max_size=80))
def test_any_text_becomes_one_line_that_ends_nothing(text: str) -> None:
    """Whatever characters there are."""
    line = one_line(text)
    assert len(line) <= LONGEST_CELL
    assert line.isprintable()
    assert len(line.splitlines()) <= 1
    table = grid((text, text))
    assert as_block(table, widest=80).count("```") == 2
    assert Reader(as_html(table)).tags == ["table", "tr", "th", "th", "tr", "td", "a", "td"]
    assert width(as_aligned(table, widest=40).splitlines()[-1]) <= 40


@given(st.text("`<>*~[]():@a b", max_size=40) | st.text("`<>*~[]():@a b|./", max_size=40).map("https://a.b/".__add__))
def test_tamed_text_makes_no_markup(text: str) -> None:
    """No link, no code, no emphasis, no mention; addresses stay."""
    made = tamed(text)
    assert not re.search(r"[<>`]|(?<!\S )[*~]|[*~](?! \S)|\][(\[:]|(?<!\w)@(?=[\w‹])", made)
    assert tamed(made) == made
    assert tamed("anna@example.com") == "anna@example.com"
    assert tamed("x@everyone x@Here.") == "x＠everyone x＠Here."


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("https://acme.example/spaces/~7120/pages/1", "https://acme.example/spaces/%7E7120/pages/1"),
        ("https://medium.example/@acme/x?q=a*b#c", "https://medium.example/%40acme/x?q=a%2Ab#c"),
        ("(HTTP://a.example/x_(y)@2x.png), then", "(HTTP://a.example/x_(y)%402x.png), then"),
        ("https://a.example/x@here", "https://a.example/x%40here"),
        ("https://anna@a.example/x", "https://anna@a.example/x"),
        ("*https://a.example*, ~https://a.example/~", "∗https://a.example∗, ∼https://a.example/∼"),
        ("<https://a.example|*here*>", "‹https://a.example|∗here∗›"),
        ("https://a.example/`@here`", "https://a.example/'＠here'"),
        ("[x](https://a.example/x](https://b.example)", "[x] (https://a.example/x] (https://b.example)"),
    ],
)
def test_tamed_addresses_lead_where_they_led(text: str, made: str) -> None:
    """What is no part of them is tamed as elsewhere."""
    assert tamed(text) == made


@pytest.mark.parametrize("text", ["5 * 3 @ acme", "about ~ 5, @ 3", "a@b", "@"])
def test_signs_that_no_chat_reads_as_markup_stay(text: str) -> None:
    assert tamed(text) == text


@pytest.mark.parametrize(
    ("text", "made"),
    [("5 *3* @acme", "5 ∗3∗ ＠acme"), ("@<x> @1", "＠‹x› ＠1"), ("~a~ * b", "∼a∼ * b"), ("* a", "∗ a")],
)
def test_signs_that_a_chat_may_read_as_markup_do_not(text: str, made: str) -> None:
    assert tamed(text) == made
