"""What the service says of itself at start: what runs, and what to type next."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from engine.model.rule import Rule, RuleMode
from engine.settings import CONSOLE, Endpoint, Role, Settings
from engine.work.readiness import ROLES


def banner(settings: Settings, rules: Sequence[Rule], broken: Sequence[str]) -> str:
    """A few lines for a person at a terminal; no secret, no URL of a channel."""
    rows = [
        *((("endpoints", "\n".join(map(_endpoint, settings.endpoints))),) * settings.role.receives),
        *(() if settings.role is Role.ALL else (("role", f"{settings.role}: {ROLES[settings.role]}"),)),
        ("rules", _rules(settings, rules, broken)),
        ("channels", _channels(settings)),
        ("database", _database(settings)),
        ("configured", _shown(settings.file) if settings.file else "no config.yaml: defaults for trying it"),
        ("try it", f"{_command()} simulate payout.failed --account acct_demo"),
    ]
    lines = ["", "Tocsin is ready.", ""]
    for name, text in rows:
        first, *others = text.split("\n")
        lines.append(f"  {name:<12}{first}")
        lines += [f"  {'':<12}{other}" for other in others]
    return "\n".join([*lines, ""])


def _endpoint(endpoint: Endpoint) -> str:
    scope = f"{endpoint.scope} scope" if endpoint.scope else "any scope"
    mode = {None: "live and test", True: "live", False: "test"}[endpoint.livemode]
    return f"{endpoint.path}  {endpoint.name}: {scope}, {mode} events"


def _rules(settings: Settings, rules: Sequence[Rule], broken: Sequence[str]) -> str:
    counts = Counter(rule.mode for rule in rules)
    modes = ", ".join(f"{counts[mode]} {mode}" for mode in RuleMode if counts[mode]) or "none"
    where = ", ".join(map(_shown, settings.rules))
    text = f"{modes}; read again whenever {where} changes"
    return text + (f"\nMISTAKES in {', '.join(broken)}: see {_command()} check" if broken else "")


def _channels(settings: Settings) -> str:
    printing = [name for name, channel in settings.channels.items() if channel.url is None and name != CONSOLE]
    sending = [name for name, channel in settings.channels.items() if channel.url is not None]
    parts = [f"{', '.join(sending)}"] if sending else []
    parts += [f"{', '.join(printing)} print here"] if printing else []
    return "; ".join(parts) or "console prints here"


def _database(settings: Settings) -> str:
    return f"PostgreSQL of its own in {_shown(settings.data)}" if settings.store.embedded else settings.store.place


def _shown(path: Path) -> str:
    """Relative to the working directory where that is shorter."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _command() -> str:
    """How `tocsin` is called from here, with the port where it is not the usual one."""
    port = os.environ.get("PORT", "8000")
    beside = Path(sys.executable).with_name("tocsin")
    name = "tocsin" if shutil.which("tocsin") or not beside.exists() else _shown(beside)
    return name if port == "8000" else f"PORT={port} {name}"
