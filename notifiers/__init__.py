"""The three verbs of the rule language: notify (Apprise and the console), callback (signed HTTP), stripe.

Each is a `Notifier` (engine.model.outcome): it renders a delivery once and attempts it as often as it takes.
`expand` says which destinations a step has for an event.
"""

from notifiers.expand import Destination, expand

__all__ = ["Destination", "expand"]
