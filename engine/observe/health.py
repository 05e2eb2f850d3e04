"""What /healthz and /readyz answer: named checks, each ok or with its reason."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class HealthStatus(StrEnum):
    """ok; degraded: it works, and somebody should look; failing: it cannot do its work."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILING = "failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at. `reason` says why it is not ok, and may say more where it is.

    `blocking`: while it is not ok the process should get no traffic; otherwise it only degrades.
    """

    name: str
    ok: bool
    reason: str | None = None
    blocking: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """All checks together."""

    checks: tuple[Check, ...] = ()

    @property
    def status(self) -> HealthStatus:
        """The worst of the checks."""
        bad = [check for check in self.checks if not check.ok]
        if any(check.blocking for check in bad):
            return HealthStatus.FAILING
        return HealthStatus.DEGRADED if bad else HealthStatus.OK

    @property
    def ready(self) -> bool:
        """Whether it can do its work: degraded is still ready."""
        return self.status is not HealthStatus.FAILING

    @property
    def http_status(self) -> int:
        """200 or 503."""
        return 200 if self.ready else 503

    def as_json(self) -> dict[str, Any]:
        """`{"status": .., "checks": {name: {"ok": .., "reason": ..}}}`."""
        return {
            "status": str(self.status),
            "checks": {check.name: {"ok": check.ok, "reason": check.reason} for check in self.checks},
        }
