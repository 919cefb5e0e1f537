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
_ROOM = 100
"""Workflows that go at once where there is no room for one more: names may be made up."""
_UNUSED_NS = 7 * 24 * 3600 * 10**9
"""A baseline is kept so long after the newest run that it stood beside, where there is no room for others."""
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
    """The baselines of one worker, by digest of the workflow."""

    def __init__(self) -> None:
        self.frozen: dict[int, Baseline] = {}
        self._begun: dict[int, _Cohort] = {}
        """The first EVIDENCE runs of a workflow that began."""
        self._of: dict[_Trace, int] = {}
        """Their workflow, as long as they are open."""
        self._newest: dict[int, int] = {}
        """When the newest run of a workflow began, Unix ns, where its baseline is frozen."""
        self._names, self._usual = np.empty(0, np.int64), np.empty((0, len(NO_BASELINE)), np.int64)
        """`frozen` in columns, by ascending name."""

    def of(self, workflow: int) -> Baseline:
        """Give the baseline of a workflow; zeros as long as evidence is lacking."""
        return self.frozen.get(workflow, NO_BASELINE)

    def evidence(self) -> dict[int, int]:
        """Give how many runs stand behind each workflow, up to EVIDENCE."""
        begun = list(self._begun.items())  # asked by another thread
        return {name: len(cohort.facts) for name, cohort in begun} | dict.fromkeys(list(self.frozen), EVIDENCE)

    def begin(self, pulses: NDArray[np.int64]) -> None:
        """Take in runs that began, or that got another workflow, [run, Pulse]."""
        is_new = pulses[:, Pulse.BEFORE_BEGAN] == NEW_RUN
        is_renamed = ~is_new & (pulses[:, Pulse.BEFORE_WORKFLOW] != pulses[:, Pulse.WORKFLOW])
        if is_renamed.any():
            is_new[is_renamed] = [self._forget((hi, lo)) for hi, lo, *_ in pulses[is_renamed][:, _BEGIN].tolist()]
        began = self._wanted(pulses[is_new])
        for hi, lo, workflow, began_ns in began[:, _BEGIN].tolist():
            self._enter(workflow, (hi, lo), began_ns)

    def learn(self, changes: Changes) -> None:
        """Take in runs that closed, as they were told; corrections change nothing of note."""
        if not self._of:
            return
        told, of = changes.runs, self._of
        traces = zip(told["trace_hi"].tolist(), told["trace_lo"].tolist(), (changes.weight > 0).tolist(), strict=True)
        rows = [row for row, (hi, lo, is_told) in enumerate(traces) if is_told and (hi, lo) in of]  # mostly few
        touched = set()
        for hi, lo, *facts in _facts(told[rows]) if rows else ():
            workflow = of.pop((hi, lo), None)
            if workflow is not None:
                self._begun[workflow].facts[hi, lo] = facts
                touched.add(workflow)
        for workflow in touched:
            self._freeze(workflow, self._begun[workflow])

    def _wanted(self, began: NDArray[np.int64]) -> NDArray[np.int64]:
        """Leave out the runs of workflows that no more are learnt of, nearly all."""
        workflows, newest = began[:, Pulse.WORKFLOW], int(began[:, Pulse.BEGAN].max(initial=0))
        full = [name for name, cohort in self._begun.items() if cohort.is_full_until(newest)]
        done = [*self.frozen, *full]
        if self.frozen and newest:
            used = self._names[np.isin(self._names, workflows)]
            self._newest |= dict.fromkeys(used.tolist(), newest)
        return began[~np.isin(workflows, done)] if done else began

    def _enter(self, workflow: int, trace: _Trace, began_ns: int) -> None:
        cohort = self._begun.get(workflow)
        if cohort is None:
            if len(self._begun) + len(self.frozen) >= _MAX_WORKFLOWS and not self._make_room(began_ns):
                return
            cohort = self._begun[workflow] = _Cohort({}, {})
        if cohort.is_full_until(began_ns):
            return
        if len(cohort.began) == EVIDENCE:
            lost_ns = began_ns - _LOST_NS
            open_ = [each for each in cohort.began if each not in cohort.facts]
            for each in [each for each in open_ if cohort.began[each] < lost_ns]:
                self._forget(each)
        if len(cohort.began) < EVIDENCE:
            cohort.began[trace] = began_ns
            self._of[trace] = workflow

    def _make_room(self, now_ns: int) -> bool:
        """Let go of the workflows with the fewest and the oldest runs, and of baselines that are of no use any more.

        Those of made-up names have one run each: they make room for each other.
        """
        begun = sorted(self._begun, key=lambda name: self._begun[name].worth(now_ns))
        for name in begun[:_ROOM]:
            for trace in self._begun.pop(name).began:
                self._of.pop(trace, None)
        unused = [name for name in self.frozen if self._newest.get(name, now_ns) < now_ns - _UNUSED_NS]
        for name in unused:
            del self.frozen[name], self._newest[name]
        if unused:
            self._index()
        return bool(begun or unused)

    def _forget(self, trace: _Trace) -> bool:
        workflow = self._of.pop(trace, None)
        if workflow is None:
            return False
        del self._begun[workflow].began[trace]
        return True

    def _freeze(self, workflow: int, cohort: _Cohort) -> None:
        if len(cohort.began) < EVIDENCE or len(cohort.facts) < _RANK:
            return
        closed = zip(*cohort.facts.values(), strict=True)
        self.frozen[workflow] = Baseline(*(sorted(values)[_RANK - 1] for values in closed))
        self._newest[workflow] = max(cohort.began.values())
        self._index()
        del self._begun[workflow]
        for trace in cohort.began:
            self._of.pop(trace, None)

    def _index(self) -> None:
        self._names = np.array(sorted(self.frozen), np.int64)
        usual = [self.frozen[name] for name in self._names.tolist()]
        self._usual = np.array(usual, np.int64).reshape(-1, len(NO_BASELINE))

    def times(self, pulses: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give [row, (steps, tokens, cost)], each as a multiple of its baseline in thousandths; 0: there is none."""
        steps = pulses[:, Pulse.LLM_CALLS] + pulses[:, Pulse.TOOL_SPANS]
        values = np.ascontiguousarray(np.column_stack((steps, pulses[:, _TIMED])))  # one order: compiled once
        found: NDArray[np.int64] = times(values, self._names, self._usual, MILLI)
        return found


class _Cohort(NamedTuple):
    """The first runs of a workflow: when each began, Unix ns; steps, tokens and cost of those that have closed."""

    began: dict[_Trace, int]
    facts: dict[_Trace, list[int]]

    def worth(self, now_ns: int) -> tuple[int, int]:
        """Give how much it would be to lose: runs, where one of them is of the last day, and when about the newest was.

        Of a cohort that is empty, as its runs got another name, it is nothing.
        """
        newest = next(reversed(self.began.values()), 0)
        return len(self.began) if newest >= now_ns - _LOST_NS else 0, newest

    def is_full_until(self, began_ns: int) -> bool:
        """Say whether there are enough, none of which is lost to one who begins then."""
        return (
            len(self.began) == EVIDENCE and next(iter(self.began.values())) >= began_ns - _LOST_NS
        )  # about the oldest


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
