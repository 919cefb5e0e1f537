"""What becomes of kept state when the configuration changes, and of bytes that are no state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from models.slis.packing import PackingError, pack
from models.slos.keeping import KeepingError, KeptSloTable
from models.slos.spec import Action, Calendar, Indicator, Op, PolicyStep, Rolling, Threshold, Unit
from tests.helpers.slo_events import DAY, HOUR, Row, events, rule, slo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.slos.events import Events
    from models.slos.spec import Slo

START = 20_500 * DAY
POLICY = (PolicyStep(100, (Action.NOTIFY, Action.BOUND)),)
OLD = slo("old", "0.8", Rolling(2 * HOUR), rules=(rule("2", 1800, 300),), policy=POLICY)
STAYS = replace(OLD, name="stays")
AIR = Indicator("task_success", (("workflow", ("air",)),))


def burnt(*slos: Slo) -> KeptSloTable:
    """Give a table in which every SLO burns, is spent and has bounded its agents."""
    table = KeptSloTable(slos)
    table.apply(events(Row(each.name, START + at, bad=True, run=at) for each in slos for at in range(0, 600, 10)))
    judged = table.follow(START + 700)
    classes = [told.class_ for told in judged.incidents]
    assert {name: classes.count(name) for name in set(classes)} == {"slo.burn": len(slos), "slo.budget": 2 * len(slos)}
    assert [verdict["action"] for verdict in judged.verdicts] == ["bound"] * len(slos)
    return table


def restarted(table: KeptSloTable, slos: Sequence[Slo], *, whole: bool) -> KeptSloTable:
    """Restart with another configuration, from a dump or from deltas alone."""
    delta = table.take_delta()
    return KeptSloTable.load(slos, *((table.dump(), []) if whole else (None, [delta])), 1)


def looked(table: KeptSloTable, *seconds: int) -> dict[str, list[Any]]:
    """Look at these times; give incidents as (rule, status) and verdicts as (rule, action, scope)."""
    judged = [table.look(START + second) for second in seconds]
    return {
        "incidents": sorted((i.rule, str(i.status)) for each in judged for i in each.incidents),
        "verdicts": [(v["rule"], v["action"], v["scope"]["id"]) for each in judged for v in each.verdicts],
    }


RESOLVED = {
    "incidents": [("old", "resolved"), ("old 100% bound", "resolved"), ("old 100% notify", "resolved")],
    "verdicts": [("slo.budget.old.100", "clear", "*")],
}

whole_or_not = pytest.mark.parametrize("whole", [True, False], ids=["from a dump", "from deltas"])


@whole_or_not
def test_nothing_changed(*, whole: bool) -> None:
    """With the same SLOs a restart tells nothing."""
    table = restarted(burnt(OLD, STAYS), (STAYS, OLD), whole=whole)
    assert looked(table, 701, 800) == {"incidents": [], "verdicts": []}
    assert {record["slo"]: record["bad"] for record in table.finish().slos} == {"old": 60, "stays": 60}


@pytest.mark.parametrize("split", [None, "workflow"])
@pytest.mark.parametrize("comes", [True, False])
@pytest.mark.parametrize("committed", [True, False])
def test_what_was_told_after_the_last_snapshot(split: str | None, *, comes: bool, committed: bool) -> None:
    """Its first events are read again after the first looks: it stays open; if never, it is over after a minute."""
    one = replace(OLD, policy=(), split=split)
    bad = events(Row("old", START + at, bad=True, run=at, value="air" if split else "") for at in range(0, 600, 10))
    before = KeptSloTable([one])
    snapshot = before.dump() if committed else None
    before.apply(bad)
    assert [str(told.status) for told in before.look(START + 700).incidents] == ["open"]
    after = after_a_kill(before, snapshot)
    assert looked(after, 701, 702)["incidents"] == []
    if comes:
        after.apply(bad)
        assert looked(after, 703, 770, 900)["incidents"] == []
        after.apply(events(Row("old", START + 900, value="air" if split else "") for _ in range(500)))
        assert looked(after, 910, 969)["incidents"] == []
        assert looked(after, 970)["incidents"] == [("old", "resolved")]
    else:
        assert looked(after, 760)["incidents"] == []
        assert looked(after, 761)["incidents"] == [("old", "resolved")]


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("when", ["before the first look", "later"])
def test_what_was_told_and_is_right_when_read_again(when: str, *, committed: bool) -> None:
    """An alert, a step and what it bound end where the next life reads the recovery with the failure."""
    after, bad, first = after_failures(committed=committed)
    if when == "later":
        assert looked(after, 701, 710) == {"incidents": [], "verdicts": []}
    after.apply(bad)
    after.apply(events(Row("old", START + 600) for _ in range(2000)))
    assert looked(after, 712, 713, 760) == {"incidents": [], "verdicts": []}
    assert looked(after, 773) == RESOLVED
    assert looked(after, 774, 900) == {"incidents": [], "verdicts": []}
    after.apply(events(Row("old", START + 1000, bad=True, run=at) for at in range(2000)))
    judged = after.look(START + 1010)
    assert [(told.rule, str(told.status)) for told in judged.incidents] == [("old", "open"), ("old 100% bound", "open")]
    assert [verdict["action"] for verdict in judged.verdicts] == ["bound"]
    assert judged.verdicts[0]["id"] != first["id"], "the control plane would take it for the one it has"


@pytest.mark.parametrize("committed", [True, False])
def test_what_was_told_and_holds_when_read_again(*, committed: bool) -> None:
    """Steps that are reached again are told by nobody, and end when the budget is back."""
    after, bad, bound = after_failures(committed=committed)
    after.apply(bad)
    assert {verdict["id"] for verdict in after.look(START + 705).verdicts} == {bound["id"]}
    assert looked(after, 706, 900) == {"incidents": [], "verdicts": []}
    after.apply(events(Row("old", START + 900) for _ in range(2000)))
    assert looked(after, 910, 990) == RESOLVED


def after_failures(*, committed: bool) -> tuple[KeptSloTable, Events, dict[str, Any]]:
    """Begin after a life that told of failures and bound agents; gives these events, and the verdict."""
    before = KeptSloTable([OLD])
    snapshot = before.dump() if committed else None
    bad = events(Row("old", START + at, bad=True, run=at) for at in range(0, 600, 10))
    before.apply(bad)
    (bound,) = before.look(START + 700).verdicts
    return after_a_kill(before, snapshot), bad, bound


def after_a_kill(table: KeptSloTable, snapshot: bytes | None) -> KeptSloTable:
    """Begin with the last snapshot, or without any, and with what was told after it."""
    after = KeptSloTable.load(table.slos, snapshot, [], 1)
    after.book.adopt(table.book.take_told())
    after.book.wait_anew()
    return after


@whole_or_not
def test_an_slo_that_is_gone(*, whole: bool) -> None:
    """Its incidents are resolved, what it bounds is let go, its events count no more; the others stay as they are."""
    table = burnt(OLD, STAYS)
    table.apply(events([Row("old", START + 710), Row("stays", START + 710)]))  # ahead of now
    table = restarted(table, (STAYS,), whole=whole)
    assert looked(table, 701, 770) == RESOLVED
    assert [(record["slo"], record["total"]) for record in table.finish().slos] == [("stays", 61)]


@whole_or_not
@pytest.mark.parametrize(
    "change",
    [
        {"indicator": AIR},
        {"indicator": Indicator("cost_per_task", threshold=Threshold(Op.LTE, 0.5))},
        {"split": "tenant"},
    ],
    ids=["filter", "sli", "split"],
)
def test_an_slo_that_counts_something_else(change: dict[str, Any], *, whole: bool) -> None:
    """Nothing of the old one is left, not even what was ahead of now: incidents resolved, the count begins anew."""
    table = burnt(OLD)
    table.apply(events([Row("old", START + 720, run=1)]))
    new = replace(OLD, **change)
    table = restarted(table, (new,), whole=whole)
    assert looked(table, 701, 770) == RESOLVED
    assert [record["total"] for record in table.finish().slos] == []
    value = "acme" if new.split else ""
    table.apply(events([Row("old", START + 780, bad=True, value=value, run=2)]))
    table.look(START + 800)
    records = [(record["slo"], record["total"], record["bad"]) for record in table.finish().slos]
    assert records == [("old:acme" if value else "old", 1, 1)]


@whole_or_not
def test_an_slo_whose_target_and_window_change(*, whole: bool) -> None:
    """What it counts is the same, so its counts stay and are judged anew."""
    new = replace(OLD, target=STAYS.target / 2, window=Rolling(HOUR))
    table = restarted(burnt(OLD), (new,), whole=whole)
    table.look(START + 701)
    (record,) = table.finish().slos
    assert (record["total"], record["bad"], record["budget_used"]) == (60, 60, pytest.approx(1 / 0.6))


def test_what_a_change_ends_is_not_told_as_recovery() -> None:
    """The end of an incident of an SLO that was renamed says so; that of one which is right again does not."""
    table = restarted(burnt(OLD, STAYS), (STAYS, replace(OLD, name="new-name")), whole=True)
    gone = table.look(START + 701).incidents
    assert len(gone) == 3
    assert all(each.summary.endswith("; ended by a change of the configuration, not by recovery") for each in gone)
    table.apply(events(Row("stays", START + 800) for _ in range(5000)))
    later = [told for at in (810, 2600, 2700) for told in table.look(START + at).incidents]
    assert {told.rule for told in later} == {"stays", "stays 100% bound", "stays 100% notify"}
    assert not any("configuration" in told.summary for told in later)


@whole_or_not
def test_an_slo_that_gets_a_calendar(*, whole: bool) -> None:
    """The month so far is counted, by the hour, also where a rolling period or a calendar day held before."""
    month = Calendar("2026-01-01 00:00:00", "UTC", 1, Unit.MONTH)
    for before in (OLD.window, replace(month, unit=Unit.DAY)):
        table = burnt(replace(OLD, window=before))
        yesterday = [Row("old", START - DAY + at, bad=True) for at in range(0, 400, 10)]
        table.apply(events([Row("old", START - 40 * DAY, bad=True), *yesterday]))
        table.look(START + 701)
        again = restarted(table, (replace(OLD, window=month),), whole=True)
        if not whole:
            again = KeptSloTable.load(again.slos, table.dump(), [table.take_delta()], 1)
        again.apply(events([Row("old", START + 700, bad=True)]))
        again.look(START + 710)
        (record,) = again.finish().slos
        assert (record["total"], record["bad"], record["period_s"]) == (101, 101, 28 * DAY)


@whole_or_not
def test_a_step_that_is_gone(*, whole: bool) -> None:
    """A policy step that is taken out of the configuration is resolved and its bound lifted."""
    new = replace(OLD, policy=())
    table = restarted(burnt(OLD), (new,), whole=whole)
    assert looked(table, 701, 770) == {"incidents": RESOLVED["incidents"][1:], "verdicts": RESOLVED["verdicts"]}
    assert table.budgets.reached(0) == []


@whole_or_not
def test_an_slo_that_is_new(*, whole: bool) -> None:
    """It begins when it is first there: a correction of an earlier run, that it never counted, counts nowhere."""
    table = restarted(burnt(OLD), (OLD, STAYS), whole=whole)
    earlier = Row("stays", START + 100, bad=True, run=1, version="v1")
    table.apply(events([earlier._replace(sign=-1), earlier._replace(bad=False), Row("stays", START + 710, run=2)]))
    table.look(START + 800)
    (record,) = [record for record in table.finish().slos if record["slo"] == "stays"]
    assert (record["total"], record["bad"]) == (1, 0)
    slices = [s for i in table.instances.known if i.name == "stays" for s in i.blame.slices(START + 800, HOUR)]
    assert [(s.total, s.bad) for s in slices] == [(1, 0)]


def test_the_new_begins_at_its_first_start_also_later() -> None:
    """The time from which an SLO counts is kept."""
    table = restarted(burnt(OLD), (OLD, STAYS), whole=True)
    table.look(START + 800)
    table.take_delta()
    table = KeptSloTable.load((OLD, STAYS), table.dump(), [], 2)
    table.apply(events([Row("stays", START + 100, bad=True, sign=-1), Row("stays", START + 810)]))
    table.look(START + 900)
    assert [(r["slo"], r["total"], r["bad"]) for r in table.finish().slos] == [("old", 60, 60), ("stays", 1, 0)]


@whole_or_not
def test_a_workflow_that_no_slo_is_about_is_not_silent(*, whole: bool) -> None:
    """Without its only SLO nobody listens to a workflow any more: that is not its silence."""
    mine = slo("mine", "0.8", rules=(rule("2", 1800, 300),), indicator=AIR)
    table = KeptSloTable((mine, STAYS))
    for hour in range(8 * 24):
        table.apply(events([Row("mine", START + hour * HOUR), Row("stays", START + hour * HOUR)]))
        table.look(START + hour * HOUR + 10)
    after = {name: restarted(table, slos, whole=whole) for name, slos in (("same", (mine, STAYS)), ("less", (STAYS,)))}
    told = {name: [i.class_ for i in t.look(START + 9 * DAY).incidents] for name, t in after.items()}
    assert told == {"same": ["telemetry.silent"], "less": []}


def test_bytes_of_something_else_are_refused() -> None:
    """Bytes that are no state, or of a version to come, are errors that say so."""
    with pytest.raises(PackingError):
        KeptSloTable.load((OLD,), b"nothing", [])
    text = np.frombuffer(b'{"version": 99}', np.uint8)
    with pytest.raises(KeepingError, match="SLO state of version 99, expected 3"):
        KeptSloTable.load((OLD,), pack({"text": text}), [])
