"""An alert: a rule's own title and text, with the default message for what they leave open."""

from engine.errors import TemplateError
from engine.model.outcome import Scene
from engine.render.default_message import default_message
from engine.render.message import Message
from engine.render.sandbox import Absent
from engine.render.text import render_text, render_title

WITHOUT_OBJECT = "(The rule's own text is about the object, which this thin event does not carry.)"


def render_alert(title: str | None, text: str | None, scene: Scene) -> Message:
    """The message of a rule: its title and text where it has them, else those of the default message.

    A rule for `payout.failed` also fires for its thin twin `v1.payout.failed`, which carries no object. Where its
    texts cannot be written for that reason alone, the default message goes out and says so: an alert that says less is
    better than none. Raises TemplateError for every other reason.
    """
    if not title and not text:
        return default_message(scene)
    try:
        return Message(
            title=render_title(title, scene) if title else default_message(scene).title,
            text=render_text(text, scene).strip() if text else default_message(scene).text,
        )
    except TemplateError:
        if not isinstance(scene["object"], Absent) or isinstance(scene["event"], Absent):
            raise
    default = default_message(scene)
    return Message(title=default.title, text=f"{default.text}\n{WITHOUT_OBJECT}")
