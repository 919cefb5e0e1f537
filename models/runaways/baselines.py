"""Baselines: how long, large and dear a workflow's runs are, learnt from runs that closed, and then frozen.

A baseline that went on learning would grow with the runaways it is to find. It is learnt anew when the flow restarts.

Short runs close first, so the first to close are no fair sample. What is learnt from are the first runs to begin, once
all but the two that take longest have closed: those two are taken to be the largest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.runaways.sifting import times
from models.runs.pulse import NEW_RUN, Pulse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.runs.changes import Changes

EVIDENCE = 200
"""Runs until the 99th percentile is taken, by nearest rank the third largest: two runaways do no harm."""
_RANK = -(-EVIDENCE * 99 // 100)
_LOST_NS = 25 * 3600 * 10**9
"""A run that began so long ago and has not closed will not: at 24 h it would have been."""
_MAX_WORKFLOWS = 1000
MILLI = 1000
_BEGIN = (Pulse.TRACE_HI, Pulse.TRACE_LO, Pulse.WORKFLOW, Pulse.BEGAN)
_TIMED = (Pulse.TOKENS, Pulse.COST, Pulse.WORKFLOW)
_Trace = tuple[int, int]


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
        self._begun: dict[int, dict[_Trace, _Run]] = {}
        """The first EVIDENCE runs of a workflow that began."""
        self._of: dict[_Trace, int] = {}
        """Their workflow, as long as they are open."""
        self._names, self._usual = np.empty(0, np.int64), np.empty((0, len(NO_BASELINE)), np.int64)
        """`frozen` in columns, by ascending name."""

    def of(self, workflow: int) -> Baseline:
        """Give the baseline of a workflow; zeros as long as evidence is lacking."""
        return self.frozen.get(workflow, NO_BASELINE)

    def evidence(self) -> dict[int, int]:
        """Give how many runs stand behind each workflow, up to EVIDENCE."""
        begun = list(self._begun.items())  # asked by another thread
        learnt = {name: sum(run.facts is not None for run in list(runs.values())) for name, runs in begun}
        return learnt | dict.fromkeys(list(self.frozen), EVIDENCE)

    def begin(self, pulses: NDArray[np.int64]) -> None:
        """Take in runs that began, or that got another workflow, [run, Pulse]."""
        is_new = pulses[:, Pulse.BEFORE_BEGAN] == NEW_RUN
        is_renamed = ~is_new & (pulses[:, Pulse.BEFORE_WORKFLOW] != pulses[:, Pulse.WORKFLOW])
        if not (is_new.any() or is_renamed.any()):
            return
        was_begun = [self._forget((hi, lo)) for hi, lo, *_ in pulses[is_renamed][:, _BEGIN].tolist()]
        is_new[is_renamed] = was_begun
        begun: dict[int, list[tuple[int, int, int]]] = {}
        for hi, lo, workflow, began_ns in pulses[is_new][:, _BEGIN].tolist():
            if workflow not in self.frozen:
                begun.setdefault(workflow, []).append((hi, lo, began_ns))
        for workflow, runs in begun.items():
            self._enter(workflow, runs)

    def learn(self, changes: Changes) -> None:
        """Take in runs that closed, as they were told; corrections change nothing of note."""
        if not self._of:
            return
        runs = changes.runs[(changes.weight > 0) & ~self._is_frozen(changes.runs["workflow"])]
        touched = set()
        for hi, lo, *facts in _facts(runs):
            workflow = self._of.pop((hi, lo), None)
            if workflow is not None:
                cohort = self._begun[workflow]
                cohort[hi, lo] = cohort[hi, lo]._replace(facts=facts)
                touched.add(workflow)
        for workflow in touched:
            self._freeze(workflow, self._begun[workflow])

    def _enter(self, workflow: int, runs: list[tuple[int, int, int]]) -> None:
        if workflow not in self._begun and len(self._begun) + len(self.frozen) >= _MAX_WORKFLOWS:
            return
        cohort = self._begun.setdefault(workflow, {})
        if len(cohort) == EVIDENCE:
            lost_ns = max(began_ns for _, _, began_ns in runs) - _LOST_NS
            if next(iter(cohort.values())).began_ns >= lost_ns:  # about the oldest
                return
            for trace in [each for each, run in cohort.items() if run.facts is None and run.began_ns < lost_ns]:
                self._forget(trace)
        for hi, lo, began_ns in runs[: EVIDENCE - len(cohort)]:
            cohort[hi, lo] = _Run(began_ns, None)
            self._of[hi, lo] = workflow

    def _forget(self, trace: _Trace) -> bool:
        workflow = self._of.pop(trace, None)
        if workflow is None:
            return False
        del self._begun[workflow][trace]
        return True

    def _freeze(self, workflow: int, cohort: dict[_Trace, _Run]) -> None:
        if len(cohort) < EVIDENCE:
            return
        closed = [run.facts for run in cohort.values() if run.facts is not None]
        if len(closed) >= _RANK:
            self.frozen[workflow] = Baseline(*(sorted(values)[_RANK - 1] for values in zip(*closed, strict=True)))
            self._names = np.array(sorted(self.frozen), np.int64)
            self._usual = np.array([self.frozen[name] for name in self._names.tolist()], np.int64)
            del self._begun[workflow]
            for trace in cohort:
                self._of.pop(trace, None)

    def _is_frozen(self, workflows: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.isin(workflows, self._names)

    def times(self, pulses: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give [row, (steps, tokens, cost)], each as a multiple of its baseline in thousandths; 0: there is none."""
        steps = pulses[:, Pulse.LLM_CALLS] + pulses[:, Pulse.TOOL_SPANS]
        values = np.column_stack((steps, pulses[:, _TIMED]))
        found: NDArray[np.int64] = times(values, self._names, self._usual, MILLI)
        return found


class _Run(NamedTuple):
    """A run that began, and its steps, tokens and cost once it has closed."""

    began_ns: int
    facts: list[int] | None


def _facts(runs: NDArray[np.void]) -> list[list[int]]:
    """Give (trace, in two words; steps, tokens, cost) of runs, as pulses tell them."""
    alone = runs["llm_calls"] == 0
    tokens = np.where(
        alone, runs["agent_input_tokens"] + runs["agent_output_tokens"], runs["input_tokens"] + runs["output_tokens"]
    )
    cost = np.where(alone & (runs["reported"] == 0), np.maximum(runs["agent_cost"], 0), runs["cost"])
    steps = runs["llm_calls"].astype(np.int64) + runs["tool_calls"]
    facts: list[list[int]] = np.stack((runs["trace_hi"], runs["trace_lo"], steps, tokens, cost), axis=1).tolist()
    return facts
