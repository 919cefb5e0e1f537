"""Effects: what each kind of incident changes in the plans of the runs it touches. One function a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from models.simulation import vocabulary
from models.simulation.draws import uniforms
from models.simulation.incidents import KINDS
from models.simulation.runs import OUTAGE, Ending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.simulation.book import Book, Cast
    from models.simulation.incidents import Incident

SECOND = 1_000_000_000
_TOUCHED = 1000
"""Purpose of the draw that decides whether incident 0 touches a run; those of the others follow."""


class Effect(Protocol):
    """Changes RUN records in place, before their outcomes are drawn."""

    def __call__(self, runs: NDArray[np.void], touched: NDArray[np.bool_], when: When) -> None:
        """Change the plans at the mask `touched`."""
        ...


class When:
    """One incident in one workflow: its number among the incidents, its times, what it needs from the tables."""

    def __init__(self, number: int, incident: Incident, start_ns: int, cast: Cast, book: Book) -> None:
        """`start_ns` is the start of the scenario; registers the incident's tools and shapes with cast and book."""
        self.number = number
        self.incident = incident
        self.start = start_ns + round(incident.start_s * SECOND)
        self.stop = self.start + round(incident.duration_s * SECOND)
        kind = incident.kind
        self.tool = cast.tool(incident["tool"]) if "tool" in KINDS[kind] else -1
        self.other = cast.tool(incident["other"] or _next_tool(cast, self.tool)) if kind == "cycle" else -1
        self.lured = cast.tool(incident["calls"]) if kind == "injection" else -1
        self.version = cast.version(_next_version(cast, incident["version"])) if kind == "model_upgrade" else -1
        models = [model.name for model, _ in cast.workflow.models]
        self.model = models.index(incident["model"]) if kind == "model_upgrade" and incident["model"] in models else -1
        poisoned = vocabulary.call(cast.tools[self.tool], result=vocabulary.INJECTION)
        self.lure = book.shape(poisoned) if kind == "injection" else -1

    def apply(self, runs: NDArray[np.void]) -> None:
        """Change those of the runs that start in time and are drawn."""
        effect = EFFECTS.get(self.incident.kind)
        if effect is None:
            return
        touched = (runs["start"] >= self.start) & (runs["start"] < self.stop)
        touched &= uniforms(runs["key"], _TOUCHED + self.number) < self.incident["share"]
        runs["touched"][touched] |= 1 << self.number
        effect(runs, touched, self)


def _next_tool(cast: Cast, tool: int) -> str:
    own = [item.name for item in cast.workflow.tools]
    return own[(tool + 1) % len(own)]


def _next_version(cast: Cast, asked: str) -> str:
    return f"{cast.versions[0]}-next" if asked == "next" else asked


def _retry_loop(runs: NDArray[np.void], touched: NDArray[np.bool_], when: When) -> None:
    runs["loop_tool"][touched] = when.tool
    runs["loop_other"][touched] = -1
    runs["loop_count"][touched] = when.incident["count"]
    runs["crashed"][touched] = 1


def _cycle(runs: NDArray[np.void], touched: NDArray[np.bool_], when: When) -> None:
    _retry_loop(runs, touched, when)
    runs["loop_other"][touched] = when.other


def _cost_blowup(runs: NDArray[np.void], touched: NDArray[np.bool_], when: When) -> None:
    runs["cost_factor"][touched] *= when.incident["factor"]


def _model_upgrade(runs: NDArray[np.void], touched: NDArray[np.bool_], when: When) -> None:
    runs["version"][touched] = when.version
    runs["p_success"][touched] -= when.incident["drop"]
    if when.model >= 0:
        runs["model"][touched] = when.model


def _slow_decline(runs: NDArray[np.void], touched: NDArray[np.bool_], when: When) -> None:
    share_of_time = (runs["start"][touched] - when.start) / (when.stop - when.start)
    runs["p_success"][touched] -= when.incident["drop"] * share_of_time


def _hallucinated_tool(runs: NDArray[np.void], touched: NDArray[np.bool_], when: When) -> None:
    runs["stranger"][touched] = when.tool


def _injection(runs: NDArray[np.void], touched: NDArray[np.bool_], when: When) -> None:
    runs["lure"][touched] = when.lure
    runs["lured"][touched] = when.lured


EFFECTS: dict[str, Effect] = {
    "retry_loop": _retry_loop,
    "cycle": _cycle,
    "cost_blowup": _cost_blowup,
    "model_upgrade": _model_upgrade,
    "slow_decline": _slow_decline,
    "hallucinated_tool": _hallucinated_tool,
    "injection": _injection,
}
"""A tool outage is not here: it touches calls, not plans (`outages_of`)."""


def outages_of(incidents: Sequence[When]) -> NDArray[np.void]:
    """Give the OUTAGE table of a workflow."""
    out = [when for when in incidents if when.incident.kind == "tool_outage"]
    table = np.zeros(len(out), OUTAGE)
    for row, when in zip(table, out, strict=True):
        ending = Ending.TIMEOUT if when.incident["error"] == "timeout" else Ending.ERROR
        row["tool"], row["start"], row["stop"] = when.tool, when.start, when.stop
        row["rate"], row["ending"], row["bit"] = when.incident["rate"], ending, when.number
    return table
