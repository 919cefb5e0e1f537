"""OTLP over gRPC: TraceService/Export and LogsService/Export, by the same way into the log as over HTTP.

Messages stay bytes from the wire to the log, so there is no generated code. gRPC itself undoes gzip and deflate.
Source of the answers: OpenTelemetry protocol specification, "OTLP/gRPC Throttling" and "Partial Success".
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import grpc
from grpc import aio

from flows.receiving.answers import Refusal, export_response, retry_details
from flows.receiving.bodies import BodyType

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from flows.receiving.intake import Intake, Signal

    Export = Callable[[bytes, Any], Awaitable[bytes]]

_PACKAGE: Final = "opentelemetry.proto.collector"
_GRACE_S: Final = 5.0
"""Requests under way have so long to end once the server is told to stop."""
_STATUS: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    413: grpc.StatusCode.INVALID_ARGUMENT,  # the same again would be as large
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}


class GrpcServer:
    """Listens from its making on, answers while `serving` is entered. To be made in the event loop it serves in."""

    def __init__(self, host: str, port: int, max_body: int) -> None:
        """Bind the address; port 0 takes a free one. Raises OSError. Requests beyond `max_body` bytes are refused."""
        options = (
            ("grpc.max_receive_message_length", max_body),
            ("grpc.so_reuseport", 0),  # else a second receiver would take a part of the first one's requests
        )
        self._server = aio.server(options=options)
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            self.port: int = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(str(error)) from error

    @contextlib.asynccontextmanager
    async def serving(self, intake: Intake) -> AsyncIterator[None]:
        """Answer what is sent."""
        for name, signal in (("trace.v1.TraceService", intake.traces), ("logs.v1.LogsService", intake.logs)):
            # without serializers a request is its bytes, and so is a response
            export = grpc.unary_unary_rpc_method_handler(_export(intake, signal))
            handler = grpc.method_handlers_generic_handler(f"{_PACKAGE}.{name}", {"Export": export})
            self._server.add_generic_rpc_handlers((handler,))
        await self._server.start()
        try:
            yield
        finally:
            await self._server.stop(_GRACE_S)


def _export(intake: Intake, signal: Signal) -> Export:
    async def export(body: bytes, context: aio.ServicerContext[bytes, bytes]) -> bytes:
        try:
            intake.refuse_overload()
            rejected = await intake.take(signal, body, "", BodyType.PROTOBUF)
        except Refusal as refused:
            intake.count(refused.status)
            await _refuse(context, refused)
            raise  # never reached: `abort` raises
        intake.count(200)
        return export_response(rejected)

    return export


async def _refuse(context: aio.ServicerContext[bytes, bytes], refused: Refusal) -> None:
    """End the call with the status that stands for the refusal, and say when to come again."""
    status = _STATUS.get(refused.status, grpc.StatusCode.UNKNOWN)
    details: tuple[tuple[str, bytes], ...] = ()
    if refused.retry_after_s is not None:
        details = (("grpc-status-details-bin", retry_details(status.value[0], refused)),)
    await context.abort(status, refused.message, details)
