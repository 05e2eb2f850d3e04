"""Rule files in a line or two."""

from textwrap import dedent

from engine.rulebook import Known, Loaded, load
from engine.stripe_api import operations

KNOWN = Known(
    channels=("console", "risk", "payments", "onboarding"),
    callbacks=("case-system",),
    callback_hosts=("hooks.example.com",),
    stripe_operations=operations,
    allowed_writes=("accounts.update",),
    default_livemode=True,
)


def rule(id_: str = "r", when: str = "payout.failed", then: str = "{notify: payments}", more: str = "") -> str:
    """A file of one rule, its values in flow form."""
    extra = f"    {more}\n" if more else ""
    return f"rules:\n  - id: {id_}\n    when: {when}\n    then: {then}\n{extra}"


def where(test: str) -> str:
    """A file of one rule with these conditions on a dispute."""
    return rule(when=f"{{type: charge.dispute.created, where: {test}}}")


def loaded(text: str, known: Known = KNOWN, file: str = "rules/a.yaml") -> Loaded:
    """One file, loaded."""
    return load({file: dedent(text)}, known)


def mistakes(text: str, known: Known = KNOWN, file: str = "rules/a.yaml") -> list[str]:
    """Each mistake of one file as its one line."""
    return [str(mistake) for mistake in loaded(text, known, file).mistakes]
