"""The OTLP/HTTP receiver over real HTTP: what it answers, and that what it acknowledged is in the log."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
import zstandard
from loopback import free_port
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from flows.receiver import create_app
from flows.receiving.settings import ReceiverSettings
from streams.embedded import EmbeddedLog
from streams.port import UndeliveredError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

PROTOBUF, JSON = "application/x-protobuf", "application/json"


def spans(count: int, size: int = 0, scopes: int = 1) -> bytes:
    """Make a request of `count` spans in each of some scopes."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.schema_url = "schema"
    attribute = resource.resource.attributes.add(key="service.name")
    attribute.value.string_value = "shop"
    for scope in range(scopes):
        listed = resource.scope_spans.add()
        listed.scope.name = f"scope-{scope}"
        for number in range(count):
            name = f"{scope}/{number}" + "." * size
            listed.spans.add(name=name, trace_id=b"0123456789abcdef", span_id=number.to_bytes(8, "big"))
    return request.SerializeToString()


BODY = spans(3)
JSON_BODY = b' {"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "a", "traceId": "%s"}]}]}]}\n' % (b"1f" * 16)


class Server:
    """A receiver under uvicorn in a thread of its own."""

    def __init__(self, log: Any, settings: ReceiverSettings | None = None) -> None:
        self.app = create_app(log, settings)
        self._server = uvicorn.Server(uvicorn.Config(self.app, "127.0.0.1", 0, log_level="error"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    @property
    def port(self) -> int:
        """The port it has."""
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    def __enter__(self) -> Server:  # noqa: PYI034 - typing.Self is not worth an import here
        """Start it."""
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it, after it has answered what it was asked."""
        self._server.should_exit = True
        self._thread.join()

    def request(self, method: str, path: str, body: bytes | Iterator[bytes] = b"", **headers: str) -> Answer:
        """Send one request; underscores in header names become hyphens."""
        return ask(self.port, method, path, body, **headers)

    def post(self, body: bytes, kind: str = PROTOBUF, path: str = "/v1/traces", **headers: str) -> Answer:
        """Post telemetry."""
        return self.request("POST", path, body, content_type=kind, **headers)


class Answer:
    """What came back."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()


def ask(port: int, method: str, path: str, body: bytes | Iterator[bytes] = b"", **headers: str) -> Answer:
    """Send one request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named, encode_chunked=not isinstance(body, bytes))
        return Answer(connection.getresponse())
    finally:
        connection.close()


def stored(log: EmbeddedLog, topic: str = "otlp_spans") -> list[bytes]:
    """Read all messages of a topic."""
    found: list[bytes] = []
    for partition in range(log.partitions(topic)):
        reader = log.reader(topic, partition, None)
        while batch := reader.poll(1000, 1 << 24):
            found += [message.value for message in batch]
        reader.close()
    return found


@pytest.fixture
def log(tmp_path: Path) -> EmbeddedLog:
    """Open an embedded log."""
    return EmbeddedLog(tmp_path / "log")


@pytest.fixture
def server(log: EmbeddedLog) -> Iterator[Server]:
    """Run a receiver with small bounds."""
    with Server(log, ReceiverSettings(max_body=200_000, max_message=20_000)) as server:
        yield server


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "": bytes,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("kind", "body"), [(PROTOBUF, BODY), (JSON, JSON_BODY), (JSON + "; charset=utf-8", JSON_BODY)])
def test_a_body_is_stored_as_it_is(server: Server, log: EmbeddedLog, encoding: str, kind: str, body: bytes) -> None:
    """In each encoding and type the log holds the bytes of the body; the answer is an empty success of that type."""
    answer = server.post(ENCODINGS[encoding](body), kind, content_encoding=encoding)
    assert answer.status == 200
    assert answer.headers["content-type"] == kind.partition(";")[0]
    assert answer.body == (b"" if kind == PROTOBUF else b"{}")
    assert stored(log) == [body]
    assert server.app.state.intake.answers == {200: 1}


def test_several_members_and_frames(server: Server, log: EmbeddedLog) -> None:
    """A gzip body of several members, and a zstd body of several frames, are read to their ends."""
    half = len(BODY) // 2
    for encoding, pack in (("gzip", gzip.compress), ("zstd", zstandard.compress)):
        assert server.post(pack(BODY[:half]) + pack(BODY[half:]), content_encoding=encoding).status == 200
    assert stored(log) == [BODY, BODY]


def test_logs_go_to_their_topic(server: Server, log: EmbeddedLog) -> None:
    """Log records go to the topic of logs, cut and counted under their own name."""
    record = {"body": {"stringValue": "." * 25_000}}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record, {"body": {}}]}]}]}).encode()
    answer = server.post(body, JSON, "/v1/logs")
    partial = json.loads(answer.body)["partialSuccess"]
    assert (answer.status, partial["rejectedLogRecords"]) == (200, "1")
    assert stored(log) == []
    assert [json.loads(value) for value in stored(log, "otlp_logs")] == [
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {}}]}]}]}
    ]
    assert ExportLogsServiceResponse.FromString(server.post(b"", PROTOBUF, "/v1/logs").body).ListFields() == []


def test_an_empty_request_succeeds_and_stores_nothing(server: Server, log: EmbeddedLog) -> None:
    """No bytes are an empty protobuf request, which the protocol says succeeds; there is nothing to store."""
    for encoding, pack in ENCODINGS.items():
        answer = server.post(pack(b""), content_encoding=encoding)
        assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"", PROTOBUF)
    assert server.post(b"", path="/v1/logs").status == 200
    assert stored(log) == stored(log, "otlp_logs") == []


@pytest.mark.parametrize(
    ("body", "kind", "encoding", "why"),
    [
        (b"not gzip at all", PROTOBUF, "gzip", "not gzip"),
        (gzip.compress(BODY)[:-4], PROTOBUF, "gzip", "cut short"),
        (gzip.compress(BODY) + b"rest", PROTOBUF, "gzip", "not gzip"),
        (b"not zstd at all", PROTOBUF, "zstd", "not zstd"),
        (zstandard.compress(BODY)[:-4], PROTOBUF, "zstd", "cut short"),
        (zstandard.compress(BODY) + b"rest", PROTOBUF, "zstd", "not zstd"),
        (BODY[:-1], PROTOBUF, "", "leaves it"),
        (b"\x0f", PROTOBUF, "", "wire type 7"),
        (b"\x0a" + b"\xff" * 11, PROTOBUF, "", "no number"),
        (b"", JSON, "", "not JSON"),
        (b'{"resourceSpans": [}', JSON, "", "not JSON"),
        (b"[1]", JSON, "", "not a JSON object"),
        (b'{"resourceSpans": [{"scopeSpans": {"0": {}}}]}', JSON, "", "no list of objects 'scopeSpans'"),
        (b"\x0a\x04\x12\x02\x12\x09", PROTOBUF, "", "leaves it"),
        (b"\x0a\x04\x12\x02\x12\xff", PROTOBUF, "", "no number"),
        (BODY, JSON, "", "not JSON"),
    ],
)
def test_what_cannot_be_read_is_refused(
    server: Server, log: EmbeddedLog, body: bytes, kind: str, encoding: str, why: str
) -> None:
    """Broken compression, bytes that are no protobuf and texts that are no JSON object get 400 with the reason."""
    answer = server.post(body, kind, content_encoding=encoding)
    assert answer.status == 400
    assert why in answer.body.decode()
    assert answer.headers["content-type"] == kind
    assert stored(log) == []


def test_error_status_is_in_the_request_type(server: Server) -> None:
    """The body of a refusal is a google.rpc.Status: code 3 (invalid argument) and the message."""
    assert json.loads(server.post(b"[]", JSON).body) == {"code": 3, "message": "the body is not a JSON object"}
    body = server.post(b"\x0f").body
    assert body[:3] == b"\x08\x03\x12"
    assert body[4:] == b"the body is not protobuf: wire type 7 at byte 0"


def chunks(total: int) -> Iterator[bytes]:
    """Give bytes without saying how many will come."""
    for _ in range(total // 1000):
        yield b"." * 1000


def test_too_large_a_body_is_refused(server: Server, log: EmbeddedLog) -> None:
    """Beyond the bound it is 413: as it comes, without a length said before, or once unpacked (a bomb stays packed)."""
    assert server.post(b"." * 200_001).status == 413
    assert server.request("POST", "/v1/traces", chunks(300_000), content_type=PROTOBUF).status == 413
    for encoding, pack in (("gzip", gzip.compress), ("zstd", zstandard.compress)):
        answer = server.post(pack(b"." * 50_000_000), content_encoding=encoding)
        assert answer.status == 413
        assert b"beyond 200000 bytes when decompressed" in answer.body
    assert stored(log) == []


def test_unknown_types_and_encodings_are_refused(server: Server) -> None:
    """Other content types and encodings get 415, other methods 405, other paths 404."""
    assert server.post(BODY, "text/plain").status == 415
    assert server.request("POST", "/v1/traces", BODY).status == 415
    assert server.post(BODY, content_encoding="br").status == 415
    assert server.request("GET", "/v1/traces").status == 405
    assert server.post(BODY, path="/v1/metrics").status == 404


def merged(messages: Sequence[bytes]) -> list[tuple[str, str, str, str]]:
    """List (service, schema, scope, span name without padding) of all spans in order."""
    found = []
    for message in messages:
        for resource in ExportTraceServiceRequest.FromString(message).resource_spans:
            service = resource.resource.attributes[0].value.string_value
            for scope in resource.scope_spans:
                found += [(service, resource.schema_url, scope.scope.name, s.name.rstrip(".")) for s in scope.spans]
    return found


def test_large_requests_are_cut_between_spans(server: Server, log: EmbeddedLog) -> None:
    """A request beyond the log's message size becomes several, each with its resource and scope, every span once."""
    body = spans(40, 1000, scopes=3)
    assert len(body) > 100_000
    assert server.post(body).body == b""
    parts = stored(log)
    assert 6 <= len(parts) <= 12
    assert max(map(len, parts)) <= 20_000
    assert sorted(merged(parts)) == sorted(merged([body]))


def test_a_span_beyond_the_message_size_is_rejected_alone(server: Server, log: EmbeddedLog) -> None:
    """One span that no message can hold is counted in partial_success; the others are stored."""
    request = ExportTraceServiceRequest.FromString(spans(5, 10))
    request.resource_spans[0].scope_spans[0].spans[2].name = "x" * 30_000
    answer = server.post(request.SerializeToString())
    partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert (answer.status, partial.rejected_spans) == (200, 1)
    assert partial.error_message == "1 larger than 20000 bytes"
    assert [name for *_, name in merged(stored(log))] == ["0/0", "0/1", "0/3", "0/4"]


def test_spans_without_a_trace_are_rejected_alone(server: Server, log: EmbeddedLog) -> None:
    """Spans that nobody can use are counted in partial_success; the body is stored as it came, for the others."""
    request = ExportTraceServiceRequest.FromString(spans(5))
    listed = request.resource_spans[0].scope_spans[0].spans
    listed[1].trace_id, listed[2].trace_id, listed[4].trace_id = b"", bytes(16), b"12345"
    body = request.SerializeToString()
    answer = server.post(body)
    partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert (answer.status, partial.rejected_spans) == (200, 3)
    assert partial.error_message == "3 without a trace id (16 bytes, not all zero)"
    assert stored(log) == [body]
    body = b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "a"}]}]}]}'
    assert json.loads(server.post(body, JSON).body)["partialSuccess"] == {
        "rejectedSpans": "1",
        "errorMessage": "1 without a trace id (16 bytes, not all zero)",
    }


