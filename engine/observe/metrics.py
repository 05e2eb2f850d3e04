"""The numbers at /metrics. One `Metrics` a process, with a registry of its own; labels only from closed sets.

Children are bound once and then found in a dictionary, since asking prometheus_client for one costs four times as
much as counting.
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.process_collector import ProcessCollector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_COMMIT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_BATCH = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_ATTEMPT = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
_DELAY = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)

# A second series for each counter that says when it was made: nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client left it without types


class _Counts:
    """A counter whose children are bound at first use."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._children: dict[tuple[str, ...], Counter] = {}

    def add(self, *labels: str, amount: float = 1) -> None:
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = self._counter.labels(*labels)
        child.inc(amount)


class _Spread:
    """A histogram whose children are bound at first use."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._children: dict[tuple[str, ...], Histogram] = {}

    def add(self, value: float, *labels: str) -> None:
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = self._histogram.labels(*labels) if labels else self._histogram
        child.observe(value)


class Metrics:
    """Everything that is counted. Each method is one occasion; the labels are values of closed sets."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        self._described: list[tuple[str, tuple[str, ...], str]] = []
        self._requests = self._counts(
            "tocsin_webhook_requests_total", "Webhook requests by what became of them and why.", "result", "reason"
        )
        self._events = self._counts(
            "tocsin_events_total",
            "Events received, duplicates included.",
            "payload",
            "scope",
            "livemode",
            "duplicate",
        )
        self._commits = self._spread("tocsin_commit_seconds", "How long one group commit took.", _COMMIT)
        self._batches = self._spread("tocsin_commit_events", "Events stored by one group commit.", _BATCH)
        self._firings = self._counts(
            "tocsin_firings_total",
            "Rules that fired, for a match or as its follow_up: an escalation, a reminder, the end of an incident.",
            "rule",
            "mode",
            "cause",
        )
        self._deliveries = self._counts(
            "tocsin_deliveries_total", "Deliveries that ended, by how they ended.", "verb", "outcome"
        )
        self._attempts = self._counts(
            "tocsin_attempts_total", "Attempts of deliveries, by how they went.", "verb", "outcome"
        )
        self._attempt_seconds = self._spread(
            "tocsin_attempt_seconds", "How long one attempt of a delivery took.", _ATTEMPT, "verb"
        )
        self._delays = self._spread(
            "tocsin_delivery_delay_seconds", "From receiving an event to delivering what came of it.", _DELAY, "verb"
        )
        self._put_off = self._counts(
            "tocsin_deliveries_put_off_total", "Times a delivery had to wait for its destination, by what for.", "why"
        )
        self._breaker = self._gauge(
            "tocsin_open_destinations", "Whether a destination is left alone because it fails.", "destination"
        )
        self._reloads = self._counts("tocsin_rulebook_reloads_total", "Times the rules were read again.", "result")
        self._queue_age = self._gauge(
            "tocsin_queue_age_seconds",
            "How long what is due has been waiting at the most: deliveries, and what rules wait for.",
        )
        self._queue_size = self._gauge(
            "tocsin_queue_deliveries",
            "Deliveries that are pending: due, being attempted, or waiting for their next attempt.",
        )
        self._reload_time = self._gauge(
            "tocsin_rulebook_reload_timestamp_seconds", "When the rules were last read without a mistake."
        )
        self._rules = self._gauge("tocsin_rulebook_rules", "Rules that are loaded.", "mode")
        self._broken = self._gauge("tocsin_rulebook_broken_files", "Rule files running as their last good version.")

    def count(self, result: str, reason: str) -> None:
        """A webhook request was answered; `reason` is empty where there is nothing to explain."""
        self._requests.add(result, reason)

    def event(self, payload: str, scope: str, livemode: bool, duplicate: bool) -> None:
        """A verified event was stored, or was there already."""
        self._events.add(payload, scope, _WORD[livemode], _WORD[duplicate])

    def commit(self, seconds: float, events: int) -> None:
        """A group commit went through."""
        self._commits.add(seconds)
        self._batches.add(events)

    def fired(self, rule: str, mode: str, *, follow_up: bool = False) -> None:
        """A rule fired for a match, or for what comes of one later; in shadow mode it would have."""
        self._firings.add(rule, mode, "follow_up" if follow_up else "match")

    def attempt(self, verb: str, outcome: str, seconds: float) -> None:
        """An attempt of a delivery came to an outcome."""
        self._attempts.add(verb, outcome)
        self._attempt_seconds.add(seconds, verb)

    def delivery(self, verb: str, outcome: str, delay: float | None = None) -> None:
        """A delivery ended. `delay` is the seconds since its event was received, None where there is no event."""
        self._deliveries.add(verb, outcome)
        if delay is not None:
            self._delays.add(delay, verb)

    def queue(self, age: float, size: int) -> None:
        """How the queue stands; an age of 0 where nothing is due."""
        self._queue_age.set(age)
        self._queue_size.set(size)

    def put_off(self, why: str) -> None:
        """A delivery waits for its destination: for its `breaker` or its `rate`."""
        self._put_off.add(why)

    def breaker(self, destination: str, is_open: bool) -> None:
        """A destination is left alone, or is not any more. Destinations are those of the configuration."""
        self._breaker.labels(destination).set(is_open)

    def reload(self, *, ok: bool, at: float, rules: Mapping[str, int], broken: int) -> None:
        """The rules were read at that Unix time. `rules` counts those now loaded by mode."""
        self._reloads.add("ok" if ok else "mistakes")
        if ok:
            self._reload_time.set(at)
        for mode, number in rules.items():
            self._rules.labels(mode).set(number)
        self._broken.set(broken)

    def page(self) -> bytes:
        """The page in Prometheus's text format, whose media type is CONTENT_TYPE."""
        return generate_latest(self.registry)

    def describe(self) -> list[tuple[str, tuple[str, ...], str]]:
        """`(name, labels, help)` of each of our metrics, as docs list them."""
        return list(self._described)

    def _counts(self, name: str, text: str, *labels: str) -> _Counts:
        self._described.append((name, labels, text))
        return _Counts(Counter(name, text, labels, registry=self.registry))

    def _spread(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> _Spread:
        self._described.append((name, labels, text))
        return _Spread(Histogram(name, text, labels, registry=self.registry, buckets=buckets))

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        self._described.append((name, labels, text))
        return Gauge(name, text, labels, registry=self.registry)


_WORD = {True: "true", False: "false"}
