"""Lag: old input says nothing of now, so burn alerts rest and the lag is an incident; what is retired is let go."""

from __future__ import annotations

from models.slos.silence import LEARN_S, RETIRE_S, Lag
from models.slos.spec import Rolling
from models.slos.table import SloTable
from tests.helpers.slo_events import DAY, HOUR, Row, events, rule, slo

START = 20_500 * DAY
ONE = slo("one", "0.8", Rolling(DAY), rules=(rule("2", HOUR, 300),), split="workflow")


def lagging(seconds: int, *, is_told: bool = True) -> Lag:
    """Give a lag beside a limit of five minutes."""
    return Lag(seconds, 300, is_told=is_told)


def burst(start: int) -> list[Row]:
    """Give an hour of failures, one a minute."""
    return [Row("one", start + at, bad=True, value="air") for at in range(0, HOUR, 60)]


def test_alerts_rest_while_the_input_is_old() -> None:
    """The lag is told once and resolved a minute after; only then may the burn be told."""
    table, end = SloTable((ONE,)), START + HOUR
    table.apply(events(burst(START)))
    assert table.look(end, lagging(300)).incidents != []
    table = SloTable((ONE,))
    table.apply(events(burst(START)))
    (told,) = table.look(end, lagging(301)).incidents
    assert (told.class_, told.status, told.evidence) == (
        "telemetry.lag",
        "open",
        {"count": 301, "limit": 300, "unit": "s"},
    )
    assert table.look(end + 10, lagging(311)).incidents == []
    assert [t.class_ for t in table.look(end + 20, lagging(0)).incidents] == ["slo.burn"]
    table.apply(events(Row("one", end + at, value="air") for at in range(20, 90, 10)))
    assert [(t.class_, str(t.status)) for t in table.look(end + 80, lagging(0)).incidents] == [
        ("telemetry.lag", "resolved")
    ]


def test_one_table_tells_of_the_lag_and_all_rest() -> None:
    """Another table freezes as well, and says nothing."""
    table, end = SloTable((ONE,)), START + HOUR
    table.apply(events(burst(START)))
    assert table.look(end, lagging(301, is_told=False)).incidents == []
    assert [t.class_ for t in table.look(end + 10, lagging(0, is_told=False)).incidents] == ["slo.burn"]


def test_when_a_lag_is_over_every_slo_is_told_as_it_stands() -> None:
    """What was told of it meanwhile was of the half that had been read; then it is told each minute as before."""
    table, end = SloTable((ONE,)), START + HOUR
    rows = burst(START)
    table.apply(events(rows[:30]))
    assert [each["total"] for each in table.look(end, lagging(301)).slos] == [30]
    table.apply(events(rows[30:]))
    told = [(at, each["total"]) for at in range(1, 60) for each in table.look(end + at, lagging(0)).slos]
    assert told[0] == (1, 60)
    assert len(told) <= 2


def test_what_was_not_read_yet_is_not_silence() -> None:
    """A workflow is not called silent because its spans wait to be read."""
    table = SloTable((ONE,))
    table.apply(events(Row("one", START + at, value="air") for at in range(0, LEARN_S + 1, 600)))
    table.look(START + LEARN_S)
    late = START + LEARN_S + 2 * HOUR
    assert [t.class_ for t in table.look(late, lagging(2 * HOUR)).incidents] == ["telemetry.lag"]
    assert [t.class_ for t in table.look(late + 10, lagging(0)).incidents] == ["telemetry.silent"]


def test_an_open_alert_of_a_silent_workflow_is_not_told_again() -> None:
    """Its silence is told; the alert itself rests, however long it stays open."""
    table = SloTable((ONE,))
    table.apply(events(Row("one", START + at, value="air") for at in range(0, 8 * DAY, 600)))
    table.apply(events(burst(START + 8 * DAY)))
    end = START + 8 * DAY + HOUR
    table.look(end)
    told = [t.class_ for at in range(60, DAY, 60) for t in table.look(end + at).incidents]
    assert set(told) == {"telemetry.silent"}
    assert len(told) == 6  # and each four hours again


def test_what_is_retired_is_let_go() -> None:
    """Seven days after its last event an alert ends, instead of being told for ever."""
    table, end = SloTable((ONE,)), START + HOUR
    table.apply(events(burst(START)))
    assert [str(t.status) for t in table.look(end).incidents] == ["open"]
    told = [t for at in range(600, RETIRE_S + DAY, 600) for t in table.look(end + at).incidents]
    burns = [str(t.status) for t in told if t.class_ == "slo.burn"]
    assert (burns[-1], burns.count("resolved")) == ("resolved", 1)
    assert table.look(end + 2 * RETIRE_S).incidents == []
