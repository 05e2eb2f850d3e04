"""The store: PostgreSQL, embedded or anywhere, and the job queue in it. `Store` is the one door."""

from engine.store.store import Store

__all__ = ["Store"]
