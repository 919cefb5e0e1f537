"""Time from the append of a run's last span in Kafka to the SLI record that counts it, at a paced load.

A real broker, the real flow as a process of its own with recovery on, a producer at 50,000 spans/s. Each message that
closes runs has a place in the count of its pane; the first record of that pane whose total reaches the place is its
answer. Both times are the broker's (LogAppendTime), so there is one clock.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from paced import RATE, Appended, Deployment, can_run, planned, produce
from report import Figure, arguments, tell


def answers(broker: str) -> list[tuple[int, dict[str, Any]]]:
    """Read all SLI records of whole workflows with the broker's time of their append."""
    from streams.kafka.log import KafkaLog

    log, out = KafkaLog(broker), []
    for partition in range(log.partitions("flyball.slis")):
        reader = log.reader("flyball.slis", partition, None)
        quiet = 0
        while quiet < 50:
            found = reader.poll(10_000, 8 << 20)
            quiet = 0 if found else quiet + 1
            time.sleep(0 if found else 0.01)
            for message in found:
                record = json.loads(message.value)
                if record["sli"] == "time_to_resolution" and len(record["group"]) == 1:
                    out.append((message.appended_ns, record))
        reader.close()
    return out


def latencies(appended: Appended, told: list[tuple[int, dict[str, Any]]]) -> np.ndarray:
    """Give the latency in ms of every run of the second half, when all is warm."""
    panes: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for at, record in sorted(told, key=lambda item: item[0]):
        panes[record["group"]["workflow"], record["pane_start"][:16]].append((at, record["total"]))
    counted: dict[tuple[str, str], int] = defaultdict(int)
    out = []
    half = len(appended) // 2
    for index, (at, closed) in enumerate(sorted(appended, key=lambda item: item[0])):
        for workflow, minute in closed:
            key = (workflow, np.datetime64(minute, "m").item().strftime("%Y-%m-%dT%H:%M"))
            counted[key] += 1
            answer = next((when for when, total in panes[key] if total >= counted[key]), None)
            if answer is not None and index >= half:
                out.append((answer - at) / 1e6)
    return np.array(out)


def main() -> None:
    """Measure and tell."""
    args = arguments(__doc__)
    if not can_run():
        return
    with Deployment() as place:
        first, rest = planned(12.0 if args.quick else 60.0)
        place.start("flow")
        place.warm(first)
        time.sleep(8)
        appended = place.warmed + produce(place.address, rest)
        time.sleep(3)
        place.stop()
        found = latencies(appended, answers(place.address))
    note = f"{len(found):,} runs at {RATE:,} spans/s"
    tell(
        "latency",
        [
            Figure("p50_ms", float(np.percentile(found, 50)), "ms", note),
            Figure("p99_ms", float(np.percentile(found, 99)), "ms", note, "<= 250"),
            Figure("max_ms", float(found.max()), "ms", note),
        ],
        as_json=args.json,
    )


if __name__ == "__main__":
    main()
