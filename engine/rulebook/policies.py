"""`retry`, `timeout` and `on_error` of a step."""

from datetime import timedelta

from engine.model.rule import LADDER, RetryPolicy
from engine.rulebook.fields import check_keys, duration, mapping, whole_number
from engine.rulebook.findings import Findings
from engine.source import Node, Sequence

KEYS = ("attempts", "backoff", "max")
LONGEST_WAIT = timedelta(days=3)
MOST_ATTEMPTS = 50


def read_retry(found: Findings, node: Node) -> RetryPolicy | None:
    """`{attempts, backoff, max}`: how often to try, the waits between, and the longest of them.

    `backoff` is a duration, doubled after each try, or a list of durations, of which the last repeats.
    """
    given = mapping(found, node, "a map of attempts, backoff and max")
    if given is None:
        return None
    errors = found.errors
    check_keys(found, given, "retry", KEYS)
    limit_node, backoff, attempts_node = given.get("max"), given.get("backoff"), given.get("attempts")
    limit = None if limit_node is None else duration(found, limit_node, longest=LONGEST_WAIT)
    attempts = None if attempts_node is None else whole_number(found, attempts_node, "a count", 1, MOST_ATTEMPTS)
    waits = LADDER if backoff is None else _waits(found, backoff, attempts, limit)
    if isinstance(backoff, Sequence) and attempts is None:
        attempts = len(waits) + 1
    if found.errors > errors:
        return None
    return RetryPolicy(attempts=attempts or RetryPolicy().attempts, waits=waits, limit=limit)


def _waits(found: Findings, node: Node, attempts: int | None, limit: timedelta | None) -> tuple[timedelta, ...]:
    if isinstance(node, Sequence):
        if not node.items:
            found.error("empty", node, "expected a duration or a list of them, got an empty list")
        if attempts is not None and len(node.items) >= attempts:
            message = f"{attempts} attempts have {attempts - 1} waits between them, and this is {len(node.items)}"
            found.error("retry", node, message)
        read = [duration(found, item, longest=LONGEST_WAIT) for item in node.items]
        return tuple(wait for wait in read if wait is not None)
    first = duration(found, node, longest=LONGEST_WAIT)
    if first is None:
        return ()
    if limit is not None and limit < first:
        found.error("retry", node, "the first wait is longer than max")
    longest = limit or LONGEST_WAIT
    waits = [first]
    while len(waits) < (attempts or RetryPolicy().attempts) - 1 and waits[-1] < longest:
        waits.append(min(waits[-1] * 2, longest))
    return tuple(waits)
