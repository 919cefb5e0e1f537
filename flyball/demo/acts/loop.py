"""Loop: an agent repeats the identical call; the stream sees it, and its guard does not let the next one through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.demo.agents import Work
from flyball.demo.driving import drive
from flyball.demo.narration import span, usd
from flyball.demo.scene import Outcome

if TYPE_CHECKING:
    from flyball.demo.driving import Course
    from flyball.demo.scene import Scene

OWN_CAP = 100
"""Calls after which this agent would have given up by itself."""
_PACE_S = 0.2
_RULE = "repeat.identical"
_WORK = Work(
    tool="get_order",
    arguments={"order_id": "#W4417"},
    result={"error": "order not found"},
    model="gpt-4.1-2025-04-14",
    provider="openai",
    input_tokens=14_000,
    output_tokens=120,
)


def play(scene: Scene) -> Outcome:
    """Play the act."""
    scene.narrator.say(f"refund-agent asks get_order(#W4417) every {_PACE_S:g} s, and gets the same answer each time;")
    scene.narrator.more("its guard's own limits, which need no network, are off: the stream has to see it")
    with scene.agent("refund-agent", "support", "customer-41") as agent:
        course = drive(scene.stage, agent, lambda _: _WORK, _PACE_S, OWN_CAP)
        agent.end("stopped")
        verdict = scene.record("flyball.verdicts", lambda each: _is_stop(each, agent.run_id))
    if verdict is None or course.heard_at is None or course.refusal is None:
        return Outcome(caught=False, sentences=(f"not stopped after {len(course.calls)} calls",))
    facts = facts_of(course, verdict.record)
    return Outcome(caught=True, sentences=sentences(facts), facts=facts)


def _is_stop(verdict: dict[str, Any], run_id: str) -> bool:
    is_ours: bool = verdict["scope"]["id"] == run_id and verdict["rule"] == _RULE
    return is_ours and verdict["action"] in ("block", "kill")


def facts_of(course: Course, verdict: dict[str, Any]) -> dict[str, Any]:
    """Give what was caught, how fast, and what that saved against the agent's own cap."""
    evidence, made, heard_at = verdict["evidence"], len(course.calls), course.heard_at or 0.0
    each = evidence["cost_usd_so_far"] / evidence["calls_so_far"]
    left = max(0, OWN_CAP - made)
    return {
        "rule": verdict["rule"],
        "action": verdict["action"],
        "run": verdict["scope"]["id"],
        "tool": evidence["tool"],
        "limit": evidence["limit"],
        "detected_s": round(heard_at - course.calls[evidence["limit"] - 1], 3),
        "since_first_repeat_s": round(heard_at - course.calls[1], 3),
        "calls_made": made,
        "refused_by": course.refusal.reason_code if course.refusal else None,
        "own_cap": OWN_CAP,
        "usd_a_call": round(each, 6),
        "saved_calls": left,
        "saved_usd": round(each * left, 4),
    }


def sentences(facts: dict[str, Any]) -> tuple[str, ...]:
    """Say it."""
    of = facts
    known = f"{span(of['detected_s'])} after call {of['limit']} ended"
    first = f"{span(of['since_first_repeat_s'])} after the first repetition"
    until = f"to its own cap of {of['own_cap']} calls it would have made {of['saved_calls']} more"
    return (
        f"{of['rule']}: {of['tool']} was called {of['limit']} times alike; {of['action']} for this run alone",
        f"its guard knew {known}, {first}, and refused call {of['calls_made'] + 1}",
        f"saved: {until}, {usd(of['saved_usd'])} at the {usd(of['usd_a_call'])} a call it cost so far",
    )
