"""`tocsin verify`: whether a signature holds, and if not, exactly why."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import typer

from engine.cli.help import FAILED, ending
from engine.cli.inputs import EndpointName, SecretFile, SigningSecret, read_body, signing_secrets
from engine.cli.options import JsonOut
from engine.cli.report import print_fields, print_json, say, span
from engine.errors import SignatureError
from engine.receive.signature import TOLERANCE, SignatureReason
from engine.receive.signature import verify as check_signature

ENDING = ending(
    "tocsin verify body.json --header 't=1767225600,v1=5257a8..' --endpoint connect",
    _0="valid",
    _1="not valid, or the configuration has mistakes",
    _2="usage: no such file, endpoint or secret",
)

_REASONS = {
    SignatureReason.MISSING: "the header is empty",
    SignatureReason.TOO_LONG: "the header is longer than Stripe ever makes it",
    SignatureReason.MALFORMED: "the header is not of the form t=<unix seconds>,v1=<64 hex digits>",
    SignatureReason.NO_TIMESTAMP: "the header has no t=<unix seconds>",
    SignatureReason.NO_V1: "the header has no v1=<hex>: other schemes are not trusted",
    SignatureReason.TOO_MANY_V1: "the header has more v1 signatures than Stripe ever makes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of it: `valid`, the closed set's `reason` (None when valid), the same for people, which secret
    signed (None: none of those tried), and the signature's age in seconds (negative: from the future)."""

    valid: bool
    reason: str | None
    text: str
    secret: str | None = None
    age: float | None = None
    hint: str | None = None


def verify(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The body as received; - for standard input.")],
    header: Annotated[
        str, typer.Option("--header", metavar="HEADER", help="The Stripe-Signature header that came with it.")
    ],
    endpoint: EndpointName = None,
    secret_file: SecretFile = None,
    any_age: Annotated[bool, typer.Option("--any-age", help="Also fine when signed long ago, or in future.")] = False,
    as_json: JsonOut = False,
) -> None:
    """Say whether a body's signature is valid, with which secret and how old it is, or the exact reason why not.

    Without --endpoint or --secret-file: the secret in STRIPE_WEBHOOK_SECRET, else those of every configured endpoint.
    """
    body = read_body(file)
    found = judge(body, bare(header), signing_secrets(endpoint, secret_file, file), now=time.time(), any_age=any_age)
    if as_json:
        named = {"valid": found.valid, "reason": found.reason, "text": found.text}
        print_json({**named, "secret": found.secret, "age": found.age, "hint": found.hint})
    else:
        say(found.text, "green" if found.valid else "red")
        signed = _when(found.age) if found.age is not None else None
        print_fields({"secret": found.secret, "signed": signed, "hint": found.hint}, indent=2)
    if not found.valid:
        raise typer.Exit(FAILED)


def judge(body: bytes, header: str, secrets: Sequence[SigningSecret], *, now: float, any_age: bool = False) -> Finding:
    """What is to be said of a body and its header, given the secrets that it may have been signed with."""
    values = [secret.value.encode() for secret in secrets]
    try:
        index = check_signature(body, header, values, now=now, tolerance=float("inf"))
    except SignatureError as error:
        if error.reason == SignatureReason.MISMATCH:
            return _mismatch(body, header, secrets, now)
        reason = SignatureReason(error.reason)
        return Finding(valid=False, reason=reason, text=f"not valid: {_REASONS[reason]}")
    age = now - _timestamp(header)
    source = secrets[index].source
    if abs(age) <= TOLERANCE or any_age:
        return Finding(valid=True, reason=None, text="valid", secret=source, age=age)
    late = age > 0
    text = "not valid: the signature holds, but it is " + ("too old" if late else "from the future")
    hint = f"at most {span(timedelta(seconds=TOLERANCE))} are allowed; --any-age leaves this out"
    reason = SignatureReason.TOO_OLD if late else SignatureReason.TOO_NEW
    return Finding(valid=False, reason=reason, text=text, secret=source, age=age, hint=hint)


def bare(header: str) -> str:
    """The value of a header that may have been copied with its name."""
    name, colon, value = header.partition(":")
    return value.strip() if colon and name.strip().lower() == "stripe-signature" else header.strip()


def _mismatch(body: bytes, header: str, secrets: Sequence[SigningSecret], now: float) -> Finding:
    """Looks for what changed the body on its way here, which is the usual cause once the secret is right."""
    values = [secret.value.encode() for secret in secrets]
    for change, undo in _CHANGES.items():
        try:
            index = check_signature(undo(body), header, values, now=now, tolerance=float("inf"))
        except (SignatureError, ValueError, RecursionError):
            continue
        return Finding(
            valid=False,
            reason=SignatureReason.MISMATCH,
            text=f"not valid: the body was changed after it was signed: {change}",
            secret=secrets[index].source,
            age=now - _timestamp(header),
            hint="keep, and pass on, the body byte for byte as it was received",
        )
    return Finding(
        valid=False,
        reason=SignatureReason.MISMATCH,
        text="not valid: this body was not signed with " + " or ".join(secret.source for secret in secrets),
        hint="compare the endpoint's secret at Stripe (whsec_..); and is the body byte for byte as it was received?",
    )


def _written(body: bytes, **style: Any) -> bytes:
    return json.dumps(json.loads(body), ensure_ascii=False, **style).encode()


_CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "a line end was added at its end": lambda body: body.rstrip(b"\r\n"),
    "the line end at its end was taken away": lambda body: body + b"\n",
    "its line ends became those of Windows": lambda body: body.replace(b"\r\n", b"\n"),
    "it was parsed and written again, without its indentation": lambda body: _written(body, indent=2),
    "it was parsed and written again, indented": lambda body: _written(body, separators=(",", ":")),
}
"""What happens to bodies on the way, and how to undo it. Stripe sends snapshots indented, thin events compact."""


def _timestamp(header: str) -> int:
    """The time in a header that has verified, so that it is there and a number."""
    return next(int(item[2:]) for item in header.split(",") if item.startswith("t="))


def _when(age: float) -> str:
    distance = span(timedelta(seconds=int(age)))
    return f"{distance} ago" if age >= 0 else f"{distance} in the future"
