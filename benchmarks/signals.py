"""Time from the append in Kafka of a looping call to the signal that forbids it, as an agent hears it, at a paced load.

A real broker, `flyball flow` and `flyball control` as processes of their own with recovery on, a producer at 50,000
spans/s, an agent that listens to `/v1/signals/stream`. Twice a second a message comes with five calls of a run of its
own that are the same: its tool is to be blocked. The time of the message is the broker's (LogAppendTime), that of the
signal this machine's.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import sys
import threading
import time
from pathlib import Path

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

sys.path.insert(0, str(Path(__file__).resolve().parent))

from typing import TYPE_CHECKING

from paced import Deployment, begun, can_run, figures, planned, produce, with_incidents
from report import arguments, tell

from control.keys import Keys

if TYPE_CHECKING:
    import subprocess

CALLS = 5
_RUN = re.compile(rb"[0-9a-f]{32}")
SAID = {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "search",
    "gen_ai.tool.call.arguments": '{"q": "same"}',
    "gen_ai.tool.call.result": "nothing found",
    "flyball.workflow": "air",
    "flyball.tenant.id": "acme",
}


def run_of(number: int) -> int:
    """Give the trace id of the run of a loop."""
    return number << 64 | 1


def loop(number: int) -> bytes:
    """Give a message of CALLS calls that are the same, of one run that goes on."""
    data, now = TracesData(), time.time_ns()
    scope = data.resource_spans.add().scope_spans.add()
    for call in range(CALLS):
        ends = now - (CALLS - call) * 1_000_000
        span = scope.spans.add(name="call", start_time_unix_nano=ends - 1000, end_time_unix_nano=ends)
        span.trace_id, span.span_id = run_of(number).to_bytes(16, "big"), (call + 1).to_bytes(8, "big")
        span.parent_span_id = (99).to_bytes(8, "big")
        for key, value in SAID.items():
            span.attributes.add(key=key).value.string_value = value
    return data.SerializeToString()


class Agent:
    """Listens to signals and notes when each run was first named."""

    def __init__(self, port: int, key: str) -> None:
        self.heard: dict[str, int] = {}
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._connection.request("GET", "/v1/signals/stream", headers={"Authorization": f"Bearer {key}"})
        self._stream = self._connection.getresponse()
        assert self._stream.status == 200, self._stream.read()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed
            while line := self._stream.readline():
                now = time.time_ns()
                for run in _RUN.findall(line) if line.startswith(b"data:") else ():
                    self.heard.setdefault(run.decode(), now)


def _port(folder: Path, process: subprocess.Popen[bytes]) -> int:
    address = folder / "data" / "control" / "address"
    while not (address.exists() and address.read_text().endswith("\n")):
        assert process.poll() is None
        time.sleep(0.05)
    return int(address.read_text().rsplit(":", 1)[1])


def main() -> None:
    """Measure and tell."""
    args = arguments(__doc__)
    if not can_run():
        return
    with Deployment() as place:
        first, rest = planned(14.0 if args.quick else 60.0)
        key = Keys(place.folder / "data" / "control").agent("acme", "a1")
        place.start("flow", "control")
        place.warm(first)
        agent = Agent(_port(place.folder, place.parts[1]), key)
        time.sleep(8)
        asked = begun(produce(place.address, with_incidents(rest), loop))
        time.sleep(5)
        place.stop()
    runs = {f"{run_of(number):032x}": at for number, at in asked.items()}
    took = [(agent.heard[run] - at) / 1e6 for run, at in runs.items() if run in agent.heard]
    tell("signals", figures(took, len(asked), "loops heard of", 250), as_json=args.json)


if __name__ == "__main__":
    main()
