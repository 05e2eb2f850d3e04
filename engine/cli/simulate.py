"""`tocsin simulate`: an event as Stripe would send it, signed and posted."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.help import FAILED, ending, plural
from engine.cli.inputs import of_endpoint
from engine.cli.options import JsonOut, Usage
from engine.cli.report import mode_word, note, print_fields, print_json, say
from engine.errors import ConfigError, TocsinError
from engine.model.event import Json, Scope
from engine.model.rule import RuleMode

if TYPE_CHECKING:
    from engine.cli.post import Answer, Poster
    from engine.settings import Endpoint, Settings

ENDING = ending(
    "tocsin simulate payout.failed --account acct_demo --set amount=75000 --set currency=eur",
    "tocsin simulate account.updated --set payouts_enabled=false --previous payouts_enabled=true",
    "tocsin simulate charge.dispute.created --print > dispute.json",
    _0="the server has accepted it, or it was printed",
    _1="the server refused it or cannot be reached, or the configuration has mistakes",
    _2="usage: an unknown type, or a value that does not fit",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """An event ready to be posted: its id, its bytes, and the Stripe-Signature header."""

    id: str
    body: bytes
    header: str


def types(incomplete: str) -> list[str]:
    """The known types that begin so, for a shell that completes."""
    from engine.model.catalog import catalog

    return [name for name in catalog() if name.startswith(incomplete)]


def simulate(
    type: Annotated[  # noqa: A002 (Stripe's word)
        str, typer.Argument(metavar="TYPE", help="An event type, like payout.failed.", autocompletion=types)
    ],
    set: Annotated[  # noqa: A002 (the word of a rule's tests)
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Set a field of the object: a dotted path, a JSON value."),
    ] = None,
    previous: Annotated[
        list[str] | None,
        typer.Option("--previous", metavar="PATH=VALUE", help="What a field was before, for *.updated."),
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="ACCT", help="The connected account it is about.")
    ] = None,
    scope: Annotated[
        Scope | None,
        typer.Option("--scope", help="Whose event it is. Default: connected with --account, else as such events come."),
    ] = None,
    live: Annotated[bool, typer.Option("--live/--test", help="The mode it claims.")] = False,
    id: Annotated[  # noqa: A002 (Stripe's word)
        str | None, typer.Option("--id", metavar="EVT", help="Its id; the same one again is a duplicate.")
    ] = None,
    send: Annotated[
        str | None, typer.Option("--send", metavar="URL", help="Post there, instead of to the server on this machine.")
    ] = None,
    only_print: Annotated[
        bool, typer.Option("--print", help="Post nothing: the body to stdout, the signature header to stderr.")
    ] = False,
    count: Annotated[
        int, typer.Option("--count", min=1, metavar="N", help="So many events, each with its own id.")
    ] = 1,
    as_json: JsonOut = False,
) -> None:
    """Make a plausible event of any type, sign it as Stripe would, and post it to the running server.

    It goes to port $PORT (8000) of this machine, at the path of the configured endpoint that takes this scope and
    mode, signed with that endpoint's secret. Everything after that is real: rules fire, channels are told.
    """
    if count > 1 and (id is not None or only_print):
        raise Usage("--count makes events with ids of their own, and posts them: not with --id or --print")
    check_type(type)
    changes, before = settings_of(set or []), settings_of(previous or [])
    from engine.settings import load_settings

    settings = load_settings()
    wanted = scope or (Scope.CONNECTED if account else None)
    endpoint = fitting(settings, wanted or _usual(settings, type, live), live)

    def make(event_id: str | None = None) -> Signed:
        return _signed(sample_root(type, changes, before, account, live, scope or endpoint.scope, event_id), endpoint)

    if only_print:
        _print(make(id), as_json)
        return
    url = send or f"http://127.0.0.1:{os.environ.get('PORT') or '8000'}{endpoint.path}"
    with _poster(url) as poster:
        if count == 1:
            _post_one(poster, make(id), endpoint, url, settings, live, as_json)
        else:
            _post_many(poster, (make() for _ in range(count)), count, url, as_json)


def fitting(settings: "Settings", scope: Scope | None, live: bool) -> "Endpoint":
    """The endpoint that takes events of this scope (None: any) and mode: the most particular one, then the first.

    Raises TocsinError where there is none, naming those there are.
    """
    fits = _taking(settings, scope, live)
    if not fits:
        named = ", ".join(f"{e.name} ({e.scope or 'any scope'}, {_mode(e)})" for e in settings.endpoints)
        asked = f"{mode_word(live)} events" + (f" of scope {scope}" if scope else "")
        raise TocsinError(f"no endpoint takes {asked}; there are: {named}; choose with --scope and --live")
    return max(fits, key=lambda e: (scope is not None and e.scope is scope, e.livemode is live))


def _taking(settings: "Settings", scope: Scope | None, live: bool) -> "list[Endpoint]":
    return [
        endpoint
        for endpoint in settings.endpoints
        if endpoint.livemode in (None, live) and (scope is None or endpoint.scope in (None, scope))
    ]


def _usual(settings: "Settings", type_: str, live: bool) -> Scope | None:
    """The scope that events of a type come in, where endpoints of several could take one: as is known of it, else as
    the rules say that look at it. None where it may be any, or no endpoint has it."""
    if len({endpoint.scope for endpoint in _taking(settings, None, live)}) < 2:
        return None
    scope = _known_scope(type_) or _scope_of_rules(settings, type_, live)
    return scope if _taking(settings, scope, live) else None


def _known_scope(type_: str) -> Scope | None:
    root = sample_root(type_, {}, {}, None, False, None, None)
    if root.get("account") or root.get("context"):
        return Scope.CONNECTED
    return Scope.PLATFORM if type_.startswith("v2.core.account") else None


def _scope_of_rules(settings: "Settings", type_: str, live: bool) -> Scope | None:
    """The one scope that all rules which take such an event are for."""
    from engine import configured
    from engine.rulebook import looking

    try:
        loaded = configured.rules(settings)
    except ConfigError:  # rules that are not there are for `check` to tell
        return None
    rules = [rule for rule in loaded.rulebook.rules if rule.mode is not RuleMode.OFF]
    whens = [when for rule in rules for when in looking(rule, type_) if when.livemode in (None, live)]
    named = {scope for when in whens if type_ in when.types for scope in when.scopes or Scope}
    named = named or {scope for when in whens for scope in when.scopes or Scope}
    return named.pop() if len(named) == 1 else None


def _mode(endpoint: "Endpoint") -> str:
    return "live or test" if endpoint.livemode is None else mode_word(endpoint.livemode)


def check_type(name: str) -> None:
    """A usage error, with the nearest one, for a type that Stripe is not known to send."""
    from engine.model.catalog import catalog
    from engine.source.nearest import did_you_mean

    if name in catalog():
        return
    hint = did_you_mean(name, catalog()) or "the types are listed at https://docs.stripe.com/api/events/types"
    raise Usage(f"Stripe is not known to send '{name}'; {hint}")


def settings_of(texts: list[str]) -> dict[str, Json]:
    """`PATH=VALUE` of each text; a usage error for what is none."""
    from engine.samples import parse_setting

    try:
        return dict(parse_setting(text) for text in texts)
    except ValueError as error:
        raise Usage(str(error)) from None


def sample_root(
    type_: str,
    changes: Mapping[str, Json],
    before: Mapping[str, Json],
    account: str | None,
    live: bool,
    scope: Scope | None,
    event_id: str | None,
) -> dict[str, Json]:
    """A made-up event; a usage error for a path that does not fit its object."""
    from engine.samples import sample
    from engine.samples.paths import assign

    nested: dict[str, Json] = {}
    try:
        for path, value in before.items():
            assign(nested, path, value)
        return sample(
            type_,
            account=account,
            livemode=live,
            scope=scope,
            set=changes,
            previous=nested or None,
            id=event_id,
        )
    except ValueError as error:
        raise Usage(str(error)) from None


def _signed(root: dict[str, Json], endpoint: "Endpoint") -> Signed:
    """Signed with the endpoint's newest secret; the body ends with a line end, so that a saved one still verifies."""
    from engine.receive.signature import sign

    body = (json.dumps(root, indent=2, ensure_ascii=False) + "\n").encode()
    return Signed(id=str(root["id"]), body=body, header=sign(body, of_endpoint(endpoint)[0].value, int(time.time())))


