"""Spend: sums against plain counting in any order and cut, steps once a period, periods in a time zone."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.spend.budget import Budget, Calendar
from models.spend.pace_rows import pace_rows
from models.spend.rows import parts_of, spend_rows
from models.spend.table import SpendTable
from models.verdicts import Action
from tests.helpers.spend_runs import DAY, NAMES, NANO, UTC_ZONE, feed, pulse, run, table


def costs(of: SpendTable) -> dict[tuple[str, ...], int]:
    """Give the sums that are not 0."""
    return {key: kept.cost for key, kept in of.sums.items() if kept.cost}  # type: ignore[misc]


def test_a_run_is_spent_where_it_began() -> None:
    """At every level, by day and month, whatever its names."""
    spent = table()
    feed(spent, pulse(None, run(5 * NANO)))
    where = [("product", "*", None), ("workflow", "air", None), ("tenant", "acme", None), ("user", "ann", "acme")]
    periods = [("day", "2026-03-10"), ("month", "2026-03-01")]
    assert costs(spent) == {(*scope, *period): 5 * NANO for scope in where for period in periods}


def test_of_today_is_only_what_is_spent_today() -> None:
    """By a clock a day and a month begin at 0, in the zone of the budgets; without one the newest are told."""
    spent = table(calendar=Calendar(ZoneInfo("Asia/Tokyo")))
    midnight = DAY + 15 * 3_600  # of March 11, in Tokyo
    feed(spent, pulse(None, run(5 * NANO, midnight - 60)), pulse(None, run(3 * NANO, midnight, workflow=2)))
    april = midnight + 21 * 86_400
    newest = {"day": {"air": 5.0, "rail": 3.0}, "month": {"air": 5.0, "rail": 3.0}}

    def told(now_s: int | None = None) -> dict[str, dict[str, float]]:
        found = spent.newest(now_s)
        return {each: {name: found["workflow", name, each] for name in ("air", "rail")} for each in ("day", "month")}

    assert told() == told(midnight - 1) == newest
    assert told(midnight) == newest | {"day": {"air": 0.0, "rail": 3.0}}
    assert told(april - 1) == newest | {"day": {"air": 0.0, "rail": 0.0}}
    assert told(april) == {each: {"air": 0.0, "rail": 0.0} for each in newest}


def test_what_has_no_price_is_not_told_as_nothing_spent() -> None:
    """Neither in the record nor in what is shown of today; yesterday's is nothing of today's, priced or not."""
    spent = table()
    feed(spent, pulse(None, run(0, workflow=2, tokens=900)))
    assert not spent.newest(DAY)
    feed(spent, pulse(None, run(5 * NANO)))
    assert spent.newest(DAY)["product", "*", "day"] == 5.0
    assert ("workflow", "rail", "day") not in spent.newest(DAY)
    assert spent.newest(DAY + 2 * 86_400)["workflow", "rail", "day"] == 0.0


def test_what_becomes_known_later_moves_it() -> None:
    """A name, and an earlier start on the day before: nothing is left where it lay, nothing is counted twice."""
    first, named = run(5 * NANO, user=0), run(7 * NANO, DAY - 10)
    spent = table()
    feed(spent, pulse(None, first))
    feed(spent, pulse(first, named))
    days = {key: cost for key, cost in costs(spent).items() if key[3] == "day"}
    assert set(days.values()) == {7 * NANO}
    assert {key[4] for key in days} == {"2026-03-09"}
    assert ("user", "ann", "acme", "day", "2026-03-09") in days
    assert spent.sums["product", "*", None, "day", "2026-03-10"].runs == 0
    assert spent.sums["product", "*", None, "day", "2026-03-09"].runs == 1


STANDS = st.builds(
    run,
    st.integers(0, 9).map(lambda n: n * NANO),
    st.sampled_from([DAY - 1000, DAY - 1, DAY, DAY + 5000, DAY + 86_400]),
    workflow=st.sampled_from([1, 2]),
    tenant=st.sampled_from([0, 11, 12]),
    user=st.sampled_from([0, 21, 22]),
)


@given(st.lists(st.lists(STANDS, min_size=1, max_size=4), max_size=8), st.randoms(use_true_random=False), st.data())
def test_sums_are_those_of_the_last_word(runs: list[list[dict[str, int]]], random: object, data: st.DataObject) -> None:
    """However the pulses are mixed, cut into batches and restored in between: each run counts as it stands last."""
    queues = [[pulse(before, now) for before, now in zip([None, *stands], stands, strict=False)] for stands in runs]
    spent, batch = table(), []
    kept: tuple[bytes, list[bytes]] = spent.dump(), []
    while any(queues):
        queue = data.draw(st.sampled_from([queue for queue in queues if queue]))
        batch.append(queue.pop(0))
        if data.draw(st.booleans()):
            feed(spent, *batch)
            batch = []
            kept[1].append(spent.take_delta())
            if data.draw(st.booleans()):
                spent = SpendTable.load(table(), *kept)
            if data.draw(st.booleans()):
                kept = spent.dump(), []
                spent.take_delta()
    if batch:
        feed(spent, *batch)
    plain: Counter[tuple[str, ...]] = Counter()
    for stands in runs:
        last = stands[-1]
        day = datetime.fromtimestamp(last["BEGAN"] // NANO, UTC).date()
        scopes = [("product", "*", None), ("workflow", NAMES[last["WORKFLOW"]], None)]
        scopes += [("tenant", NAMES[last["TENANT"]], None)] if last["TENANT"] else []
        scopes += [("user", NAMES[last["USER"]], NAMES.get(last["TENANT"]))] if last["USER"] else []
        for scope in scopes:
            plain[*scope, "day", day.isoformat()] += last["COST"]  # type: ignore[index]
            plain[*scope, "month", day.replace(day=1).isoformat()] += last["COST"]  # type: ignore[index]
    assert costs(spent) == {key: cost for key, cost in plain.items() if cost}


def test_steps_are_told_once_a_period() -> None:
    """50, 75, 100 %, then the hard limit; told again neither by more spend nor after a restart nor a correction."""
    budget = Budget("daily", "user", "day", 4 * NANO, 8 * NANO)
    spent = table(budget)
    told = []
    stands = [run(cost * NANO) for cost in (1, 2, 2, 3, 1, 4, 9, 9)]
    for before, now in zip([None, *stands], stands, strict=False):
        feed(spent, pulse(before, now))
        told.append([(str(v.action), v.evidence["count"], v.evidence["limit"]) for v in spent.look(DAY + 60).verdicts])
        spent = SpendTable.load(table(budget), spent.dump(), [])
    assert told == [[], [("warn", 2, 2)], [], [("warn", 3, 3)], [], [("throttle", 4, 4)], [("kill", 9, 8)], []]


def test_a_delta_says_what_an_earlier_one_did_not() -> None:
    """Told steps, plans and revisions of sums whose keys were said before; and nothing of those that stand."""
    budget = Budget("free", "user", "day", 4 * NANO, tier="free")
    spent, base = table(budget), table(budget).dump()
    stands = [run(1 * NANO), run(2 * NANO, tier=31), run(5 * NANO, tier=31)]
    deltas = []
    for before, now in zip([None, *stands], stands, strict=False):
        feed(spent, pulse(before, now), pulse(None, run(NANO, user=22)))
        spent.look(DAY + 60, is_last=True)
        deltas.append(spent.take_delta())
        again = SpendTable.load(table(budget), base, deltas)
        for key, kept in spent.sums.items():
            restored = again.sums[key]
            assert (restored.told or {}, restored.tier) == (kept.told or {}, kept.tier)
            assert (restored.cost, restored.runs, restored.revision) == (kept.cost, kept.runs, kept.revision)
    assert spent.sums["user", "ann", "acme", "day", "2026-03-10"].told
    assert b"ann" in deltas[0]
    assert b"bob" not in deltas[1] + deltas[2]
    assert spent.take_delta() == spent.take_delta()


def test_a_state_of_another_version_is_refused() -> None:
    """It says which."""
    with pytest.raises(ValueError, match="state of spend: version None, expected 2"):
        SpendTable.load(table(), b'{"keys": []}', [])


def test_a_jump_tells_every_step_and_opens_each_incident() -> None:
    """All three at once; the same batch again is news to nobody."""
    spent = table(Budget("daily", "tenant", "day", 4 * NANO))
    feed(spent, pulse(None, run(5 * NANO)))
    out = spent.look(DAY + 60)
    assert [verdict.action for verdict in out.verdicts] == [Action.WARN, Action.WARN, Action.THROTTLE]
    assert [(each.rule, str(each.severity)) for each in out.incidents] == [
        ("spend.daily 50% 2026-03-10", "SEV-3"),
        ("spend.daily 75% 2026-03-10", "SEV-3"),
        ("spend.daily 100% 2026-03-10", "SEV-2"),
    ]
    assert len({verdict.id for verdict in out.verdicts}) == 3
    again = table(Budget("daily", "tenant", "day", 4 * NANO))
    feed(again, pulse(None, run(5 * NANO)))
    assert [v.id for v in again.look(DAY + 99).verdicts] == [v.id for v in out.verdicts]


def test_a_new_period_lets_go() -> None:
    """At midnight of the zone, not before, what was limited is cleared once and its incidents end."""
    budget = Budget("daily", "user", "day", NANO, 2 * NANO)
    spent = table(budget)
    feed(spent, pulse(None, run(3 * NANO)))
    killed = spent.look(DAY + 60)
    feed(spent, pulse(None, run(NANO // 2)))
    assert spent.look(DAY + 86_399).verdicts == []
    spent = SpendTable.load(table(budget), spent.dump(), [])
    freed = spent.look(DAY + 86_400)
    assert [(v.action, v.level, v.scope) for v in freed.verdicts] == [(Action.CLEAR, "user", "ann")]
    assert {str(each.status) for each in freed.incidents} == {"resolved"}
    assert {each.key for each in freed.incidents} == {each.key for each in killed.incidents}
    assert all(each.summary.endswith(" spent this day, budget daily; 3.50 USD in all") for each in freed.incidents)
    assert spent.look(DAY + 86_500).verdicts == []


def test_a_limit_that_was_raised_ends_what_the_old_one_told() -> None:
    """At the first look of a flow with the new limit; steps that are reached by it as well stay open."""
    spent = table(Budget("daily", "user", "day", NANO, 2 * NANO))
    feed(spent, pulse(None, run(3 * NANO)))
    open_before = {each.rule: each.key for each in spent.look(DAY + 60).incidents}
    raised = SpendTable.load(table(Budget("daily", "user", "day", 5 * NANO, 10 * NANO)), spent.dump(), [])
    told = raised.look(DAY + 120).incidents
    assert {each.key for each in told} == {key for rule, key in open_before.items() if " 50% " not in rule}
    assert {str(each.status) for each in told} == {"resolved"}
    same = SpendTable.load(table(Budget("daily", "user", "day", 5 * NANO, 10 * NANO)), raised.dump(), [])
    assert same.look(DAY + 180).incidents == []
    none = SpendTable.load(table(), same.dump(), [])
    assert [(each.key, str(each.status)) for each in none.look(DAY + 240).incidents] == [
        (key, "resolved") for rule, key in open_before.items() if " 50% " in rule
    ]


def test_what_comes_late_limits_nobody() -> None:
    """A run that began yesterday costs more today: yesterday's steps are told, without asking for anything."""
    spent = table(Budget("daily", "user", "day", NANO, 2 * NANO))
    feed(spent, pulse(None, run(NANO // 2)))
    spent.look(DAY + 60)
    feed(spent, pulse(run(NANO // 2), run(3 * NANO)))
    late = spent.look(DAY + 86_400 + 600)
    assert [(v.action, v.evidence["start"]) for v in late.verdicts] == [(Action.WARN, "2026-03-10")] * 3
    assert {str(each.status) for each in late.incidents if each.severity == "SEV-3"} >= {"resolved"}
    assert spent.look(DAY + 86_400 + 700).verdicts == []


def test_a_replay_tells_what_would_have_been_done() -> None:
    """Days that are read at once: each is limited and let go, and nothing is told before the calls that it is of."""
    spent = SpendTable([Budget("daily", "user", "day", NANO, 2 * NANO)], UTC_ZONE, is_live=False)
    both = np.array([pulse(None, run(3 * NANO, at, LAST=(at + 90) * NANO)) for at in (DAY, DAY + 86_400)])
    for part in parts_of(spend_rows(both)).values():
        spent.apply(part, NAMES)
    for part in parts_of(pace_rows(both)).values():
        spent.pace(part, NAMES)
    out = spent.look(DAY + 30)
    kills = [(str(v.action), v.evidence["start"]) for v in out.verdicts if v.action is not Action.WARN]
    steps = [(action, day) for day in ("2026-03-10", "2026-03-11") for action in ("throttle", "kill")]
    assert kills == [*steps, ("clear", "2026-03-10")]
    assert {v.at_ns for v in out.verdicts} == {(DAY + 86_400 + 90) * NANO}


def test_days_are_those_of_the_zone() -> None:
    """23:30 UTC is the next day in Berlin; the day that summer time begins has 23 hours."""
    berlin = Calendar(ZoneInfo("Europe/Berlin"))
    spent = table(calendar=berlin)
    feed(spent, pulse(None, run(NANO, DAY + 86_400 - 1800)))
    assert ("product", "*", None, "day", "2026-03-11") in costs(spent)
    begin, end = berlin.span_s("day", datetime(2026, 3, 29, tzinfo=UTC).date())
    assert end - begin == 23 * 3600


def test_budgets_fit_whom_they_are_for() -> None:
    """By id, tenant and plan; where several fit the record shows the tightest."""
    free, ann = Budget("free", "user", "day", 4 * NANO, tier="free"), Budget("ann", "user", "day", 10 * NANO, id="ann")
    spent = table(free, ann, Budget("bolt", "user", "day", NANO, tenant="bolt"))
    feed(spent, pulse(None, run(NANO, tier=31)), pulse(None, run(NANO, user=22)))
    records = {
        (r["scope"]["id"], r["period"]): r
        for r in spent.look(DAY + 43_200, is_last=True).records
        if r["scope"]["level"] == "user"
    }
    assert records["ann", "day"]["limit_usd"] == 4
    assert records["ann", "day"]["used"] == 0.25
    assert records["bob", "day"]["limit_usd"] is None
    assert records["ann", "day"]["exhausts_at"] is None  # at this pace a half of it is spent by midnight


def test_the_forecast_is_linear() -> None:
    """A quarter of the day, half of the limit: the rest is gone at noon."""
    spent = table(Budget("daily", "product", "day", 4 * NANO))
    feed(spent, pulse(None, run(2 * NANO)))
    (record,) = [
        r
        for r in spent.look(DAY + 21_600, is_last=True).records
        if (r["scope"]["level"], r["period"]) == ("product", "day")
    ]
    assert record["exhausts_at"] == "2026-03-10T12:00:00.000000Z"


def test_unpriced_is_not_nothing() -> None:
    """Tokens without any price: the cost is not known."""
    spent = table()
    feed(spent, pulse(None, run(0) | {"TOKENS": 100}))
    assert {record["cost_usd"] for record in spent.look(DAY, is_last=True).records} == {None}


def test_users_without_a_budget_are_told_less_often() -> None:
    """Every five minutes; all others, and users whom a budget may limit, every thirty seconds."""
    free, limited = table(), table(Budget("daily", "user", "day", 100 * NANO))
    for spent in (free, limited):
        feed(spent, pulse(None, run(5 * NANO)))
        spent.look(DAY)
    whom = {
        spent: {(r["scope"]["level"], r["period"]) for r in spent.look(DAY + 30).records} for spent in (free, limited)
    }
    others = {(level, period) for level in ("product", "workflow", "tenant") for period in ("day", "month")}
    assert whom == {free: others, limited: others | {("user", "day")}}
    assert free.look(DAY + 299).records == []
    assert {r["scope"]["level"] for r in free.look(DAY + 300).records} == {"user"}


def test_what_is_forgotten_leaves_its_place_clean() -> None:
    """After 62 days a period goes; what takes its place begins at nothing, in the table and in what is kept of it."""
    spent, users = table(), (21, 22)
    kept: tuple[bytes, list[bytes]] = spent.dump(), []
    for day in range(100):
        feed(spent, *[pulse(None, run((day + 1) * NANO, DAY + day * 86_400, user=user)) for user in users])
        spent.look(DAY + day * 86_400)
        kept[1].append(spent.take_delta())
    days = {key[4]: cost for key, cost in costs(spent).items() if key[:2] == ("user", "ann") and key[3] == "day"}
    since = [datetime.fromtimestamp(DAY + day * 86_400, UTC).date().isoformat() for day in range(37, 100)]
    assert days == {start: (day + 38) * NANO for day, start in enumerate(since)}
    assert costs(SpendTable.load(table(), *kept)) == costs(spent)
