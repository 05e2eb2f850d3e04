"""`tocsin sign`: the header that Stripe would send with a body."""

import time
from typing import Annotated

import typer

from engine.cli.help import ending
from engine.cli.inputs import EndpointName, SecretFile, read_body, signing_secrets
from engine.cli.options import JsonOut
from engine.cli.report import note, print_json

ENDING = ending(
    "tocsin sign event.json --endpoint connect",
    'curl -H "Stripe-Signature: $(tocsin sign event.json)" --data-binary @event.json localhost:8000/webhooks/stripe',
    _0="signed",
    _1="the configuration has mistakes",
    _2="usage: no such file, endpoint or secret",
)


def sign(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The body, byte for byte; - for standard input.")],
    endpoint: EndpointName = None,
    secret_file: SecretFile = None,
    timestamp: Annotated[
        int | None,
        typer.Option("--timestamp", min=0, metavar="SECONDS", help="As if signed then (unix time). Default: now."),
    ] = None,
    as_json: JsonOut = False,
) -> None:
    """Sign a body as Stripe does, and print the Stripe-Signature header.

    Secrets come from the configuration, a file, or STRIPE_WEBHOOK_SECRET, never from the command line, where other
    users could read them. Without a choice it is the first endpoint's.
    """
    from engine.receive.signature import sign as signature

    body = read_body(file)
    secrets = signing_secrets(endpoint, secret_file, file)
    when = int(time.time()) if timestamp is None else timestamp
    header = signature(body, secrets[0].value, when)
    if as_json:
        print_json({"header": header, "timestamp": when, "secret": secrets[0].source, "bytes": len(body)})
        return
    typer.echo(header)
    if len(secrets) > 1:
        note(f"signed with {secrets[0].source}; choose with --endpoint")
