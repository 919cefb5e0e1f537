"""Made-up values of a split SLO leave when nothing is left of them, so that a new tenant is watched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.slos.keeping import KeptSloTable
from models.slos.spec import Action, Indicator, PolicyStep, Rolling
from models.slos.table import SloTable
from tests.helpers.slo_events import DAY, HOUR, Row, events, rule, slo

START = 20_500 * DAY
SPLIT = slo(
    "each",
    "0.8",
    Rolling(2 * HOUR),
    rules=(rule("2", 1800, 300),),
    policy=(PolicyStep(100, (Action.NOTIFY,)),),
    split="tenant",
    indicator=Indicator("task_success", (("workflow", ("air",)),)),
)


def runs(tenant: str, second: int, count: int = 20, *, bad: bool = False) -> list[Row]:
    """Give runs of a tenant, ten seconds apart."""
    return [Row("each", START + second + 10 * at, bad, tenant, second + at + 1) for at in range(count)]


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.slos.instances.MAX_INSTANCES", 3)


def filled(kind: type[SloTable] = SloTable) -> SloTable:
    """Give a table that is full: `made-up` is of long ago, `spent` too, with a budget that is; `acme` is alive."""
    table = kind([SPLIT])
    table.apply(events([*runs("made-up", 0), *runs("spent", 0, bad=True), *runs("acme", 0)]))
    table.look(START + 300)
    table.apply(events(runs("acme", 4 * DAY)))
    table.look(START + 4 * DAY + 300)
    return table


def names(table: SloTable) -> list[str]:
    """Give the values that are watched."""
    return sorted(str(instance.value) for instance in table.instances.known)


def counts(table: SloTable, tenant: str) -> dict[int, tuple[int, int]]:
    """Give what the windows of a tenant hold."""
    (found,) = [each for each in table.readings() if each.instance.value == tenant]
    return found.windows | {0: (found.budget.total, found.budget.bad)}


def test_a_new_tenant_gets_the_room_of_one_that_is_gone() -> None:
    """It counts from nothing, its failures page, and the others count as before; the next one finds no room."""
    table, later = filled(), 4 * DAY + 600
    before = counts(table, "acme")
    table.apply(events([*runs("new", later, 60, bad=True), *runs("another", later)]))
    judged = table.look(START + later + 600)
    assert names(table) == ["acme", "new", "spent"]
    assert [(told.class_, told.scope["id"]) for told in judged.incidents if told.class_ == "slo.burn"] == [
        ("slo.burn", "new")
    ]
    fresh = SloTable([SPLIT])
    fresh.apply(events(runs("new", later, 60, bad=True)))
    fresh.look(START + later + 600)
    assert counts(table, "new") == counts(fresh, "new")
    assert counts(table, "acme")[7200] == before[7200]
    assert table.instances.refused > 0


def test_a_workflow_stays_known_when_its_first_instance_goes() -> None:
    """Silence is of the workflow: all its instances say that it is alive."""
    table = filled()
    table.apply(events(runs("new", 4 * DAY + 600)))
    table.look(START + 4 * DAY + 900)
    table.apply(events(runs("acme", 5 * DAY)))
    table.look(START + 5 * DAY + 300)
    (heard,) = table.silence.state()
    assert heard[:3] == ["air", START, START + 5 * DAY + 190]


@pytest.mark.parametrize("whole", [True, False])
def test_a_restart_finds_the_same(*, whole: bool) -> None:
    """From a dump before the room was given away and a delta after it, and from a dump alone."""
    table = filled(KeptSloTable)
    assert isinstance(table, KeptSloTable)
    base, later = table.dump(), 4 * DAY + 600
    table.take_delta()
    table.apply(events(runs("new", later, 30, bad=True)))
    table.look(START + later + 300)
    base, deltas = (table.dump(), []) if whole else (base, [table.take_delta()])
    again = KeptSloTable.load([SPLIT], base, deltas, 1)
    assert names(again) == names(table) == ["acme", "new", "spent"]
    for tenant in names(table):
        assert counts(again, tenant) == counts(table, tenant)
    for each in (table, again):
        each.look(START + later + 301)
    assert sorted(map(str, again.book.open_idents())) == sorted(map(str, table.book.open_idents()))


def test_what_is_retired_lets_go_of_its_budget() -> None:
    """A tenant that left with a spent budget: after a week without a run its incident ends, its agents are free."""
    spent = replace(SPLIT, policy=(PolicyStep(100, (Action.NOTIFY, Action.BOUND)),))
    table = SloTable([spent])
    table.apply(events([*runs("spent", 0, 60, bad=True), *runs("acme", 0)]))
    assert [each["action"] for each in table.look(START + 600).verdicts] == ["bound"]
    table.apply(events(runs("acme", 6 * DAY)))
    assert [each for each in table.look(START + 6 * DAY + 300).incidents if each.class_ == "slo.budget"] == []
    table.apply(events(runs("acme", 8 * DAY)))
    judged = table.look(START + 8 * DAY + 300)
    ended = [each for each in judged.incidents if each.class_ == "slo.budget"]
    assert {(str(each.status), each.scope["id"]) for each in ended} == {("resolved", "spent")}
    assert [each["action"] for each in judged.verdicts] == ["clear"]
    table.look(START + 8 * DAY + 400)  # what burnt has been right for a minute
    table.apply(events([*runs("a", 8 * DAY + 600), *runs("b", 8 * DAY + 600)]))
    table.look(START + 8 * DAY + 900)
    assert names(table) == ["a", "acme", "b"]
