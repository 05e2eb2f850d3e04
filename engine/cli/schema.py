"""`tocsin schema`: what editors need to complete and check the files that people write."""

from enum import StrEnum
from typing import Annotated

import typer

from engine.cli.help import ending
from engine.cli.report import print_json

ENDING = ending(
    "tocsin schema > rules.schema.json",
    "tocsin schema config > config.schema.json",
    _0="printed",
    _2="usage: no such kind of file",
)


class Kind(StrEnum):
    """A kind of file that people write."""

    RULES = "rules"
    TESTS = "tests"
    CONFIG = "config"


def schema(
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help="Of what it is the form.")] = Kind.RULES,
) -> None:
    """Print the JSON Schema (draft 2020-12) of a kind of file: of rules, of tests (*_test.yaml), or of config.yaml.

    An editor that has it completes keys, operators and event types, shows what they mean, and underlines mistakes of
    form. In VS Code and others with the YAML language server, name it in the first line of a file of rules, as
    docs/rules.md shows.
    """
    from engine.editor import schema_of_config, schema_of_rules, schema_of_tests

    match kind:
        case Kind.RULES:
            print_json(schema_of_rules())
        case Kind.TESTS:
            print_json(schema_of_tests())
        case Kind.CONFIG:
            print_json(schema_of_config())
