"""Health: what /healthz says of a flow: what its parts have told, and what those answer that are asked each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

    from flows.metrics import Metrics


class Health:
    """Of one process."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.registry: CollectorRegistry = metrics.registry
        self.asked: list[Callable[[], str | None]] = []
        """Each says what is wrong; None: nothing."""

    @property
    def problem(self) -> str | None:
        """Give the first of what is wrong; None: the flow is well."""
        told = (ask() for ask in self.asked)
        return self._metrics.problem or next((said for said in told if said), None)
