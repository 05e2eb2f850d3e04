"""The filters of texts. Null and missing values pass through them unchanged, so that `default` can stand last:
`{{ object.evidence_details.due_by | ago | default("no deadline") }}`.
"""

import json as stdlib_json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import wraps
from itertools import islice
from typing import Any

from jinja2 import Environment, pass_context, pass_environment
from jinja2.filters import FILTERS as BUILT_IN
from jinja2.runtime import Context, Undefined

from engine.errors import TemplateError
from engine.model.money import money_text
from engine.render.budget import MAX_TEXT
from engine.render.dashboard import owner_of, url_of
from engine.render.spelling import code_words, names, plain, written
from engine.render.times import ago_text, date_text, moment

Filter = Callable[..., Any]

AMOUNT_FIELDS = ("amount", "amount_due", "amount_total", "total", "unit_amount", "value")
_CARD = re.compile(r"\d[\d -]{11,22}\d\Z")
_STRIPE_ID = re.compile(r"[a-z][a-z_]*_")


def _given(filter_: Filter) -> Filter:
    """Leave null and missing values to `default`."""

    @wraps(filter_)
    def passed(value: Any, *args: Any, **kwargs: Any) -> Any:
        return value if value is None or isinstance(value, Undefined) else filter_(value, *args, **kwargs)

    return passed


