"""Speed of simulated traffic to a file: spans a second, JSON lines and protobuf, on one core.

    python benchmarks/simulate.py [--quick] [--json] [--spans N]

The first messages, which compile what is not in the cache yet, are not counted. `to_null` writes to the null device:
what the generator itself takes; the difference to `to_file` is the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from flyball.simulate import Sent, simulate
from flyball.simulate_output import open_target
from models.simulation import Encoding, Generation, Scenario

TARGET = 200_000
"""Spans a second to a file that the project promises."""


def measure(encoding: Encoding, where: str, spans: int, rate: float) -> dict[str, object]:
    """Write `spans` spans of traffic of `rate` runs a second; gives the figures."""
    generation = Generation(Scenario(rate=rate, duration_s=None), encoding)
    sent = Sent()
    began, began_cpu = time.perf_counter(), time.process_time()
    with open_target(where, encoding) as target:
        simulate(generation, target, sent, spans=spans)
    seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    return {
        "benchmark": "simulate",
        "format": str(encoding),
        "to": "null" if where == os.devnull else "file",
        "runs_per_s_of_event_time": rate,
        "spans": sent.spans,
        "messages": sent.messages,
        "bytes_per_span": round(sent.bytes / sent.spans),
        "spans_per_s": round(sent.spans / seconds),
        "spans_per_s_core": round(sent.spans / cpu),
    }


def main() -> int:
    """Measure both formats; exit code 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a quarter of the spans")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--spans", type=int, default=2_000_000, help="spans a measurement")
    args = parser.parse_args()
    spans = args.spans // 4 if args.quick else args.spans
    slowest = sys.maxsize
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "traffic")
        for encoding in Encoding:
            measure(encoding, os.devnull, 1000, 5.0)
            for where in (file, os.devnull):
                for rate in (5.0, 50.0):
                    figures = measure(encoding, where, spans, rate)
                    slowest = min(slowest, int(str(figures["spans_per_s"]))) if where == file else slowest
                    print(json.dumps(figures) if args.json else row(figures), flush=True)
    return 0 if slowest >= TARGET else 1


def row(figures: dict[str, object]) -> str:
    """Say the figures in a line of a table."""
    return (
        f"{figures['format']:>9} to {figures['to']:<5} {figures['runs_per_s_of_event_time']:>5} runs/s "
        f"{figures['spans_per_s']:>9,} spans/s {figures['spans_per_s_core']:>9,} spans/s/core "
        f"{figures['bytes_per_span']:>6,} bytes/span {figures['messages']:>7,} messages"
    )


if __name__ == "__main__":
    sys.exit(main())
