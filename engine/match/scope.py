"""What the filters of one search share."""

from engine.match.values import number
from engine.model.event import Json


class Scope:
    """`root` is `$`; `absolute` what queries from it have found; `same` knows which values are equal.

    It is good for one search of one event, which nothing modifies meanwhile.
    """

    __slots__ = ("_kinds", "_numbers", "absolute", "root")

    def __init__(self, root: Json) -> None:
        self.root = root
        self.absolute: dict[int, list[Json]] = {}
        self._kinds: dict[Json, int] = {}
        self._numbers: dict[int, int] = {}

    def same(self, one: Json, other: Json) -> bool:
        """Whether two lists or two maps are equal, at any depth.

        Each list and map is looked at once and gets a number, the same for equal ones: comparing again costs nothing,
        however many values a filter compares.
        """
        if type(one) is not type(other) or len(one) != len(other):
            return False
        return self._number_of(one) == self._number_of(other)

    def _number_of(self, value: Json) -> int:
        pending = [value]
        while pending:
            current = pending[-1]
            inner = current.values() if isinstance(current, dict) else current
            unknown = [each for each in inner if isinstance(each, (dict, list)) and id(each) not in self._numbers]
            if unknown:
                pending += unknown
                continue
            pending.pop()
            kind: Json
            if isinstance(current, dict):
                kind = frozenset((key, self._kind(each)) for key, each in current.items())
            else:
                kind = tuple(self._kind(each) for each in current)
            self._numbers[id(current)] = self._kinds.setdefault(kind, len(self._kinds))
        return self._numbers[id(value)]

    def _kind(self, value: Json) -> Json:
        if isinstance(value, (dict, list)):
            return (type(value), self._numbers[id(value)])
        if value is None or isinstance(value, (bool, str)):
            return (type(value), value)
        exact = number(value)
        return exact if exact is not None else object()  # NaN equals nothing