def test_reasons_of_rejection_are_told_together(server: Server, log: EmbeddedLog) -> None:
    """A span that is too large and one without trace id are both counted, each once, each by its reason."""
    request = ExportTraceServiceRequest.FromString(spans(5, 10))
    listed = request.resource_spans[0].scope_spans[0].spans
    listed[2].name, listed[2].trace_id, listed[3].trace_id = "x" * 30_000, b"", b""
    partial = ExportTraceServiceResponse.FromString(server.post(request.SerializeToString()).body).partial_success
    assert partial.rejected_spans == 2
    assert partial.error_message == "1 larger than 20000 bytes, 1 without a trace id (16 bytes, not all zero)"
    assert len(merged(stored(log))) == 4


class BrokenLog:
    """A log whose writes can be stopped: `gate` holds them up, `error` is raised by the flush."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.groups: list[int] = []
        self._queued = 0

    def ensure(self, topic: str, partitions: int) -> None:
        """Fail as told."""
        if isinstance(self.error, UnreachableError):
            raise self.error

    def writer(self) -> BrokenLog:
        """Be the writer too."""
        return self

    def append(self, topic: str, messages: Sequence[tuple[bytes | None, bytes]]) -> None:
        """Count messages."""
        self._queued += len(messages)

    def flush(self) -> None:
        """Wait at the gate, then do as told."""
        self.groups.append(self._queued)
        self._queued = 0
        assert self.gate.wait(20)
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Nothing to release."""


