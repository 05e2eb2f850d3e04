"""Scopes in which such events do not come, or come of more accounts than is meant.

Stripe's page on Connect webhooks: events of API v2 about one's connected accounts come in the scope "Your account",
those of API v1 in "Connected accounts", which also carries account.updated of these accounts' customers and recipients.
"""

from functools import lru_cache

from engine.match import compile_type_pattern
from engine.model.catalog import catalog
from engine.model.condition import Condition, Nothing, PathTest, Reference
from engine.model.event import Scope
from engine.model.rule import When
from engine.rulebook.findings import Findings

_V2 = "v2.core.account"
_OF_ACCOUNTS = ("account.", "person.", "capability.")
_CONNECTED, _PLATFORM = frozenset({Scope.CONNECTED}), frozenset({Scope.PLATFORM})
_ID = frozenset({"id", "$.data.object.id"})


def check_scopes(found: Findings, when: When) -> None:
    """Warn of a scope that never carries such events, and of accounts of others among one's own."""
    place = when.position
    if place is None:
        return
    families = [_family(pattern) for pattern in when.types]
    if when.scopes == _CONNECTED and all(family == _V2 for family in families):
        message = (
            "v2 events of your connected accounts come in the scope platform; in connected, those of their customers"
        )
        found.warn("scope", place, message, "write scope: platform")
    if when.scopes == _PLATFORM and all(family == "v1" for family in families):
        message = f"{when.types[0]} of a connected account comes in the scope connected; in platform, only your own"
        found.warn("scope", place, message, "write scope: connected")
    if when.scopes == _PLATFORM and when.accounts is not None and not any(map(_takes_v2, when.types)):
        message = "an event of the scope platform is about the platform itself, which no account: takes"
        found.warn("scope", place, message, "leave out account, or write scope: connected")
    if when.scopes is None or Scope.CONNECTED in when.scopes:
        own = any(_takes_updates(pattern) for pattern in when.types)
        if own and not _keeps_to_itself(when.where):
            message = "account.updated also comes of the customers and recipients of your connected accounts"
            found.warn("other-accounts", place, message, "write id: {same_as: $account.id} under where")


@lru_cache(maxsize=1024)
def _family(pattern: str) -> str:
    """`v2.core.account` where a pattern takes only those, `v1` where only such of API v1 about accounts; else empty."""
    takes = compile_type_pattern(pattern)
    taken = [name for name in catalog() if takes(name)]
    if taken and all(name.startswith(_V2) for name in taken):
        return _V2
    v1 = [name.removeprefix("v1.") for name in taken]
    return "v1" if v1 and all(name.startswith(_OF_ACCOUNTS) for name in v1) else ""


@lru_cache(maxsize=1024)
def _takes_v2(pattern: str) -> bool:
    """Whether a pattern takes events of API v2 about accounts, which name their account in every scope."""
    takes = compile_type_pattern(pattern)
    return any(takes(name) for name in catalog() if name.startswith(_V2))


@lru_cache(maxsize=1024)
def _takes_updates(pattern: str) -> bool:
    """Whether account.updated is what a pattern is about, and not only among all there is."""
    return pattern.removeprefix("v1.").startswith("account.") and compile_type_pattern(pattern)("account.updated")


def _keeps_to_itself(condition: Condition) -> bool:
    """Whether the object has to be the account, or one that is named."""
    if isinstance(condition, PathTest):
        if condition.path in _ID:
            return any(operation.operator in ("eq", "same_as", "in_table") for operation in condition.operations)
        operands = (operation.operand for operation in condition.operations)
        return condition.path == "$account.id" and any(
            isinstance(operand, Reference) and operand.path in _ID for operand in operands
        )
    return not isinstance(condition, Nothing) and any(map(_keeps_to_itself, condition.children))
