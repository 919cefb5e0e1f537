"""Whom a spent budget bounds: the control plane is told a scope that it knows, no wider than can be said."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from flyball_sdk.scope import Scope

from control.contributions import Book, Place
from control.verdicts import read
from models.slos.spec import Action, Indicator, PolicyStep, Rolling
from models.slos.table import SloTable
from tests.helpers.slo_events import DAY, HOUR, Row, events, slo

NOW = 20_500 * DAY
POLICY = (PolicyStep(100, (Action.NOTIFY, Action.BOUND)),)


def spent(
    name: str = "s", value: str = "", where: dict[str, tuple[str, ...]] | None = None, split: str | None = None
) -> Any:
    """Give what is judged of an SLO whose budget is spent."""
    indicator = Indicator("task_success", tuple((where or {}).items()))
    table = SloTable([slo(name, "0.8", Rolling(2 * HOUR), policy=POLICY, indicator=indicator, split=split)])
    table.apply(events([Row(name, NOW + n, n % 2 == 0, value, n + 1) for n in range(100)]))
    return table.finish()


AIR, ACME = {"workflow": ("air",)}, {"tenant": ("acme",)}


@pytest.mark.parametrize(
    ("said", "scope", "tenant"),
    [
        ({"value": "air", "split": "workflow"}, ("workflow", "air"), None),
        ({"where": AIR}, ("workflow", "air"), None),
        ({"where": AIR | ACME}, ("workflow", "air"), "acme"),
        ({"value": "acme", "split": "tenant", "where": AIR}, ("workflow", "air"), "acme"),
        ({"value": "air", "split": "workflow", "where": ACME}, ("workflow", "air"), "acme"),
        ({"where": ACME}, ("tenant", "acme"), None),
        ({"value": "acme", "split": "tenant"}, ("tenant", "acme"), None),
        ({}, ("product", "*"), None),
    ],
)
def test_the_control_plane_can_read_it(said: dict[str, Any], scope: tuple[str, str], tenant: str | None) -> None:
    """It bounds the workflow, of the tenant where it is of one; else the tenant; else everything."""
    judged = spent(**said)
    (verdict,) = (read(orjson.dumps(record)) for record in judged.verdicts)
    assert (*verdict.scope, verdict.tenant, verdict.action) == (*scope, tenant, "bound")


@pytest.mark.parametrize(
    "said",
    [
        {"value": "v2", "split": "version"},
        {"value": "v2", "split": "version", "where": AIR},
        {"where": {"version": ("v2",)}},
        {"where": {"workflow": ("a", "b")}},
    ],
)
def test_nobody_is_bounded_for_what_no_signal_can_name(said: dict[str, Any]) -> None:
    """Of one version, or two workflows of many: people hear of it, and agents that have no part in it go on."""
    judged = spent(**said)
    assert judged.verdicts == []
    assert {incident.rule for incident in judged.incidents} == {"s 100% notify", "s 100% bound"}


def test_an_objective_lets_go_of_nothing_that_another_one_bounds() -> None:
    """Two of one workflow are spent; one has its budget back: the workflow stays bounded for the other."""
    book = Book()
    for number, (name, action) in enumerate((("a", "bound"), ("b", "bound"), ("b", "clear"))):
        (record,) = spent(name=name, where=AIR).verdicts
        book.apply(read(orjson.dumps(record | {"id": str(number), "action": action, "generation": number})), 0)
    assert book.state(Place(Scope("workflow", "air"), None)).level == "bounded"


def test_the_tenant_of_an_objective_is_that_of_its_incidents() -> None:
    """A route by tenant finds the steps of its budget, too, and also where it is of one workflow."""
    assert {incident.tenant for incident in spent(where=ACME).incidents} == {"acme"}
    assert {incident.tenant for incident in spent(where=AIR | ACME).incidents} == {"acme"}
    assert {incident.tenant for incident in spent(where=AIR).incidents} == {None}
