"""Rules on runaways: what they cost the pipeline, and what they find of simulated incidents, how soon.

Cost is the CPU time of the same flow over the same messages, with all rules and with none, by turns. Detection runs the
flow over simulated traffic in which some runs of the last minutes go wrong, and compares with what was simulated.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # as `flyball flow` does
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script from anywhere
sys.path.insert(0, str(Path(__file__).resolve().parent))

import time

import orjson
from bytewax.testing import run_main
from pipeline import Chunks, from_memory
from prometheus_client import CollectorRegistry
from report import Figure, arguments, tell
from traffic import messages

from flows.memory import settle_memory
from flows.metrics import Metrics
from flows.settings import FlowSettings
from flows.sink import CallSink
from flows.topology import build
from models.runaways import RULES
from models.runaways.policy import RuleSetting, RunawayPolicy
from models.simulation import Encoding, Generation, Scenario
from models.simulation.incidents import Incident

if TYPE_CHECKING:
    from flows.items import Outbound

FOUND_BY = {
    "retry_loop": ("repeat.identical",),
    "cycle": ("cycle.sequence",),
    "hallucinated_tool": ("tool.unknown",),
    "cost_blowup": ("baseline.cost", "baseline.tokens", "cap.cost"),
}
NONE = RunawayPolicy({rule.id: RuleSetting(mode="off") for rule in RULES})
ROUNDS = 3


def run(values: list[bytes], policy: RunawayPolicy) -> tuple[float, list[dict[str, Any]]]:
    """Run the flow over the messages; gives seconds of CPU time, and the verdicts."""
    out: list[dict[str, Any]] = []

    def keep(records: list[Outbound]) -> None:
        out.extend(orjson.loads(each.value) for each in records if each.topic == "flyball.verdicts")

    metrics, settings = Metrics(None, CollectorRegistry()), FlowSettings(runaways=policy)
    flow = build(Chunks(values), CallSink(keep), settings, metrics, clock=None, kept=False)
    began = time.process_time()
    run_main(flow)
    return time.process_time() - began, out


def cost(values: list[bytes]) -> float:
    """Give the share of CPU time that the rules take: the median over pairs of runs."""
    shares = []
    for _ in range(ROUNDS):
        without, _ = run(values, NONE)
        shares.append(1 - without / run(values, RunawayPolicy())[0])
    return statistics.median(shares)


def detection(duration_s: float, rate: float) -> list[Figure]:
    """Tell of each kind of incident how many runs were found, how many others, after how many calls and seconds."""
    last = duration_s / 4
    incidents = tuple(Incident(kind, duration_s - last, last, options={"share": 0.05}) for kind in FOUND_BY)
    generation = Generation(Scenario(seed=5, duration_s=duration_s, rate=rate, incidents=incidents), Encoding.PROTOBUF)
    values = [exported.payload for exported in generation]
    hit = defaultdict(set)
    for each in generation.truth.take():
        for number in each["incidents"]:
            hit[incidents[number].kind].add(each["run_id"])
    _, verdicts = run(values, RunawayPolicy())
    figures = []
    for kind, rules in FOUND_BY.items():
        found = [each for each in verdicts if each["rule"] in rules and each["action"] == "warn"]
        right = [each for each in found if each["scope"]["id"] in hit[kind]]
        runs = {each["scope"]["id"] for each in right}
        others = {each["scope"]["id"] for each in found} - set().union(*hit.values())
        note = f"{len(runs)} of {len(hit[kind])} runs by {', '.join(rules)}"
        figures += [
            Figure(f"{kind}_found", len(runs) / max(len(hit[kind]), 1), "", note),
            Figure(f"{kind}_others", len(others), "runs", "untouched runs that were warned of, too"),
        ]
        if right:
            calls = statistics.median(each["evidence"]["calls_so_far"] for each in right)
            waited = statistics.median(_seconds(each) for each in right)
            figures.append(Figure(f"{kind}_calls", calls, "calls", "median of calls so far at the warning"))
            figures.append(Figure(f"{kind}_seconds", waited, "s", "median from `first_at` to the warning, event time"))
    return figures


def _seconds(verdict: dict[str, Any]) -> float:
    at, first = (datetime.fromisoformat(text) for text in (verdict["at"], verdict["evidence"]["first_at"]))
    return (at - first).total_seconds()


def main() -> None:
    """Measure and tell."""
    args = arguments(__doc__)
    values = messages(150_000 if args.quick else 1_000_000)
    from_memory(values[:100])  # compile
    settle_memory()
    figures = [Figure("rules_share_of_cpu", cost(values), "", "of the flow's CPU time, from memory", "<= 0.20")]
    figures += detection(400.0, 30.0) if args.quick else detection(1200.0, 60.0)
    tell("runaways", figures, as_json=args.json)


if __name__ == "__main__":
    main()
