"""What is imported when: nothing risky with the package, everything by `warm`."""

import subprocess
import sys

import pytest

HEAVY = ("apprise", "aiohttp", "stripe")


def imported(code: str) -> set[str]:
    """Which of the heavy packages a fresh interpreter has loaded after running that code."""
    script = f"import sys\n{code}\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


BUILD = """
import asyncio, io
from datetime import timedelta
from pydantic import SecretStr
from engine.settings import Channel, StripeSettings
from notifiers import expand
from notifiers.callback import CallbackNotifier
from notifiers.notify import NotifyNotifier
from notifiers.stripe import StripeNotifier
url = SecretStr("json://127.0.0.1/x")
made = {
    "notify": NotifyNotifier({"a": Channel(name="a", url=url)}, io.StringIO()),
    "callback": CallbackNotifier({}, frozenset()),
    "stripe": StripeNotifier(
        StripeSettings(keys={"test": SecretStr("sk_test_x")}, api_base="http://127.0.0.1", allow=()), (), None
    ),
}
async def warm(verb):
    await made[verb].warm()
    await made[verb].close()
"""


def test_building_the_notifiers_imports_nothing_heavy() -> None:
    assert imported(BUILD) == set()


@pytest.mark.parametrize(
    ("verb", "loads"), [("notify", {"apprise"}), ("callback", {"aiohttp"}), ("stripe", {"aiohttp", "stripe"})]
)
def test_warm_imports_what_the_first_delivery_needs(verb: str, loads: set[str]) -> None:
    assert loads <= imported(BUILD + f"asyncio.run(warm({verb!r}))")
