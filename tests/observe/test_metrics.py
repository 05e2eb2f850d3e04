"""The numbers: named by one rule, counted where they should be, cheap, and labelled from closed sets."""

import re
import time

from prometheus_client.parser import text_string_to_metric_families

from engine.observe import Metrics


def samples(metrics: Metrics) -> dict[str, float]:
    """Each of our samples as `name{label=value,...}`."""
    return {
        f"{sample.name}{{{','.join(f'{key}={value}' for key, value in sorted(sample.labels.items()))}}}": sample.value
        for family in text_string_to_metric_families(metrics.page().decode())
        for sample in family.samples
        if sample.name.startswith("tocsin_")
    }


def test_every_occasion_is_counted() -> None:
    metrics = Metrics()
    metrics.count("refused", "no_match")
    metrics.count("refused", "no_match")
    metrics.event("snapshot", "connected", livemode=True, duplicate=False)
    metrics.commit(0.003, 7)
    metrics.fired("payout-failed", "live")
    metrics.fired("payout-failed", "live", follow_up=True)
    metrics.attempt("callback", "retry", 0.2)
    metrics.delivery("callback", "delivered", 0.3)
    metrics.delivery("notify", "dead")
    metrics.queue(4.5, 2)
    metrics.reload(ok=True, at=100.0, rules={"live": 40, "off": 2}, broken=0)
    metrics.reload(ok=False, at=200.0, rules={"live": 41, "off": 2}, broken=1)
    found = samples(metrics)
    expected = {
        "tocsin_webhook_requests_total{reason=no_match,result=refused}": 2,
        "tocsin_events_total{duplicate=false,livemode=true,payload=snapshot,scope=connected}": 1,
        "tocsin_commit_seconds_count{}": 1,
        "tocsin_commit_events_sum{}": 7,
        "tocsin_firings_total{cause=match,mode=live,rule=payout-failed}": 1,
        "tocsin_firings_total{cause=follow_up,mode=live,rule=payout-failed}": 1,
        "tocsin_attempts_total{outcome=retry,verb=callback}": 1,
        "tocsin_attempt_seconds_sum{verb=callback}": 0.2,
        "tocsin_deliveries_total{outcome=delivered,verb=callback}": 1,
        "tocsin_deliveries_total{outcome=dead,verb=notify}": 1,
        "tocsin_delivery_delay_seconds_count{verb=callback}": 1,
        "tocsin_queue_age_seconds{}": 4.5,
        "tocsin_queue_deliveries{}": 2,
        "tocsin_rulebook_reloads_total{result=ok}": 1,
        "tocsin_rulebook_reloads_total{result=mistakes}": 1,
        "tocsin_rulebook_reload_timestamp_seconds{}": 100,
        "tocsin_rulebook_rules{mode=live}": 41,
        "tocsin_rulebook_broken_files{}": 1,
    }
    assert {name: found[name] for name in expected} == expected


def test_names_follow_one_rule_and_are_all_described() -> None:
    metrics = Metrics()
    described = metrics.describe()
    for name, labels, text in described:
        assert re.fullmatch(
            r"tocsin_[a-z]+(_[a-z]+)*_(total|seconds|events|deliveries|destinations|rules|files)", name
        ), name
        assert text.endswith(".")
        assert all(label.isidentifier() for label in labels)
    page = metrics.page().decode()
    ours = set(re.findall(r"^# TYPE (tocsin_\w+)", page, re.MULTILINE))
    assert ours == {name for name, _, _ in described}


def test_two_do_not_share_their_numbers() -> None:
    one, two = Metrics(), Metrics()
    one.count("accepted", "")
    assert "tocsin_webhook_requests_total{reason=,result=accepted}" not in samples(two)


def test_counting_is_cheap() -> None:
    """Some microseconds an event on the hot path; the bound is loose for slow machines."""
    metrics = Metrics()
    began = time.process_time()
    for _ in range(10_000):
        metrics.count("accepted", "")
        metrics.event("snapshot", "connected", livemode=True, duplicate=False)
    assert time.process_time() - began < 1
