"""The fleet: one incident a workflow and SLI, told worse by an SLO, vouched for by e-d-BH, kept over restarts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.drift.examples import Example
from models.drift.fleet_table import FleetTable
from models.drift.found import Evidence, Found
from models.drift.table import Looked
from models.incidents.incident import Severity, Status


def found(sli: str, watch: str = "own_rate", *, to: str = "now", is_worse: bool = True) -> Found:
    """Describe a stream in alarm."""
    dimension = "time" if to == "now" else "version"
    return Found(
        key=f"{watch}\x1f{sli}\x1f{to}",
        workflow="support",
        sli=sli,
        detector="frozen_rate",
        dimension=dimension,
        from_="baseline",
        to=to,
        direction="up",
        is_worse=is_worse,
        numbers={"rate": 0.1},
        words="bad events rose",
        ratio=2.0,
        threshold=525_600,
        alarm=100,
        since=90,
        at=100,
        rolled_out=[{"dimension": "version", "value": "2", "at": "2026-03-02T09:00:00.000000Z"}],
    )


def evidence(of: Found, ratio: float = 2.0, alarm: int = 100) -> Evidence:
    """Give its evidence."""
    return Evidence(of.key, of.workflow, of.sli, of.key.split("\x1f")[0], ratio, alarm)


def looked(*of: Found, streams: int = 100, ratio: float = 2.0, alarm: int = 100) -> Looked:
    """Give what a shard says."""
    return Looked(101, streams, [evidence(each, ratio, alarm) for each in of], list(of))


def test_one_incident_for_a_workflow_and_sli() -> None:
    """The whole is in the title, its parts explain it; what was rolled out stands beside it; then it is resolved."""
    fleet = FleetTable()
    fleet.take("m1", looked(found("task_success", to="2"), found("task_success")))
    told = fleet.look(6060)
    (incident,) = told.incidents
    assert (incident.status, incident.severity, incident.class_) == (Status.OPEN, Severity.SEV_3, "drift")
    assert incident.title == "Drift of task_success in support"
    assert incident.summary.endswith(
        ", since about 1970-01-01 01:30Z; rolled out about then: version 2 at 2026-03-02 09:00Z"
    )
    assert incident.summary.startswith(f"{incident.title}: ")
    assert [each["contrast"]["to"] for each in incident.evidence["contrasts"]] == ["now", "2"]
    assert {record["kind"] for record in told.records} == {"drift"}
    assert not fleet.look(6120).incidents
    fleet.take("m1", Looked(102, 100, [], []))
    assert not fleet.look(6180).incidents
    (ended,) = fleet.look(6241).incidents
    assert (ended.key, ended.status) == (incident.key, Status.RESOLVED)


def test_an_objective_that_is_missed_too_makes_it_worse() -> None:
    """SEV-2."""
    fleet = FleetTable()
    fleet.take("m1", looked(found("task_success"), found("task_success", "objective")))
    (incident,) = fleet.look(6060).incidents
    assert incident.severity == Severity.SEV_2


@pytest.mark.parametrize(
    ("ratio", "streams", "fleet"), [(2.0, 100, "false"), (1001.0, 100, "true"), (1001.0, 200, "false")]
)
def test_the_fleet_vouches_by_e_d_bh(ratio: float, streams: int, fleet: str) -> None:
    """One stream in alarm of N: evidence over N / alpha, alpha .1; streams of other shards count."""
    table = FleetTable()
    table.take("m1", looked(found("task_success"), streams=streams // 2, ratio=ratio))
    table.take("m2", Looked(101, streams // 2, [], []))
    (incident,) = table.look(6060).incidents
    assert incident.labels == {"fleet": fleet}


def test_what_got_better_is_told_but_is_no_incident() -> None:
    """A record, nobody is paged."""
    fleet = FleetTable()
    fleet.take("m1", looked(found("task_success", is_worse=False)))
    told = fleet.look(6060)
    assert (len(told.records), told.incidents) == (1, [])


def test_what_turned_better_is_resolved() -> None:
    """Success fell, then a fix takes it above what it was: the stream is still in alarm, nobody need do anything."""
    fleet = FleetTable()
    fleet.take("m1", looked(found("task_success")))
    assert len(fleet.look(6060).incidents) == 1
    fleet.take("m1", looked(found("task_success", is_worse=False)))
    fleet.look(6120)
    assert [each.status for each in fleet.look(6181).incidents] == [Status.RESOLVED]


def test_evidence_below_the_threshold_is_no_incident() -> None:
    """No alarm."""
    fleet = FleetTable()
    fleet.take("m1", looked(found("task_success"), ratio=0.5, alarm=0))
    assert fleet.look(6060).incidents == []


def test_a_restart_goes_on_with_the_same_incident() -> None:
    """From the newest of dump and deltas: not told again, and resolved under the same key."""
    fleet = FleetTable()
    fleet.take("m1", looked(found("task_success")))
    (incident,) = fleet.look(6060).incidents
    again = FleetTable(generation=1).fill([b"", fleet.take_delta(), b""])
    assert fleet.take_delta() == b""
    assert again.look(6120).incidents == []
    again.take("m1", Looked(103, 100, [], []))
    again.look(6180)
    (ended,) = again.look(6300).incidents
    assert (ended.key, ended.status) == (incident.key, Status.RESOLVED)
    assert ended.revision > incident.revision


def test_an_alarm_about_new_users_shows_runs_of_both_ages() -> None:
    """The shard that knows the ages says whose they are."""
    fleet = FleetTable()
    hour = 60 * 60 * 10**9
    examples = [
        Example("support", "user_age", age, hour + n, f"{n:032x}", is_bad)
        for n, (age, is_bad) in enumerate([("existing", False), ("new", True), ("new", False), ("existing", True)])
    ]
    drifts = found("task_success")._replace(dimension="user_age", from_="the rest", to="new", since=60)
    fleet.take("m1", replace(looked(drifts), examples=examples))
    (incident,) = fleet.look(6060).incidents
    assert incident.evidence["examples"] == {
        "before": [f"{n:032x}" for n in (3, 0)],
        "after": [f"{n:032x}" for n in (1, 2)],
    }


@pytest.mark.parametrize("restarts", [False, True])
def test_an_alarm_that_is_over_is_told_once_more(restarts: bool) -> None:  # noqa: FBT001
    """As one that is none: whoever lists the newest record of each stream would else have it in alarm for ever."""
    fleet = FleetTable()
    fleet.take("m1", looked(found("task_success"), found("task_success", "own_rate_hourly")))
    assert [(each["watch"], each["alarm"]) for each in fleet.look(6060).records] == [
        ("own_rate", True),
        ("own_rate_hourly", True),
    ]
    if restarts:
        fleet = FleetTable().fill([fleet.take_delta()])
    fleet.take("m1", replace(looked(found("task_success")), until=110, found=[]))
    (record,) = fleet.look(6660).records
    assert (record["watch"], record["alarm"], record["alarm_at"]) == ("own_rate_hourly", False, None)
    assert record["at"] == "1970-01-01T01:50:00.000000Z"
    fleet.take("m1", replace(looked(found("task_success")), until=120, found=[]))
    assert fleet.look(7260).records == []
