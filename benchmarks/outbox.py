"""Delivery: from incidents in the log to a webhook on this machine, every delivery kept and noted one by one.

    python benchmarks/outbox.py [--quick] [--json]

The receiver is a process of its own that answers 200 at once. `deliveries_per_s`: pages through an outbox that holds
them all, by one sink's worker over one kept-alive connection. `incidents_per_s`: one storm through the intake.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import orjson
from report import Figure, arguments, tell

from alerts.delivery import FILE, Delivery, DeliverySettings, Routes
from alerts.routing import Route, Routing
from alerts.sinks.base import SinkSettings
from models.incidents.incident import Incident, Severity, Status
from models.times import rfc3339
from streams.embedded import EmbeddedLog

TOPIC = "flyball.incidents"
RECEIVER = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    connection, _ = server.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    held = b""
    while data := connection.recv(1 << 16):
        held += data
        while (end := held.find(b"\\r\\n\\r\\n")) >= 0:
            head = held[:end].lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\\r")[0] or 0)
            if len(held) < end + 4 + length:
                break
            held = held[end + 4 + length:]
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
"""


def incident(number: int, workflow: str) -> bytes:
    """Give a telling as the log has it."""
    now = rfc3339(time.time_ns())
    return orjson.dumps(
        Incident(
            key=f"k{number}",
            at=now,
            status=Status.OPEN,
            severity=Severity.SEV_2,
            class_="slo.burn",
            title="task-success burns its error budget",
            scope={"level": "workflow", "id": workflow},
            evidence={"burn": {"1h": 15.0, "5m": 16.0}, "total": 1_000, "bad": 150},
            runbook="slo.burn",
            runs=(f"{number:032x}",),
            revision=0,
            opened_at=now,
            rule="task-success",
            summary="15.0 times too many failures for an hour",
            workflow=workflow,
        ).record()
    )


def deliver(folder: Path, port: int, values: list[bytes]) -> tuple[float, float, int]:
    """Take the tellings and deliver; gives seconds of intake, seconds of delivery, and the number of deliveries."""
    log = EmbeddedLog(folder / "log")
    log.ensure(TOPIC, 4)
    writer = log.writer()
    writer.append(TOPIC, [(value[:40], value) for value in values])
    writer.close()
    hook = SinkSettings("hook", "webhook", url=f"http://127.0.0.1:{port}/", secret="benchmark")  # noqa: S106
    routes = Routes((hook,), Routing([Route("all", ("hook",))]))
    delivery = Delivery(log, DeliverySettings(folder / "deliver"), routes, say=sys.exit)
    delivery._intake.find_partitions()
    started = time.perf_counter()
    while delivery._intake.step(time.time_ns()):
        pass
    taken = time.perf_counter() - started
    waiting = delivery.outbox.queue("hook").depth
    assert delivery._pager.counted == Counter({("telling", "taken"): len(values), ("page", "SEV-2"): waiting})
    started = time.perf_counter()
    delivery._start_workers()
    while delivery.outbox.queue("hook").depth:
        time.sleep(0.02)
    spent = time.perf_counter() - started
    delivery._end()
    return taken, spent, waiting


def main() -> None:
    """Measure."""
    options = arguments(__doc__)
    pages, storm = (4_000, 20_000) if options.quick else (20_000, 100_000)
    with subprocess.Popen([sys.executable, "-c", RECEIVER], stdout=subprocess.PIPE, text=True) as receiver:
        try:
            assert receiver.stdout is not None
            port = int(receiver.stdout.readline())
            with tempfile.TemporaryDirectory() as folder:
                apart = [incident(number, f"w{number}") for number in range(pages)]
                _, spent, delivered = deliver(Path(folder), port, apart)
                assert delivered == pages
                size = (Path(folder) / "deliver" / FILE).stat().st_size
            with tempfile.TemporaryDirectory() as folder:
                taken, _, told = deliver(Path(folder), port, [incident(n, "airline") for n in range(storm)])
        finally:
            receiver.kill()
    tell(
        "outbox",
        [
            Figure(
                "deliveries_per_s", delivered / spent, "1/s", f"{delivered:,} pages, webhook on loopback", ">= 1,000"
            ),
            Figure("incidents_per_s", storm / taken, "1/s", f"{storm:,} incidents of one group", ">= 1,667"),
            Figure("pages_of_the_storm", told, "pages", "triggers that a storm of one group causes", "<= 1"),
            Figure("bytes_per_page", size / delivered, "B", "of the store, waiting for one sink"),
        ],
        as_json=options.json,
    )


if __name__ == "__main__":
    main()
