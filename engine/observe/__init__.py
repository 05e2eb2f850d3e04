"""Metrics, logs and health: what can be seen of a running service."""

from engine.observe import logs
from engine.observe.health import Check, Health, HealthStatus
from engine.observe.metrics import CONTENT_TYPE, Metrics
from engine.observe.redaction import Redactor

__all__ = ["CONTENT_TYPE", "Check", "Health", "HealthStatus", "Metrics", "Redactor", "logs"]