def _given_in_context(filter_: Filter) -> Filter:
    @pass_context
    @wraps(filter_)
    def passed(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value if value is None or isinstance(value, Undefined) else filter_(context, value, *args, **kwargs)

    return passed


@_given_in_context
def money(context: Context, value: Any, currency: str | None = None) -> str | None:
    """`{{ object | money }}` (its amount and currency), `{{ object.fee | money }}` (the currency of `object`), or
    `{{ 1250 | money("usd") }}`: minor units as `€1,234.56`, `¥75,000`, `1,234.50 CHF`."""
    if isinstance(value, Mapping):
        amount = next((value[name] for name in AMOUNT_FIELDS if value.get(name) is not None), None)
        currency = currency or value.get("currency")
        if amount is None:
            raise TemplateError("money: the object has no amount; write which one, like object.amount_paid | money")
        if isinstance(amount, Mapping):  # v2: {value, currency}
            return str(money(context, amount, currency))
    else:
        amount = value
        carrier = context.get("object")
        currency = currency or (carrier.get("currency") if isinstance(carrier, Mapping) else None)
    if not isinstance(currency, str) or not currency:
        raise TemplateError("money: the currency is not known; write it, like money('usd')")
    return money_text(_minor(amount), currency)


def _minor(amount: Any) -> int | Decimal:
    if isinstance(amount, int) and not isinstance(amount, bool):
        return amount
    try:
        found = Decimal(amount if isinstance(amount, str) else repr(amount))
    except InvalidOperation:
        raise TemplateError("money: an amount is a number of minor units, like 1250 for $12.50") from None
    if not found.is_finite() or abs(found.adjusted()) > 30:
        raise TemplateError("money: the amount is not a usable number")
    return found


@_given
def date(value: Any, style: str = "long", timezone: str = "UTC") -> str:
    """`23 Nov 2026 14:02 UTC`; `date("date")`, `date("time", timezone="Europe/Paris")`, `date("iso")`, strftime."""
    return date_text(value, style, timezone)


@_given_in_context
def ago(context: Context, value: Any, now: Any = None) -> str:
    """`in 6 days`, `3 hours ago`: seen from when the text is written, or from `ago(now=event.created)`."""
    return ago_text(value, moment(context.get("now") if now is None else now))


@_given
def percent(value: Any, decimals: int = 1, of: Any = None) -> str:
    """A ratio as a percentage: `{{ 0.0312 | percent }}` is 3.1%, `{{ lost | percent(of=all) }}` a share."""
    part = _number(value, "percent")
    if of is not None:
        whole = _number(of, "percent")
        if not whole:
            raise TemplateError("percent: of=0 has no share")
        part = part / whole
    places = max(0, min(int(decimals), 10))
    text = f"{part * 100:,.{places}f}"
    return f"{text.rstrip('0').rstrip('.') if places else text}%"


def _number(value: Any, name: str) -> Decimal:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        found = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        if found.is_finite() and abs(found.adjusted()) <= 30:
            return found
    raise TemplateError(f"{name}: expected a number")


@_given
def mask(value: Any, keep: int = 4) -> str:
    """Enough of an id, e-mail or card number to recognize it: `acct_…Xy12`, `j…@example.com`, `…4242`."""
    text = written(value)
    keep = max(0, min(int(keep), 8))
    if _CARD.match(text):
        digits = re.sub(r"\D", "", text)
        return f"…{digits[-4:]}"
    local, at, domain = text.rpartition("@")
    if at and local:
        return f"{local[:1]}…@{domain}"
    prefix = _STRIPE_ID.match(text)
    start = prefix.group() if prefix else ""
    rest = text[len(start) :]
    return f"{start}…{rest[-keep:]}" if keep and len(rest) > 2 * keep else f"{start}…"


@_given
def truncate(value: Any, length: int = 200, end: str = "…") -> str:
    """At most `length` characters, cut at a space where one is near, `end` included."""
    text = written(value)
    length = max(1, int(length))
    if len(text) <= length:
        return text
    cut = text[: max(0, length - len(end))]
    space = cut.rfind(" ")
    return (cut[:space] if space > len(cut) * 2 // 3 else cut).rstrip() + end


def json(value: Any, indent: int | None = None) -> str:
    """A value as JSON, for callback bodies and for looking at what came."""
    encoder = stdlib_json.JSONEncoder(ensure_ascii=False, indent=None if indent is None else min(int(indent), 8))
    if indent is None:
        pieces: Iterable[str] = (encoder.encode(plain(value)),)
    else:
        pieces = encoder.iterencode(plain(value))  # deep ones are mostly spaces
    return _together(pieces, "json: the value is too large for a text")


@_given_in_context
def dashboard_url(context: Context, value: Any) -> str | None:
    """The page of an object, id or account in Stripe's Dashboard, in the account and mode of the event."""
    event, account = context.get("event"), context.get("account")
    livemode = event.get("livemode") if isinstance(event, Mapping) else True
    owner = owner_of(event) if isinstance(event, Mapping) else None
    if isinstance(account, Mapping) and value is account:
        return _text_or_none(account.get("url"))
    return url_of(value, account=owner, livemode=livemode is not False)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def default(value: Any, otherwise: Any = "", boolean: bool = False) -> Any:
    """`otherwise` where the value is missing or null; with `boolean=true` also where it is empty, 0 or false."""
    if value is None or isinstance(value, Undefined):
        return otherwise
    return otherwise if boolean and not value else value


@_given
def join(value: Any, separator: str = ", ", attribute: str | None = None) -> str:
    """The elements of a list as one text, nulls left out; `attribute` takes one field of each."""
    items = [value] if isinstance(value, str | Mapping) or not isinstance(value, Iterable) else list(value)
    if attribute is not None:
        items = [item.get(attribute) for item in items if isinstance(item, Mapping)]
    separator = str(separator)
    pieces = (piece for item in items if item is not None for piece in (separator, written(item)))
    return _together(islice(pieces, 1, None), "join: the text is too long")


@_given
def words(value: Any) -> Any:
    """Stripe's codes as words: `insufficient_funds` is `insufficient funds`, `individual.verification.document` is
    `individual: verification document`; of a list, each element."""
    if isinstance(value, list | tuple):
        return [words(item) for item in value]
    return code_words(written(value))


@_given
def replace(value: Any, old: str, new: str) -> str:
    """Each `old` in a text replaced by `new`."""
    text = written(value)
    count = text.count(str(old))
    if len(text) + count * len(str(new)) > 8 * MAX_TEXT:
        raise TemplateError("replace: the text grows too long")
    return text.replace(str(old), str(new))


def _together(pieces: Iterable[str], problem: str) -> str:
    """Pieces as one text, measured before it is made."""
    kept: list[str] = []
    length = 0
    for piece in pieces:
        kept.append(piece)
        length += len(piece)
        if length > 8 * MAX_TEXT:
            raise TemplateError(problem)
    return "".join(kept)


@_given
def round(value: Any, places: int = 0) -> int | float:  # noqa: A001 (the filter's name)
    """A number rounded half to even; whole numbers come out whole."""
    found = _number(value, "round").__round__(max(0, min(int(places), 10)))
    return int(found) if not places else float(found)


@pass_environment
@wraps(BUILT_IN["sum"])
def _sum(environment: Environment, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    """jinja2's, of numbers alone: from `start=[]` it would put lists together."""
    if isinstance(start, list | tuple):
        raise TemplateError("sum adds numbers")
    return BUILT_IN["sum"](environment, value, attribute, start)


def _length(value: Sequence[Any]) -> int:
    return len(value)


_BORROWED = names(
    "upper lower title capitalize trim first last unique sort min max int float abs list items "
    "dictsort select reject selectattr rejectattr map reverse"
)
FILTERS: dict[str, Filter] = {
    **{name: BUILT_IN[name] for name in _BORROWED},
    **{
        filter_.__name__: filter_
        for filter_ in (
            *(money, date, ago, percent, mask, truncate, json, dashboard_url, default, join),
            *(words, replace, round),
        )
    },
    "sum": _sum,
    "string": _given(written),
    "length": _length,
    "count": _length,
}
"""What a text may pipe a value through: the language's own filters, and the harmless ones of jinja2."""

TESTS = names(
    "defined undefined none boolean false true integer float number string mapping sequence iterable in "
    "eq equalto == ne != lt < le <= gt > ge >= lessthan greaterthan even odd divisibleby lower upper"
)
"""The tests of `is`."""
