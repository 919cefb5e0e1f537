"""OTLP over gRPC, by gRPC's own client: the answers that a sender knows what to do with, and what lies in the log."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from flows.receiving.grpc_server import GrpcServer
from flows.receiving.intake import Intake
from flows.receiving.settings import ReceiverSettings
from streams.embedded import EmbeddedLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


def request(*trace_ids: bytes, size: int = 0) -> Any:
    """Make a request of spans with these trace ids."""
    made = ExportTraceServiceRequest()
    scope = made.resource_spans.add().scope_spans.add()
    for trace_id in trace_ids:
        scope.spans.add(trace_id=trace_id, span_id=b"12345678", name="x" * size)
    return made


GOOD = b"0123456789abcdef"


class Server:
    """A gRPC server on a free port, in a thread with an event loop of its own."""

    def __init__(self, log: Any, settings: ReceiverSettings) -> None:
        self._log, self._settings = log, settings
        self._ready, self._end = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server, self.intake = GrpcServer("127.0.0.1", 0, self._settings.max_body), Intake(self._log, self._settings)
        self.port = server.port
        async with self.intake.serving(), server.serving(self.intake):
            self._ready.set()
            await self._end.wait()

    def __enter__(self) -> Server:  # noqa: PYI034 - typing.Self is not worth an import here
        """Start it."""
        self._thread.start()
        assert self._ready.wait(20)
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it, after it has answered what it was asked."""
        self._channel.close()
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def export(self, body: Any, path: str = TRACES, **options: Any) -> Any:
        """Send one request, of bytes or of the protobuf library; raises grpc.RpcError."""
        reads = ExportTraceServiceResponse if path == TRACES else ExportLogsServiceResponse
        call = self._channel.unary_unary(
            path,
            request_serializer=lambda made: made if isinstance(made, bytes) else made.SerializeToString(),
            response_deserializer=reads.FromString,
        )
        return call(body, timeout=20, **options)

    def refused(self, body: Any, **options: Any) -> Any:
        """Send one request that must fail; gives the error."""
        with pytest.raises(grpc.RpcError) as error:
            self.export(body, **options)
        return error.value


def stored(log: EmbeddedLog, topic: str = "otlp_spans") -> list[bytes]:
    """Read all messages of a topic."""
    readers = [log.reader(topic, partition, None) for partition in range(log.partitions(topic))]
    return [message.value for reader in readers for message in reader.poll(1000, 1 << 24)]


@pytest.fixture
def log(tmp_path: Path) -> EmbeddedLog:
    """Open an embedded log."""
    return EmbeddedLog(tmp_path / "log")


@pytest.fixture
def server(log: EmbeddedLog) -> Iterator[Server]:
    """Serve with small bounds."""
    with Server(log, ReceiverSettings(max_body=200_000, max_message=20_000)) as server:
        yield server


@pytest.mark.parametrize("compression", list(grpc.Compression))
def test_a_request_is_stored_as_it_is(server: Server, log: EmbeddedLog, compression: Any) -> None:
    """Plain, deflate and gzip: the log holds the bytes of the request, and the answer is an empty success."""
    sent = request(GOOD, GOOD, size=500)
    assert server.export(sent, compression=compression).ListFields() == []
    assert stored(log) == [sent.SerializeToString()]
    assert server.intake.answers == {200: 1}


def test_logs_go_to_their_topic(server: Server, log: EmbeddedLog) -> None:
    """Log records go to the topic of logs."""
    sent = ExportLogsServiceRequest()
    sent.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=7)
    assert server.export(sent, LOGS).ListFields() == []
    assert (stored(log), stored(log, "otlp_logs")) == ([], [sent.SerializeToString()])


def test_an_empty_request_succeeds_and_stores_nothing(server: Server, log: EmbeddedLog) -> None:
    """No bytes are an empty request."""
    assert server.export(b"").ListFields() == []
    assert stored(log) == []


