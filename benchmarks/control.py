"""The control plane: evaluations over HTTP and a Unix socket, and from a kill to 500 guards.

    python benchmarks/control.py [--quick] [--json]

The control plane is a process of its own (`flyball control`). Evaluations come at 500 a second, one after another on
kept-alive connections, each due at a fixed time: where the one before is late, latency counts from when it was due.
Kill: from the moment the order is sent until a client has the signal, over all clients and kills.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from report import Figure, arguments, tell

from control.keys import ROLES, Keys

ROOT = Path(__file__).resolve().parent.parent
RATE = 500
CONNECTIONS = 4
CLIENTS = 500


def percentile(values: list[float], share: float) -> float:
    """Give a percentile."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


class Process:
    """A `flyball control` in a folder."""

    def __init__(self, folder: Path) -> None:
        (folder / "config").mkdir()
        self.unix = str(folder / "s")
        (folder / "config" / "flyball.yaml").write_text(f"control: {{port: 0, socket: {self.unix}, rate: 1000000}}\n")
        keys = Keys(folder / "data" / "control")
        self.admin, self.agent = keys.operator("ann", ROLES), keys.agent("t1", "a1")
        command = [sys.executable, "-m", "flyball", "control", "--config", "config", "--data", "data"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self._said = (folder / "said").open("wb")
        self.process = subprocess.Popen(command, cwd=folder, stdout=self._said, stderr=self._said, env=environment)
        address = folder / "data" / "control" / "address"
        while not (address.exists() and address.read_text().endswith("\n")):
            assert self.process.poll() is None, (folder / "said").read_text()
            time.sleep(0.05)
        self.port = int(address.read_text().rsplit(":", 1)[1])

    def stop(self) -> None:
        """Stop it well."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0
        self._said.close()


def request(method: str, path: str, key: str, body: bytes = b"") -> bytes:
    """Write a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def call(number: int, spread: int = 1_000) -> bytes:
    """Write the body of an evaluation; each run makes a few calls."""
    said = {
        "schema": "1",
        "tool": {"name": "get_order"},
        "tool_input": {"order": number, "fields": ["state", "total", "address"]},
        "subject": {"user": f"u{number % spread}", "workflow": "airline"},
        "trace": {"run_id": f"{number // 8:032x}"},
    }
    return json.dumps(said).encode()


async def answer(reader: asyncio.StreamReader) -> bytes:
    """Read a response's body; it must be a 200."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    return await reader.readexactly(length)


async def evaluations(process: Process, seconds: float, *, unix: bool) -> list[float]:
    """Evaluate at the rate; gives latencies in ms from when each was due."""
    taken: list[float] = []
    begin = time.perf_counter() + 0.2

    async def one(lane: int) -> None:
        tcp = ("127.0.0.1", process.port)
        reader, writer = await (asyncio.open_unix_connection(process.unix) if unix else asyncio.open_connection(*tcp))
        for number in range(lane, int(seconds * RATE), CONNECTIONS):
            due = begin + number / RATE
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
                due = time.perf_counter()  # a timer of ours that rings late is no latency of theirs
            sent = request("POST", "/v1/guard/evaluate", process.agent, call(number + (1 << 20) * unix))
            writer.write(sent)
            assert b'"decision":"allow"' in await answer(reader)
            taken.append((time.perf_counter() - due) * 1000)
        writer.close()

    await asyncio.gather(*(one(lane) for lane in range(CONNECTIONS)))
    return taken


async def waits(seconds: float) -> list[float]:
    """Sleep for a millisecond again and again; gives by how many ms this machine wakes us late."""
    late: list[float] = []
    end = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        await asyncio.sleep(0.001)
        late.append((time.perf_counter() - begun) * 1000 - 1)
    return late


async def kills(process: Process, count: int) -> tuple[list[float], list[float]]:
    """Kill and resume with all clients connected; gives ms to each client, and ms until the last one of each kill."""
    heard: list[float] = []
    ready = asyncio.Semaphore(0)

    async def listen() -> None:
        reader, own = await asyncio.open_connection("127.0.0.1", process.port, limit=1 << 20)
        writers.append(own)
        own.write(request("GET", "/v1/signals/stream", process.agent))
        await reader.readuntil(b"event: heartbeat")
        ready.release()
        while line := await reader.readline():
            if line.startswith(b"data:") and b'"kill":true' in line:
                heard.append(time.perf_counter())

    writers: list[asyncio.StreamWriter] = []
    listening = [asyncio.ensure_future(listen()) for _ in range(CLIENTS)]
    for _ in range(CLIENTS):
        await ready.acquire()
    reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
    taken, last = [], []
    for number in range(count):
        scope = {"scope": {"level": "user", "id": f"u{number}"}}
        heard.clear()
        begun = time.perf_counter()
        writer.write(request("POST", "/v1/kill", process.admin, json.dumps(scope).encode()))
        await answer(reader)
        while len(heard) < CLIENTS:  # noqa: ASYNC110 -- polled apart from what is measured
            await asyncio.sleep(0.002)
        taken += [(at - begun) * 1000 for at in heard]
        last.append((max(heard) - begun) * 1000)
        writer.write(request("POST", "/v1/resume", process.admin, json.dumps(scope).encode()))
        await answer(reader)
        await asyncio.sleep(0.05)
    for each in listening:
        each.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    for each in (*writers, writer):
        each.close()
    return taken, last


def main() -> None:
    """Measure."""
    options = arguments(__doc__)
    seconds, count = (6.0, 20) if options.quick else (30.0, 100)
    with tempfile.TemporaryDirectory() as folder:
        process = Process(Path(folder))
        try:
            asyncio.run(evaluations(process, 1.0, unix=False))
            late = asyncio.run(waits(seconds / 3))
            tcp = asyncio.run(evaluations(process, seconds, unix=False))
            unix = asyncio.run(evaluations(process, seconds, unix=True))
            taken, last = asyncio.run(kills(process, count))
        finally:
            process.stop()
    about = f"{RATE} a second on {CONNECTIONS} connections, the client on the same machine"
    figures = [
        Figure("http_evaluate_p50_ms", percentile(tcp, 0.5), "ms", about),
        Figure("http_evaluate_p99_ms", percentile(tcp, 0.99), "ms", about, "<= 5"),
        Figure("unix_evaluate_p50_ms", percentile(unix, 0.5), "ms", about),
        Figure("unix_evaluate_p99_ms", percentile(unix, 0.99), "ms", about, "<= 2"),
        Figure("machine_late_p99_ms", percentile(late, 0.99), "ms", "a bare timer here: what the machine itself adds"),
        Figure("kill_to_client_p50_ms", percentile(taken, 0.5), "ms", f"{CLIENTS} clients in one process"),
        Figure("kill_to_client_p99_ms", percentile(taken, 0.99), "ms", f"{len(taken):,} signals heard", "<= 250"),
        Figure("kill_to_last_client_max_ms", max(last), "ms", f"of {count} kills"),
    ]
    tell("control", figures, as_json=options.json)


if __name__ == "__main__":
    main()
