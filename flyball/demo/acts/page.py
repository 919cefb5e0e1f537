"""Page: the error budget burns, the page says why, and is shown as it is sent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

from flyball.demo.narration import span
from flyball.demo.scene import PATIENCE_S, Outcome

if TYPE_CHECKING:
    from flyball.demo.pager import Received
    from flyball.demo.scene import Scene

_CLASS, _LAG = "slo.burn", "telemetry.lag"
_SHOWN = ("event_action", "dedup_key", "client_url", "payload", "links")
_DETAILS = ("severity", "owner", "runs")


def play(scene: Scene) -> Outcome:
    """Play the act."""
    scene.narrator.say("the same upgrade burns the error budget of support-success. `deliver` posts it to PagerDuty;")
    scene.narrator.more("in the demo a receiver of its own stands in PagerDuty's place, and shows it as it comes:")
    page: Received | None = scene.stage.wait(lambda: scene.pager.first(_CLASS), PATIENCE_S)
    if page is None:
        return Outcome(caught=False, sentences=("no page came",))
    for line in shown(page.event).splitlines():
        scene.narrator.more(line, "dim")
    facts = facts_of(page.event, page.at - scene.ready_at, [each.class_ for each in scene.pager.received])
    is_explained = bool(facts["guilty"]) and bool(facts["runbook"])
    return Outcome(caught=is_explained, sentences=sentences(facts), facts=facts)


def shown(event: dict[str, Any]) -> str:
    """Give the page as it was sent, of its details a few."""
    said = {name: event[name] for name in _SHOWN if name in event}
    details = event["payload"]["custom_details"]
    kept = {name: details[name] for name in _DETAILS} | {"...": f"{len(details) - len(_DETAILS)} more"}
    said["payload"] = event["payload"] | {"custom_details": kept}
    return orjson.dumps(said, option=orjson.OPT_INDENT_2).decode()


def facts_of(event: dict[str, Any], waited_s: float, classes: list[str]) -> dict[str, Any]:
    """Give what was sent; `waited_s` after the past was in, and pages of these classes so far ("" ends one)."""
    payload = event["payload"]
    evidence = payload["custom_details"]["evidence"]
    return {
        "class": payload["class"],
        "severity": payload["custom_details"]["severity"],
        "summary": payload["summary"],
        "dedup_key": event["dedup_key"],
        "guilty": evidence["guilty"],
        "burn": evidence["burn"],
        "budget_used": evidence["budget_used"],
        "runbook": next((link["href"] for link in event.get("links", ()) if link["text"] == "Runbook"), None),
        "detected_s": round(waited_s, 3),
        "pages": dict(sorted(Counter(filter(None, classes)).items())),
    }


def sentences(facts: dict[str, Any]) -> tuple[str, ...]:
    """Say it."""
    of = facts
    pages = ", ".join(f"{count} {name}" for name, count in of["pages"].items())
    lagging = [f"{_LAG}: three hours came in at once, and burn alerts waited for all of it"] * (_LAG in of["pages"])
    return (
        f"paged {span(of['detected_s'])} after the past was in, with its cause:",
        of["summary"],
        f"the runbook is at {of['runbook']}",
        f"pages so far: {pages}",
        *lagging,
    )
