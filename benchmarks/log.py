"""The log: how fast it takes and gives messages, and how long one is under way, embedded and on Kafka.

A message is 64 spans of about 470 bytes. Segment files (what Flyball uses) and SQLite are measured alike: flat out, and
at 50,000 spans/s with a reader in a process of its own. Also the OTLP/HTTP receiver in front of the embedded log, and a
real Kafka where there is one.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tests" / "services")]

from report import Figure, arguments, tell
from sqlite_log import SqliteLog

from flows.protobuf import varint
from streams.embedded import EmbeddedLog, Settings

SPANS = 64
MESSAGE = os.urandom(30_000)
PARTITIONS = 4
RATE = 50_000 / SPANS  # messages a second
TOPIC = "t"
MANY, MUCH = 1000, 4 << 20


def embedded(folder: Path, *, fsync: bool = False) -> EmbeddedLog:
    """Open the embedded log with its topic."""
    log = EmbeddedLog(folder, Settings(fsync=fsync))
    log.ensure(TOPIC, PARTITIONS)
    return log


class Embedded:
    """The embedded log, as the benchmark uses any log."""

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self._log = embedded(folder, fsync=fsync)
        self._writer = self._log.writer()

    def write(self, values: list[bytes]) -> None:
        """Append and flush."""
        self._writer.append(TOPIC, [(None, value) for value in values])
        self._writer.flush()

    def readers(self) -> list[Any]:
        """Open a reader a partition."""
        return [self._log.reader(TOPIC, partition, None) for partition in range(PARTITIONS)]


class Sqlite:
    """The log on SQLite."""

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        folder.mkdir(exist_ok=True)
        self._log = SqliteLog(folder / "log.sqlite", PARTITIONS)
        self._writer = self._log.writer()

    def write(self, values: list[bytes]) -> None:
        """Append and flush."""
        self._writer.append([(None, value) for value in values])
        self._writer.flush()

    def readers(self) -> list[Any]:
        """Open a reader a partition."""
        return [self._log.reader(partition) for partition in range(PARTITIONS)]


class Kafka:
    """A real broker."""

    def __init__(self, address: Path | str, *, fsync: bool = False) -> None:
        from streams.kafka import KafkaLog

        self._log = KafkaLog(str(address))
        self._log.ensure(TOPIC, PARTITIONS)
        self._writer = self._log.writer()

    def write(self, values: list[bytes]) -> None:
        """Append and flush."""
        self._writer.append(TOPIC, [(None, value) for value in values])
        self._writer.flush()

    def readers(self) -> list[Any]:
        """Open a reader a partition."""
        return [self._log.reader(TOPIC, partition, None) for partition in range(PARTITIONS)]


KINDS: dict[str, Any] = {"segments": Embedded, "sqlite": Sqlite, "kafka": Kafka}


def flat_out(kind: str, place: Path | str, count: int, group: int) -> list[Figure]:
    """Write as fast as it goes, then read it all."""
    written, given = _rates(kind, place, MESSAGE, count, group)
    how = "a flush each message" if group == 1 else f"a flush each {group} messages"
    target = ">= 50,000" if kind == "segments" else ""
    return [
        Figure(f"{kind}_append_spans_per_s", written * SPANS, "spans/s", how, target),
        Figure(f"{kind}_read_spans_per_s", given * SPANS, "spans/s", "one process"),
    ]


def small(kind: str, place: Path | str, count: int) -> list[Figure]:
    """Write and read records of 300 bytes, as the flow writes them."""
    written, given = _rates(kind, place, MESSAGE[:300], count, 500)
    return [
        Figure(f"{kind}_append_records_per_s", written, "records/s", "300 bytes, a flush each 500"),
        Figure(f"{kind}_read_records_per_s", given, "records/s", "one process"),
    ]


def _rates(kind: str, place: Path | str, message: bytes, count: int, group: int) -> tuple[float, float]:
    """Messages a second: written, then read."""
    log = KINDS[kind](place)
    start = time.perf_counter()
    for _ in range(count // group):
        log.write([message] * group)
    written = count / (time.perf_counter() - start)
    readers, read = log.readers(), 0
    start = time.perf_counter()
    while read < count:
        read += sum(len(reader.poll(MANY, MUCH)) for reader in readers)
    return written, read / (time.perf_counter() - start)


def paced(kind: str, place: Path | str, seconds: float) -> list[Figure]:
    """Write 50,000 spans/s, a flush each message, beside a reader process."""
    log = KINDS[kind](place)
    log.write([MESSAGE])
    count = int(seconds * RATE)
    reader = subprocess.Popen(
        [sys.executable, __file__, "--follow", kind, str(place), str(count + 1)], stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout is not None
    reader.stdout.readline()  # it has read the first message: it is ready
    flushes, before = [], _cpu_s()
    start = time.perf_counter()
    for number in range(count):
        wait = start + number / RATE - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        at = time.perf_counter()
        log.write([time.time_ns().to_bytes(8, "little") + MESSAGE[8:]])
        flushes.append(time.perf_counter() - at)
    took, cpu = time.perf_counter() - start, _cpu_s() - before
    told = json.loads(reader.communicate(timeout=60)[0])
    rate = count / took * SPANS
    return [
        Figure(f"{kind}_paced_spans_per_s", rate, "spans/s", "reached, of 50,000 asked"),
        Figure(
            f"{kind}_flush_p99_ms", float(np.percentile(flushes, 99)) * 1e3, "ms", "append and flush of one message"
        ),
        Figure(f"{kind}_delay_p50_ms", told["p50"], "ms", "from append to a reader that polls each ms"),
        Figure(f"{kind}_delay_p99_ms", told["p99"], "ms"),
        Figure(f"{kind}_writer_cpu", cpu / took, "cores", "of the writing process"),
        Figure(f"{kind}_reader_cpu", told["cpu"], "cores", "of the reading process"),
    ]


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def follow(kind: str, place: str, count: int) -> None:
    """Read `count` messages as they come, each with the time it was sent at its head; tell how late they were."""
    readers = KINDS[kind](place if kind == "kafka" else Path(place)).readers()
    late: list[int] = []
    cpu = start = 0.0
    while len(late) < count:
        for reader in readers:
            messages = reader.poll(MANY, MUCH)
            now = time.time_ns()
            late += [now - int.from_bytes(message.value[:8], "little") for message in messages]
        if not start and late:
            print("ready", flush=True)
            cpu, start = _cpu_s(), time.perf_counter()
        time.sleep(0.001)
    used = (_cpu_s() - cpu) / (time.perf_counter() - start)
    p50, p99 = np.percentile(np.array(late[1:]) / 1e6, [50, 99])
    print(json.dumps({"p50": p50, "p99": p99, "cpu": used}))


def reopening(folder: Path) -> Figure:
    """Time the first append of a new writer behind an almost full segment: it checks what is there."""
    embedded(folder / "reopen")
    Embedded(folder / "reopen").write([MESSAGE] * (PARTITIONS * 2000))
    log = Embedded(folder / "reopen")
    start = time.perf_counter()
    log.write([MESSAGE] * PARTITIONS)
    return Figure("segments_reopen_ms", (time.perf_counter() - start) * 1e3, "ms", "4 segments of 60 MB checked")


def receiver(folder: Path, seconds: float, senders: int = 8) -> list[Figure]:
    """Post messages to a receiver process over kept connections; each waits for its acknowledgement."""
    resource = b"\x0a" + varint(len(MESSAGE)) + MESSAGE  # into which the receiver does not look
    body = b"\x0a" + varint(len(resource)) + resource
    code = (
        "import sys, uvicorn; from flows.receiver import create_app; from streams.embedded import EmbeddedLog;"
        "uvicorn.run(create_app(EmbeddedLog(sys.argv[1])), port=int(sys.argv[2]), log_level='error', access_log=False)"
    )
    from loopback import free_port

    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", code, str(folder / "http"), str(port)], cwd=ROOT)
    took: list[float] = []
    try:
        _await_port(port)
        stop = time.perf_counter() + seconds
        threads = [threading.Thread(target=_post, args=(port, body, stop, took)) for _ in range(senders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        process.terminate()
        process.wait()
    return [
        Figure(
            "http_spans_per_s", len(took) / seconds * SPANS, "spans/s", f"{senders} senders, same machine", ">= 50,000"
        ),
        Figure("http_p99_ms", float(np.percentile(took, 99)) * 1e3, "ms", "from post to acknowledgement"),
    ]


def _await_port(port: int) -> None:
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            connection.close()
        except OSError:
            time.sleep(0.05)
        else:
            return


def _post(port: int, body: bytes, stop: float, took: list[float]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while time.perf_counter() < stop:
        at = time.perf_counter()
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        response = connection.getresponse()
        response.read()
        assert response.status == 200, response.status
        took.append(time.perf_counter() - at)
    connection.close()


def with_kafka(folder: Path, count: int, seconds: float) -> list[Figure]:
    """Measure a real broker, if there can be one."""
    from broker import Broker, missing

    reason = missing()
    if reason:
        print(f"left out: Kafka ({reason})", file=sys.stderr)
        return []
    broker = Broker(folder / "kafka")
    broker.start()
    try:
        figures = flat_out("kafka", broker.address, count, 100)
    finally:
        broker.stop()
    broker = Broker(folder / "kafka-paced")
    broker.start()
    try:
        return figures + paced("kafka", broker.address, seconds)
    finally:
        broker.stop()


def main() -> None:
    """Measure and tell."""
    args = arguments(__doc__)
    count, seconds = (4000, 3.0) if args.quick else (20_000, 20.0)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in ("segments", "sqlite"):
            figures += flat_out(kind, folder / f"{kind}-flat", count, 1)
            figures += small(kind, folder / f"{kind}-small", 20 * count)
            figures += paced(kind, folder / f"{kind}-paced", seconds)
        figures.append(reopening(folder))
        figures += receiver(folder, seconds)
        figures += with_kafka(folder, count, seconds)
    tell("log", figures, as_json=args.json)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--follow"]:
        follow(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