@contextmanager
def posting(server: Server, count: int) -> Iterator[list[int]]:
    """Post from `count` threads at once; on exit all answers are in the list."""
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(server.post(BODY).status)) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield statuses
    for thread in threads:
        thread.join()


def wait_for(condition: Callable[[], object]) -> None:
    """Wait for the other threads."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_requests_that_wait_share_one_flush() -> None:
    """Requests that come during a flush are not answered before the next one, which serves them all."""
    log = BrokenLog()
    log.gate.clear()
    with Server(log) as server, posting(server, 1) as first:
        wait_for(lambda: log.groups == [1])
        with posting(server, 20) as others:
            commit = server.app.state.intake._commit
            wait_for(lambda: commit.pending_bytes == 21 * len(BODY))
            assert first == others == []
            log.gate.set()
    assert (first, others) == ([200], [200] * 20)
    assert log.groups == [1, 20]


def test_overload_is_429_with_retry_after() -> None:
    """While more than the bound waits for the log, senders are told when to come again; later they are served."""
    log = BrokenLog()
    log.gate.clear()
    with Server(log, ReceiverSettings(max_pending=len(BODY), retry_after_s=7)) as server:
        with posting(server, 2) as statuses:
            commit = server.app.state.intake._commit
            wait_for(lambda: commit.pending_bytes == 2 * len(BODY))
            answer = server.post(BODY)
            assert (answer.status, answer.headers["retry-after"]) == (429, "7")
            log.gate.set()
        assert statuses == [200, 200]
        assert server.post(BODY).status == 200


def test_a_reader_that_is_behind_slows_senders_down() -> None:
    """When the backlog is beyond its bound senders get 429, and 200 once it has shrunk."""
    behind = [100]
    with Server(BrokenLog(), ReceiverSettings(backlog=lambda: behind[0], max_backlog=99)) as server:
        wait_for(lambda: server.post(BODY).status == 429)
        behind[0] = 99
        wait_for(lambda: server.post(BODY).status == 200)


def test_a_log_that_does_not_answer_is_not_healthy() -> None:
    """Without a request that would show it, health says that the log is away; what is posted is tried all the same."""
    away = [True]

    def backlog() -> int:
        if away[0]:
            raise UnreachableError("no broker")
        return 0

    with Server(BrokenLog(), ReceiverSettings(backlog=backlog)) as server:
        wait_for(lambda: server.request("GET", "/healthz").status == 503)
        assert json.loads(server.request("GET", "/healthz").body) == {"status": "no broker"}
        assert server.post(BODY).status == 200
        away[0] = False
        wait_for(lambda: server.request("GET", "/healthz").status == 200)


@pytest.mark.parametrize("error", [UnreachableError("no broker"), UndeliveredError("not taken"), OSError(28, "full")])
def test_a_failing_log_is_503_until_it_works(error: Exception) -> None:
    """What the log does not take is not acknowledged, health says so, and all is well once it works again."""
    log = BrokenLog()
    with Server(log) as server:
        log.error = error
        answer = server.post(BODY)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        health = server.request("GET", "/healthz")
        assert health.status == 503
        assert json.loads(health.body)["status"] == str(error)
        log.error = None
        assert server.post(BODY).status == 200
        assert server.request("GET", "/healthz").status == 200


def test_a_log_that_hangs_is_503_in_time() -> None:
    """A flush that does not end within the bound is answered 503; the sender is not kept."""
    log = BrokenLog()
    log.gate.clear()
    with Server(log, ReceiverSettings(acknowledge_within_s=0.2)) as server:
        answer = server.post(BODY)
        log.gate.set()
    assert (answer.status, b"does not answer" in answer.body) == (503, True)


RECEIVER = """
import sys, uvicorn
from flows.receiver import create_app
from streams.embedded import EmbeddedLog
app = create_app(EmbeddedLog(sys.argv[1]))
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
"""


def test_acknowledged_requests_survive_sigkill(tmp_path: Path, kafka_tool: Any) -> None:
    """A receiver process is killed right after its acknowledgements, several times: the log has every one."""
    acknowledged = []
    for generation in range(3):
        port = free_port()
        with subprocess.Popen([sys.executable, "-c", RECEIVER, str(tmp_path), str(port)]) as process:
            try:
                wait_for(lambda port=port: is_up(port))
                for number in range(20):
                    body = json.dumps({"resourceSpans": [], "number": [generation, number]}).encode()
                    assert ask(port, "POST", "/v1/traces", body, content_type=JSON).status == 200
                    acknowledged.append([generation, number])
            finally:
                os.kill(process.pid, signal.SIGKILL)
    found = [json.loads(value)["number"] for value in stored(EmbeddedLog(tmp_path))]
    assert sorted(found) == acknowledged


def is_up(port: int) -> bool:
    """Tell whether a receiver answers."""
    try:
        return ask(port, "GET", "/healthz").status == 200
    except OSError:
        return False
