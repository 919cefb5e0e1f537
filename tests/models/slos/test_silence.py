"""Silence: learnt from a week of gaps, told when three times the longest has passed, the same after a restart."""

from __future__ import annotations

import orjson
import pytest

from models.slos.keeping import KeptSloTable
from models.slos.silence import LEARN_S, MIN_SILENCE_S, RETIRE_S, Silence
from models.slos.spec import Rolling
from models.slos.table import SloTable
from tests.helpers.slo_events import DAY, HOUR, Row, events, rule, slo

START = 20_500 * DAY


def heard(every: int, seconds: int = LEARN_S) -> Silence:
    """Hear a workflow at a steady pace, the last time at START + seconds."""
    silence = Silence()
    for second in range(0, seconds + 1, every):
        silence.hear("air", START + second)
    return silence


@pytest.mark.parametrize(("every", "limit"), [(60, MIN_SILENCE_S), (300, 900), (600, 1800), (12 * HOUR, 36 * HOUR)])
def test_three_times_the_longest_gap(every: int, limit: int) -> None:
    """Silent is who is quiet for more than three times his longest gap of a week, fifteen minutes at least."""
    silence, last = heard(every), START + LEARN_S
    assert silence.silent(last + limit) == {}
    assert silence.silent(last + limit + 1) == {"air": (last, limit)}


def test_a_week_is_needed_to_know() -> None:
    """Before a week is over nobody is silent; with a fixed time one is at once."""
    assert heard(600, LEARN_S - 600).silent(START + LEARN_S + 3 * DAY) == {}
    fixed = Silence(60)
    fixed.hear("air", START)
    assert fixed.silent(START + 60) == {}
    assert fixed.silent(START + 61) == {"air": (START, 60)}


def test_an_outage_is_not_learnt_as_usual() -> None:
    """A gap that was silence does not make the next one longer; usual gaps are forgotten after a week."""
    silence, last = heard(600), START + LEARN_S
    silence.hear("air", last + 3 * HOUR)
    assert silence.silent(last + 3 * HOUR + 1801) == {"air": (last + 3 * HOUR, 1800)}
    for second in range(0, 8 * DAY, 300):
        silence.hear("air", last + 4 * HOUR + second)
    assert silence.silent(last + 4 * HOUR + 8 * DAY + 1000)["air"][1] == 900


def test_who_is_silent_for_a_week_is_retired() -> None:
    """Seven days after the limit it is told no more."""
    silence, last = heard(600), START + LEARN_S
    assert list(silence.silent(last + RETIRE_S + 1800)) == ["air"]
    assert silence.silent(last + RETIRE_S + 1801) == {}
    assert silence.state() == []


def test_state_round_trip() -> None:
    """Through plain types it is the same."""
    silence, after = heard(600), Silence()
    after.restore(orjson.loads(orjson.dumps(silence.state())))
    assert after.state() == silence.state()
    assert after.silent(START + LEARN_S + 1801) == silence.silent(START + LEARN_S + 1801) != {}


ONE = slo("one", "0.8", Rolling(DAY), rules=(rule("2", HOUR, 300),), split="workflow")


@pytest.mark.parametrize("step", [10, 300, DAY], ids=["often", "seldom", "once a day"])
def test_gaps_are_those_of_the_events_however_seldom_one_looks(step: int) -> None:
    """What is usual is learnt from the times of events, not from the times at which somebody looked."""
    table = SloTable((ONE,))
    for day in range(8):
        table.apply(events(Row("one", START + day * DAY + at, value="air") for at in range(0, DAY, 600)))
        if step == 10 and day == 7:
            for second in range(10, DAY + 1, 3600):
                table.look(START + day * DAY + second)
        table.look(START + (day + 1) * DAY - 10)
    last = START + 8 * DAY - 600
    told = table.look(last + 1811).incidents
    assert [(t.class_, t.evidence["limit"], t.evidence["count"]) for t in told] == [("telemetry.silent", 1800, 1811)]


def test_a_table_may_be_told_what_silence_is() -> None:
    """With a time of its own a workflow that is new this day is told of, too, also after a restart."""
    table = KeptSloTable((ONE,), silent_after_s=600)
    table.apply(events(Row("one", START + at, value="air") for at in range(0, HOUR, 60)))
    table.look(START + HOUR)
    table = KeptSloTable.load((ONE,), table.dump(), [], 1, silent_after_s=600)
    last = START + HOUR - 60
    assert table.look(last + 600).incidents == []
    assert [(t.class_, t.evidence["limit"]) for t in table.look(last + 601).incidents] == [("telemetry.silent", 600)]


def test_alerts_of_a_silent_workflow_rest() -> None:
    """It burns, then falls silent: the burn stays open without a word, the silence is told until it ends."""
    table = SloTable((ONE,))
    table.apply(events(Row("one", START + at, value="air") for at in range(0, 8 * DAY, 600)))
    table.look(START + 8 * DAY - HOUR)
    burst = [Row("one", START + 8 * DAY + at, bad=True, value="air") for at in range(0, HOUR, 60)]
    table.apply(events(burst))
    end = START + 8 * DAY + HOUR
    assert [t.class_ for t in table.look(end).incidents] == ["slo.burn"]
    assert [(t.class_, t.status) for t in table.look(end + 2 * HOUR).incidents] == [("telemetry.silent", "open")]
    assert table.look(end + 3 * HOUR).incidents == []
    table.apply(events(Row("one", end + 3 * HOUR + at, value="air") for at in range(0, 600, 10)))
    told = [t for at in (610, 670) for t in table.look(end + 3 * HOUR + at).incidents]
    assert sorted((t.class_, str(t.status)) for t in told) == [
        ("slo.burn", "resolved"),
        ("telemetry.silent", "resolved"),
    ]
