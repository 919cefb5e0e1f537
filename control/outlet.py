"""Outlet: puts orders that are written into their topic, in order, and forgets them; after a crash some once more."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from streams.port import LogError

if TYPE_CHECKING:
    from control.store import Store
    from streams.port import Log, Writer

KEY: Final = b"orders"
"""One for all: so they lie in one partition, in order, however many the topic has."""
_AT_ONCE: Final = 500


class Outlet:
    """The topic of orders as the control plane writes it. Not thread-safe."""

    def __init__(self, store: Store, log: Log, topic: str) -> None:
        self._store, self._log, self._topic = store, log, topic
        self._writer: Writer | None = None
        self._put = -1

    def step(self) -> bool:
        """Put some of what waits; False: nothing waits. Raises what the log or the file says; then try again."""
        rows = self._store.orders(self._put, _AT_ONCE)
        if not rows:
            return False
        if self._writer is None:
            self._log.ensure(self._topic, 1)
            self._writer = self._log.writer()
        try:
            self._writer.append(self._topic, [(KEY, said) for _, said in rows])
            self._writer.flush()
        except BaseException:
            self.close()
            raise
        self._put = rows[-1][0]
        self._store.forget_orders(self._put)
        return True

    def close(self) -> None:
        """Release the writer."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(LogError, OSError):  # it is put again from the file
                writer.close()