def _print(event: Signed, as_json: bool) -> None:
    if as_json:
        print_json({"header": event.header, "body": event.body.decode()})
        return
    typer.echo(f"Stripe-Signature: {event.header}", err=True)
    typer.echo(event.body, nl=False)


def _poster(url: str) -> "Poster":
    from engine.cli.post import Poster

    try:
        return Poster(url)
    except ValueError as error:
        raise Usage(str(error)) from None


def _post(poster: "Poster", event: Signed) -> "Answer":
    """Posts it; an address where nobody listens is told with what to start."""
    from engine.cli.post import Unreachable

    try:
        return poster.post(event.body, event.header)
    except Unreachable as error:
        if not error.refused:
            raise
        hint = "start the server in another terminal with `make run`; PORT= or --send says where it is if not there"
        raise TocsinError(f"{error}\n{hint}") from None


def _post_one(
    poster: "Poster", event: Signed, endpoint: "Endpoint", url: str, settings: "Settings", live: bool, as_json: bool
) -> None:
    answer = _post(poster, event)
    root = json.loads(event.body)
    duplicate = bool(isinstance(answer.content, dict) and answer.content.get("duplicate"))
    if as_json:
        print_json(
            {"id": event.id, "type": root["type"], "url": url, "endpoint": endpoint.name, "status": answer.status}
            | {"accepted": answer.ok, "duplicate": duplicate, "answer": answer.content}
        )
    elif answer.ok:
        about = [root["type"], root.get("account") or root.get("context") or "your own account", mode_word(live)]
        outcome = "known already: a duplicate, which does nothing twice" if duplicate else "accepted and stored"
        say(f"{answer.status}  {event.id} {outcome}", "green")
        sent = {"event": "  ".join(about), "sent to": f"{url}, as endpoint '{endpoint.name}'"}
        print_fields({**sent, "next": f"tocsin explain {event.id}"}, indent=5)
        _warn_of_mode(settings, live)
    else:
        say(f"{answer.status}  {event.id} refused: {_why(answer)}", "red")
        print_fields({"sent to": f"{url}, as endpoint '{endpoint.name}'"}, indent=5)
    if not answer.ok:
        raise typer.Exit(FAILED)


