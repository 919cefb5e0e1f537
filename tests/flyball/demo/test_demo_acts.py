"""What acts of the demo tell: counts and money by hand, words as people read them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from flyball.demo.acts import ACTS, cost, loop, page, upgrade
from flyball.demo.driving import Course
from flyball.demo.story import SECOND


def refusal(rule: str, retry_after_ms: int | None = None) -> Any:
    """Give what matters of a decision that lets a call not through."""
    throttle = None if retry_after_ms is None else {"retry_after_ms": retry_after_ms}
    return SimpleNamespace(reason_code=rule, throttle=throttle)


LOOP = {
    "rule": "repeat.identical",
    "action": "block",
    "scope": {"level": "run", "id": "a" * 32},
    "evidence": {"tool": "get_order", "limit": 5, "calls_so_far": 5, "cost_usd_so_far": 0.15},
}
COST = {
    "rule": "spend.acme-user-day",
    "action": "throttle",
    "scope": {"level": "user", "id": "analyst-7"},
    "evidence": {"limit": 5.0},
}
DRIFT = {
    "workflow": "support",
    "sli": "task_success",
    "detector": "frozen_rate",
    "contrast": {"dimension": "version", "from": "1", "to": "2"},
    "alarm": True,
    "alarm_at": "1970-01-01T01:12:00.000000Z",
    "at": "1970-01-01T01:20:00.000000Z",
    "evidence": 16.9,
    "threshold": 5.72,
    "effect": {"before": 0.01, "rate": 0.41, "interval": [0.3, 0.5], "events": 226},
}
PAGE = {
    "event_action": "trigger",
    "dedup_key": "flyball-1",
    "client_url": "http://127.0.0.1:2/console/#/incidents/1",
    "links": [{"href": "http://127.0.0.1:1/runbooks/slo.burn.md", "text": "Runbook"}],
    "payload": {
        "class": "slo.burn",
        "summary": "[SEV-1] s: 240 of 577 bad; 98% explained by version 2",
        "custom_details": {
            "severity": "SEV-1",
            "owner": "on-call",
            "runs": ["r"],
            "evidence": {"guilty": {"dimension": "version", "value": "2"}, "burn": {"1h": 27.7}, "budget_used": 11.0},
        },
    },
}


def test_acts_have_names_of_their_own_in_the_order_of_the_story() -> None:
    """Loop, cost, upgrade, page; each is played by its file."""
    assert [act.name for act in ACTS] == ["loop", "cost", "upgrade", "page"]
    assert [act.play for act in ACTS] == [loop.play, cost.play, upgrade.play, page.play]


def test_what_stopping_a_loop_saves_is_counted_against_the_agents_own_cap() -> None:
    """Six calls at 3 cents of a hundred: 94 more, 2.82 USD. Times are from the fifth call, and from the second."""
    course = Course([10.0, 10.2, 10.4, 10.6, 10.8, 11.0], 10.85, refusal("repeat.identical"))
    facts = loop.facts_of(course, LOOP)
    assert (facts["detected_s"], facts["since_first_repeat_s"]) == (0.05, 0.65)
    assert (facts["calls_made"], facts["saved_calls"], facts["usd_a_call"]) == (6, 94, 0.03)
    assert facts["saved_usd"] == pytest.approx(2.82)
    assert loop.sentences(facts) == (
        "repeat.identical: get_order was called 5 times alike; block for this run alone",
        "its guard knew 50 ms after call 5 ended, 650 ms after the first repetition, and refused call 7",
        "saved: to its own cap of 100 calls it would have made 94 more, $2.82 at the $0.030 a call it cost so far",
    )


def test_a_throttle_saves_by_the_minute() -> None:
    """Calls of 50 cents each half second are 60 USD a minute, two a minute are one; the tenth reaches 5 USD."""
    course = Course([float(n) / 2 for n in range(13)], 4.6, refusal("throttle.calls_per_minute", 59_000))
    facts = cost.facts_of(course, COST, {"cost_usd": 6.5, "llm_calls": 13})
    assert (facts["crossed_by_call"], facts["detected_s"], facts["calls_made"]) == (10, 0.1, 13)
    assert (facts["usd_a_minute_before"], facts["usd_a_minute_after"], facts["saved_usd_a_minute"]) == (60.0, 1.0, 59.0)
    assert cost.sentences(facts) == (
        "spend.acme-user-day: $5.00 a day spent, analyst-7 is throttled to 2 calls a minute",
        "its guard knew 100 ms after call 10 went over the limit, and refused call 14 for 59 s; $6.50 in all",
        "saved: it would have gone on at $60.00 a minute; now $1.00 a minute is the most it can spend",
    )


def test_drift_is_timed_in_event_time() -> None:
    """An upgrade at one o'clock, named at twelve past; of 500 runs since, four in ten would have been spared."""
    facts = upgrade.facts_of(DRIFT, 3600 * SECOND, 500)
    assert (facts["named_after_min"], facts["spared_failures"]) == (12.0, 200)
    assert upgrade.sentences(facts) == (
        "drift of task_success in support, version 1 → 2",
        "failures rose from 1.0% to 41.0% (95 % interval 30.0% to 50.0%)",
        "named 12 min of event time after the upgrade began; first told with the 226 runs up to 01:20Z",
        "evidence 10^16.9, enough from 10^5.7 on (one false alarm a stream and year)",
        "saved, had it been rolled back then: about 200 failed tasks of the 500 since",
    )


def test_a_page_is_told_with_its_cause_and_its_runbook() -> None:
    """Its summary is its title; pages that end are not counted."""
    facts = page.facts_of(PAGE, 3.9, ["drift", "slo.burn", "", "drift"])
    assert facts["guilty"] == {"dimension": "version", "value": "2"}
    assert page.sentences(facts) == (
        "paged 3.9 s after the past was in, with its cause:",
        "[SEV-1] s: 240 of 577 bad; 98% explained by version 2",
        "the runbook is at http://127.0.0.1:1/runbooks/slo.burn.md",
        "pages so far: 2 drift, 1 slo.burn",
    )
    late = page.sentences(page.facts_of(PAGE, 3.9, ["slo.burn", "telemetry.lag"]))
    assert late[-1] == "telemetry.lag: three hours came in at once, and burn alerts waited for all of it"


def test_a_page_is_shown_as_it_is_sent_but_for_long_details() -> None:
    """What is left out is counted."""
    shown = page.shown(PAGE)
    assert '"dedup_key": "flyball-1"' in shown
    assert '"...": "1 more"' in shown
    assert "budget_used" not in shown
    assert "/console/#/incidents/1" in shown, "who is paged goes there"
    assert "budget_used" in cast("dict[str, Any]", PAGE["payload"])["custom_details"]["evidence"]
