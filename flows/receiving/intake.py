"""The way into the log, the same for every protocol: unpacked, cut where too large, looked at, written, told."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool

from flows.protobuf import NotProtobufError
from flows.receiving.answers import Refusal, Rejected
from flows.receiving.bodies import TooLargeError, UnknownEncodingError, UnreadableError, decompress
from flows.receiving.commits import GroupCommit
from flows.receiving.looking import check_records, unusable_spans
from flows.receiving.splitting import split

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flows.receiving.bodies import BodyType
    from flows.receiving.settings import ReceiverSettings
    from streams.port import Log

_IN_LINE_BYTES: Final = 256 << 10  # larger bodies are unpacked in a thread: they would hold up the others

_ASK_EVERY_S: Final = 1.0


@dataclass(frozen=True)
class Signal:
    """One kind of telemetry: where it goes, and what OTLP/JSON calls the number of its items that are rejected."""

    topic: str
    rejected_name: str
    holds_spans: bool


@dataclass(frozen=True)
class _Unpacked:
    messages: list[bytes]
    rejected: Rejected


class Intake:
    """Takes requests into `log` while `serving` is entered; used from one event loop."""

    def __init__(self, log: Log, settings: ReceiverSettings) -> None:
        self._settings = settings
        self._commit = GroupCommit(log, self._prepare)
        self._behind = 0
        self._receiving = 0
        self._away: str | None = None
        self._ended = threading.Event()
        self.traces = Signal(settings.spans_topic, "rejectedSpans", holds_spans=True)
        self.logs = Signal(settings.logs_topic, "rejectedLogRecords", holds_spans=False)
        self.answers: dict[int, int] = {}
        """Requests answered so far, by HTTP status, or what it would have been."""

    @property
    def failure(self) -> str | None:
        """What the log last failed with; None: it takes what is sent, as far as is known."""
        return self._commit.failure or self._away

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Write while this is entered; what was taken is written before it is left."""
        self._commit.start()
        # no task: one that waits for a log that does not answer would hold up the end
        threading.Thread(target=self._watch_backlog, name="backlog", daemon=True).start()
        try:
            yield
        finally:
            self._ended.set()
            await run_in_threadpool(self._commit.stop)

    def count(self, status: int) -> None:
        """Count an answer."""
        self.answers[status] = self.answers.get(status, 0) + 1

    def refuse_overload(self) -> None:
        """Raise Refusal where senders must wait: ask before a body is read."""
        if self._commit.pending_bytes > self._settings.max_pending:
            raise Refusal(429, "the log takes less than is sent: wait", self._settings.retry_after_s)
        if self._behind > self._settings.max_backlog:
            raise Refusal(429, f"{self._behind} messages wait to be read: wait", self._settings.retry_after_s)

    def receives(self, size: int) -> None:
        """Count bytes of a body that has not all come. Raises Refusal where that is too much of all bodies together."""
        if self._receiving + size > self._settings.max_receiving:
            raise Refusal(429, "more is sent at once than there is memory for: wait", self._settings.retry_after_s)
        self._receiving += size

    def received(self, size: int) -> None:
        """Forget bytes that were counted: their body is there, or given up."""
        self._receiving -= size

    async def take(self, signal: Signal, body: bytes, encoding: str, kind: BodyType) -> Rejected:
        """Put a request into the log; give what of it was not taken. Raises Refusal."""
        try:
            if len(body) > _IN_LINE_BYTES:
                unpacked = await run_in_threadpool(self._unpack, signal, body, encoding, kind)
            else:
                unpacked = self._unpack(signal, body, encoding, kind)
        except TooLargeError as error:
            raise Refusal(413, str(error)) from error
        except UnknownEncodingError as error:
            raise Refusal(415, str(error)) from error
        except (UnreadableError, NotProtobufError) as error:
            raise Refusal(400, str(error)) from error
        await self._put(signal.topic, unpacked.messages)
        return unpacked.rejected

    def _unpack(self, signal: Signal, body: bytes, encoding: str, kind: BodyType) -> _Unpacked:
        """Make messages of a body. A span without trace id stays in its message: the decoder keeps it as a dead letter.

        So what a sender is told and may never read is in the log all the same.
        """
        plain = decompress(body, encoding, self._settings.max_body)
        cut = split(plain, kind, self._settings.max_message)
        unusable = 0
        for message in cut.messages:
            if signal.holds_spans:
                unusable += unusable_spans(message, kind)
            else:
                check_records(message, kind)
        return _Unpacked(cut.messages, Rejected(cut.rejected, self._settings.max_message, unusable))

    async def _put(self, topic: str, messages: list[bytes]) -> None:
        """Wait until the log has the messages."""
        if not messages:
            return
        try:
            await asyncio.wait_for(self._commit.put(topic, messages), self._settings.acknowledge_within_s)
        except ValueError as error:
            raise Refusal(413, str(error)) from error
        except TimeoutError as error:
            raise Refusal(503, "the log does not answer", self._settings.retry_after_s) from error
        except Exception as error:
            raise Refusal(503, f"the log did not take it: {error}", self._settings.retry_after_s) from error

    def _prepare(self, log: Log) -> None:
        """Make the topics, in the writing thread."""
        for topic in (self._settings.spans_topic, self._settings.logs_topic):
            log.ensure(topic, self._settings.partitions)

    def _watch_backlog(self) -> None:
        """Ask now and then how far the reader is behind; what cannot be told is a failure, but holds up nobody."""
        ask = self._settings.backlog
        while ask is not None and not self._ended.is_set():
            try:
                self._behind, self._away = ask() or 0, None
            except Exception as error:  # noqa: BLE001 - the log is away, and then writing fails by itself
                self._behind, self._away = 0, str(error)
            self._ended.wait(_ASK_EVERY_S)