def test_what_cannot_be_used_is_told_as_partial_success(server: Server, log: EmbeddedLog) -> None:
    """Spans without trace id, and spans larger than a message, are counted with their reasons; others are stored."""
    sent = request(GOOD, b"", GOOD)
    sent.resource_spans[0].scope_spans[0].spans[2].name = "x" * 30_000
    partial = server.export(sent).partial_success
    assert partial.rejected_spans == 2
    assert partial.error_message == "1 larger than 20000 bytes, 1 without a trace id (16 bytes, not all zero)"
    (message,) = stored(log)
    spans = ExportTraceServiceRequest.FromString(message).resource_spans[0].scope_spans[0].spans
    assert [span.trace_id for span in spans] == [GOOD, b""]


def test_what_is_no_otlp_is_an_invalid_argument(server: Server, log: EmbeddedLog) -> None:
    """Bytes that are no protobuf are refused for good: the sender drops them."""
    error = server.refused(b"\x0f")
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "the body is not protobuf: wire type 7 at byte 0"
    assert "grpc-status-details-bin" not in dict(error.trailing_metadata())
    assert stored(log) == []
    assert server.intake.answers == {400: 1}


@pytest.mark.parametrize("compression", list(grpc.Compression))
def test_too_large_a_request_is_refused_for_good(server: Server, log: EmbeddedLog, compression: Any) -> None:
    """Beyond the bound, as it comes or once unpacked, it is refused without a word of trying again."""
    error = server.refused(request(GOOD, size=3_000_000), compression=compression)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "grpc-status-details-bin" not in dict(error.trailing_metadata())
    assert stored(log) == []


def test_other_methods_are_not_there(server: Server) -> None:
    """Metrics are not taken."""
    error = server.refused(b"", path="/opentelemetry.proto.collector.metrics.v1.MetricsService/Export")
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED


class StuckLog:
    """A log that takes nothing before its gate is opened, or fails as it is told."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.error: Exception | None = None

    def ensure(self, topic: str, partitions: int) -> None:
        """Have all topics."""

    def writer(self) -> StuckLog:
        """Be the writer too."""
        return self

    def append(self, topic: str, messages: Sequence[tuple[bytes | None, bytes]]) -> None:
        """Take nothing."""

    def flush(self) -> None:
        """Wait at the gate, then do as told."""
        assert self.gate.wait(20)
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Nothing to release."""


def retry_delay_s(error: Any) -> int:
    """Read when to try again out of an error, and hold its status against that of the call."""
    status = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    assert (status.code, status.message) == (error.code().value[0], error.details())
    (detail,) = status.details
    info = RetryInfo()
    assert detail.Unpack(info)
    return int(info.retry_delay.seconds)


def test_overload_is_resource_exhausted_with_the_time_to_wait() -> None:
    """While more than the bound waits for the log, senders are told when to come again; later they are served."""
    log, sent = StuckLog(), request(GOOD)
    with Server(log, ReceiverSettings(max_pending=1, retry_after_s=7)) as server:
        waiting = threading.Thread(target=server.export, args=(sent,))
        waiting.start()
        while not server.intake._commit.pending_bytes:
            assert waiting.is_alive()
            time.sleep(0.005)
        error = server.refused(sent)
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert retry_delay_s(error) == 7
        log.gate.set()
        waiting.join()
        assert server.export(sent).ListFields() == []
        assert server.intake.answers == {429: 1, 200: 2}


def test_a_failing_log_is_unavailable_until_it_works() -> None:
    """What the log does not take is not acknowledged, and may be sent again."""
    log, sent = StuckLog(), request(GOOD)
    log.gate.set()
    log.error = OSError(28, "full")
    with Server(log, ReceiverSettings()) as server:
        error = server.refused(sent)
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert retry_delay_s(error) == 1
        log.error = None
        assert server.export(sent).ListFields() == []


def test_a_port_in_use_is_an_error() -> None:
    """A second server on the port of the first is refused, and does not share its requests."""

    async def twice() -> None:
        first = GrpcServer("127.0.0.1", 0, 1000)
        with pytest.raises(OSError, match=f"127.0.0.1:{first.port}"):
            GrpcServer("127.0.0.1", first.port, 1000)

    asyncio.run(twice())
