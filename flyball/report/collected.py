"""Collected: what the report keeps of the records, in little memory, the highest revision of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from flyball.report.stopped import Told
from models.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TOOL_SLIS = ("tool_success", "tool_timeout")


class Run(NamedTuple):
    """What is kept of a run record."""

    run_id: str
    revision: int
    workflow: str
    version: str | None
    outcome: str
    outcome_from: str | None
    escalated: bool
    steps: int
    tool_calls: int
    tool_errors: int
    duration_s: float
    cost_usd: float | None
    priced: str

    @property
    def known(self) -> bool:
        """Tell whether its outcome is known."""
        return self.outcome != "unknown"

    @property
    def succeeded(self) -> bool:
        """Tell whether it is known to have done its task."""
        return self.outcome == "success"


class Tool(NamedTuple):
    """Calls of one tool of one workflow."""

    workflow: str
    name: str
    calls: int
    errors: int
    timeouts: int


class _Pane(NamedTuple):
    revision: int
    total: int
    bad: int


@dataclass
class Collected:
    """Records so far. Order does not matter, and a record that comes twice counts once.

    `unknown` says how `task_success` counts a run of unknown outcome: exclude, good or bad.
    """

    unknown: str = "exclude"
    runs: dict[str, Run] = field(default_factory=dict)
    panes: dict[tuple[str, str, str, str], _Pane] = field(default_factory=dict)
    dead: Counter[str] = field(default_factory=Counter)
    budgets: dict[str, float] = field(default_factory=dict)
    """By SLO: the share of its error budget that is used at the end."""
    incidents: dict[str, str] = field(default_factory=dict)
    """By key: severity."""
    verdicts: dict[str, Told] = field(default_factory=dict)
    """About runs, by id."""
    summary: Mapping[str, Any] = field(default_factory=dict)

    def add(self, record: Mapping[str, Any]) -> None:
        """Take a record of any kind; those that the report does not need are passed over."""
        kind = record["kind"]
        if kind == "run":
            self._add_run(record)
        elif kind == "sli" and record["sli"] in TOOL_SLIS and set(record["group"]) == {"workflow", "tool"}:
            self._add_pane(record)
        elif kind == "slo" and record["budget_used"] is not None:
            self.budgets[plain(record["slo"])] = record["budget_used"]
        elif kind == "incident":
            self.incidents[record["key"]] = record["severity"]
        elif kind == "verdict" and (told := Told.of(record)):
            self.verdicts[record["id"]] = told
        elif kind == "dead_letter":
            self.dead[plain(record["reason"])] += 1
        elif kind == "summary":
            self.summary = record

    def judged(self, runs: Iterable[Run]) -> tuple[int, int]:
        """Give how many of these runs `task_success` counts, good and in all."""
        outcomes = Counter(run.outcome for run in runs)
        counted = 0 if self.unknown == "exclude" else outcomes["unknown"]
        good = outcomes["success"] + (counted if self.unknown == "good" else 0)
        return good, outcomes["success"] + outcomes["failure"] + counted

    def tools(self) -> list[Tool]:
        """Give the tools, most errors first, then most calls."""
        sums: dict[tuple[str, str], Counter[str]] = {}
        for (sli, workflow, tool, _), pane in self.panes.items():
            found = sums.setdefault((workflow, tool), Counter())
            found[sli] += pane.bad
            found["calls"] += pane.total if sli == "tool_success" else 0
        tools = [Tool(*name, n["calls"], n["tool_success"], n["tool_timeout"]) for name, n in sums.items()]
        return sorted((tool for tool in tools if tool.calls), key=lambda t: (-t.errors, -t.calls, t.workflow, t.name))

    def _add_run(self, record: Mapping[str, Any]) -> None:
        run = Run(
            run_id=record["run_id"],
            revision=record["revision"],
            workflow=plain(record["workflow"]),
            version=record["version"] and plain(record["version"]),
            outcome=record["outcome"],
            outcome_from=record["outcome_from"],
            escalated=record["escalated"],
            steps=record["llm_calls"] + record["tool_calls"],
            tool_calls=record["tool_calls"],
            tool_errors=record["tool_errors"],
            duration_s=record["duration_s"],
            cost_usd=record["cost_usd"],
            priced=record["priced"],
        )
        before = self.runs.get(run.run_id)
        if before is None or before.revision <= run.revision:
            self.runs[run.run_id] = run

    def _add_pane(self, record: Mapping[str, Any]) -> None:
        group = record["group"]
        name = (record["sli"], plain(group["workflow"]), plain(group["tool"]), record["pane_start"])
        before = self.panes.get(name)
        if before is None or before.revision <= record["revision"]:
            self.panes[name] = _Pane(record["revision"], record["total"], record["total"] - record["good"])


def collect(records: Iterable[Mapping[str, Any]]) -> Collected:
    """Collect records."""
    collected = Collected()
    for record in records:
        collected.add(record)
    return collected


def is_needed(value: bytes) -> bool:
    """Tell from a record's JSON whether the report may need it: most are panes of other SLIs, and parsing is slow."""
    return not value.startswith(b'{"kind":"sli"') or b'"sli":"tool_' in value
