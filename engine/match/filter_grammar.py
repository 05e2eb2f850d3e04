"""The filters of JSONPaths as authors write them: `?@.amount > 10000 && !@.paid`."""

import re
from decimal import Decimal

from engine.match.filters import (
    COMPARISONS,
    And,
    Comparison,
    Count,
    Expression,
    Length,
    Literal,
    Matches,
    Not,
    Operand,
    Or,
    Query,
    Value,
)
from engine.match.iregexp import IRegexpError, translate
from engine.match.path_reader import Reader
from engine.match.steps import Filter, PathError
from engine.source.nearest import did_you_mean

_MOST_EXPONENT = 400
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:(\.[0-9]+)?([eE][+-]?[0-9]+)?)(?![0-9])")
_FUNCTION = re.compile(r"[a-z][a-z_0-9]*(?=[ \t\n\r]*\()")
_WORD = re.compile(r"[A-Za-z_][\w-]*")
_OPERATOR = re.compile(r"==|!=|<=|>=|<(?![>])|>")
_ARGUMENTS = {"length": 1, "count": 1, "value": 1, "match": 2, "search": 2}
_WORDS = {"true": True, "false": False, "null": None}
_INSTEAD = {"and": "&&", "or": "||", "AND": "&&", "OR": "||", "not": "!", "NOT": "!"}
Part = Query | Literal | Length | Count | Value | Matches


def read_filter(reader: Reader) -> Filter:
    """The expression that stands here, after `?`. Raises PathError."""
    reader.deeper()
    expression = _or(reader)
    wrong = _wrong_operator(reader)
    if wrong is not None:
        raise wrong
    reader.depth -= 1
    return expression


def _or(reader: Reader) -> Expression:
    parts = [_and(reader)]
    while reader.takes("||"):
        parts.append(_and(reader))
    return parts[0] if len(parts) == 1 else Or(tuple(parts))


def _and(reader: Reader) -> Expression:
    parts = [_basic(reader)]
    while reader.takes("&&"):
        parts.append(_basic(reader))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _basic(reader: Reader) -> Expression:
    """A comparison, a test, or an expression in brackets; and the blanks around it."""
    reader.blank()
    negated = reader.takes("!")
    reader.blank()
    start = reader.at
    if reader.takes("("):
        expression = read_filter(reader)
        if not reader.takes(")"):
            raise _unreadable(reader)
        reader.blank()
        if _OPERATOR.match(reader.text, reader.at):
            raise reader.fail("what is in brackets is compared with nothing", "leave the brackets out")
        return Not(expression) if negated else expression
    part = _part(reader)
    end = reader.at
    reader.blank()
    operator = reader.match(_OPERATOR)
    if operator is None:
        test = _test(reader, part, start, end)
        return Not(test) if negated else test
    if negated:
        hint = "put brackets around the comparison: !(..)"
        raise reader.fail("'!' stands before a path or brackets, not before a comparison", hint, start, end - start)
    left = _one_value(reader, part, start, end)
    reader.blank()
    start = reader.at
    right = _one_value(reader, _part(reader), start, reader.at)
    reader.blank()
    if _OPERATOR.match(reader.text, reader.at):
        raise reader.fail("a comparison has two sides", "join two comparisons with &&")
    return Comparison(left, COMPARISONS[operator.group()], right)


def _test(reader: Reader, part: Part, start: int, end: int) -> Expression:
    if isinstance(part, (Query, Matches)):
        return part
    instead = _wrong_operator(reader)
    if instead is not None:
        raise instead
    what = "a value" if isinstance(part, Literal) else "this function's value"
    raise reader.fail(f"{what} alone is no test", "compare it: with ==, !=, <, <=, > or >=", start, end - start)


def _one_value(reader: Reader, part: Part, start: int, end: int) -> Operand:
    """The part, if it has one value at most, which can be compared."""
    if isinstance(part, Matches):
        raise reader.fail("match() and search() are tests already", "leave the comparison out", start, end - start)
    if isinstance(part, Query) and not part.singular:
        message = "this may find several values, and a comparison takes one"
        hint = "write a filter within: @.list[?@ > 1]; or compare count(..) or value(..) of it"
        raise reader.fail(message, hint, start, end - start)
    return part


def _part(reader: Reader) -> Part:
    """A path, a literal or a function."""
    start = reader.at
    if reader.takes("@") or reader.takes("$"):
        return Query(reader.text[start] == "$", reader.read_steps(reader))
    if reader.sees("'") or reader.sees('"'):
        return Literal(reader.string())
    number = reader.match(_NUMBER)
    if number:
        return _number(reader, number)
    function = reader.match(_FUNCTION)
    if function:
        return _function(reader, function.group())
    word = reader.match(_WORD)
    if word and word.group() in _WORDS:
        return Literal(_WORDS[word.group()])
    reader.at = start
    if word:
        raise _no_word(reader, word.group())
    raise _unreadable(reader)


