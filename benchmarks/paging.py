"""Time from the append in Kafka of the events that use up a budget too fast to the POST at the sink, at a paced load.

A real broker, `flyball flow` and `flyball deliver` as processes of their own with recovery on, a producer at 50,000
spans/s, a webhook on loopback. Twice a second a message comes with thirty failed runs of a workflow of its own, whose
burn rate over five minutes and an hour is then beyond every limit: a page is due at once. The time of the message is
that of the broker (LogAppendTime), that of the POST this machine's.
"""

from __future__ import annotations

import http.server
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tests" / "services")]

import latency
from report import Figure, arguments, tell

EVERY_S = 0.5
RUNS = 30
ROUTES = "sinks: [{{name: hook, type: webhook, url: '{url}'}}]\nroutes: [{{name: all, sinks: [hook]}}]\n"
Plan = list[tuple[float, bytes, list[tuple[str, int]]]]


class Sink:
    """A webhook that notes when the first page of a burning SLO of each workflow came."""

    def __init__(self) -> None:
        self.came: dict[str, int] = {}
        came = self.came

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                now = time.time_ns()
                page = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if page["class"] == "slo.burn":
                    came.setdefault(page["workflow"], now)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()


def breach(number: int) -> bytes:
    """Give a message of RUNS runs of one workflow that end now, all failed."""
    data, now = TracesData(), time.time_ns()
    scope = data.resource_spans.add().scope_spans.add()
    for run in range(RUNS):
        span = scope.spans.add(name="run", start_time_unix_nano=now - 10**9, end_time_unix_nano=now)
        span.trace_id, span.span_id = (number << 64 | run + 1).to_bytes(16, "big"), (run + 1).to_bytes(8, "big")
        said = {"gen_ai.operation.name": "invoke_agent", "flyball.workflow": f"w{number}", "flyball.outcome": "failure"}
        for key, value in said.items():
            span.attributes.add(key=key).value.string_value = value
    return data.SerializeToString()


def with_breaches(plan: Plan) -> Plan:
    """Give the plan with a breach every EVERY_S, each told apart by what it closes."""
    first, last = plan[0][0], plan[-1][0]
    marks = [(float(at), b"", [(f"w{k + 1}", 0)]) for k, at in enumerate(np.arange(first + EVERY_S, last, EVERY_S))]
    return sorted([*plan, *marks], key=lambda item: item[0])


def main() -> None:
    """Measure and tell."""
    args = arguments(__doc__)
    seconds = 14.0 if args.quick else 60.0
    from broker import Broker, missing

    reason = missing()
    if reason:
        print(f"left out: {reason}", file=sys.stderr)
        return
    sink = Sink()
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder) / "kafka")
        broker.start()
        config = Path(folder) / "config"
        config.mkdir()
        ports = "metrics: {port: 0}\ndeliver: {metrics: {port: 0}}\n"
        (config / "flyball.yaml").write_text(f"log: {{brokers: ['{broker.address}']}}\n{ports}")
        (config / "routes.yaml").write_text(ROUTES.format(url=sink.url))
        parts = [
            subprocess.Popen(
                [sys.executable, "-m", "flyball", part, "--config", str(config), "--data", f"{folder}/data"], cwd=ROOT
            )
            for part in ("flow", "deliver")
        ]
        plan = latency.schedule(seconds, time.time_ns() - 30_000_000_000)
        cut = len(plan) // 10
        try:
            latency.produce(broker.address, plan[:cut])
            latency.await_answers(broker.address, parts[0])
            time.sleep(8)
            appended = latency.produce(broker.address, with_breaches(plan[cut:]), breach)
            time.sleep(10)
            for part in parts:
                part.send_signal(signal.SIGTERM)
            for part in parts:
                part.wait(30)
        finally:
            for part in parts:
                part.kill()
            broker.stop()
            sink.close()
    began = {closed[0][0]: at for at, closed in appended if closed and closed[0][1] == 0}
    took = np.array([(sink.came[workflow] - at) / 1e6 for workflow, at in began.items() if workflow in sink.came])
    note = f"{len(took)} pages of {len(began)} breaches, {latency.RATE:,} spans/s"
    figures = [
        Figure("p50_ms", float(np.percentile(took, 50)), "ms", note),
        Figure("p99_ms", float(np.percentile(took, 99)), "ms", note, "<= 1000"),
        Figure("max_ms", float(took.max()), "ms", note),
        Figure("missing", len(began) - len(took), "pages", note, "0"),
    ]
    tell("paging", figures, as_json=args.json)


if __name__ == "__main__":
    main()
