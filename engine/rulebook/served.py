"""What rules need of the configuration: endpoints that take their events, and keys to read and act with on Stripe."""

from collections.abc import Iterable, Iterator, Sequence

from engine.model.event import Scope
from engine.model.mistake import Mistake
from engine.model.rule import Rule, RuleMode, Verb, When
from engine.rulebook.effects import read_first
from engine.rulebook.findings import Findings
from engine.rulebook.known import Known, Listening
from engine.rulebook.lints.several import Doubt

_FEW = 3
_NAMED = 5
_OF_MANY = {
    "no-endpoint": "no endpoint takes the events of {} rules",
    "no-key": "{} rules read or act on Stripe, and no key is configured for their events",
}
_ANYTHING = Listening(name="")


def check_served(rules: Iterable[Rule], known: Known) -> tuple[Mistake, ...]:
    """Warn of rules none of whose events any endpoint takes, and of those for whose events there is no key that they
    need. Of more than a few of a kind one warning speaks of all, at the first of them."""
    found = Findings()
    ours = [rule for rule in rules if rule.mode is not RuleMode.OFF]
    endpoints = tuple(known.endpoints or (_ANYTHING,))
    unserved = [doubt for rule in ours if (doubt := _no_endpoint(rule, endpoints)) is not None]
    without = {doubt.rule.id for doubt in unserved}
    served = [rule for rule in ours if rule.id not in without]
    keyless = [doubt for rule in served if (doubt := _no_key(rule, known, endpoints)) is not None]
    for doubts in (unserved, keyless):
        _warn(found, doubts)
    return tuple(found.mistakes)


def _no_endpoint(rule: Rule, endpoints: Sequence[Listening]) -> Doubt | None:
    if any(_takes(endpoint, when) for endpoint in endpoints for when in rule.when):
        return None
    there = f"there {'is' if len(endpoints) == 1 else 'are'} {_listed([_named(each) for each in endpoints])}"
    hint = f"{there}; add one under endpoints in config.yaml, or widen scope or livemode of the rule"
    return Doubt(rule, "no-endpoint", f"no endpoint takes {_wanted(rule.when)}", hint)


def _no_key(rule: Rule, known: Known, endpoints: Sequence[Listening]) -> Doubt | None:
    if not _needs_key(rule, known) or _has_key(rule, known, endpoints):
        return None
    which = _wanted(rule.when)
    what = "no key is configured" + ("" if which == "events" else f" for {which}")
    hint = "add to config.yaml: stripe: {keys: {live: .., test: ..}}"
    return Doubt(rule, "no-key", f"this rule reads or acts on Stripe, and {what}", hint)


def _warn(found: Findings, doubts: Sequence[Doubt]) -> None:
    said = [doubt for doubt in doubts if doubt.code not in doubt.rule.ignored]
    many = (
        f"{_OF_MANY[said[0].code].format(len(said))}: {_listed([d.rule.id for d in said])}" if len(said) > _FEW else ""
    )
    for doubt in said[:1] if many else said:
        if doubt.rule.position is not None:
            found.warn(doubt.code, doubt.rule.position, many or doubt.message, doubt.hint)


def _takes(endpoint: Listening, when: When) -> bool:
    scoped = endpoint.scope is None or when.scopes is None or endpoint.scope in when.scopes
    return scoped and bool(_modes(endpoint, when))


def _modes(endpoint: Listening, when: When) -> set[bool]:
    """The livemodes in which an endpoint may bring events for a `when`."""
    return {mode for mode in (True, False) if when.livemode in (mode, None) and endpoint.livemode in (mode, None)}


def _needs_key(rule: Rule, known: Known) -> bool:
    """Whether something of it is read from Stripe or done there. Without any key what is to be read is told where it
    stands."""
    if any(step.verb is Verb.STRIPE for step in rule.every_step):
        return True
    if not known.stripe_keys:
        return False
    return any(True for _ in read_first(rule))


def _has_key(rule: Rule, known: Known, endpoints: Sequence[Listening]) -> bool:
    """Whether there is a key for some of its events; also where nothing is known of keys."""
    if known.stripe_keys is None:
        return True
    return any(name in known.stripe_keys for when in rule.when for name in _keys(when, endpoints))


def _keys(when: When, endpoints: Sequence[Listening]) -> Iterator[str]:
    for endpoint in endpoints:
        if _takes(endpoint, when):
            yield from ([endpoint.key] if endpoint.key else map(_mode, _modes(endpoint, when)))


def _mode(livemode: bool) -> str:
    return "live" if livemode else "test"


def _wanted(whens: Sequence[When]) -> str:
    """`live events of scope platform`."""
    modes = {when.livemode for when in whens}
    mode = f"{_mode(bool(modes.pop()))} events" if len(modes) == 1 and None not in modes else "events"
    scopes = {scope for when in whens for scope in when.scopes or Scope}
    if len(scopes) == len(Scope):
        return mode
    return f"{mode} of scope {' or '.join(scope for scope in Scope if scope in scopes)}"


def _named(endpoint: Listening) -> str:
    """`connect (connected, live)`."""
    what = [
        *([endpoint.scope] if endpoint.scope else []),
        *([] if endpoint.livemode is None else [_mode(endpoint.livemode)]),
    ]
    return f"{endpoint.name} ({', '.join(what)})" if what else endpoint.name


def _listed(names: Sequence[str]) -> str:
    return ", ".join([*names[:_NAMED], *([".."] if len(names) > _NAMED else [])])
