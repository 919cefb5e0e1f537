"""Truth: what was really simulated, for tests and demonstrations; it is never in the spans."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from models.simulation.incidents import KINDS
from models.simulation.runs import RUN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from models.simulation.scenario import Scenario
    from models.simulation.traffic import Traffic

_COUNTS = ("llm_calls", "tool_calls", "tool_errors", "tool_timeouts", "input_tokens", "output_tokens", "spans")
_COUNTS_OF_PEOPLE = ("approvals", "approved")
_FACTS = ("success", "escalated", "crashed", "guarded", "blocked", "evaluated")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Truth:
    """Collects the RUN records, and tells them as one JSON object each."""

    def __init__(self, scenario: Scenario, traffic: Traffic) -> None:
        """Nothing was simulated yet."""
        self._scenario, self._actors, self._book = scenario, traffic.actors, traffic.book
        self._parts: list[NDArray[np.void]] = []

    def add(self, runs: NDArray[np.void]) -> None:
        """Take the runs of a slice."""
        self._parts.append(runs)

    @property
    def runs(self) -> NDArray[np.void]:
        """All RUN records, by start within each slice and workflow."""
        return np.concatenate([np.zeros(0, RUN), *self._parts])

    def take(self) -> Iterator[dict[str, Any]]:
        """Give the runs taken since the last call, one object each, and forget them."""
        parts, self._parts = self._parts, []
        for part in parts:
            for run in part:
                yield self._run(run)

    def incidents(self) -> Iterator[dict[str, Any]]:
        """Give one object an incident; `incident` is its number, to which the runs refer."""
        for number, incident in enumerate(self._scenario.incidents):
            start = self._scenario.start_ns + round(incident.start_s * 1e9)
            yield {
                "truth": "incident",
                "incident": number,
                "kind": incident.kind,
                "start": _time(start),
                "end": _time(start + round(incident.duration_s * 1e9)),
                "workflows": [workflow.name for workflow in self._scenario.workflows if incident.concerns(workflow)],
                "tools": {
                    actor.cast.workflow.name: actor.cast.tools[when.tool].name
                    for actor in self._actors
                    for when in actor.incidents
                    if when.number == number and when.tool >= 0
                },
                **{option: incident[option] for option in KINDS[incident.kind]},
            }

    def _run(self, run: np.void) -> dict[str, Any]:
        cast = self._actors[run["workflow"]].cast
        touched = int(run["touched"])
        return {
            "truth": "run",
            "run_id": f"{_hex(run['trace_hi'])}{_hex(run['trace_lo'])}",
            "workflow": cast.workflow.name,
            "version": cast.versions[run["version"]],
            "environment": cast.workflow.environments[run["environment"]][0],
            "model": cast.workflow.models[run["model"]][0].name,
            **dict(
                zip(("user", "tenant", "tier"), (text for _, text in self._book.contexts[run["user"]]), strict=True)
            ),
            "started_at": _time(int(run["start"])),
            "ended_at": _time(int(run["end"])),
            **{name: int(run[name]) for name in (*_COUNTS, *_COUNTS_OF_PEOPLE)},
            **{name: bool(run[name]) for name in _FACTS},
            "feedback": (None, "good", "bad")[run["thumb"]],
            "cost_usd": int(run["cost"]) / 1e9,
            "incidents": [i for i in range(len(self._scenario.incidents)) if touched >> i & 1],
        }


def _hex(bits: np.int64) -> str:
    return f"{int(bits) % 2**64:016x}"


def _time(nanoseconds: int) -> str:
    return (_EPOCH + timedelta(microseconds=nanoseconds // 1000)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
