"""Cost: an agent drags a huge context along; its user's budget of the day is spent, and it is throttled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from flyball.demo.agents import Work
from flyball.demo.driving import drive
from flyball.demo.narration import span, usd
from flyball.demo.scene import Outcome

if TYPE_CHECKING:
    from flyball.demo.driving import Course
    from flyball.demo.scene import Scene

THROTTLED = 2
"""Calls a minute that a throttle leaves: control.throttle in slos/demo/flyball.yaml."""
_PACE_S = 0.25
_MOST_CALLS = 60
_USER = "analyst-7"


def _work(number: int) -> Work:
    return Work(
        tool="web_search",
        arguments={"query": f"market report, page {number}"},
        result={"found": number},
        model="claude-sonnet-4-5",
        provider="anthropic",
        input_tokens=150_000,
        output_tokens=2_000,
    )


def play(scene: Scene) -> Outcome:
    """Play the act."""
    scene.narrator.say(f"research-agent works for {_USER} of acme, with 150,000 tokens of context in each call")
    with scene.agent("research-agent", "research", _USER) as agent:
        course = drive(scene.stage, agent, _work, _PACE_S, _MOST_CALLS)
        agent.end("throttled")
        verdict = scene.record("flyball.verdicts", _is_throttle)
        run = scene.record("flyball.runs", lambda each: bool(each["run_id"] == agent.run_id))
    if verdict is None or run is None or course.heard_at is None or course.refusal is None:
        return Outcome(caught=False, sentences=(f"not throttled after {len(course.calls)} calls",))
    facts = facts_of(course, verdict.record, run.record)
    return Outcome(caught=True, sentences=sentences(facts), facts=facts)


def _is_throttle(verdict: dict[str, Any]) -> bool:
    return verdict["action"] == "throttle" and bool(verdict["scope"] == {"level": "user", "id": _USER})


def facts_of(course: Course, verdict: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """Give what was caught, how fast, and at what pace it would have gone on. All calls cost the same."""
    limit, each = float(verdict["evidence"]["limit"]), run["cost_usd"] / run["llm_calls"]
    crossed = math.ceil(limit / each)
    pace = each * 60 * (len(course.calls) - 1) / (course.calls[-1] - course.calls[0])
    waits = (course.refusal and course.refusal.throttle) or {}
    return {
        "rule": verdict["rule"],
        "action": verdict["action"],
        "user": verdict["scope"]["id"],
        "limit_usd": limit,
        "spent_usd": round(run["cost_usd"], 4),
        "crossed_by_call": crossed,
        "detected_s": round((course.heard_at or 0.0) - course.calls[crossed - 1], 3),
        "calls_made": len(course.calls),
        "refused_by": course.refusal.reason_code if course.refusal else None,
        "retry_after_s": round(waits.get("retry_after_ms", 0) / 1000),
        "usd_a_minute_before": round(pace, 2),
        "usd_a_minute_after": round(each * THROTTLED, 2),
        "saved_usd_a_minute": round(pace - each * THROTTLED, 2),
    }


def sentences(facts: dict[str, Any]) -> tuple[str, ...]:
    """Say it."""
    of = facts
    crossed = f"{span(of['detected_s'])} after call {of['crossed_by_call']} went over the limit"
    refused = f"refused call {of['calls_made'] + 1} for {of['retry_after_s']} s"
    before, after = usd(of["usd_a_minute_before"]), usd(of["usd_a_minute_after"])
    return (
        f"{of['rule']}: {usd(of['limit_usd'])} a day spent, {of['user']} is throttled to {THROTTLED} calls a minute",
        f"its guard knew {crossed}, and {refused}; {usd(of['spent_usd'])} in all",
        f"saved: it would have gone on at {before} a minute; now {after} a minute is the most it can spend",
    )
