"""What ends when an account leaves, after the rules have seen the event that says so."""

from engine.decide import incidents
from engine.decide.incidents import INCIDENT
from engine.decide.judge import FOLLOWED
from engine.decide.memory import Memory
from engine.decide.reminders import REMIND
from engine.model.delivery import Left, Timer
from engine.model.incident import Incident
from engine.model.rule import RuleMode

ACCOUNT_LEFT = "account left"
"""Why what waited on an account has ended."""

ENDING = (FOLLOWED, REMIND)
"""The first words of the parts of timers that end with their account. What was left out by throttles, and gathered for
digests, is still said; those of an incident find it ended, where it has."""


def ends_with(timer: Timer, left: Left) -> bool:
    """Whether a timer ends when its account leaves; what waits on the event that says so goes on."""
    mine = (timer.account, timer.livemode) == (left.account, left.livemode) and timer.event != left.event
    return mine and timer.part.partition(" ")[0] in ENDING


def left_behind(memory: Memory, left: Left) -> list[tuple[Incident, Timer]]:
    """End the incidents, of all that is in memory, of an account that has left; each with the timer that tells it."""
    found: list[tuple[Incident, Timer]] = []
    for cell in sorted(cell for cell in memory.kept if cell.part == INCIDENT):
        kept = memory.kept[cell]
        if kept.shape != str(RuleMode.LIVE):
            continue
        for each in incidents.every(kept.state):
            mine = (each.account, each.livemode) == (left.account, left.livemode) and each.first_event != left.event
            if mine and not each.shared:
                ended = incidents.end(kept, each, left.at, ACCOUNT_LEFT, outside=True)
                found.append((ended, incidents.end_later(kept, each, ended, None, left.at)))
    return found
