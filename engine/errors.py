"""Every exception Tocsin raises on purpose.

    TocsinError
    ├── ConfigError            a configuration or rule file cannot be used; carries every mistake found
    ├── SignatureError         a webhook request is not from Stripe; answered 400
    ├── MalformedEvent         a signed body is not an event; answered 400
    ├── TemplateError          a text cannot be rendered
    ├── DestinationError       an address may not be called, or a channel cannot be used
    └── StoreError
        ├── StoreUnavailable   the database did not answer in time; answered 503
        ├── SchemaTooNew       the database was migrated by newer code
        └── EmbeddedServerError  the database that Tocsin starts itself could not be started

Expected failure is a value with a reason (`Outcome`, `Verdict`); an exception is a promise that was broken.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.model.mistake import Mistake


class TocsinError(Exception):
    """The root: catching it catches everything that Tocsin raises on purpose."""


class ConfigError(TocsinError):
    """One or more mistakes in configuration or rule files; `mistakes` holds them all, in file order.

    `sources` is file name -> text for printing them, with everything starred out that may be a secret.
    """

    def __init__(self, mistakes: "Sequence[Mistake]", *, sources: Mapping[str, str] | None = None) -> None:
        self.mistakes = tuple(mistakes)
        self.sources = dict(sources or {})
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class SignatureError(TocsinError):
    """A request whose signature does not hold. `reason` is one of the closed set in `engine.receive.signature`."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class MalformedEvent(TocsinError):
    """A signed body that is not JSON, or has no id or type. `reason` is one of a closed set."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class TemplateError(TocsinError):
    """A text that cannot be rendered; the message names what is undefined or wrong, never a value."""


class DestinationError(TocsinError):
    """An address that may not be called, or a channel that cannot be used; the message says why."""


class StoreError(TocsinError):
    """The store cannot do what was asked."""


class StoreUnavailable(StoreError):
    """The database did not answer, or not in time: nothing was acknowledged.

    `lasting`: somebody has to change something (the URL, a password, a name) before it can work.
    """

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        self.lasting = lasting
        super().__init__(message)


class SchemaTooNew(StoreError):
    """The database holds migrations this code does not know; run the newer code."""


class EmbeddedServerError(StoreError):
    """The embedded PostgreSQL could not be started; the message ends with the tail of its log."""
