"""Results as JUnit XML, which CI systems show: a suite for each file, a case for each test."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from engine.model.mistake import Mistake
from engine.testing.running import Result

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(timed: Sequence[tuple[Result, float]], errors: Sequence[Mistake] = ()) -> bytes:
    """The XML of results, each with the seconds it took. `errors` are those of files that cannot be used: each is a
    case of its own, which ended in an error."""
    root = ET.Element("testsuites", name="tocsin test")
    _count(root, timed, errors)
    for file in dict.fromkeys([result.test.position.file for result, _ in timed] + [_file(error) for error in errors]):
        own = [each for each in timed if each[0].test.position.file == file]
        wrong = [error for error in errors if _file(error) == file]
        suite = ET.SubElement(root, "testsuite", name=_clean(file))
        _count(suite, own, wrong)
        for result, seconds in own:
            _add_case(suite, result, seconds)
        for error in wrong:
            case = _case(suite, file, error.code, error.position.line if error.position else 1, 0.0)
            ET.SubElement(case, "error", message=_clean(error.message)).text = _clean(str(error))
    ET.indent(root)
    xml: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return xml + b"\n"


def _add_case(suite: ET.Element, result: Result, seconds: float) -> None:
    test = result.test
    case = _case(suite, test.rule or "all rules", test.name or f"#{test.number}", test.position.line, seconds)
    case.set("file", test.position.file)
    if not result.passed:
        said = "; ".join(problem.said for problem in result.problems)
        lines = [str(test.position)]
        for problem in result.problems:
            lines += [problem.said, *(f"  {line}" for line in problem.shown)]
        ET.SubElement(case, "failure", message=_clean(said)).text = _clean("\n".join(lines))


def _case(suite: ET.Element, owner: str, name: str, line: int, seconds: float) -> ET.Element:
    fields = {"classname": _clean(owner), "name": _clean(name), "line": str(line), "time": f"{seconds:.6f}"}
    return ET.SubElement(suite, "testcase", fields)


def _count(element: ET.Element, timed: Sequence[tuple[Result, float]], errors: Sequence[Mistake]) -> None:
    element.set("tests", str(len(timed) + len(errors)))
    element.set("failures", str(sum(not result.passed for result, _ in timed)))
    element.set("errors", str(len(errors)))
    element.set("time", f"{sum(seconds for _, seconds in timed):.6f}")


def _file(error: Mistake) -> str:
    return error.position.file if error.position else "the configuration"


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
