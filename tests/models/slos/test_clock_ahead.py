"""A clock that was ahead, as after a boot in local time, and was set right: what happens then counts, and is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.slos.keeping import KeptSloTable
from models.slos.ledger import Ledger
from models.slos.spec import Action, Calendar, PolicyStep, Rolling, Unit
from tests.helpers.slo_events import DAY, HOUR, Row, events, rule, slo

START = 20_500 * DAY
POLICY = (PolicyStep(100, (Action.NOTIFY, Action.BOUND)),)
SLO = slo("s", "0.8", Rolling(2 * HOUR), rules=(rule("2", 1800, 300),), policy=POLICY)
WEEKLY = replace(SLO, window=Calendar("2026-01-01 00:00:00", "UTC", 1, Unit.WEEK))


@pytest.mark.parametrize("kept", ["alive", "whole", "deltas"])
@pytest.mark.parametrize("ahead", [90, 2 * HOUR, 10 * DAY, 400 * DAY])
@pytest.mark.parametrize("of", [SLO, WEEKLY], ids=["rolling", "calendar"])
def test_failures_after_it_was_set_right_are_told(of: object, ahead: int, kept: str) -> None:
    """Within the minutes that they always take, whether the flow was restarted in between or not."""
    slos = (of,)
    table = KeptSloTable(slos)  # type: ignore[arg-type]
    deltas = []
    found = []
    bad = 0
    for number, at in enumerate((0, ahead, *range(10, 900, 10))):
        if number != 1:  # nothing happens while it is ahead
            table.apply(events([Row("s", START + at - 5, bad=at > 0, run=at)]))
            bad += at > 0
        judged = table.look(START + at)
        found += [(told.class_, str(told.status)) for told in judged.incidents]
        found += [("verdict", str(verdict["action"])) for verdict in judged.verdicts]
        if kept == "deltas":
            deltas.append(table.take_delta())
            table = KeptSloTable.load(slos, None, deltas, len(deltas))  # type: ignore[arg-type]
        elif kept == "whole":
            table = KeptSloTable.load(slos, table.dump(), [], at)  # type: ignore[arg-type]
    assert sorted(found) == [("slo.budget", "open")] * 2 + [("slo.burn", "open"), ("verdict", "bound")]
    (record,) = table.finish().slos
    assert record["bad"] == bad
    assert 0 <= record["total"] - bad <= 1  # the good one before may have left the panes


def test_an_incident_ends_though_the_clock_was_ahead_when_it_was_told() -> None:
    """Its wait for recovery is counted by the clock as it is."""
    table = KeptSloTable((SLO,))
    table.apply(events(Row("s", START + at, bad=True, run=at) for at in range(0, 600, 10)))
    assert table.look(START + 600).incidents
    table.look(START + 5 * HOUR)  # nothing is known there: it rests
    ended = []
    for at in range(610, 5 * HOUR, 10):
        table.apply(events(Row("s", START + at - 5) for _ in range(50)))
        ended += [told.rule for told in table.look(START + at).incidents if str(told.status) == "resolved"]
        if "s" in ended:
            break
    assert "s" in ended
    assert at < HOUR


@given(
    st.lists(st.tuples(st.integers(0, 4000), st.booleans()), max_size=30),
    st.integers(0, 5000),
    st.integers(0, 150_000),
)
def test_a_ledger_that_was_set_back_counts_what_it_still_holds(
    rows: list[tuple[int, bool]], back: int, ahead: int
) -> None:
    """All events up to then, where the panes did not run over them; and what comes later, as if it had never left."""
    day = 20_500 * DAY
    ledger = Ledger((300, HOUR, DAY, 30 * DAY))
    ledger.resize(1)

    def add(into: Ledger, chosen: list[tuple[int, bool]]) -> None:
        seconds = np.array([day + at for at, _ in chosen], np.int64)
        bads = np.array([bad for _, bad in chosen], np.int64)
        into.add(np.zeros(len(chosen), np.int64), seconds, np.ones(len(chosen), np.int64), bads)

    ledger.advance(day + back)
    add(ledger, [row for row in rows if row[0] <= back])
    ledger.advance(day + back + ahead)
    ledger.set_back(day + back)
    ledger.advance(day + 6000)
    add(ledger, [row for row in rows if row[0] > back])
    plain = Ledger((300, HOUR, DAY, 30 * DAY))
    plain.resize(1)
    plain.advance(day + 6000)
    add(plain, rows)
    assert ledger.read()[2:].tolist() == plain.read()[2:].tolist()  # their panes hold more than that
    assert (ledger.read() <= plain.read()).all()
