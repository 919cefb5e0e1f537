"""A ledger that adds up changes: what a reader of all rows and records believes in the end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from models.runs.calls import START
from models.runs.record import ClosedBy, OutcomeFrom
from models.runs.report import run_records

if TYPE_CHECKING:
    from models.runs.changes import Changes

_TEXTS = ("workflow", "agent", "service", "version", "environment", "tenant", "tier", "user")
_GROUPS = ("workflow", "version", "environment", "tenant", "tier")
_NUMBERS = (
    "started_at", "ended_at", "closed_at", "input_tokens", "output_tokens", "cost", "agent_input_tokens",
    "agent_output_tokens", "agent_cost", "spans", "llm_calls", "tool_calls", "tool_errors", "tool_timeouts",
    "duplicate_calls", "reported", "computed", "unpriced", "approvals", "approved", "guarded", "guarded_calls",
    "blocked", "feedback", "feedback_good", "handoffs", "outcome", "task", "escalated", "stop",
)  # fmt: skip


class Ledger:
    """Adds rows by weight; keeps the newest record of each run, and refuses two records of one revision."""

    def __init__(self) -> None:
        self.runs: Counter[tuple[Any, ...]] = Counter()
        self.calls: Counter[tuple[Any, ...]] = Counter()
        self.records: dict[str, dict[str, Any]] = {}
        self.revisions: set[tuple[str, int]] = set()

    def add(self, changes: Changes) -> None:
        """Add what a call of the table gave."""
        names = {0: None, **changes.names}
        for row, weight in zip(changes.runs, changes.weight.tolist(), strict=True):
            self.runs[_facts(row, names)] += weight
        for call in changes.calls:
            run = changes.runs[call["run"]]
            groups = tuple(names[int(run[name])] for name in _GROUPS)
            before = names.get(int(call["before"]), "start" if call["before"] == START else "unknown")
            of_call = names[int(call["tool"])], int(call["minute"]), names[int(call["error"])], before
            key = (int(run["trace_lo"]), groups, _cohorts(run, names), *of_call)
            for kind in ("calls", "errors", "timeouts"):
                self.calls[(*key, kind)] += int(call[kind])
        for record in run_records(changes.records, changes.names, changes.tools):
            key = (record["run_id"], record["revision"])
            assert key not in self.revisions
            assert record["revision"] > self.records.get(record["run_id"], {"revision": -1})["revision"]
            self.revisions.add(key)
            self.records[record["run_id"]] = record

    def truth(self) -> tuple[dict[tuple[Any, ...], int], dict[tuple[Any, ...], int]]:
        """Give what does not add up to nothing."""
        return {k: n for k, n in self.runs.items() if n}, {k: n for k, n in self.calls.items() if n}


def _cohorts(row: Any, names: dict[int, Any]) -> tuple[tuple[str, str], ...]:
    pairs = zip(row["cohort_name"].tolist(), row["cohort_value"].tolist(), strict=True)
    return tuple((names[name], names[value]) for name, value in pairs if name)


def _facts(row: Any, names: dict[int, Any]) -> tuple[Any, ...]:
    source = OutcomeFrom(row["outcome_from"])
    texts = [names[int(row[name])] for name in _TEXTS]
    said = None if source == OutcomeFrom.NOTHING else source.name.lower()
    numbers = [int(row[name]) for name in _NUMBERS]
    return (int(row["trace_lo"]), *texts, _cohorts(row, names), ClosedBy(row["closed_by"]).name.lower(), said, *numbers)


def expected_truth(
    runs: dict[int, dict[str, Any]],
) -> tuple[dict[tuple[Any, ...], int], dict[tuple[Any, ...], int]]:
    """Give the truth of a ledger that has heard all, from the oracle's runs."""
    facts: dict[tuple[Any, ...], int] = {}
    calls: dict[tuple[Any, ...], int] = {}
    for trace, run in runs.items():
        cohorts = tuple(run["cohorts"].items())
        numbers = [int(run[name]) for name in _NUMBERS]
        texts = [run[name] for name in _TEXTS]
        facts[trace, *texts, cohorts, run["closed_by"], run["outcome_from"], *numbers] = 1
        groups = tuple(run[name] for name in _GROUPS)
        for of_call, told in run["calls"].items():
            for kind, count in zip(("calls", "errors", "timeouts"), told, strict=True):
                if count:
                    calls[(trace, groups, cohorts, *of_call, kind)] = count
    return facts, calls


def expected_tools(runs: dict[int, dict[str, Any]]) -> dict[int, dict[str, dict[str, int]]]:
    """Give what the records say of named tools, by trace, from the oracle's runs."""
    out: dict[int, dict[str, dict[str, int]]] = {}
    for trace, run in runs.items():
        out[trace] = {}
        for (tool, *_), (calls, errors, _) in sorted(run["calls"].items(), key=str):
            if tool:
                total = out[trace].setdefault(tool, {"calls": 0, "errors": 0})
                total["calls"] += calls
                total["errors"] += errors
    return out
