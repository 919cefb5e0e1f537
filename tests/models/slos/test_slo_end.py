"""The end of a replay: all that came is counted and judged; and what lies long after all else does not hold it up."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from models.slos.spec import Action, PolicyStep, Rolling, Slices
from models.slos.table import SloTable
from tests.helpers.slo_events import DAY, HOUR, Row, events, rule, slo

START = 20_500 * DAY + 10 * HOUR
POLICY = (
    PolicyStep(50, (Action.NOTIFY,)),
    PolicyStep(75, (Action.NOTIFY, Action.FREEZE)),
    PolicyStep(100, (Action.BOUND,)),
)


def rows(*counts: tuple[int, int, int]) -> list[Row]:
    """Give runs: at a second so many good ones and so many bad ones."""
    found = []
    for at, good, bad in counts:
        found += [Row("s", START + at, bad=number >= good, run=at * 1000 + number) for number in range(good + bad)]
    return found


def test_the_last_minute_is_judged_against_the_policy() -> None:
    """Spent within half a minute: every step is taken, and the last record says that the gate is frozen."""
    table = SloTable([slo("s", "0.9", policy=POLICY, rules=())])
    table.apply(events(rows((0, 20, 0), (20, 0, 10))))
    judged = table.finish()
    (record,) = judged.slos[-1:]
    assert (record["total"], record["bad"], record["gate"]) == (30, 10, "frozen")
    assert record["budget_used"] == pytest.approx(10 / 3, abs=1e-6)
    assert sorted(each.rule for each in judged.incidents) == ["s 100% bound", "s 50% notify", "s 75% notify freeze"]
    assert [each["action"] for each in judged.verdicts] == ["bound"]


def test_what_the_end_of_input_settles_counts() -> None:
    """Runs that were waited for are told at the end, of minutes that were judged long ago: the last record has them."""
    table = SloTable([slo("s", "0.9", policy=POLICY, rules=())])
    table.apply(events(rows((0, 20, 0))))
    table.follow(START + 600)
    table.apply(events(rows((20, 0, 10))))
    judged = table.finish()
    (record,) = judged.slos[-1:]
    assert (record["total"], record["bad"], record["gate"]) == (30, 10, "frozen")
    assert [each["action"] for each in judged.verdicts] == ["bound"]


def test_the_last_slices_count() -> None:
    """Eleven slices of 10 of 10 and one of 50 of 100 at a target of 95 %: one bad of twelve, 1.667 of the budget."""
    slices = Slices(300, Fraction(9, 10))
    table = SloTable([slo("s", "0.95", slices=slices, rules=())])
    table.apply(events(rows(*((300 * at, 10, 0) for at in range(11)), (3300, 50, 50))))
    record = table.finish().slos[-1]
    assert (record["total"], record["bad"]) == (12, 1)
    assert record["budget_used"] == pytest.approx(1 / 12 / 0.05, abs=1e-6)
    alone = SloTable([slo("s", "0.95", slices=slices, rules=())])
    alone.apply(events(rows((0, 1, 9))))
    assert [(each["total"], each["bad"]) for each in alone.finish().slos[-1:]] == [(1, 1)]


@pytest.mark.parametrize("years", [0.3, 10.0, 56.0])
def test_an_event_years_later_is_reached_in_few_looks(monkeypatch: Any, years: float) -> None:
    """With an incident open all the time; what was before is told as without it."""
    looks = []
    one = [slo("s", "0.9", Rolling(30 * DAY), rules=(rule("1", HOUR, 300),))]
    look = SloTable._look

    def counted(table: SloTable, *args: Any) -> Any:
        looks.append(args[0])
        return look(table, *args)

    monkeypatch.setattr(SloTable, "_look", counted)
    table, without = SloTable(one), SloTable(one)
    failing = rows(*((10 * at, 0, 1) for at in range(20)))
    table.apply(events([*failing, Row("s", START + int(years * 365) * DAY, run=9)]))
    without.apply(events(failing))
    opened = [(each.key, each.opened_at) for each in without.finish().incidents]
    looks.clear()
    told = table.finish()
    assert [(each.key, each.opened_at) for each in told.incidents if each.revision == 0][:1] == opened[:1]
    assert len([at for at in looks if at > START + 100 * DAY]) < 310
    assert len(looks) < 20_000
    assert told.slos[-1]["total"] == 1


def test_what_ends_says_how_bad_it_was_and_how_much() -> None:
    """It opens at the fifth failure of a minute; all that failed after that, and the worst burn, are in its end."""
    table = SloTable([slo("s", "0.9", rules=(rule("2", HOUR, 300),))])
    bad, good = [(60 + 10 * at, 1, 3) for at in range(60)], [(60 * at, 9, 0) for at in range(20, 400)]
    table.apply(events(rows((0, 20, 0), *bad, *good)))
    told = [each for each in table.finish().incidents if each.class_ == "slo.burn"]
    first, last = told[0], told[-1]
    assert str(last.status) == "resolved"
    since = last.evidence["since_opened"]
    assert since["bad"] > 150 > first.evidence["count"]
    assert last.evidence["peak"] > 6 > 10 * first.evidence["count"] / first.evidence["total"]
    assert last.summary == (
        f"{told[-2].summary.partition('; ')[0]}; {since['bad']} of {since['total']} bad since it opened,"
        f" at worst {last.evidence['peak']:.1f} times too fast"
    )


def test_a_budget_that_is_let_go_of_says_how_much_of_it_was_used() -> None:
    """At worst, not when the step was taken."""
    table = SloTable([slo("s", "0.9", Rolling(2 * HOUR), rules=(), policy=POLICY[:1])])
    table.apply(events(rows((0, 100, 0), (600, 0, 10), (1200, 0, 40), (HOUR, 500, 0), (3 * HOUR, 900, 0))))
    told = [each for each in table.finish().incidents if each.class_ == "slo.budget"]
    assert [(str(each.status), each.evidence["count"]) for each in told] == [("open", 10), ("resolved", 10)]
    assert told[1].summary.endswith("; at worst 333% used")
    assert told[1].evidence["peak"] == pytest.approx(10 / 3)