def _post_many(poster: "Poster", events: Iterable[Signed], count: int, url: str, as_json: bool) -> None:
    began = time.monotonic()
    statuses: Counter[int] = Counter()
    refused: list[str] = []
    for event in events:
        answer = _post(poster, event)
        statuses[answer.status] += 1
        if not answer.ok and len(refused) < 3:
            refused.append(f"{answer.status}  {event.id} refused: {_why(answer)}")
    took = time.monotonic() - began
    accepted = sum(number for status, number in statuses.items() if 200 <= status < 300)
    if as_json:
        by_status = {str(status): number for status, number in sorted(statuses.items())}
        print_json({"url": url, "count": count, "accepted": accepted, "statuses": by_status, "seconds": took})
    else:
        style = "green" if accepted == count else "red"
        say(f"{accepted:,} of {plural(count, 'event')} accepted in {took:.1f} s", style)
        for line in refused:
            say(f"  {line}")
        print_fields({"sent to": url, "next": "tocsin events ls"}, indent=2)
    if accepted != count:
        raise typer.Exit(FAILED)


def _why(answer: "Answer") -> str:
    """The server's own words: Tocsin answers with an error and a hint."""
    if isinstance(answer.content, dict) and "error" in answer.content:
        hint = answer.content.get("hint")
        return f"{answer.content['error']}" + (f". {hint}" if hint else "")
    return answer.text.strip()[:200] or "the answer was empty"


def _warn_of_mode(settings: "Settings", live: bool) -> None:
    """The commonest reason for silence: rules that look at live events alone never see a test one."""
    if settings.default_livemode not in (None, live):
        rules = mode_word(settings.default_livemode)
        flag = "--live" if settings.default_livemode else "--test"
        note(f"note: rules that do not say `livemode` look at {rules} events only (default_livemode); see also {flag}")
