"""Spend over lives: what one told of a budget after its last snapshot holds in the next, which may read less of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from models.spend.budget import Budget
from models.spend.table import SpendTable, Spent
from tests.helpers.spend_runs import DAY, NANO, feed, pulse, run, table

BUDGET = Budget("daily", "user", "day", 4 * NANO, 8 * NANO)
MIDNIGHT = DAY + 86_400


def noted(of: SpendTable) -> Any:
    """Give what a shard notes before it tells, as the next life reads it."""
    return orjson.loads(orjson.dumps(of.book.take_told()))


def next_life(told: Any, *budgets: Budget, snapshot: bytes | None = None) -> SpendTable:
    """Begin a life with a snapshot that knows nothing of what was told."""
    again = SpendTable.load(table(*budgets), snapshot, [])
    again.book.adopt(told)
    again.book.wait_anew()
    return again


def killed_once() -> tuple[Spent, Any]:
    """Give what a life told of a user whose spending came to the hard limit, and its notes."""
    spent = table(BUDGET)
    feed(spent, pulse(None, run(9 * NANO)))
    return spent.look(DAY + 60), noted(spent)


def actions(out: Spent) -> list[str]:
    """Give what is asked for beside warnings."""
    return [str(verdict.action) for verdict in out.verdicts if verdict.action != "warn"]


@pytest.mark.parametrize("is_read_first", [True, False], ids=["read-again-at-once", "looked-at-first"])
def test_what_was_told_before_the_first_snapshot_is_told_once(*, is_read_first: bool) -> None:
    """The same spending opens no incident a second time, though the next life looks before it has read it again."""
    before, told = killed_once()
    again = next_life(told, BUDGET)
    looks = []
    for at in (1, 2, 200):
        if at == (1 if is_read_first else 2):
            feed(again, pulse(None, run(9 * NANO)))
        looks.append(again.look(DAY + 100 + at))
    assert [each for look in looks for each in look.incidents] == []
    assert {verdict.id for look in looks for verdict in look.verdicts} == {verdict.id for verdict in before.verdicts}
    assert sorted(action for look in looks for action in actions(look)) == ["kill", "throttle"]


def test_spending_that_is_read_with_its_correction_is_let_go_at_the_end_of_its_period() -> None:
    """As it would be had nobody died: the run was another user's, which takes nothing back before midnight."""
    _, told = killed_once()
    again = next_life(told, BUDGET)
    feed(again, pulse(None, run(9 * NANO, user=22)), pulse(None, run(NANO)))
    found = again.look(DAY + 120)
    assert {v.scope for v in found.verdicts} == {"ann", "bob"}  # hers may not have reached the log
    assert {incident.scope["id"] for incident in found.incidents} == {"acme/bob"}
    again = SpendTable.load(table(BUDGET), again.dump(), [])
    assert actions(again.look(MIDNIGHT - 1)) == []
    over = again.look(MIDNIGHT)
    assert sorted((v.action, v.scope) for v in over.verdicts) == [("clear", "ann"), ("clear", "bob")]
    assert len([each for each in over.incidents if each.scope["id"] == "acme/ann"]) == 4


def test_a_period_that_ended_meanwhile_is_let_go_at_once() -> None:
    """Nobody is limited by it again, not even for a moment."""
    _, told = killed_once()
    over = next_life(told, BUDGET).look(MIDNIGHT + 5)
    assert {str(each.status) for each in over.incidents} == {"resolved"}
    assert len(over.incidents) == 4
    assert actions(over) == ["clear"]


def test_a_budget_that_is_gone_lets_go_of_what_only_its_incident_tells() -> None:
    """Its limit was raised while the flow was down: what the old one limited is cleared, once."""
    _, told = killed_once()
    for budgets in ((), (Budget("daily", "user", "day", 40 * NANO, 80 * NANO),)):
        again = next_life(told, *budgets)
        out = again.look(DAY + 120)
        assert len(out.incidents) == 4
        assert {(v.scope, v.evidence["tenant"]) for v in out.verdicts} == {("ann", "acme")}
        assert set(actions(out)) == {"clear"}
        assert again.look(DAY + 130).verdicts == []


def test_a_life_that_ends_before_it_looks_hands_it_on() -> None:
    """A snapshot that was taken before the first look holds the incident, not the step."""
    _, told = killed_once()
    second = next_life(told, BUDGET)
    third = next_life(told, BUDGET, snapshot=second.dump())
    feed(third, pulse(None, run(9 * NANO)))
    assert third.look(DAY + 120).incidents == []
    assert {v.action for v in third.look(MIDNIGHT).verdicts} == {"clear"}


def test_a_limit_that_was_raised_for_a_while_limits_again() -> None:
    """Back in force it is told and asked for anew, by verdicts that nobody has taken before, however often."""
    raised = Budget("daily", "user", "day", 40 * NANO, 80 * NANO)
    spent, told = table(BUDGET), []
    feed(spent, pulse(None, run(9 * NANO)))
    for at, budget in enumerate((BUDGET, raised, BUDGET, BUDGET, raised, BUDGET)):
        spent = SpendTable.load(table(budget), spent.dump(), [])
        told.append(spent.look(DAY + 60 * at))
        assert spent.look(DAY + 60 * at + 1).verdicts == []
    limits = ["throttle", "kill"]
    assert [actions(out) for out in told] == [limits, ["clear"], limits, [], ["clear"], limits]
    ids = [verdict.id for out in told for verdict in out.verdicts]
    assert len(ids) == len(set(ids)) == 14
    opened = [[each.rule for each in out.incidents if str(each.status) == "open"] for out in told]
    assert [len(rules) for rules in opened] == [4, 0, 4, 0, 0, 4]
    assert actions(spent.look(MIDNIGHT)) == ["clear"]


def test_records_are_told_though_the_clock_was_ahead() -> None:
    """Half a minute after it was set right, as always: guards reserve by them."""
    spent = table(BUDGET)
    feed(spent, pulse(None, run(NANO)))
    spent.look(MIDNIGHT)
    assert spent.look(MIDNIGHT + 30).records
    feed(spent, pulse(None, run(NANO, user=22)))
    assert spent.look(DAY + 100).records == []
    assert {record["scope"]["id"] for record in spent.look(DAY + 130).records} >= {"bob"}
