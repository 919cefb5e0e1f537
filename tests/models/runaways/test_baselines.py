"""Baselines: what is usual of all runs that began, though short ones close first; bounded; the same in any batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.runaways.baselines import EVIDENCE, NO_BASELINE, Baseline, Baselines
from models.runs.changes import CALL, Changes
from models.runs.pulse import NEW_RUN, Pulse
from models.runs.record import RUN

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECOND, HOUR, AIR, RAIL = 10**9, 3600, 77, 78
SHORT, LONG = (10, 2), (600, 60)
"""Seconds that a run takes, and its steps."""


def begun(*runs: int, at_s: float = 0, workflow: int = AIR, before: int | None = None) -> NDArray[np.int64]:
    """Give the pulses of runs that begin, or that were of the workflow `before`."""
    rows = np.zeros((len(runs), len(Pulse)), np.int64)
    rows[:, Pulse.TRACE_LO], rows[:, Pulse.WORKFLOW], rows[:, Pulse.BEGAN] = runs, workflow, int(at_s * SECOND)
    rows[:, Pulse.BEFORE_BEGAN] = NEW_RUN if before is None else rows[:, Pulse.BEGAN]
    rows[:, Pulse.BEFORE_WORKFLOW] = before or 0
    return rows


def closed(*runs: tuple[int, int], workflow: int = AIR) -> Changes:
    """Give runs (number, steps) that closed."""
    rows = np.zeros(len(runs), RUN)
    for row, (number, steps) in zip(rows, runs, strict=True):
        row["workflow"], row["trace_lo"] = workflow, number
        row["llm_calls"], row["input_tokens"], row["cost"] = steps, 10 * steps, 100 * steps
    return Changes(rows, np.ones(len(rows), np.int64), np.empty(0, CALL), rows[:0], {})


@pytest.mark.parametrize("every_s", [1, 7, 100])
def test_that_short_runs_close_first_does_not_fool_it(every_s: int) -> None:
    """The first 200 to close are short ones all: a twentieth of those that began takes thirty times as many steps."""
    runs = [(n, *(LONG if n % 20 == 0 else SHORT)) for n in range(1, 2000)]  # one begins each second
    by_end = sorted(runs, key=lambda run: run[0] + run[1])
    assert {steps for _, _, steps in by_end[:EVIDENCE]} == {SHORT[1]}
    found = Baselines()
    for now in range(every_s, 2000, every_s):
        found.begin(begun(*[n for n, _, _ in runs if now - every_s <= n < now]))
        found.learn(closed(*[(n, steps) for n, took, steps in by_end if now - every_s <= n + took < now]))
    assert found.of(AIR) == Baseline(LONG[1], 10 * LONG[1], 100 * LONG[1])
    assert found.evidence() == {AIR: EVIDENCE}


def test_two_runaways_do_no_harm() -> None:
    """Neither to what is usual, closed or not, nor to when it is known; of a third one hears."""
    for odd, steps in (([], 4), ([(198, 900)], 4), ([(198, 900), (199, 900)], 4)):
        found = Baselines()
        found.begin(begun(*range(EVIDENCE)))
        found.learn(closed(*[(n, 4) for n in range(EVIDENCE - 2)], *odd))
        assert found.of(AIR).steps == steps
    found = Baselines()
    found.begin(begun(*range(EVIDENCE)))
    found.learn(closed(*[(n, 4) for n in range(EVIDENCE - 3)]))
    assert found.frozen == {}
    found.learn(closed((197, 900)))
    assert found.of(AIR).steps == 900


def test_it_says_how_much_evidence_there_is() -> None:
    """Runs that began and closed; one that began too late for the sample is none of it."""
    found = Baselines()
    found.begin(begun(*range(EVIDENCE + 50)))
    found.learn(closed(*[(n, 4) for n in range(100, EVIDENCE + 50)]))
    assert found.evidence() == {AIR: EVIDENCE - 100}


def test_a_run_that_gets_its_workflow_later_is_of_that() -> None:
    """It leaves the sample it was in."""
    found = Baselines()
    found.begin(begun(1, 2))
    found.begin(begun(1, workflow=RAIL, before=AIR))
    found.learn(closed((1, 9), workflow=RAIL))
    found.learn(closed((2, 4)))
    assert found.evidence() == {AIR: 1, RAIL: 1}


def test_runs_that_are_lost_hold_nothing_up() -> None:
    """What has not closed a day after it began makes room for others."""
    found = Baselines()
    found.begin(begun(*range(EVIDENCE)))
    found.learn(closed(*[(n, 4) for n in range(EVIDENCE - 10)]))
    found.begin(begun(*range(1000, 1050), at_s=20 * HOUR))
    assert found.evidence() == {AIR: EVIDENCE - 10}
    found.begin(begun(*range(2000, 2050), at_s=30 * HOUR))
    found.learn(closed(*[(n, 5) for n in range(2000, 2050)]))
    assert found.of(AIR).steps == 5


def test_made_up_workflows_do_not_keep_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are: one that was learnt of before them, meanwhile or after them gets its baseline."""
    monkeypatch.setattr("models.runaways.baselines._MAX_WORKFLOWS", 20)
    monkeypatch.setattr("models.runaways.baselines._ROOM", 5)
    found, after = Baselines(), 79
    found.begin(begun(*range(EVIDENCE)))
    found.begin(begun(*range(1000, 1000 + EVIDENCE // 2), workflow=RAIL))
    for name in range(500):
        found.begin(begun(5000 + name, workflow=10_000 + name, at_s=name))
    found.begin(begun(*range(1000 + EVIDENCE // 2, 1000 + EVIDENCE), workflow=RAIL, at_s=600))
    found.begin(begun(*range(2000, 2000 + EVIDENCE), workflow=after, at_s=700))
    for name, first in ((AIR, 0), (RAIL, 1000), (after, 2000)):
        found.learn(closed(*[(first + n, 4) for n in range(EVIDENCE)], workflow=name))
        assert found.of(name) == Baseline(4, 40, 400)
    assert len(found.evidence()) <= 20


def test_baselines_that_nobody_uses_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a week without a run, where all room is taken by them; one in use stays."""
    monkeypatch.setattr("models.runaways.baselines._MAX_WORKFLOWS", 2)
    found, new, week = Baselines(), 79, 7 * 24 * HOUR

    def learn(name: int, at_s: float) -> None:
        found.begin(begun(*range(EVIDENCE), workflow=name, at_s=at_s))
        found.learn(closed(*[(n, 4) for n in range(EVIDENCE)], workflow=name))

    learn(AIR, 1)
    learn(RAIL, 2)
    found.begin(begun(1, workflow=AIR, at_s=week))
    learn(new, week)
    assert found.of(new) == NO_BASELINE
    learn(new, week + 3)
    assert (found.of(new), found.of(RAIL), found.of(AIR)) == (Baseline(4, 40, 400), NO_BASELINE, Baseline(4, 40, 400))
