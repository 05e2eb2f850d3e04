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

    A skipped channel stands as one destination, whatever its recipients. Two names of one place (aliases of the
    default channel, say) get one message: the second is skipped.
    """
    if step.verb is not Verb.NOTIFY:
        return tuple(Destination(name=target) for target in dict.fromkeys(step.targets))
    found: list[Destination] = []
    served: dict[str | None, str] = {}
    for target in dict.fromkeys(step.targets):
        channel = settings.channels.get(target)
        if channel is None:
            # `check` refuses such a rule; a revision older than the configuration may still name it. The delivery
            # then ends as refused, with the reason, rather than not at all.
            found.append(Destination(name=target))
            continue
        place = channel.url.get_secret_value() if channel.url is not None else None
        skipped = _why_skipped(channel, severity, livemode, served.get(place))
        if skipped is not None:
            found.append(Destination(name=target, skipped=skipped))
            continue
        served[place] = target
        labels = recipients(channel)
        found += [Destination(name=f"{target}/{label}") for label in labels] or [Destination(name=target)]
    return tuple(found)


def _why_skipped(channel: Channel, severity: Severity, livemode: bool, served: str | None) -> str | None:
    if channel.livemode is not None and channel.livemode is not livemode:
        wanted, given = ("live", "test") if channel.livemode else ("test", "live")
        return f"{channel.name} takes {wanted} events only, and this is a {given} event"
    if not severity.at_least(channel.min_severity):
        return f"{channel.name} takes severity {channel.min_severity} and above, and the rule's is {severity}"
    if served is not None:
        return f"{channel.name} leads to the same place as {served}, which has the message"
    return None
