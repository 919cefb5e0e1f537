"""Baselines: how long, large and dear a workflow's runs are, learnt from runs that closed, and then frozen.

A baseline that went on learning would grow with the runaways it is to find. It is learnt anew when the flow restarts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.runs.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from models.runs.changes import Changes

EVIDENCE = 200
"""Closed runs until the 99th percentile is taken, by nearest rank the third largest: two runaways do no harm."""
_RANK = -(-EVIDENCE * 99 // 100) - 1
_MAX_WORKFLOWS = 1000
MILLI = 1000


class Baseline(NamedTuple):
    """99th percentiles of a run's steps, tokens and cost (nano-USD); 0: not known, as where nothing is priced."""

    steps: int
    tokens: int
    cost: int


NO_BASELINE = Baseline(0, 0, 0)


class Baselines:
    """The baselines of one shard, by digest of the workflow."""

    def __init__(self) -> None:
        self.frozen: dict[int, Baseline] = {}
        self._learnt: dict[int, list[tuple[int, int, int]]] = {}

    def of(self, workflow: int) -> Baseline:
        """Give the baseline of a workflow; zeros as long as evidence is lacking."""
        return self.frozen.get(workflow, NO_BASELINE)

    def evidence(self) -> dict[int, int]:
        """Give how many runs stand behind each workflow, up to EVIDENCE."""
        learnt = {name: len(runs) for name, runs in list(self._learnt.items())}  # asked by another thread
        return learnt | dict.fromkeys(list(self.frozen), EVIDENCE)

    def learn(self, changes: Changes) -> None:
        """Take in runs that closed, as they were told; corrections change nothing of note."""
        frozen = np.fromiter(self.frozen, np.int64, len(self.frozen))
        new = np.flatnonzero((changes.weight > 0) & ~np.isin(changes.runs["workflow"], frozen))
        for workflow, steps, tokens, cost in _facts(changes.runs[new]) if len(new) else ():
            known = len(self._learnt) + len(self.frozen)
            if workflow in self.frozen or (workflow not in self._learnt and known >= _MAX_WORKFLOWS):
                continue
            learnt = self._learnt.setdefault(workflow, [])
            learnt.append((steps, tokens, cost))
            if len(learnt) == EVIDENCE:
                self.frozen[workflow] = Baseline(*(sorted(values)[_RANK] for values in zip(*learnt, strict=True)))
                del self._learnt[workflow]

    def times(self, pulses: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give [row, (steps, tokens, cost)], each as a multiple of its baseline in thousandths; 0: there is none."""
        out = np.zeros((len(pulses), 3), np.int64)
        if not self.frozen:
            return out
        values = (
            pulses[:, Pulse.LLM_CALLS] + pulses[:, Pulse.TOOL_SPANS],
            pulses[:, Pulse.TOKENS],
            pulses[:, Pulse.COST],
        )
        for workflow in np.unique(pulses[:, Pulse.WORKFLOW]).tolist():
            base, mine = self.frozen.get(workflow), pulses[:, Pulse.WORKFLOW] == workflow
            for column, limit in enumerate(base or ()):
                if limit:
                    out[mine, column] = values[column][mine] * MILLI // limit
        return out


def _facts(runs: NDArray[np.void]) -> Iterable[list[int]]:
    """Give (workflow, steps, tokens, cost) of runs, as pulses tell them."""
    alone = runs["llm_calls"] == 0
    tokens = np.where(
        alone, runs["agent_input_tokens"] + runs["agent_output_tokens"], runs["input_tokens"] + runs["output_tokens"]
    )
    cost = np.where(alone & (runs["reported"] == 0), np.maximum(runs["agent_cost"], 0), runs["cost"])
    steps = runs["llm_calls"].astype(np.int64) + runs["tool_calls"]
    return np.stack((runs["workflow"], steps, tokens, cost), axis=1).tolist()  # type: ignore[no-any-return]
