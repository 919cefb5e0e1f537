"""`flyball receive`: takes OTLP over HTTP and gRPC, refuses an address in use in a line, and ends well on SIGTERM."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import grpc
import pytest

from flyball.errors import CommandError
from flyball.listen import listen
from streams.embedded.log import EmbeddedLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BODY = b'{"resourceSpans":[]}'


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a receiver on a free port."""
    (tmp_path / "flyball.yaml").write_text("otlp: {port: 0, grpc_port: 0}\n")
    command = [sys.executable, "-m", "flyball", "receive", "--config", str(tmp_path), "--data", str(tmp_path / "data")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_a_receiver_takes_spans_and_ends_well(receiver: subprocess.Popen[str]) -> None:
    """It says where it listens, answers there over HTTP and gRPC, and being stopped is no failure."""
    assert receiver.stderr is not None
    address = receiver.stderr.readline().split()[-1]
    request = urllib.request.Request(f"{address}/v1/traces", BODY, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 -- our own receiver
        assert answer.status == 200
    with grpc.insecure_channel(receiver.stderr.readline().split()[-1]) as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        assert export(b"\x0a\x00", timeout=20) == b""
    receiver.send_signal(signal.SIGTERM)
    assert receiver.wait(20) == 0, receiver.stderr.read()


def test_a_long_span_is_no_lost_span(receiver: subprocess.Popen[str], tmp_path: Path) -> None:
    """A model call with megabytes of content is taken as it is: the embedded log has no bound of 1 MB, as Kafka has."""
    assert receiver.stderr is not None
    address = receiver.stderr.readline().split()[-1]
    content = b'{"key":"gen_ai.input.messages","value":{"stringValue":"%s"}}' % (b"x" * 5_000_000)
    span = b'{"traceId":"%s","spanId":"0000000000000001","attributes":[%s]}' % (b"1f" * 16, content)
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[%s]}]}]}' % span
    request = urllib.request.Request(f"{address}/v1/traces", body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 -- our own receiver
        assert (answer.status, answer.read()) == (200, b"{}")
    log = EmbeddedLog(tmp_path / "data" / "log")
    assert sum(log.end("otlp_spans", partition) for partition in range(4)) == 1


def test_exporters_may_be_quiet_between_batches(receiver: subprocess.Popen[str]) -> None:
    """A connection is kept longer than the 5 s between two batches of an exporter; stopping does not wait for it."""
    assert receiver.stderr is not None
    where = urllib.parse.urlsplit(receiver.stderr.readline().split()[-1])
    with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=20)) as connection:
        for quiet_s in (6, 0):
            connection.request("POST", "/v1/traces", BODY, {"Content-Type": "application/json"})
            assert connection.getresponse().read() == b"{}"
            time.sleep(quiet_s)
            connection.auto_open = 0  # the second one goes out on the same connection, or not at all
        receiver.send_signal(signal.SIGTERM)
        assert receiver.wait(20) == 0, receiver.stderr.read()


def test_an_address_in_use_is_told() -> None:
    """Two cannot listen on one port, and the message says which, and where to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            CommandError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use; .*otlp.port"
        ):
            listen("127.0.0.1", port, "otlp.port")


def test_an_endless_head_and_silence_keep_nobody_out(receiver: subprocess.Popen[str]) -> None:
    """A header without end is refused, and silent connections do not stand for ever in the way of others."""
    assert receiver.stderr is not None
    port = urllib.parse.urlsplit(receiver.stderr.readline().split()[-1]).port
    silent = socket.create_connection(("127.0.0.1", port or 0), timeout=20)
    with socket.create_connection(("127.0.0.1", port or 0), timeout=20) as sender, suppress(OSError):
        sender.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nx: ")
        for _ in range(1600):
            sender.sendall(b"a" * 65536)
        pytest.fail("100 MB of one header were taken")
    assert silent.recv(1) == b""
    silent.close()
