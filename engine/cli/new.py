"""`tocsin new`: a first rule for an event type, with tests, to go on from."""

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.given import event_in, is_file
from engine.cli.help import ending
from engine.cli.options import Usage
from engine.cli.report import print_fields, say
from engine.cli.simulate import check_type, types
from engine.cli.stored import event_of, quiet, with_store
from engine.errors import TocsinError
from engine.model.event import Event

if TYPE_CHECKING:
    from engine.model.rule import Rule

ENDING = ending(
    "tocsin new payout.failed",
    "tocsin new charge.dispute.created --id dispute-over-500 --print",
    "tocsin new --from evt_1SxDz2eZvKYlo2C",
    _0="written, or printed",
    _1="the file is there already, no such event, or the configuration has mistakes",
    _2="usage: an unknown type or an id that cannot be one",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A rule that is not written yet: its id, its file, and the file of the event it is made from (None: a sample)."""

    id: str
    file: Path
    text: str
    event_file: Path | None
    event: Event


def new(
    type: Annotated[  # noqa: A002 (Stripe's word)
        str | None, typer.Argument(metavar="TYPE", help="An event type, like payout.failed.", autocompletion=types)
    ] = None,
    rule_id: Annotated[
        str | None, typer.Option("--id", metavar="RULE", help="The rule's id. Default: from the type.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="EVENT", help="A real event instead: a stored one's id, a file, or -."),
    ] = None,
    only_print: Annotated[bool, typer.Option("--print", help="Write nothing: the rule to standard output.")] = False,
) -> None:
    """Write a rule for an event type: with a condition on what such an event holds, a message, and tests that pass.

    It goes into a file of its own, named like the rule, where the configuration has its rules; a file that is there
    is never touched. With --from, the event is written beside it, and the tests are about that event.
    """
    if (type is None) is (source is None):
        raise Usage("say an event type, like payout.failed, or --from and an event")
    if type is not None:
        check_type(type)
    from engine import configured
    from engine.rulebook import load, read_rule_files
    from engine.settings import load_settings

    settings = load_settings(generate=False)
    quiet(settings)
    event = _sampled(type) if type is not None else _real(str(source))
    there = [path for path in settings.rules if path.exists()]
    loaded = load(read_rule_files(there, configured.base_of(settings)), configured.known(settings))
    folder = next((path for path in settings.rules if not path.is_file()), None)
    if folder is None and not only_print:
        raise TocsinError("the configuration names single files of rules and no folder to write into: use --print")
    mode, rules = settings.default_livemode, loaded.rulebook.rules
    draft = _draft(folder or Path(), rules, event, rule_id, real=source is not None, livemode=mode)
    if only_print:
        typer.echo(draft.text, nl=False)
        return
    _write(draft)
    shown = os.path.relpath(draft.file)
    say(f"{shown} has the rule {draft.id}", "green")
    event_file = os.path.relpath(draft.event_file) if draft.event_file else None
    print_fields({"event": event_file, "next": f"tocsin test {shown}"}, indent=2)


def _sampled(type_: str) -> Event:
    from engine.scaffold import ACCOUNT
    from engine.testing import Given
    from engine.testing.given import event_of as sample_of

    return sample_of(Given(event=type_, account=ACCOUNT))


def _real(source: str) -> Event:
    return event_in(source) if is_file(source) else with_store(lambda store: event_of(store, source))


def _draft(
    folder: Path, rules: "Iterable[Rule]", event: Event, rule_id: str | None, *, real: bool, livemode: bool | None
) -> Draft:
    from engine.scaffold import rule_id_for, scaffold

    taken = [rule.id for rule in rules]
    files = {path.stem for path in folder.glob("*.y*ml")} if folder.is_dir() else set()
    id_ = _checked(rule_id, taken) if rule_id is not None else rule_id_for(event.base_type, [*taken, *files])
    file = folder / f"{id_}.yaml"
    event_file = folder / f"{id_}.json" if real else None
    text = scaffold(event, id_, file=event_file.name if event_file else None, livemode=livemode)
    return Draft(id=id_, file=file, text=text, event_file=event_file, event=event)


def _checked(rule_id: str, taken: Collection[str]) -> str:
    from engine.rulebook.fields import as_id, is_id

    if not is_id(rule_id):
        better = as_id(rule_id)
        hint = f"; write {better}" if better else ""
        raise Usage(f"the id of a rule is lower case words with hyphens, like payout-failed{hint}")
    if rule_id in taken:
        raise Usage(f"there is a rule '{rule_id}' already")
    return rule_id


def _write(draft: Draft) -> None:
    """The files, none of which may be there. Raises TocsinError."""
    try:
        draft.file.parent.mkdir(parents=True, exist_ok=True)
        if draft.event_file is not None:
            with draft.event_file.open("xb") as body:
                body.write(draft.event.body)
        with draft.file.open("x", encoding="utf-8") as rules:
            rules.write(draft.text)
    except FileExistsError as error:
        raise TocsinError(f"{error.filename} is there already, and is left as it is; choose another --id") from None
    except OSError as error:
        reason = (error.strerror or "no reason given").lower()
        raise TocsinError(f"cannot write {error.filename or draft.file}: {reason}") from None
