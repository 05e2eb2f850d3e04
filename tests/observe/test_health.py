"""What the health pages say."""

from engine.observe import Check, Health, HealthStatus


def test_without_trouble_it_is_ok() -> None:
    health = Health(checks=(Check(name="store", ok=True), Check(name="rules", ok=True, reason="41 rules")))
    assert (health.status, health.ready, health.http_status) == (HealthStatus.OK, True, 200)
    assert health.as_json() == {
        "status": "ok",
        "checks": {"store": {"ok": True, "reason": None}, "rules": {"ok": True, "reason": "41 rules"}},
    }


def test_what_does_not_block_only_degrades() -> None:
    health = Health(checks=(Check(name="rules", ok=False, reason="a.yaml is broken", blocking=False),))
    assert (health.status, health.ready, health.http_status) == (HealthStatus.DEGRADED, True, 200)


def test_what_blocks_makes_it_not_ready() -> None:
    health = Health(
        checks=(
            Check(name="rules", ok=False, reason="a.yaml is broken", blocking=False),
            Check(name="store", ok=False, reason="no answer"),
        )
    )
    assert (health.status, health.ready, health.http_status) == (HealthStatus.FAILING, False, 503)
    assert health.as_json()["checks"]["store"]["reason"] == "no answer"
