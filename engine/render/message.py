"""What a person receives."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A rendered alert: `title` is one line, `text` may have many, `format` is `text` or `markdown`."""

    title: str
    text: str
    format: str = "text"
