"""Agents that were let go of are bounded again when the budget is spent again: each time by a verdict of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from models.slos.keeping import KeptSloTable
from models.slos.spec import Action, PolicyStep, Rolling
from tests.helpers.slo_events import DAY, HOUR, Row, events, slo

if TYPE_CHECKING:
    from collections.abc import Iterator

START = 20_500 * DAY
BOUNDS = slo("s", "0.8", Rolling(HOUR), policy=(PolicyStep(100, (Action.BOUND,)),))


def traffic() -> Iterator[Row]:
    """Give two hours in which all fail for a while, recover, fail and recover."""
    for at in range(0, 7000, 10):
        yield Row("s", START + at, bad=at < 300 or 2000 <= at < 3000, run=at)


def told(restarts: frozenset[int] = frozenset()) -> list[dict[str, Any]]:
    """Give the verdicts, by the order in which they come; restarted at these seconds."""
    table, found = KeptSloTable([BOUNDS]), []
    table.apply(events(traffic()))
    for at in range(0, 7000, 100):
        found += table.follow(START + at).verdicts
        if at in restarts:
            table = KeptSloTable.load([BOUNDS], table.dump(), [], 1)
    return found


def test_each_time_is_a_verdict_of_its_own() -> None:
    """Who applies each id once would else take the second time for the first, told again."""
    verdicts = told()
    assert [each["action"] for each in verdicts] == ["bound", "clear", "bound", "clear"]
    assert len({each["id"] for each in verdicts}) == len(verdicts)


@pytest.mark.parametrize("at", [200, 1500, 2400, 4400])
def test_a_restart_says_the_same_ids(at: int) -> None:
    """So that what is told again is known to be."""
    assert [each["id"] for each in told(frozenset({at}))] == [each["id"] for each in told()]


def test_a_step_that_was_taken_out_for_a_while_bounds_by_another_verdict() -> None:
    """Within one period, with its SLO or alone; who applies each id once would leave agents unbound."""
    for without in ([], [replace(BOUNDS, policy=())]):
        verdicts: list[dict[str, Any]] = []
        table = KeptSloTable([BOUNDS])
        for turn, slos in enumerate(([BOUNDS], without, [BOUNDS], without, [BOUNDS])):
            table = KeptSloTable.load(slos, table.dump(), [], turn)
            table.apply(events(Row("s", START + 60 * turn + at, bad=True, run=60 * turn + at) for at in range(30)))
            verdicts += table.look(START + 60 * turn + 50).verdicts
        assert [each["action"] for each in verdicts] == ["bound", "clear", "bound", "clear", "bound"]
        assert len({each["id"] for each in verdicts}) == len(verdicts)
