"""`lint: {ignore: [codes], because: text}`: the warnings that a rule is meant to have, and why."""

from collections.abc import Mapping

from engine.model.position import Position
from engine.rulebook.codes import CODES, OF_SETTINGS, OF_SEVERAL_RULES, WARNINGS
from engine.rulebook.fields import check_keys, did_you_mean, listed, mapping, text
from engine.rulebook.findings import Findings
from engine.source import Mapping as MappingNode
from engine.source import Node, Scalar

KEYS = ("ignore", "because")


def read_lint(found: Findings, node: Node | None, own: Node | None) -> Mapping[str, Position | None]:
    """The codes that a rule ignores, each with its place; None for what stands in the defaults of its file.

    `own` is what the rule itself has under `lint`.
    """
    given = None if node is None else mapping(found, node, "a map with ignore and because")
    if given is None:
        return {}
    check_keys(found, given, "lint", KEYS)
    for key in KEYS:
        if given.get(key) is None:
            found.error("missing-key", given, f"'lint' has no '{key}'", _WANTED[key])
    because, ignore = given.get("because"), given.get("ignore")
    if because is not None:
        text(found, because, "why it is right as it is")
    items = listed(found, ignore, "the code of a warning or a list of them") if ignore is not None else None
    ours = isinstance(own, MappingNode) and own.get("ignore") is not None
    codes: dict[str, Position | None] = {}
    for item in items or ():
        if _check_code(found, item):
            assert isinstance(item, Scalar)
            codes[item.text] = item.position if ours else None
    return codes


_WANTED = {
    "ignore": "write the code of the warning, ignore: unknown-field",
    "because": "write why it is right as it is, for who reads the rule next",
}


def _check_code(found: Findings, node: Node) -> bool:
    code = text(found, node, "the code of a warning")
    if code is None:
        return False
    if code in WARNINGS:
        return True
    if code in CODES:
        found.error("unknown-value", node, f"'{code}' is an error, and only warnings can be ignored")
    else:
        found.error("unknown-value", node, f"no warning has the code '{code}'{did_you_mean(code, WARNINGS)}")
    return False


def apply(found: Findings, since: int, ignored: Mapping[str, Position | None]) -> None:
    """Take the ignored warnings out of what was found from the place `since` on, and warn of codes without any.

    Codes that only a comparison with other rules can find are left to that comparison; what depends on the
    configuration may be ignored for another one.
    """
    seen = found.silence(since, ignored)
    for code, place in ignored.items():
        if code not in seen and code not in OF_SEVERAL_RULES | OF_SETTINGS:
            warn_unused(found, code, place)


def warn_unused(found: Findings, code: str, place: Position | None) -> None:
    """Warn of an ignored code that is not found in its rule; what stands in defaults may be for another rule."""
    if place is not None:
        found.warn("unused-ignore", place, f"there is no {code} in this rule", "leave it out, or it may hide one later")
