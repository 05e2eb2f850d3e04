"""The configuration: defaults < config.yaml < environment < secret files, checked whole before anything starts."""

from engine.settings.codes import CODES
from engine.settings.describe import describe, variables
from engine.settings.load import load_settings
from engine.settings.local import ensure_data, local_secret
from engine.settings.values import (
    ALIASES,
    CONSOLE,
    AllowedWrite,
    CallbackTarget,
    Channel,
    ConsoleSettings,
    Endpoint,
    LogSettings,
    ReceiveSettings,
    Retention,
    Role,
    Settings,
    StoreSettings,
    StripeSettings,
)

__all__ = [
    "ALIASES",
    "CODES",
    "CONSOLE",
    "AllowedWrite",
    "CallbackTarget",
    "Channel",
    "ConsoleSettings",
    "Endpoint",
    "LogSettings",
    "ReceiveSettings",
    "Retention",
    "Role",
    "Settings",
    "StoreSettings",
    "StripeSettings",
    "describe",
    "ensure_data",
    "load_settings",
    "local_secret",
    "variables",
]
