"""Events in files are read in the order of time, whichever form the files have."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.backtest.files import EventFiles
from tests.builders import CREATED, snapshot, thin


def files(path: Path | str, text: bytes = b"", concerns: Callable[[str], bool] = lambda name: True) -> EventFiles:
    found = EventFiles(path=str(path), read_input=lambda: text, concerns=concerns)
    found.look()
    return found


def ids(found: EventFiles) -> list[str]:
    return [event.id for event in found]


EVENTS = [snapshot(id=f"evt_{number}", created=CREATED + 10 - number) for number in range(4)]
LINES = "\n".join(json.dumps(each) for each in EVENTS) + "\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", LINES),
        ("a.ndjson", LINES.replace("\n", "\n\n")),
        ("a.json", json.dumps(EVENTS, indent=2)),
        ("a.json", json.dumps({"object": "list", "data": EVENTS})),
        ("a.json", LINES),
    ],
)
def test_one_file_in_any_form(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert ids(files(tmp_path / name)) == ["evt_3", "evt_2", "evt_1", "evt_0"]
    assert ids(files("-", text.encode())) == ["evt_3", "evt_2", "evt_1", "evt_0"]


def test_a_folder_is_one_stream(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.jsonl").write_text(json.dumps(EVENTS[0]) + "\n" + json.dumps(EVENTS[2]))
    (tmp_path / "deep" / "b.json").write_text(json.dumps(EVENTS[1]))
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / "c.jsonl").write_text(json.dumps(thin(id="evt_thin", created="2025-12-31T00:00:00Z")))
    found = files(tmp_path)
    assert ids(found) == ["evt_thin", "evt_2", "evt_1", "evt_0"]
    assert [event.received for event in found] == [event.created for event in found]


def test_what_concerns_nobody_is_counted_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(LINES + json.dumps(snapshot("charge.failed")))
    found = files(tmp_path / "a.jsonl", concerns=lambda name: name == "charge.failed")
    assert (found.count, len(ids(found))) == (5, 1)


def test_what_is_no_event_is_passed_over_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"id": "evt_1"}\nno json\n[]\n' + LINES)
    found = files(file)
    assert (found.count, found.skipped, len(ids(found))) == (4, 3, 4)
    assert found.first_skipped == f"{file}:1: it is no event of Stripe's"
