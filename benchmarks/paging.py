"""Time from the append in Kafka of the events that use up a budget too fast to the POST at the sink, at a paced load.

A real broker, `flyball flow` and `flyball deliver` as processes of their own with recovery on, a producer at 50,000
spans/s, a webhook on loopback. Twice a second a message comes with thirty failed runs of a workflow of its own, whose
burn rate over five minutes and an hour is then beyond every limit: a page is due at once. The time of the message is
that of the broker (LogAppendTime), that of the POST this machine's.
"""

from __future__ import annotations

import http.server
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

sys.path.insert(0, str(Path(__file__).resolve().parent))

from paced import Deployment, begun, can_run, figures, planned, produce, with_incidents
from report import arguments, tell

RUNS = 30
ROUTES = "sinks: [{{name: hook, type: webhook, url: '{url}'}}]\nroutes: [{{name: all, sinks: [hook]}}]\n"


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


def main() -> None:
    """Measure and tell."""
    args = arguments(__doc__)
    if not can_run():
        return
    sink = Sink()
    with Deployment({"routes.yaml": ROUTES.format(url=sink.url)}) as place:
        first, rest = planned(14.0 if args.quick else 60.0)
        place.start("flow", "deliver")
        place.warm(first)
        time.sleep(8)
        asked = begun(produce(place.address, with_incidents(rest), breach))
        time.sleep(10)
        place.stop()
    sink.close()
    took = [(sink.came[f"w{number}"] - at) / 1e6 for number, at in asked.items() if f"w{number}" in sink.came]
    tell("paging", figures(took, len(asked), "breaches paged", 1000), as_json=args.json)


if __name__ == "__main__":
    main()
