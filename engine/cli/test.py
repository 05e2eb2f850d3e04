"""`tocsin test`: the rules' own tests, without a server, a database or the network."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.chosen import choose_files
from engine.cli.help import FAILED, ending, plural
from engine.cli.options import JsonOut, Usage
from engine.cli.progress import progress
from engine.cli.report import console, mode_word, note, print_json, print_line, say, styled
from engine.errors import ConfigError
from engine.model.event import Event, Json
from engine.model.mistake import Mistake, MistakeLevel

if TYPE_CHECKING:
    from engine.rulebook import Rulebook
    from engine.settings import Settings
    from engine.testing import Test
    from engine.testing.running import Result

ENDING = ending(
    "tocsin test",
    "tocsin test rules/disputes.yaml -k dispute-big",
    "tocsin test --junit build/rules.xml",
    _0="every test passed, or there is none",
    _1="a test failed, or a file has errors",
    _2="usage: no such file or folder, or no test fits -k",
)

_INDENT = " " * 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """What there is to run: the rules, the tests chosen, the rules without any, and the errors of the files."""

    rulebook: "Rulebook"
    tests: "Sequence[Test]"
    untested: Sequence[str]
    errors: Sequence[Mistake]
    sources: Mapping[str, str]


def run_tests(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATHS", help="Run the tests in these files and folders alone.")
    ] = None,
    keyword: Annotated[
        str | None, typer.Option("-k", metavar="WORDS", help="Only tests with this in file, rule or name.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the results as JUnit XML, too.")
    ] = None,
    untested: Annotated[bool, typer.Option("--untested", help="List the rules that have no test.")] = False,
    as_json: JsonOut = False,
) -> None:
    """Run the rules' own tests: the `tests` of each rule, and those in files named *_test.yaml beside them.

    Each gives an event, or several over time, and says what is expected: that the rule fires, or why not, and what it
    would say. Time is stepped, so days take no longer than minutes. Nothing is sent or stored, and the network is not
    used.
    """
    suite = gather(paths or [])
    chosen = [each for each in suite.tests if keyword is None or _fits(each, keyword)]
    if keyword is not None and not chosen:
        raise Usage(f"none of {plural(len(suite.tests), 'test')} has '{keyword}' in its file, rule or name")
    timed = list(_run(suite.rulebook, chosen))
    results = [result for result, _ in timed]
    if junit is not None:
        _write_junit(junit, timed, suite.errors)
    if as_json:
        print_json(as_content(suite, results))
    else:
        _print(suite, results, untested)
    if suite.errors or not all(result.passed for result in results):
        raise typer.Exit(FAILED)


def gather(paths: Sequence[Path]) -> Suite:
    """The tests in `paths` (empty: where the configuration has its rules), and all the rules they run among.

    Rules may use names that other files define and speak of other rules, so all configured ones are loaded, unless
    `paths` lie elsewhere: then they are loaded alone.
    """
    from engine.configured import known
    from engine.rulebook import Known, load
    from engine.rulebook.rules import in_order
    from engine.settings import load_settings
    from engine.source import ParseOnce, collector_paused
    from engine.testing import read_tests

    for path in paths:
        if not path.exists():
            raise Usage(f"there is no file or folder '{path}'")
    settings: Settings | None = None
    try:
        settings = load_settings(generate=False)
    except ConfigError:
        note("the configuration has mistakes, which `tocsin check` shows; names of it are taken on trust")
    configured = list(settings.rules) if settings else [path for path in [Path("rules")] if path.exists()]
    files = choose_files(paths, configured)
    sources = files.rules | files.tests
    parse = ParseOnce()
    with collector_paused():
        loaded = load(files.rules, known(settings) if settings else Known(), parse=parse)
        found = read_tests(sources, loaded.rulebook.rules, Path.cwd(), parse=parse)
    ids = {rule.id for rule in loaded.rulebook.rules}
    own = {rule.id for rule in files.rules_of(loaded.rulebook.rules)}
    mistakes = files.mistakes(in_order((*loaded.mistakes, *found.mistakes)))
    return Suite(
        rulebook=loaded.rulebook,
        tests=[each for each in found.tests if files.has(each.position) and ids.issuperset(each.rules)],
        untested=[rule_id for rule_id in found.untested if rule_id in own],
        errors=[mistake for mistake in mistakes if mistake.level is MistakeLevel.ERROR],
        sources=sources,
    )


def _fits(test: "Test", keyword: str) -> bool:
    return keyword.casefold() in f"{test.position.file} {test.title}".casefold()


def _run(rulebook: "Rulebook", tests: "Sequence[Test]") -> "Iterator[tuple[Result, float]]":
    """Each result with the seconds it took."""
    from engine.testing.running import Runner

    runner = Runner(rulebook)
    with progress("running", "tests") as told:
        for count, each in enumerate(tests):
            if count % 100 == 0:
                told(count)
            began = time.perf_counter()
            result = runner.run(each)
            yield result, time.perf_counter() - began


def _write_junit(file: Path, timed: "Sequence[tuple[Result, float]]", errors: Sequence[Mistake]) -> None:
    from engine.testing.junit import to_junit

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(to_junit(timed, errors))
    except OSError as error:
        raise Usage(f"cannot write {file}: {(error.strerror or 'no reason given').lower()}") from None


def _print(suite: Suite, results: "Sequence[Result]", untested: bool) -> None:
    from engine.source import counted, print_mistakes

    color = console().color_system is not None
    typer.echo(print_mistakes(suite.errors, suite.sources, color=color), nl=False)
    failed = [result for result in results if not result.passed]
    for result in failed:
        print_failure(result)
    if untested and suite.untested:
        say("without a test:")
        for rule_id in suite.untested:
            say(f"  {rule_id}")
    of = f"{plural(len(results), 'test')} of {plural(len(_rules_of(results)), 'rule')}"
    parts = [f"{of}: {len(failed)} failed" if failed else f"{of}: all passed" if results else of]
    if suite.errors:
        parts.append(f"{counted(suite.errors)} in the files")
    if suite.untested:
        parts.append(f"{plural(len(suite.untested), 'rule')} without a test" + ("" if untested else " (--untested)"))
    say(", ".join(parts), "red" if failed or suite.errors else "green")


def _rules_of(results: "Iterable[Result]") -> set[str]:
    return {rule_id for result in results for rule_id in result.test.rules}


def print_failure(result: "Result") -> None:
    """A test that failed: its place, what was not as expected, what shows it, and the event."""
    head = styled(f"{result.test.position}  ").append_text(styled("FAILED", "bold red"))
    print_line(head.append_text(styled(f"  {result.test.title}", "bold")))
    for problem in result.problems:
        say(f"{_INDENT}{problem.said}")
        for line in problem.shown:
            print_line(styled(f"{_INDENT}  {line}", _style(line)))
    if result.event is not None:
        say(f"{_INDENT}given  {_brief(result.event)}", "dim")


def _style(line: str) -> str:
    """Colours for what `explain` colours, and for the lines of a difference."""
    if line.startswith(("NO ", "- ", "-")):
        return "red"
    return "green" if line.startswith("+") else "dim" if line.startswith("ok ") else ""


def _brief(event: Event) -> str:
    return "  ".join((event.type, event.account or "your own account", mode_word(event.livemode), str(event.scope)))


def as_content(suite: Suite, results: "Sequence[Result]") -> dict[str, Json]:
    """What `--json` prints: counts, the rules without a test, each test, and the errors in the files."""
    import json

    from engine.source import to_json

    return {
        "tests": len(results),
        "failed": sum(not result.passed for result in results),
        "untested": list(suite.untested),
        "errors": json.loads(to_json(suite.errors)),
        "results": [
            {
                "rule": result.test.rule,
                "name": result.test.name,
                "number": result.test.number,
                "file": result.test.position.file,
                "line": result.test.position.line,
                "passed": result.passed,
                "problems": [{"said": each.said, "shown": list(each.shown)} for each in result.problems],
            }
            for result in results
        ],
    }
