"""The OTLP/HTTP receiver: what agents post is acknowledged when it lies in the log, and not before.

    POST /v1/traces, /v1/logs    protobuf or JSON, plain, gzip or zstd
    GET  /healthz                200 while the log takes what is sent

Bodies go into the log as they came, decompressed. Only requests larger than the log's messages are cut.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.routing import Route

from flows.receiving import answers
from flows.receiving.answers import Refusal
from flows.receiving.bodies import BodyType, TooLargeError, UnknownEncodingError, UnreadableError, check, decompress
from flows.receiving.bodies import body_type as read_body_type
from flows.receiving.commits import GroupCommit
from flows.receiving.splitting import Split, split

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from streams.port import Log

_IN_LINE_BYTES: Final = 256 << 10  # larger bodies are unpacked in a thread: they would hold up the others


@dataclass(frozen=True)
class ReceiverSettings:
    """Bounds of the receiver; sizes in bytes."""

    spans_topic: str = "otlp_spans"
    logs_topic: str = "otlp_logs"
    partitions: int = 4
    """Of a topic that does not exist yet."""
    max_body: int = 16 << 20
    """Larger bodies, compressed or not, are refused with 413."""
    max_message: int = 900_000
    """Larger requests are cut; a span larger than this is rejected. Must not be beyond what the log takes."""
    max_pending: int = 64 << 20
    """Bytes received and not yet in the log beyond which senders are told to wait (429)."""
    backlog: Callable[[], int | None] | None = None
    """How many messages the reader of the log is behind; asked every second, in a thread."""
    max_backlog: int = 1_000_000
    """A backlog beyond which senders are told to wait (429)."""
    acknowledge_within_s: float = 10.0
    """A request that is not in the log by then is answered 503; it may still come to lie there."""
    retry_after_s: int = 1


def create_app(log: Log, settings: ReceiverSettings | None = None) -> Starlette:
    """Build the ASGI application; it writes to `log` from its start-up to its shutdown, and does not close it."""
    receiver = _Receiver(log, settings or ReceiverSettings())
    routes = [
        Route("/v1/traces", receiver.traces, methods=["POST"]),
        Route("/v1/logs", receiver.logs, methods=["POST"]),
        Route("/healthz", receiver.health, methods=["GET"]),
    ]
    app = Starlette(routes=routes, lifespan=receiver.lifespan)
    app.state.answers = receiver.answers
    return app


class _Receiver:
    def __init__(self, log: Log, settings: ReceiverSettings) -> None:
        self._settings = settings
        self._commit = GroupCommit(log, self._prepare)
        self._behind = 0
        self.answers: dict[int, int] = {}
        """Requests answered so far, by status."""

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Write from start-up to shutdown."""
        self._commit.start()
        watch = asyncio.create_task(self._watch_backlog())
        try:
            yield
        finally:
            watch.cancel()
            await run_in_threadpool(self._commit.stop)

    async def traces(self, request: Request) -> Response:
        """Take spans."""
        return await self._answer(request, self._settings.spans_topic, "rejectedSpans")

    async def logs(self, request: Request) -> Response:
        """Take log records."""
        return await self._answer(request, self._settings.logs_topic, "rejectedLogRecords")

    async def health(self, request: Request) -> Response:
        """Say whether the log takes what is sent."""
        failure = self._commit.failure
        return JSONResponse({"status": failure or "ok"}, 503 if failure else 200)

    async def _answer(self, request: Request, topic: str, rejected_name: str) -> Response:
        kind = read_body_type(request.headers.get("content-type", ""))
        try:
            rejected = await self._take(request, kind, topic)
            why = f"larger than {self._settings.max_message} bytes" if rejected else ""
            response = answers.success(kind or BodyType.JSON, rejected_name, rejected, why)
        except Refusal as refused:
            response = answers.refusal(kind or BodyType.JSON, refused)
        except ClientDisconnect:
            response = answers.refusal(kind or BodyType.JSON, Refusal(400, "the sender left"))
        self.answers[response.status_code] = self.answers.get(response.status_code, 0) + 1
        return response

    async def _take(self, request: Request, kind: BodyType | None, topic: str) -> int:
        """Put a request into the log; give the number of its items that are too large for it. Raises Refusal."""
        if kind is None:
            expected = " or ".join(known.value for known in BodyType)
            raise Refusal(415, f"content type {request.headers.get('content-type')!r}, expected {expected}")
        self._refuse_overload()
        cut = await self._read(request, kind)
        await self._put(topic, cut.messages)
        return cut.rejected

    def _refuse_overload(self) -> None:
        if self._commit.pending_bytes > self._settings.max_pending:
            raise Refusal(429, "the log takes less than is sent: wait", self._settings.retry_after_s)
        if self._behind > self._settings.max_backlog:
            raise Refusal(429, f"{self._behind} messages wait to be read: wait", self._settings.retry_after_s)

    async def _read(self, request: Request, kind: BodyType) -> Split:
        """Read a body and make messages of it."""
        body = await self._body(request)
        encoding = request.headers.get("content-encoding", "")
        try:
            if len(body) > _IN_LINE_BYTES:
                return await run_in_threadpool(self._unpack, body, encoding, kind)
            return self._unpack(body, encoding, kind)
        except TooLargeError as error:
            raise Refusal(413, str(error)) from error
        except UnknownEncodingError as error:
            raise Refusal(415, str(error)) from error
        except UnreadableError as error:
            raise Refusal(400, str(error)) from error

    async def _body(self, request: Request) -> bytes:
        """Read the bytes of a body, no more than allowed."""
        limit = self._settings.max_body
        too_large = Refusal(413, f"the body is beyond {limit} bytes")
        said = request.headers.get("content-length", "")
        if said.isdigit() and int(said) > limit:
            raise too_large
        parts: list[bytes] = []
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise too_large
            parts.append(part)
        return b"".join(parts)

    def _unpack(self, body: bytes, encoding: str, kind: BodyType) -> Split:
        plain = decompress(body, encoding, self._settings.max_body)
        check(plain, kind)
        return split(plain, kind, self._settings.max_message)

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

    async def _watch_backlog(self) -> None:
        """Ask now and then how far the reader is behind; what cannot be told holds up nobody."""
        ask = self._settings.backlog
        while ask is not None:
            try:
                behind: int | None = await asyncio.to_thread(ask)
                self._behind = behind or 0
            except Exception:  # noqa: BLE001 - the log is away, and then writing fails by itself
                self._behind = 0
            await asyncio.sleep(1.0)
