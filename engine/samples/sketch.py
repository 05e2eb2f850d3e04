"""What a builder of sample objects is given: the event's type and time, and ids that come from a seed."""

import hashlib
from dataclasses import dataclass, field

from engine.model.event import Json

DAY = 86_400
HOUR = 3_600
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(slots=True)
class Ids:
    """Ids that look like Stripe's and are the same for the same seed, in the order they are asked for."""

    seed: str
    count: int = field(default=0)

    def new(self, prefix: str, length: int = 24) -> str:
        """The next id, `po_1QhX…`; `length` is without the prefix."""
        self.count += 1
        number = int.from_bytes(hashlib.sha512(f"{self.seed}\0{self.count}".encode()).digest(), "big")
        letters = []
        for _ in range(length - 2):
            number, index = divmod(number, len(_LETTERS))
            letters.append(_LETTERS[index])
        return f"{prefix}_1S{''.join(letters)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """The event that a sample object is for. `type` is the base type, `created` its time in epoch seconds;
    `account` the connected account (a made-up one where the event has none, for the fields that name one)."""

    type: str
    created: int
    livemode: bool
    account: str
    ids: Ids

    @property
    def action(self) -> str:
        """The last word of the type: `failed` of `payout.failed`."""
        return self.type.rpartition(".")[2]

    def id(self, prefix: str, length: int = 24) -> str:
        """A new id with that prefix."""
        return self.ids.new(prefix, length)

    def object(self, kind: str, prefix: str | None, /, *, aged: int = 0, **fields: Json) -> dict[str, Json]:
        """The fields every object has, then those given; `aged` is how many seconds before the event it was made."""
        head: dict[str, Json] = {} if prefix is None else {"id": self.id(prefix)}
        return {**head, "object": kind, "created": self.created - aged, "livemode": self.livemode, **fields}


def empty_list(url: str) -> dict[str, Json]:
    """A list object of Stripe's without elements."""
    return {"object": "list", "data": [], "has_more": False, "total_count": 0, "url": url}
