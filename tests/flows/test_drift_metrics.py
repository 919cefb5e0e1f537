"""Series of drift: bounded, and every stream in alarm is counted and shown before what is only near one."""

from __future__ import annotations

from flows import drift_metrics
from flows.drift_metrics import drift_families
from models.drift.fleet_table import FleetTable
from models.drift.found import Evidence
from models.drift.table import Looked

MOST = drift_metrics._MOST


def series(*evidence: Evidence) -> dict[str, dict[tuple[str, ...], float]]:
    """Give the values by family and labels."""
    table = FleetTable()
    table.take("s", Looked(1, len(evidence), list(evidence), []))
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in drift_families([table])
    }


def near(number: int) -> Evidence:
    """Give a stream that is near an alarm."""
    return Evidence(f"k{number}", "near", "task_success", "rate", 0.9, 0)


def test_an_alarm_that_lasts_is_shown_whatever_is_near_one() -> None:
    """Its evidence of now may be little: the alarm lasts until it is surely over."""
    found = series(*map(near, range(2 * MOST)), Evidence("old", "air", "task_success", "rate", 0.01, 7))
    assert found["flyball_drift_alarms"] == {("near", "task_success"): 0, ("air", "task_success"): 1}
    assert ("air", "task_success", "rate", "", "") in found["flyball_drift_evidence_log10"]


def test_all_alarms_are_counted() -> None:
    """Also those beyond the number of series that are shown."""
    alarms = [Evidence(f"a\\x1f{n}", "air", "task_success", f"w{n}", 2.0, 7) for n in range(MOST + 99)]
    found = series(*alarms)
    assert found["flyball_drift_alarms"] == {("air", "task_success"): MOST + 99}
    assert len(found["flyball_drift_evidence_log10"]) == MOST


def test_what_is_within_a_type_of_task_is_shown_under_task() -> None:
    """A tool of a type, runs of no type, and a type of an odd name: no name of a type comes to be a dimension."""
    said = {
        ("version", "2"): ("version", "2"),
        ("task", "ask"): ("task", "ask"),
        ("task", ""): ("task", "other or none"),
        ("task", "a\x1fb"): ("task", "a\x1fb"),
        ("task_tool", "tool\x1fsearch"): ("task", "tool, search"),
        ("task_tool", "\x1fsearch"): ("task", "other or none, search"),
        ("tool", "search"): ("tool", "search"),
    }
    every = [((), ("", "")), *said.items()]
    evidence = [
        Evidence("\x1f".join(("own", "tool_success", "workflow", "air", *group)), "air", "tool_success", "own", 2.0, 7)
        for group, _ in every
    ]
    shown = [labels[3:] for labels in series(*evidence)["flyball_drift_evidence_log10"]]
    assert sorted(shown) == sorted(named for _, named in every)
