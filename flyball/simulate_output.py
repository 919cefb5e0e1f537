"""Where simulated traffic goes: a file, an OTLP/HTTP endpoint or Kafka. One class each, all with `send`."""

from __future__ import annotations

import gzip
import http.client
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPICS = {"traces": "otlp_spans", "logs": "otlp_logs"}
"""As the Collector's Kafka exporter names them."""
PATHS = {"traces": "/v1/traces", "logs": "/v1/logs"}
_BUFFER = 1 << 20
_PATIENCE_S = 60.0
"""How long a busy receiver is asked again before giving up."""


class Target(Protocol):
    """Takes messages."""

    def send(self, signal: str, payload: bytes) -> None:
        """Take one OTLP message of `traces` or `logs`; raises OSError where it cannot."""
        ...


@contextmanager
def open_target(where: str, form: str) -> Iterator[Target]:
    """Open what `--to` names, and close it when done; raises ValueError or OSError."""
    parts = urlsplit(where) if "://" in where else None
    if parts is None:
        with _opened(where) as file:
            yield FileTarget(file, form)
    elif parts.scheme in ("http", "https"):
        target = HttpTarget(where, form)
        yield target
        target.close()
    elif parts.scheme == "kafka":
        kafka = KafkaTarget(parts.netloc)
        yield kafka
        kafka.close()
    else:
        msg = f"--to {where!r}: a file, http://, https:// or kafka:// expected"
        raise ValueError(msg)


class FileTarget:
    """Lines of OTLP/JSON, or protobuf after a length of 4 bytes, big-endian: as the Collector's file exporter."""

    def __init__(self, file: IO[bytes], form: str) -> None:
        """`form` is json or protobuf."""
        self._write = file.write
        self._lines = form == "json"

    def send(self, signal: str, payload: bytes) -> None:
        """Append a message."""
        if self._lines:
            self._write(payload)
            self._write(b"\n")
        else:
            self._write(len(payload).to_bytes(4, "big"))
            self._write(payload)


@contextmanager
def _opened(where: str) -> Iterator[IO[bytes]]:
    if where == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with Path(where).open("wb", buffering=_BUFFER) as raw:
        if where.endswith(".gz"):
            # no time of writing in the header: equal traffic gives equal files
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
                yield cast("IO[bytes]", packed)
        elif where.endswith(".zst"):
            import zstandard  # noqa: PLC0415 - only where it is used

            with zstandard.ZstdCompressor(level=3).stream_writer(raw, closefd=False) as packed:
                yield cast("IO[bytes]", packed)
        else:
            yield raw


class HttpTarget:
    """OTLP/HTTP over one kept connection; waits as told where the receiver is busy (429, 503)."""

    def __init__(self, url: str, form: str) -> None:
        """`url` is the base, without /v1/traces."""
        parts = urlsplit(url)
        if not parts.hostname:
            msg = f"--to {url!r}: a host is missing"
            raise ValueError(msg)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port or 4318, timeout=30)
        self._base = parts.path.rstrip("/")
        self._headers = {"Content-Type": "application/json" if form == "json" else "application/x-protobuf"}

    def send(self, signal: str, payload: bytes) -> None:
        """Post a message until it is taken; raises OSError when it is refused or nobody answers."""
        until = time.monotonic() + _PATIENCE_S
        while True:
            status, wait, said = self._post(PATHS[signal], payload)
            if status == http.HTTPStatus.OK:
                return
            busy = status in (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.SERVICE_UNAVAILABLE)
            if not busy or time.monotonic() + wait > until:
                msg = f"{self._connection.host}:{self._connection.port} answers {status}: {said[:200]}"
                raise OSError(msg)
            time.sleep(wait)

    def _post(self, path: str, payload: bytes) -> tuple[int, float, str]:
        try:
            self._connection.request("POST", self._base + path, payload, self._headers)
            answer = self._connection.getresponse()
            said = answer.read().decode(errors="replace")
        except http.client.HTTPException as problem:
            self._connection.close()
            msg = f"{self._connection.host}:{self._connection.port}: {problem!r}"
            raise OSError(msg) from problem
        asked = answer.getheader("Retry-After") or "1"
        return answer.status, float(asked) if asked.isdecimal() else 1.0, said

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class KafkaTarget:
    """Kafka, in the Collector's topics, without keys as its exporter sends by default."""

    def __init__(self, servers: str) -> None:
        """`servers` is host:port[,host:port...]."""
        from confluent_kafka import Producer  # noqa: PLC0415 - only where it is used

        self._failed: list[str] = []
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "linger.ms": 20,
                "compression.type": "lz4",
                "message.max.bytes": 4_000_000,
                "message.timeout.ms": int(_PATIENCE_S * 1000),
            }
        )

    def send(self, signal: str, payload: bytes) -> None:
        """Queue a message; raises OSError when an earlier one was not delivered."""
        while True:
            try:
                self._producer.produce(TOPICS[signal], payload, on_delivery=self._delivered)
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)
        self._check()

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed.append(str(error))

    def _check(self) -> None:
        if self._failed:
            msg = f"Kafka took not all messages: {self._failed[0]}"
            raise OSError(msg)

    def close(self) -> None:
        """Deliver what is queued; raises OSError when that fails."""
        if self._producer.flush(_PATIENCE_S):
            msg = "Kafka took not all messages in time"
            raise OSError(msg)
        self._check()
