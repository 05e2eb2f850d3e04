"""From a step to its destinations: one for each channel and recipient, one for a callback or a Stripe operation."""

from dataclasses import dataclass

from engine.model.rule import Severity, Step, Verb
from engine.settings import Channel, Settings
from notifiers.channels import recipients


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One place a step goes to: `channel` or `channel/recipient`, a callback's name or URL, a Stripe operation.

    `skipped` says why this event is not for it, None when it is.
    """

    name: str
    skipped: str | None = None


def expand(step: Step, *, severity: Severity, livemode: bool, settings: Settings) -> tuple[Destination, ...]:
    """The destinations of `step` for an event of that severity and livemode, each once, in the order written.

    A skipped channel stands as one destination, whatever its recipients.
    """
    if step.verb is not Verb.NOTIFY:
        return tuple(Destination(name=target) for target in dict.fromkeys(step.targets))
    found: dict[str, Destination] = {}
    for target in step.targets:
        channel = settings.channels.get(target)
        for destination in _of_channel(target, channel, severity, livemode):
            found.setdefault(destination.name, destination)
    return tuple(found.values())


def _of_channel(name: str, channel: Channel | None, severity: Severity, livemode: bool) -> tuple[Destination, ...]:
    if channel is None:
        # `check` refuses such a rule; a revision older than the configuration may still name it. The delivery then
        # ends as refused, with the reason, rather than not at all.
        return (Destination(name=name),)
    skipped = _why_skipped(channel, severity, livemode)
    if skipped is not None:
        return (Destination(name=name, skipped=skipped),)
    labels = recipients(channel)
    return tuple(Destination(name=f"{name}/{label}") for label in labels) or (Destination(name=name),)


def _why_skipped(channel: Channel, severity: Severity, livemode: bool) -> str | None:
    if channel.livemode is not None and channel.livemode is not livemode:
        wanted, given = ("live", "test") if channel.livemode else ("test", "live")
        return f"{channel.name} takes {wanted} events only, and this is a {given} event"
    if not severity.at_least(channel.min_severity):
        return f"{channel.name} takes severity {channel.min_severity} and above, and the rule's is {severity}"
    return None
