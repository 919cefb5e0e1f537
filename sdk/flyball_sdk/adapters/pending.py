"""Pending: which decision a call that is under way was given, where a framework tells of its end by the call's id."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable

    from flyball_sdk.decision import Decision

_MOST: Final = 10_000


class Pending:
    """Decisions by call. Thread-safe; of more than 10,000 the oldest are forgotten."""

    def __init__(self) -> None:
        self._decisions: OrderedDict[Hashable, Decision] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, call: Hashable, decision: Decision) -> None:
        """Remember a call that was let through."""
        with self._lock:
            self._decisions[call] = decision
            if len(self._decisions) > _MOST:
                self._decisions.popitem(last=False)

    def take(self, call: Hashable) -> Decision | None:
        """Give the decision of a call that has ended, once."""
        with self._lock:
            return self._decisions.pop(call, None)
