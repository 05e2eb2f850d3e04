"""`tocsin check`: every mistake in the configuration and the rules, before they run."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.chosen import ChosenFiles, choose_files
from engine.cli.effects import effects_json, print_effects, print_summary
from engine.cli.help import FAILED, STRICT, ending, plural
from engine.cli.options import Usage
from engine.cli.report import in_color, print_json
from engine.errors import ConfigError
from engine.model.mistake import Mistake, MistakeLevel

if TYPE_CHECKING:
    from engine.rulebook.effects import Effects
    from engine.settings import Settings

ENDING = ending(
    "tocsin check",
    "tocsin check rules/disputes.yaml --strict --format github",
    _0="no errors",
    _1="errors",
    _2="usage: no such file or folder",
    _3="no errors, but warnings, with --strict",
)


class Format(StrEnum):
    """How mistakes are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was looked at and what was found: mistakes in the order to read them, and the texts they stand in; what each
    rule may do, and by what the writes of it are limited."""

    mistakes: Sequence[Mistake]
    sources: Mapping[str, str]
    config: Path | None
    files: int
    rules: int
    tests: int
    effects: "Sequence[Effects]" = ()
    caps: Mapping[str, str] = field(default_factory=dict)
    trusted: bool = field(default=False)

    @property
    def errors(self) -> int:
        """How many mistakes keep a file from loading."""
        return sum(mistake.level is MistakeLevel.ERROR for mistake in self.mistakes)

    @property
    def warnings(self) -> int:
        """How many are warnings."""
        return len(self.mistakes) - self.errors


def check(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATHS", help="Rule files or folders; else the configured ones.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
    format: Annotated[  # noqa: A002 (what people call it)
        Format, typer.Option("--format", help="How to print mistakes.", show_default=True)
    ] = Format.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    effects: Annotated[bool, typer.Option("--effects", help="Print what each rule may do, too.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print mistakes only.")] = False,
) -> None:
    """Find every mistake in the configuration and the rules, each with its place and what to write instead.

    Nothing is started or sent. Without a configuration file the built-in defaults are checked with the rules.
    """
    from engine.source import collector_paused

    for path in paths or []:
        if not path.exists():
            raise Usage(f"there is no file or folder '{path}'")
    with collector_paused():  # to the end: what is found out is needed until it is printed
        found = examine(paths or [])
        match Format.JSON if as_json else format:
            case Format.JSON:
                _print_json(found)
            case Format.GITHUB:
                _print_github(found)
            case Format.TEXT:
                _print_text(found, quiet)
                if effects:
                    print_effects(found.effects)
    if found.errors:
        raise typer.Exit(FAILED)
    if found.warnings and strict:
        raise typer.Exit(STRICT)


def examine(paths: Sequence[Path]) -> Examination:
    """Everything wrong in the configuration and in the rules of `paths` (empty: the configured ones), which may use
    what the other files define.

    A mistake in the configuration does not hide those in the rules: names that they take from it are then taken on
    trust.
    """
    from engine import configured
    from engine.rulebook import Known, load
    from engine.rulebook.effects import effects_of
    from engine.rulebook.files import TABLES
    from engine.rulebook.rules import in_order
    from engine.rulebook.served import check_served
    from engine.settings import load_settings
    from engine.source import ParseOnce, collector_paused
    from engine.stripe_api.operations import is_write
    from engine.testing import read_tests

    mistakes: list[Mistake] = []
    sources: dict[str, str] = {}
    files = ChosenFiles(rules={}, tests={}, names=frozenset())
    settings: Settings | None = None
    try:
        settings = load_settings(generate=False)  # a check writes nothing, not even the local endpoint's secret
    except ConfigError as error:
        mistakes += error.mistakes
        sources |= error.sources
    try:
        files = choose_files(paths, settings.rules if settings else _usual_rules())
    except ConfigError as error:
        mistakes += error.mistakes
    parse = ParseOnce()
    with collector_paused():
        known = configured.known(settings) if settings else Known()
        loaded = load(files.rules, known, parse=parse)
        tested = read_tests(files.rules | files.tests, loaded.rulebook.rules, Path.cwd(), parse=parse)
    rules = files.rules_of(loaded.rulebook.rules)
    return Examination(
        mistakes=(
            *mistakes,
            *files.mistakes(in_order((*loaded.mistakes, *tested.mistakes, *check_served(rules, known)))),
        ),
        sources={**sources, **files.rules, **files.tests},
        config=settings.file if settings else None,
        files=sum(name in files.names and not name.endswith(TABLES) for name in files.rules),
        rules=len(rules),
        tests=sum(files.has(test.position) for test in tested.tests),
        effects=[effects_of(rule, is_write) for rule in rules],
        caps=_caps(settings) if settings else {},
        trusted=settings is None,
    )


def _caps(settings: "Settings") -> dict[str, str]:
    """How many writes there may be of each Stripe operation that rules may use."""
    from engine.source import format_duration

    return {each.operation: f"at most {each.max} in {format_duration(each.every)}" for each in settings.stripe.allow}


def _usual_rules() -> list[Path]:
    """Where rules are when the configuration cannot say."""
    usual = Path("rules")
    return [usual] if usual.exists() else []


def _print_text(found: Examination, quiet: bool) -> None:
    from engine.source import counted, print_mistakes

    color = in_color()
    typer.echo(print_mistakes(found.mistakes, found.sources, color=color), nl=False)
    if quiet:
        return
    typer.echo(f"{_looked_at(found)}: {counted(found.mistakes)}")
    print_summary(found.effects, found.caps)
    if found.trusted:
        typer.echo("names of channels and callbacks are not checked until the configuration can be read")


def _looked_at(found: Examination) -> str:
    """`config.yaml, 7 rule files, 40 rules, 94 tests`."""
    config = "built-in configuration"
    if found.config is not None:
        config = os.path.relpath(found.config) if found.config.is_relative_to(Path.cwd()) else str(found.config)
    elif found.trusted:
        config = "the configuration"
    rules = plural(found.rules, "rule") + (" in files without errors" if found.errors else "")
    tests = f", {plural(found.tests, 'test')}" if found.tests else ""
    return f"{config}, {plural(found.files, 'rule file')}, {rules}{tests}"


def _print_json(found: Examination) -> None:
    import json

    from engine.source import to_json

    print_json(
        {
            "config": found.config,
            "files": found.files,
            "rules": found.rules,
            "tests": found.tests,
            "errors": found.errors,
            "warnings": found.warnings,
            "effects": effects_json(found.effects),
            "mistakes": json.loads(to_json(found.mistakes)),
        }
    )


def _print_github(found: Examination) -> None:
    from engine.source import to_github

    typer.echo(to_github(found.mistakes), nl=False)
