"""Reloading: `routes.yaml`, and the files its secrets lie in, are looked at while delivery runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from flyball.config.load import find_directory
from flyball.config.problems import ConfigError
from flyball.config.routes_yaml import FILE, load_routes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from alerts.delivery import Delivery, Routes

_EVERY_S: Final = 2.0


class Reloading:
    """Loads the routes again when they change. What is bad is refused, once and aloud; the last good ones stay."""

    def __init__(
        self,
        directory: Path | None,
        delivery: Delivery,
        say: Callable[[str], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory, self._delivery, self._say, self._now_s = directory, delivery, say, now_s
        self._seen = self._look()
        self._next_s = now_s() + _EVERY_S

    def look_now(self) -> None:
        """Have the next `look` look, however short ago the last one was."""
        self._next_s = 0.0

    def look(self) -> None:
        """Load the routes if it is time to look and they have changed."""
        if self._now_s() < self._next_s:
            return
        self._next_s = self._now_s() + _EVERY_S
        found = self._look()
        if found == self._seen:
            return
        self._seen = found
        reloads = self._delivery.metrics.reloads
        if isinstance(found, str):
            reloads.labels("refused").inc()
            for line in found.splitlines():
                self._say(f"{line}: {FILE} is refused, the last good one stays")
            return
        self._delivery.reroute(found)
        reloads.labels("taken").inc()
        self._say(f"{FILE} is read again: {len(found.sinks)} sinks, {len(found.routing.routes)} routes")

    def _look(self) -> Routes | str:
        """Give what the file says, or what is wrong with it."""
        try:
            return load_routes(self._directory and find_directory(self._directory))
        except ConfigError as error:
            return str(error)
