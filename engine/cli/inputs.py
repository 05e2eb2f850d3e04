"""What commands read: files or standard input, and signing secrets, which are never given as plain values."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.options import Usage, chosen

if TYPE_CHECKING:
    from engine.settings import Endpoint, Settings

SECRET_VARIABLE = "STRIPE_WEBHOOK_SECRET"  # noqa: S105 (the name of a variable, not a secret)

EndpointName = Annotated[
    str | None,
    typer.Option("--endpoint", metavar="NAME", help="With the secrets of this endpoint of the configuration."),
]
SecretFile = Annotated[
    str | None,
    typer.Option("--secret-file", metavar="FILE", help="With the secret in this file (- for standard input)."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningSecret:
    """A secret and where it is from, in words that may be shown."""

    value: str = field(repr=False)
    source: str


def read_body(file: str) -> bytes:
    """The bytes of a file, or of standard input for `-`, exactly as they are: a signature is over bytes."""
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise Usage(f"cannot read {file}: {(error.strerror or 'no reason given').lower()}") from None


def signing_secrets(endpoint: str | None, secret_file: str | None, body_file: str) -> list[SigningSecret]:
    """The secrets to sign or verify with, best guess first.

    From the file, or the endpoint, named; else from STRIPE_WEBHOOK_SECRET; else of every configured endpoint.
    """
    if endpoint is not None and secret_file is not None:
        raise Usage("give --endpoint or --secret-file, not both")
    if secret_file is not None:
        if secret_file == "-" and body_file == "-":  # noqa: S105 (standard input, not a secret)
            raise Usage("the body and the secret cannot both come from standard input")
        return _of_file(secret_file)
    if endpoint is None and os.environ.get(SECRET_VARIABLE, "").strip():
        return [SigningSecret(value=os.environ[SECRET_VARIABLE].strip(), source=f"the secret in {SECRET_VARIABLE}")]
    from engine.settings import load_settings

    settings = load_settings()
    endpoints = settings.endpoints if endpoint is None else (named_endpoint(settings, endpoint),)
    return [secret for one in endpoints for secret in of_endpoint(one)]


def named_endpoint(settings: "Settings", name: str) -> "Endpoint":
    """The configured endpoint of that name; a usage error that names the nearest where there is none."""
    by_name = {endpoint.name: endpoint for endpoint in settings.endpoints}
    return by_name[chosen(name, "endpoint", list(by_name))]


def of_endpoint(endpoint: "Endpoint") -> list[SigningSecret]:
    """The secrets of one endpoint, told apart by number where one is being rolled."""
    count = len(endpoint.secrets)
    return [
        SigningSecret(value=secret.get_secret_value(), source=_ordinal(number, count, f"of endpoint '{endpoint.name}'"))
        for number, secret in enumerate(endpoint.secrets, 1)
    ]


def _of_file(file: str) -> list[SigningSecret]:
    """One secret a line, surrounding blanks ignored, as secret files are often written by hand."""
    lines = [line.strip() for line in read_body(file).decode("utf-8", "replace").splitlines()]
    found = [line for line in lines if line]
    if not found:
        raise Usage(f"there is no secret in {file}")
    where = "standard input" if file == "-" else file
    return [SigningSecret(value=line, source=_ordinal(n, len(found), f"in {where}")) for n, line in enumerate(found, 1)]


def _ordinal(number: int, count: int, of: str) -> str:
    return f"the secret {of}" if count == 1 else f"secret {number} of {count} {of}"
