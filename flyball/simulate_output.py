"""Where simulated traffic goes: a file, an OTLP/HTTP endpoint or a log. One class each."""

from __future__ import annotations

import gzip
import http.client
import re
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPICS = {"traces": "otlp_spans", "logs": "otlp_logs"}
"""As the Collector's Kafka exporter names them."""
PATHS = {"traces": "/v1/traces", "logs": "/v1/logs"}
_ADDRESS = re.compile(r"[\w.-]+:\d+")  # no file is meant by this
_BUFFER = 1 << 20
_PARTITIONS = 4
"""Of a topic that is not there yet."""
_PATIENCE_S = 60.0
"""How long a busy receiver is asked again before giving up."""


class Target(Protocol):
    """Takes messages."""

    def send(self, signal: str, payload: bytes) -> None:
        """Take one OTLP message of `traces` or `logs`; raises OSError where it cannot."""
        ...

    def flush(self) -> None:
        """Pass on what is held back; called before a pause."""
        ...


@contextmanager
def open_target(where: str, form: str) -> Iterator[Target]:
    """Open what `--to` names, and close it when done; raises ValueError or OSError."""
    target: HttpTarget | LogTarget
    if where.startswith(("http://", "https://")):
        target = HttpTarget(where, form)
    elif where.startswith(("kafka://", "embedded:")):
        target = LogTarget(where)
    elif "://" in where:
        msg = f"--to {where!r}: a file, http://, https://, kafka:// or embedded: expected"
        raise ValueError(msg)
    elif _ADDRESS.fullmatch(where):
        msg = f"--to {where!r}: did you mean http://{where}? a file, http://, https://, kafka:// or embedded: expected"
        raise ValueError(msg)
    else:
        with _opened(where) as file:
            yield FileTarget(file, form)
        return
    try:
        yield target
    finally:
        target.close()


class FileTarget:
    """Lines of OTLP/JSON, or protobuf after a length of 4 bytes, big-endian: as the Collector's file exporter."""

    def __init__(self, file: IO[bytes], form: str) -> None:
        """`form` is json or protobuf."""
        self._write, self._flush = file.write, file.flush
        self._lines = form == "json"

    def send(self, signal: str, payload: bytes) -> None:
        """Append a message."""
        if self._lines:
            self._write(payload)
            self._write(b"\n")
        else:
            self._write(len(payload).to_bytes(4, "big"))
            self._write(payload)

    def flush(self) -> None:
        """Let readers of the file see what there is."""
        self._flush()


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

    def flush(self) -> None:
        """Nothing is held back."""

    def _post(self, path: str, payload: bytes) -> tuple[int, float, str]:
        kept = self._connection.sock is not None
        try:
            self._connection.request("POST", self._base + path, payload, self._headers)
            answer = self._connection.getresponse()
            said = answer.read().decode(errors="replace")
        except (http.client.HTTPException, OSError) as problem:
            self._connection.close()
            # receivers hang up on a connection that was quiet; what they took twice counts once
            if kept and isinstance(problem, ConnectionError):
                return self._post(path, payload)
            msg = f"{self._connection.host}:{self._connection.port}: {problem}"
            raise OSError(msg) from problem
        asked = answer.getheader("Retry-After") or "1"
        return answer.status, float(asked) if asked.isdecimal() else 1.0, said

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class LogTarget:
    """A log of `streams`, in the Collector's topics, without keys as its Kafka exporter sends by default."""

    def __init__(self, address: str) -> None:
        """`address` as `streams.opening` reads it; missing topics are created."""
        from streams.opening import open_log  # noqa: PLC0415 - only where it is used

        log = open_log(address)
        for topic in TOPICS.values():
            log.ensure(topic, _PARTITIONS)
        self._writer = log.writer()
        self._queued = 0

    def send(self, signal: str, payload: bytes) -> None:
        """Queue a message; every megabyte is flushed. Raises ValueError where it is too large."""
        self._writer.append(TOPICS[signal], [(None, payload)])
        self._queued += len(payload)
        if self._queued >= _BUFFER:
            self.flush()

    def flush(self) -> None:
        """Return when the log has all of it; raises LogError."""
        self._writer.flush()
        self._queued = 0

    def close(self) -> None:
        """Deliver what is queued."""
        self._writer.close()
