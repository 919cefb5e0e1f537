"""Costs of model calls: as a span reports it, else by model and tokens at the flow's own prices."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.spans.price_catalog import Catalog

_NANO = 10**9


class Costs:
    """Thread-safe. Prices are loaded when they are first asked for, which takes a second."""

    def __init__(self, overrides: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self._overrides = overrides
        self._lock = threading.Lock()
        self._catalog: Catalog | None = None

    def prepare(self) -> None:
        """Load the prices."""
        with self._lock:
            self._loaded()

    def of(self, provider: str, model: str, at_s: int, tokens: Mapping[str, float]) -> float | None:
        """Give USD; None where the model has no known price. `tokens`: input, output, cache_read, cache_write."""
        with self._lock:
            tiers = self._loaded().tiers(provider, model, at_s)
        if not tiers:
            return None
        given, output, read, write = (
            tokens.get(name, 0.0) for name in ("input", "output", "cache_read", "cache_write")
        )
        tier = next((each for each in reversed(tiers) if given > each.above), tiers[0])
        cost = tier.request + tier.uncached * max(given - read - write, 0.0) + tier.output * output
        return (cost + tier.cache_read * read + tier.cache_write * write) / _NANO

    def _loaded(self) -> Catalog:
        if self._catalog is None:
            from models.spans.price_catalog import Catalog  # noqa: PLC0415 -- loads all prices there are

            self._catalog = Catalog(self._overrides)
        return self._catalog