def _number(reader: Reader, number: re.Match[str]) -> Literal:
    text = number.group()
    if number[2] and abs(int(number[2][1:])) > _MOST_EXPONENT:
        raise reader.fail("no event has such a number", "write one with fewer zeros", number.start(), len(text))
    return Literal(Decimal(text) if number[1] or number[2] else int(text))


def _function(reader: Reader, name: str) -> Part:
    start = reader.at - len(name)
    if name not in _ARGUMENTS:
        hint = did_you_mean(name, list(_ARGUMENTS)) or f"there are {', '.join(_ARGUMENTS)}"
        raise reader.fail(f"there is no function '{name}'", hint, start, len(name))
    if not reader.takes("("):
        raise reader.fail("no blank stands before the bracket of a function", f"write {name}(..)")
    reader.deeper()
    places: list[tuple[int, int]] = []
    parts: list[Part] = []
    reader.blank()
    while not reader.sees(")"):
        if parts and not reader.takes(","):
            raise _unreadable(reader)
        reader.blank()
        begin = reader.at
        parts.append(_part(reader))
        places.append((begin, reader.at))
        reader.blank()
    reader.takes(")")
    reader.depth -= 1
    if len(parts) != _ARGUMENTS[name]:
        wanted = "a path" if _ARGUMENTS[name] == 1 else "a path and a pattern"
        raise reader.fail(f"{name}() takes {wanted}", None, start, reader.at - start)
    return _called(reader, name, parts, places)


def _called(reader: Reader, name: str, parts: list[Part], places: list[tuple[int, int]]) -> Part:
    first, (start, end) = parts[0], places[0]
    if name in ("count", "value"):
        if not isinstance(first, Query):
            raise reader.fail(f"{name}() takes a path", f"write one like {name}(@.items[*])", start, end - start)
        return Count(first) if name == "count" else Value(first)
    operand = _one_value(reader, first, start, end)
    if name == "length":
        return Length(operand)
    pattern, (start, end) = parts[1], places[1]
    if not isinstance(pattern, Literal) or not isinstance(pattern.given, str):
        message = "a pattern is written in the path itself, as a text"
        raise reader.fail(message, f"write {name}(@.name, 'a.*')", start, end - start)
    try:
        translated = translate(pattern.given)
    except IRegexpError as error:
        hint = "I-Regexp (RFC 9485) has . [a-z] ( ) | * + ? {2,3} and \\p{L}; the operator 'matches' has more"
        raise reader.fail(f"not a pattern of JSONPath: {error}", hint, start, end - start) from None
    return Matches(operand, f"^(?:{translated})$" if name == "match" else translated)


def _no_word(reader: Reader, word: str) -> PathError:
    if word in _INSTEAD:
        return reader.fail(f"'{word}' is none of JSONPath's words", f"write {_INSTEAD[word]}", length=len(word))
    hint = f"write '{word}' in quotes for the text, @.{word} for the field"
    if word.lower() in _WORDS:
        hint = f"write {word.lower()}"
    return reader.fail(f"'{word}' is neither a text nor a path", hint, length=len(word))


def _wrong_operator(reader: Reader) -> PathError | None:
    for sign, hint in (
        ("=~", "write match(@.name, 'pattern') or search(@.name, 'pattern')"),
        ("=", "write == for equal"),
        ("<>", "write != for unequal"),
    ):
        if reader.sees(sign):
            return reader.fail(f"there is no '{sign}' in JSONPath", hint, length=len(sign))
    sign = reader.text[reader.at : reader.at + 1]
    if sign and sign in "&|" and not reader.sees(sign * 2):
        return reader.fail(f"there is no '{sign}' in a filter", f"write {sign}{sign}")
    word = _WORD.match(reader.text, reader.at)
    if word and word.group() in _INSTEAD:
        return _no_word(reader, word.group())
    if word and word.group() in ("in", "contains"):
        hint = "join comparisons with ||: @.a == 'x' || @.a == 'y'"
        return reader.fail(f"there is no '{word.group()}' in JSONPath", hint, length=len(word.group()))
    return None


def _unreadable(reader: Reader) -> PathError:
    return _wrong_operator(reader) or reader.unreadable("a filter is written like ?@.amount > 10000 && @.paid == true")
