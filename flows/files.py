"""Source of recorded files: OTLP/JSON lines or length-prefixed protobuf, plain, gzip or zstd, merged by time."""

from __future__ import annotations

import codecs
import gzip
import heapq
import io
import re
import struct
import zlib
from itertools import chain
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np
import orjson
import zstandard
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from typing_extensions import Buffer, override

from flows.items import RawBatch
from flows.protobuf import FIXED64, NotProtobufError, fields, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_LENGTH = struct.Struct(">I")  # the Collector's file exporter writes each protobuf message behind its length
_TIME = re.compile(rb'"(?:endTimeUnixNano|end_time_unix_nano|timeUnixNano|time_unix_nano)"\s*:\s*"?(\d+)')
_SPAN_END, _LOG_TIME, _LOG_OBSERVED = 8 << 3 | FIXED64, 1 << 3 | FIXED64, 11 << 3 | FIXED64
_MAX_MESSAGE = 64 << 20
BATCH_BYTES = 4 << 20
_ZSTD_CHUNK, _ZSTD_BUFFER = 64 << 10, 1 << 20


class Line(NamedTuple):
    """One recorded message; `time` orders lines of several files, `place` is where it lies in its file."""

    time: int
    file: int
    place: int
    value: bytes


class FileError(Exception):
    """A file that can't be read as a recording."""


class CutError(FileError):
    """One that can't be read on from somewhere in it: what lies before is good."""


