"""The OTLP receiver: what agents send is acknowledged when it lies in the log, and not before.

    POST /v1/traces, /v1/logs    protobuf or JSON, plain, gzip or zstd
    GET  /healthz                200 while the log takes what is sent

Beside HTTP it may serve gRPC (`grpc_server`), into the same log, within the same bounds.

Bodies go into the log as they came, decompressed. Only requests larger than the log's messages are cut.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.routing import Route

from flows.receiving import answers
from flows.receiving.answers import Refusal
from flows.receiving.bodies import BodyType
from flows.receiving.bodies import body_type as read_body_type
from flows.receiving.intake import Intake
from flows.receiving.settings import ReceiverSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from flows.receiving.answers import Rejected
    from flows.receiving.grpc_server import GrpcServer
    from flows.receiving.intake import Signal
    from streams.port import Log

_HEARD_OUT_BYTES: Final = 64 << 20
_HEARD_OUT_S: Final = 10.0
"""So much of a body that is not taken is read all the same, and thrown away; or four times what a body may have."""


def create_app(log: Log, settings: ReceiverSettings | None = None, also: GrpcServer | None = None) -> Starlette:
    """Build the ASGI application; it writes to `log` from its start-up to its shutdown, and does not close it.

    `also` is served in the same time.
    """
    receiver = _Receiver(log, settings or ReceiverSettings(), also)
    routes = [
        Route("/v1/traces", receiver.traces, methods=["POST"]),
        Route("/v1/logs", receiver.logs, methods=["POST"]),
        Route("/healthz", receiver.health, methods=["GET"]),
    ]
    app = Starlette(routes=routes, lifespan=receiver.lifespan)
    app.state.intake = receiver.intake
    return app


class _Receiver:
    def __init__(self, log: Log, settings: ReceiverSettings, also: GrpcServer | None) -> None:
        self._settings = settings
        self._also = also
        self.intake = Intake(log, settings)

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Write from start-up to shutdown."""
        async with self.intake.serving(), self._also.serving(self.intake) if self._also else contextlib.nullcontext():
            yield

    async def traces(self, request: Request) -> Response:
        """Take spans."""
        return await self._answer(request, self.intake.traces)

    async def logs(self, request: Request) -> Response:
        """Take log records."""
        return await self._answer(request, self.intake.logs)

    async def health(self, request: Request) -> Response:
        """Say whether the log takes what is sent."""
        failure = self.intake.failure
        return JSONResponse({"status": failure or "ok"}, 503 if failure else 200)

    async def _answer(self, request: Request, signal: Signal) -> Response:
        kind = read_body_type(request.headers.get("content-type", ""))
        try:
            rejected = await self._take(request, kind, signal)
            response = answers.success(kind or BodyType.JSON, signal.rejected_name, rejected)
        except Refusal as refused:
            response = answers.refusal(kind or BodyType.JSON, refused)
        except ClientDisconnect:
            response = answers.refusal(kind or BodyType.JSON, Refusal(400, "the sender left"))
        self.intake.count(response.status_code)
        return response

    async def _take(self, request: Request, kind: BodyType | None, signal: Signal) -> Rejected:
        """Put a request into the log; give what of it was not taken. Raises Refusal."""
        parts = request.stream()
        try:
            kind = _wanted(kind, request)
            body = await self._body(request, parts)
        except Refusal:
            if not request.headers.get("expect"):  # else it waits for a word before it sends
                await self._hear_out(parts)
            raise
        return await self.intake.take(signal, body, request.headers.get("content-encoding", ""), kind)

    async def _hear_out(self, parts: AsyncIterator[bytes]) -> None:
        """Let a sender that is refused send its body to the end, within bounds: while it sends it does not listen.

        A connection that it wants closed afterwards would be reset under it, and it never hear why.
        """
        left = max(_HEARD_OUT_BYTES, 4 * self._settings.max_body)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HEARD_OUT_S):
                async for part in parts:
                    left -= len(part)
                    if left < 0:
                        return

    async def _body(self, request: Request, parts: AsyncIterator[bytes]) -> bytes:
        """Read the bytes of a body, no more than allowed; none while senders must wait."""
        self.intake.refuse_overload()
        limit = self._settings.max_body
        too_large = Refusal(413, f"the body is beyond {limit} bytes")
        said = request.headers.get("content-length", "")
        if said.isdigit() and int(said) > limit:
            raise too_large
        read: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._settings.body_within_s):
                async for part in parts:
                    size += len(part)
                    if size > limit:
                        raise too_large
                    self.intake.receives(len(part))
                    read.append(part)
        except TimeoutError:
            said = f"the body did not come within {self._settings.body_within_s:.0f} s"
            raise Refusal(503, said, self._settings.retry_after_s) from None
        finally:
            self.intake.received(sum(map(len, read)))
        return b"".join(read)


def _wanted(kind: BodyType | None, request: Request) -> BodyType:
    """Refuse what is of no type that is understood."""
    if kind is None:
        expected = " or ".join(known.value for known in BodyType)
        raise Refusal(415, f"content type {request.headers.get('content-type')!r}, expected {expected}")
    return kind
