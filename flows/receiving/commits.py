"""Group commit: one thread writes what all waiting requests brought, flushes once, and tells them all.

While a flush is under way further requests queue up and share the next one. So the number of flushes follows the speed
of the log, not the number of requests.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.port import Log, Writer

_log = logging.getLogger(__name__)
_TRY_S = 5.0
"""So long after a failure the log is tried, where nobody sends."""
_SAY_S = 10.0
"""What goes on failing is said so often, with the number of requests: each would be said on the disk that is full."""


@dataclass(frozen=True)
class Request:
    """Messages of one request, and where its sender waits."""

    topic: str
    messages: Sequence[bytes]
    done: asyncio.Future[None]
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    @property
    def size(self) -> int:
        """Count its bytes."""
        return sum(map(len, self.messages))

    def tell(self, error: Exception | None) -> None:
        """Wake the sender, from any thread; it may have gone."""
        self.loop.call_soon_threadsafe(self._tell, error)

    def _tell(self, error: Exception | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class GroupCommit:
    """Takes requests from the event loop, writes them in a thread of its own."""

    def __init__(self, log: Log, prepare: Callable[[Log], None]) -> None:
        """Write to `log`; `prepare` is called in the thread before the first message, again after it has failed."""
        self._log = log
        self._prepare = prepare
        self._waiting: list[Request] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._writer: Writer | None = None
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self.pending_bytes = 0
        """Brought by requests that were not told yet."""
        self._unsaid = 0
        self._said_at = -_SAY_S
        self.failure: str | None = None
        """What the last flush failed with; None: it succeeded, or there was none, or the log works again."""

    def start(self) -> None:
        """Begin to take requests."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is waiting, then end. Blocks."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    async def put(self, topic: str, messages: Sequence[bytes]) -> None:
        """Return when the messages survive the death of this process. Raises what the log raised."""
        request = Request(topic, messages, asyncio.get_running_loop().create_future())
        with self._changed:
            self.pending_bytes += request.size
            self._waiting.append(request)
            self._changed.notify()
        await request.done

    def _run(self) -> None:
        while not self._is_over():
            group = self._next_group()
            if not group:
                self._try()
                continue
            outcomes = self._write(group)
            size = sum(request.size for request in group)
            with self._changed:
                self.pending_bytes -= size
            for request, error in zip(group, outcomes, strict=True):
                request.tell(error)
        self._drop_writer()

    def _is_over(self) -> bool:
        """Wait for requests, and after a failure no longer than until it is time to try; say whether to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping, _TRY_S if self.failure else None)
            return self._stopping and not self._waiting

    def _next_group(self) -> list[Request]:
        with self._changed:
            group, self._waiting = self._waiting, []
            return group

    def _try(self) -> None:
        """Find out whether the log works again: who is told that it does not may send nothing more until it does."""
        try:
            self._open_writer().flush()
        except Exception as error:  # noqa: BLE001 - whatever it is, it goes on
            self.failure = str(error)
            self._drop_writer()
        else:
            self._works()

    def _write(self, group: list[Request]) -> list[Exception | None]:
        """Write and flush a group; say of each request what became of it."""
        outcomes: list[Exception | None] = [None] * len(group)
        try:
            writer = self._open_writer()
            for index, request in enumerate(group):
                try:
                    writer.append(request.topic, [(None, message) for message in request.messages])
                except ValueError as error:  # too large for the log: this request alone is at fault
                    outcomes[index] = error
            writer.flush()
        except Exception as error:  # noqa: BLE001 - whatever it is, the senders must not wait for ever
            self.failure = str(error)
            self._say_failure(len(group))
            self._drop_writer()
            return [outcome or error for outcome in outcomes]
        self._works()
        return outcomes

    def _say_failure(self, requests: int) -> None:
        self._unsaid += requests
        if time.monotonic() - self._said_at >= _SAY_S:
            _log.warning("%d requests could not be written: %s", self._unsaid, self.failure)
            self._unsaid, self._said_at = 0, time.monotonic()

    def _works(self) -> None:
        if self.failure is not None:
            _log.warning("the log takes what is sent again; %d more requests could not be written", self._unsaid)
            self._unsaid, self._said_at = 0, -_SAY_S
        self.failure = None

    def _open_writer(self) -> Writer:
        if self._writer is None:
            self._prepare(self._log)
            self._writer = self._log.writer()
        return self._writer

    def _drop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except Exception as error:  # noqa: BLE001 - it has failed before, and the senders know
                _log.debug("closing the writer: %s", error)