def read_messages(path: Path) -> Iterator[bytes]:
    """Read the messages of a recording in their order; raises FileError naming file, place and expectation.

    Where that is no matter of the whole file but of what lies from there on, it is a CutError.
    """
    try:
        with path.open("rb") as raw, _decompressed(raw) as file:
            head = file.peek(1)[:1]
            yield from _frames(file, path) if head == b"\x00" else _lines(file)
    except EOFError as error:
        msg = f"{path}: ends in the middle of its compressed data"
        raise CutError(msg) from error
    except (gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
        msg = f"{path}: {error}"
        raise CutError(msg) from error
    except OSError as error:
        msg = f"{path}: {error}"
        raise FileError(msg) from error


def merged(paths: Sequence[Path], cut: list[CutError] | None = None) -> Iterator[Line]:
    """Merge recordings by the time of each message's first span or event; a file keeps its own order.

    `cut` is given the errors of files that can't be read to their end, and others go on; without it they are raised.
    """
    files = (_timed(index, path, cut) for index, path in enumerate(paths))
    return heapq.merge(*files, key=lambda line: line.time)


def _timed(index: int, path: Path, cut: list[CutError] | None) -> Iterator[Line]:
    newest = 0
    try:
        for place, value in enumerate(read_messages(path), start=1):
            newest = max(newest, _time_of(value))
            yield Line(newest, index, place, value)
    except CutError as error:
        if cut is None:
            raise
        cut.append(error)


def _time_of(message: bytes) -> int:
    """Give the time of the first span or log record, Unix ns; 0 where there is none."""
    if message.startswith(b"{"):
        found = _TIME.search(message)
        return int(found.group(1)) if found else 0
    try:
        start, stop = next(records(message))
        times = {tag: message[content:end] for tag, _, content, end in fields(message, start, stop)}
    except (NotProtobufError, StopIteration):
        return 0
    known = (int.from_bytes(times.get(tag, b""), "little") for tag in (_SPAN_END, _LOG_TIME, _LOG_OBSERVED))
    return next(filter(None, known), 0)


def _decompressed(raw: IO[bytes]) -> io.BufferedReader:
    head = raw.read(4)
    raw.seek(0)
    if head.startswith(_GZIP):
        return io.BufferedReader(gzip.GzipFile(fileobj=raw))
    if head.startswith(_ZSTD):
        return io.BufferedReader(_ZstdReader(raw), _ZSTD_BUFFER)
    return io.BufferedReader(raw)  # type: ignore[arg-type]


class _ZstdReader(io.RawIOBase):
    """Reads zstd frames in turn; raises EOFError in an unfinished one, which zstandard's own reader does not."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decompressor = zstandard.ZstdDecompressor()
        self._frame = self._decompressor.decompressobj()
        self._between = True  # no byte of the current frame was read
        self._chunk = b""
        self._out = memoryview(b"")

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:
        """Fill some of `buffer`; 0 at the end of the file."""
        while not self._out:
            if not self._fill():
                return 0
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._out))
        target[:size] = self._out[:size]
        self._out = self._out[size:]
        return size

    def _fill(self) -> bool:
        self._chunk = self._chunk or self._file.read(_ZSTD_CHUNK)
        if not self._chunk:
            if self._between:
                return False
            raise EOFError
        self._out = memoryview(self._frame.decompress(self._chunk))
        self._chunk, self._between = b"", self._frame.eof
        if self._frame.eof:
            self._chunk = self._frame.unused_data
            self._frame = self._decompressor.decompressobj()
        return True


def _lines(file: io.BufferedReader) -> Iterator[bytes]:
    """Give a message a line, without a byte order mark; a file that is one object over several lines is one message."""
    first = file.readline().removeprefix(codecs.BOM_UTF8)
    if first.lstrip().startswith(b"{") and not _is_json(first):
        whole = first + file.read(_MAX_MESSAGE) + file.readline()
        yield from (whole,) if _is_json(whole) else _stripped(chain(whole.splitlines(), file))
    else:
        yield from _stripped(chain((first,), file))


def _stripped(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (stripped for line in lines if (stripped := line.strip()))


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _frames(file: io.BufferedReader, path: Path) -> Iterator[bytes]:
    while head := file.read(_LENGTH.size):
        size = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else _MAX_MESSAGE + 1
        if size > _MAX_MESSAGE:
            msg = f"{path}: message length {size}, expected at most {_MAX_MESSAGE} (length-prefixed protobuf)"
            raise CutError(msg)
        message = file.read(size)
        yield message  # a short last message is dead-lettered by the decoder as truncated


class FileSource(DynamicSource[RawBatch]):
    """Recordings as one stream; only worker 0 reads. No recovery: a replay starts over."""

    def __init__(
        self,
        paths: Sequence[Path],
        received_ns: int,
        progress: Callable[[int, int], None] | None = None,
        batch_bytes: int = BATCH_BYTES,
        cut: list[CutError] | None = None,
    ) -> None:
        """`cut`: see `merged`."""
        self._paths = paths
        self._cut = cut
        self._received = received_ns
        self._progress = progress
        self._batch_bytes = batch_bytes

    @override
    def build(self, step_id: str, worker_index: int, worker_count: int) -> FilePartition:
        lines = merged(self._paths, self._cut) if worker_index == 0 else iter(())
        return FilePartition(
            lines, [str(path) for path in self._paths], self._received, self._batch_bytes, self._progress
        )


class FilePartition(StatelessSourcePartition[RawBatch]):
    """Gives the merged lines in batches of about `batch_bytes`."""

    def __init__(
        self,
        lines: Iterator[Line],
        names: list[str],
        received_ns: int,
        batch_bytes: int,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._lines = lines
        self._names = names
        self._received = received_ns
        self._batch_bytes = batch_bytes
        self._progress = progress

    @override
    def next_batch(self) -> Iterable[RawBatch]:
        batch = self._take()
        if not batch:
            raise StopIteration
        if self._progress:
            self._progress(len(batch), sum(len(line.value) for line in batch))
        return [self._raw(list(lines)) for lines in _runs_of_file(batch)]

    def _take(self) -> list[Line]:
        taken, size = [], 0
        for line in self._lines:
            taken.append(line)
            size += len(line.value)
            if size >= self._batch_bytes:
                break
        return taken

    def _raw(self, lines: list[Line]) -> RawBatch:
        return RawBatch(
            "replay",
            self._names[lines[0].file],
            0,
            np.array([line.place for line in lines], np.int64),
            np.full(len(lines), self._received, np.int64),
            [line.value for line in lines],
        )


def _runs_of_file(lines: list[Line]) -> Iterator[list[Line]]:
    """Part a batch where the file changes, so that each part has one topic name."""
    start = 0
    for index in range(1, len(lines) + 1):
        if index == len(lines) or lines[index].file != lines[start].file:
            yield lines[start:index]
            start = index
