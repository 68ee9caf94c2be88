"""How tests draw: the same examples each time, and few."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

few = settings(
    max_examples=15,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
many = settings(few, max_examples=100)
