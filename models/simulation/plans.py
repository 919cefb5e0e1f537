"""Plans: which runs start when, for whom, on what, and how they will end; before any span is made."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from models.simulation.draws import bits, chosen, keys_of, stream_of, uniforms
from models.simulation.effects import When
from models.simulation.runs import RUN, Line
from models.simulation.workflow import OutcomeBy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.simulation.book import Book, Cast
    from models.simulation.scenario import Scenario

SECOND = 1_000_000_000
_CHUNK = 1024
"""Runs drawn at a time; no draw depends on it."""


class Purpose(IntEnum):
    """What a draw is for; numbers never change, or all traffic does."""

    GAP = 1
    TRACE_HI = 2
    TRACE_LO = 3
    USER = 4
    VERSION = 5
    ENVIRONMENT = 6
    MODEL = 7
    SUCCESS = 8
    CRASH = 9
    ESCALATION = 10
    GUARD = 11
    BLOCK = 12
    EVALUATION = 13
    FEEDBACK = 14
    THUMB = 15


class Planner:
    """Gives the runs of one workflow in order of their start."""

    def __init__(self, scenario: Scenario, number: int, cast: Cast, book: Book) -> None:
        """`number` is the position of the workflow in the scenario."""
        self._scenario, self._number, self._cast, self._book = scenario, number, cast, book
        weights = sum(workflow.weight for workflow in scenario.workflows)
        self._rate = scenario.rate * cast.workflow.weight / weights
        self._stream = stream_of(scenario.seed, cast.workflow.name)
        self._stop = None if scenario.duration_s is None else scenario.start_ns + round(scenario.duration_s * SECOND)
        self._next = 0
        self._last_start = scenario.start_ns
        self._waiting = np.zeros(0, RUN)
        self.incidents = [
            When(i, incident, scenario.start_ns, cast, book)
            for i, incident in enumerate(scenario.incidents)
            if incident.concerns(cast.workflow)
        ]
        self._resources = self._resource_table()

    def until(self, time_ns: int) -> NDArray[np.void]:
        """Give the runs that start before this time and were not given before."""
        chunks = [self._waiting]
        while self._last_start < time_ns:
            chunks.append(self._chunk())
        runs = np.concatenate(chunks)
        cut = int(np.searchsorted(runs["start"], time_ns))
        self._waiting = runs[cut:]
        given = runs[:cut]
        return given if self._stop is None else given[given["start"] < self._stop]

    def _chunk(self) -> NDArray[np.void]:
        runs = np.zeros(_CHUNK, RUN)
        runs["key"] = keys_of(self._stream, self._next, _CHUNK)
        runs["index"] = np.arange(self._next, self._next + _CHUNK)
        runs["workflow"] = self._number
        # exponential gaps make a Poisson process; whole nanoseconds add up exactly
        gaps = -np.log1p(-self._draw(runs, Purpose.GAP)) / self._rate * SECOND
        runs["start"] = self._last_start + np.cumsum(gaps.astype(np.int64))
        self._next += _CHUNK
        self._last_start = int(runs["start"][-1])
        self._cast_roles(runs)
        for when in self.incidents:
            when.apply(runs)
        self._settle(runs)
        return runs

    def _draw(self, runs: NDArray[np.void], purpose: Purpose) -> NDArray[np.float64]:
        return np.asarray(uniforms(runs["key"], int(purpose)), np.float64)

    def _cast_roles(self, runs: NDArray[np.void]) -> None:
        """Decide for whom and on what a run works."""
        workflow = self._cast.workflow
        runs["trace_hi"] = bits(runs["key"], int(Purpose.TRACE_HI))
        runs["trace_lo"] = bits(runs["key"], int(Purpose.TRACE_LO))
        # a few users make most of the traffic: the square of an even draw favours small numbers
        runs["user"] = (self._draw(runs, Purpose.USER) ** 2 * self._scenario.users).astype(np.int64)
        runs["version"] = chosen(self._draw(runs, Purpose.VERSION), tuple(w for _, w in workflow.versions))
        runs["environment"] = chosen(self._draw(runs, Purpose.ENVIRONMENT), tuple(w for _, w in workflow.environments))
        runs["model"] = chosen(self._draw(runs, Purpose.MODEL), tuple(w for _, w in workflow.models))
        runs["p_success"], runs["cost_factor"] = workflow.success, 1.0
        runs["crashed"] = self._draw(runs, Purpose.CRASH) < workflow.crash
        for name in ("loop_tool", "loop_other", "stranger", "lure", "lured"):
            runs[name] = -1

    def _settle(self, runs: NDArray[np.void]) -> None:
        """Decide how a run will end, by what it was planned for and what the incidents made of that."""
        workflow = self._cast.workflow
        runs["guarded"] = self._draw(runs, Purpose.GUARD) < workflow.guard
        runs["blocked"] = (
            runs["guarded"] & (self._draw(runs, Purpose.BLOCK) < workflow.blocked) & (runs["touched"] == 0)
        )
        runs["crashed"] &= runs["blocked"] == 0
        ended = (runs["crashed"] == 0) & (runs["blocked"] == 0)
        runs["success"] = ended & (self._draw(runs, Purpose.SUCCESS) < runs["p_success"])
        runs["escalated"] = ended & (self._draw(runs, Purpose.ESCALATION) < workflow.escalation)
        evaluates = workflow.outcome_by is OutcomeBy.EVALUATION
        runs["evaluated"] = evaluates & (self._draw(runs, Purpose.EVALUATION) < workflow.evaluated)
        # users are mostly, not always, happy with what succeeded
        up = self._draw(runs, Purpose.THUMB) < np.where(runs["success"] == 1, 0.92, 0.25)
        runs["thumb"] = (self._draw(runs, Purpose.FEEDBACK) < workflow.feedback) * np.where(up, 1, 2)
        runs["root"] = self._cast.lines[self._root_lines(runs)]
        runs["resource"] = self._resources[runs["version"], runs["environment"]]

    def _root_lines(self, runs: NDArray[np.void]) -> NDArray[np.int64]:
        success = runs["success"] == 1
        plain: NDArray[np.int64] = np.full(len(runs), int(Line.ROOT))
        if self._cast.workflow.outcome_by is OutcomeBy.ATTRIBUTE:
            said = np.where(success, int(Line.ROOT_SUCCESS), int(Line.ROOT_FAILURE))
            plain = np.where(runs["escalated"] == 1, int(Line.ROOT_ESCALATED), said)
        elif self._cast.workflow.outcome_by is OutcomeBy.STATUS:
            plain = np.where(success, int(Line.ROOT), int(Line.ROOT_FAILED))
        return np.where(runs["crashed"] == 1, int(Line.ROOT_CRASHED), plain)

    def _resource_table(self) -> NDArray[np.int64]:
        workflow = self._cast.workflow
        return np.array(
            [
                [self._book.resource(workflow, version, environment) for environment, _ in workflow.environments]
                for version in self._cast.versions
            ],
            np.int64,
        )
