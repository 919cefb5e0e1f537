"""Upgrade: a new version with another model was rolled out in the past hours; drift is named, with what it is against.

It lies in the past because drift is looked at in event time: the past is sent as fast as it goes, so that an hour of it
is there in seconds. How long it took is told in event time, too: it would have taken just as long live.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from flyball.demo.scene import Outcome
from flyball.demo.story import NEW_MODEL, NEW_VERSION, OLD_MODEL, OLD_VERSION, SECOND, UPGRADED_S

if TYPE_CHECKING:
    from flyball.demo.scene import Scene

_WORKFLOW, _SLI, _DETECTOR = "support", "task_success", "frozen_rate"
_CONTRAST = {"dimension": "version", "from": OLD_VERSION, "to": NEW_VERSION}


def play(scene: Scene) -> Outcome:
    """Play the act."""
    ago = UPGRADED_S // 60
    scene.narrator.say(f"{ago} min ago, in the simulated past, {_WORKFLOW} went from {OLD_VERSION} ({OLD_MODEL})")
    scene.narrator.more(f"to {NEW_VERSION} ({NEW_MODEL}); nobody told Flyball")
    found = scene.record("flyball.drift", _is_it)
    if found is None:
        return Outcome(caught=False, sentences=("no drift was named",))
    named_at = found.record["alarm_at"]
    runs = scene.records.all("flyball.runs")
    since = sum(each["version"] == NEW_VERSION and each["ended_at"] > named_at for each in runs)
    facts = facts_of(found.record, scene.traffic.upgraded_ns, since)
    return Outcome(caught=True, sentences=sentences(facts), facts=facts)


def _is_it(record: dict[str, Any]) -> bool:
    found = (record["workflow"], record["sli"], record["detector"], record["contrast"], record["alarm"])
    return bool(found == (_WORKFLOW, _SLI, _DETECTOR, _CONTRAST, True))


def facts_of(record: dict[str, Any], upgraded_ns: int, since: int) -> dict[str, Any]:
    """Give what was named, when, and on what evidence; `since` runs of the new version ended after that."""
    effect = record["effect"]
    named_s = datetime.fromisoformat(record["alarm_at"]).timestamp() - upgraded_ns / SECOND
    return {
        **{name: record[name] for name in ("workflow", "sli", "detector", "contrast", "evidence", "threshold")},
        **{name: effect[name] for name in ("before", "rate", "interval", "events")},
        "until": record["at"],
        "named_after_min": round(named_s / 60, 1),
        "runs_since": since,
        "spared_failures": round((effect["rate"] - effect["before"]) * since),
    }


def sentences(facts: dict[str, Any]) -> tuple[str, ...]:
    """Say it."""
    of, contrast = facts, facts["contrast"]
    low, high = of["interval"]
    what = f"{contrast['dimension']} {contrast['from']} → {contrast['to']}"
    rose = f"failures rose from {of['before']:.1%} to {of['rate']:.1%} (95 % interval {low:.1%} to {high:.1%})"
    named = f"named {of['named_after_min']:.0f} min of event time after the upgrade began"
    spared = f"about {of['spared_failures']:,} failed tasks of the {of['runs_since']:,} since"
    needed = f"enough from 10^{of['threshold']:.1f} on (one false alarm a stream and year)"
    return (
        f"drift of {of['sli']} in {of['workflow']}, {what}",
        rose,
        f"{named}; first told with the {of['events']:,} runs up to {of['until'][11:16]}Z",
        f"evidence 10^{of['evidence']:.1f}, {needed}",
        f"saved, had it been rolled back then: {spared}",
    )
