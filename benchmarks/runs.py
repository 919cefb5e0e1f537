"""Speed and memory of the run table: cost per span with 1k to 1M open runs over 64 shards, bytes per open run.

Runs of 9 spans (5 LLM calls, 3 tool calls, the agent's span as root) arrive shuffled among all open runs, 8192 spans a
batch, one call per shard. Time is CPU time of `RunTable.update` alone, Changes included, after the tables are filled.

    uv run python benchmarks/runs.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.digest import digest_of
from models.runs.policy import RunPolicy
from models.runs.shards import SHARDS, shard_of
from models.runs.table import RunTable
from models.spans.batch import Spans
from models.spans.columns import NO_SCORE, UNKNOWN, Column, Priced, SpanKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 8192
SECOND = 1_000_000_000
STEPS = np.array([SpanKind.LLM, SpanKind.TOOL] * 3 + [SpanKind.LLM] * 2 + [SpanKind.RUN], np.int64)
TARGETS = {"bytes_per_open_run": 1024, "growth_1k_to_1m": 1.3, "track_spans_per_s_core": 2_000_000}


class Traffic:
    """A pool of open runs; each batch gives the next span of some of them, chosen at random."""

    def __init__(self, runs: int, seed: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.step = np.zeros(runs, np.int64)
        self.life = np.zeros(runs, np.int64)
        self.now = 1_800_000_000 * SECOND
        self.texts = {digest_of(text): text for text in ["shop", "1.4.2", "prod", "search", "book", "refund"]}
        self.users = np.array([digest_of(f"user-{k}") for k in range(1000)], np.int64)
        self.texts |= {digest_of(f"user-{k}"): f"user-{k}" for k in range(1000)}

    def batch(self, runs: NDArray[np.int64]) -> Spans:
        """Give the next span of each of these runs, all different."""
        step, n = self.step[runs], len(runs)
        trace = runs * 1_000_003 + self.life[runs] + 1
        cols = np.zeros((len(Column), n), np.int64)
        cols[Column.INPUT_TOKENS : Column.COST + 1] = UNKNOWN
        cols[Column.SCORE] = NO_SCORE
        cols[Column.TRACE_HI], cols[Column.TRACE_LO] = trace * 0x9E3779B1, trace
        cols[Column.SPAN_ID] = self.rng.integers(1, 2**62, n)
        cols[Column.PARENT_ID] = np.where(step == len(STEPS) - 1, 0, trace | 2**62)
        cols[Column.KIND] = STEPS[step]
        self.now += SECOND // 20
        cols[Column.START], cols[Column.END] = self.now - SECOND, self.now
        for column, text in ((Column.SERVICE, "shop"), (Column.VERSION, "1.4.2"), (Column.ENVIRONMENT, "prod")):
            cols[column] = digest_of(text)
        cols[Column.USER] = self.users[runs % 1000]
        tool, llm = STEPS[step] == SpanKind.TOOL, STEPS[step] == SpanKind.LLM
        tools = np.array([digest_of(text) for text in ("search", "book", "refund")], np.int64)
        cols[Column.TOOL] = np.where(tool, tools[step % 3], 0)
        cols[Column.ARGUMENTS] = np.where(tool, self.rng.integers(1, 2**62, n), 0)
        cols[Column.INPUT_TOKENS] = cols[Column.OUTPUT_TOKENS] = np.where(llm, 900, UNKNOWN)
        cols[Column.COST] = np.where(llm, 2_000_000, UNKNOWN)
        cols[Column.PRICED] = np.where(llm, Priced.COMPUTED, 0)
        self.step[runs] += 1
        done = runs[self.step[runs] == len(STEPS)]
        self.step[done] = 0
        self.life[done] += 1
        return Spans(cols, self.texts)

    def chosen(self) -> NDArray[np.int64]:
        """Choose the runs of a batch."""
        return self.rng.choice(len(self.step), min(BATCH, len(self.step)), replace=False)


def sorted_by_shard(spans: Spans) -> tuple[Spans, list[int]]:
    """Give the batch in order of shards, and where each begins."""
    shards = shard_of(spans.cols)
    order = np.argsort(shards, kind="stable")
    bounds = np.searchsorted(shards[order], np.arange(SHARDS + 1)).tolist()
    return Spans(np.asfortranarray(spans.cols[:, order]), spans.names), bounds


def track(tables: list[RunTable], spans: Spans, watermark: int) -> float:
    """Feed a batch; give the seconds of the tables."""
    spans, bounds = sorted_by_shard(spans)
    began = time.thread_time()
    for shard, table in enumerate(tables):
        if bounds[shard] < bounds[shard + 1]:
            table.update(spans, slice(bounds[shard], bounds[shard + 1]), watermark)
    return time.thread_time() - began


def resident() -> int:
    """Give the bytes of memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def churn(runs: int, spans: int) -> dict[str, float]:
    """Keep `runs` runs open, at random steps of their lives; give the cost of a span."""
    tables = [RunTable(RunPolicy(remember_max=2000)) for _ in range(SHARDS)]
    traffic = Traffic(runs)
    for _ in range(len(STEPS) // 2):
        for some in np.array_split(traffic.rng.permutation(runs), max(1, runs // BATCH)):
            track(tables, traffic.batch(some), 0)
    costs = []
    for _ in range(spans // BATCH):
        parts = [traffic.batch(traffic.chosen()).cols for _ in range(-(-BATCH // runs))]
        batch = Spans(np.concatenate(parts, axis=1)[:, :BATCH], traffic.texts)
        costs.append(track(tables, batch, traffic.now - 60 * SECOND) / len(batch))
    median = float(np.median(costs))
    return {
        "open_runs": sum(table.open_runs for table in tables),
        "us_per_span": round(median * 1e6, 3),
        "p99_batch_us_per_span": round(float(np.quantile(costs, 0.99)) * 1e6, 3),
        "track_spans_per_s_core": round(1 / median),
    }


def memory(runs: int) -> dict[str, float]:
    """Open so many runs, all spans but the root's, shuffled; give the bytes of one."""
    tables = [RunTable(RunPolicy()) for _ in range(SHARDS)]
    traffic = Traffic(runs)
    before = resident()
    for _ in range(len(STEPS) - 1):
        for some in np.array_split(traffic.rng.permutation(runs), max(1, runs // BATCH)):
            track(tables, traffic.batch(some), 0)
    total = sum(table.memory_bytes for table in tables)
    assert sum(table.open_runs for table in tables) == runs
    return {
        "open_runs": runs,
        "bytes_per_open_run": round(total / runs),
        "resident_bytes_per_open_run": round((resident() - before) / runs),
    }


def main() -> None:
    """Run all and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to 100k open runs only")
    parser.add_argument("--json", action="store_true", help="one object a line")
    options = parser.parse_args()
    sizes = [1_000, 10_000, 100_000] if options.quick else [1_000, 10_000, 100_000, 1_000_000]
    churn(1_000, 20_000)  # compiles
    results = [{"benchmark": "runs.memory", **memory(sizes[-1])}]
    results += [{"benchmark": "runs.churn", **churn(runs, 400_000)} for runs in sizes]
    growth = results[-1]["us_per_span"] / results[1]["us_per_span"]  # type: ignore[operator]
    results.append({"benchmark": "runs.growth", "from": sizes[0], "to": sizes[-1], "growth": round(growth, 2)})
    for result in results:
        if options.json:
            print(json.dumps(result))
        else:
            print(
                "  ".join(
                    f"{name} {value:,}" if name != "benchmark" else f"{value:12}" for name, value in result.items()
                )
            )  # type: ignore[str-format]


if __name__ == "__main__":
    main()
