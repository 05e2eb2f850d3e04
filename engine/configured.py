"""The rules as the configuration has them: what `check`, `test` and the like need, without a database or a notifier."""

from pathlib import Path

from engine.rulebook import Known, Listening, Loaded, load, read_rule_files
from engine.settings import Settings
from engine.stripe_api import operations


def known(settings: Settings) -> Known:
    """What rules may name: channels, callbacks, hosts, Stripe operations; and what there is for them."""
    return Known(
        channels=tuple(settings.channels),
        callbacks=tuple(settings.callbacks),
        callback_hosts=settings.callback_hosts,
        stripe_operations=operations,
        allowed_writes=frozenset(write.operation for write in settings.stripe.allow),
        stripe_keys=tuple(settings.stripe.keys),
        endpoints=tuple(
            Listening(name=each.name, scope=each.scope, livemode=each.livemode, key=each.key)
            for each in settings.endpoints
        ),
        default_livemode=settings.default_livemode,
    )


def rules(settings: Settings) -> Loaded:
    """The rules as they stand on disk, with every mistake; no database is needed."""
    return load(read_rule_files(settings.rules, base_of(settings)), known(settings))


def base_of(settings: Settings) -> Path:
    """What names of rule files are relative to: the configuration's folder, else the working directory."""
    return settings.file.parent if settings.file else Path.cwd()
