"""The stand-in for PagerDuty refuses what PagerDuty refuses: each limit at its edge."""

from __future__ import annotations

import json
from typing import Any

import pytest

GOOD: dict[str, Any] = {
    "routing_key": "a" * 32,
    "event_action": "trigger",
    "dedup_key": "k",
    "payload": {"summary": "s", "source": "x", "severity": "critical", "timestamp": "2026-03-02T09:00:00Z"},
    "links": [{"href": "https://a.example", "text": "t"}],
    "images": [{"src": "https://a.example/i.png"}],
}


def with_(path: str, value: Any) -> dict[str, Any]:
    """Give the good event with one field replaced; None takes it out."""
    event: dict[str, Any] = json.loads(json.dumps(GOOD))
    *parents, name = path.split(".")
    inner = event
    for parent in parents:
        inner = inner[parent]
    if value is None:
        del inner[name]
    else:
        inner[name] = value
    return event


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("payload.summary", "s" * 1_024),
        ("dedup_key", "k" * 255),
        ("dedup_key", None),
        ("event_action", "acknowledge"),
        ("payload.custom_details", {"text": "x" * 500_000}),
        ("client", "c"),
    ],
)
def test_what_is_allowed_is_taken(path: str, value: Any, pagerduty: Any) -> None:
    """Up to its limit a field is taken."""
    assert pagerduty.take("/v2/enqueue", json.dumps(with_(path, value)).encode())[0] == 202


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("routing_key", "a" * 31),
        ("routing_key", None),
        ("event_action", "close"),
        ("dedup_key", "k" * 256),
        ("payload", None),
        ("payload.summary", "s" * 1_025),
        ("payload.summary", ""),
        ("payload.source", None),
        ("payload.severity", "SEV-1"),
        ("payload.timestamp", "yesterday"),
        ("payload.custom_details", {"text": "x" * 512_000}),
        ("payload.custom_details", "text"),
        ("payload.colour", "red"),
        ("links", [{"text": "t"}]),
        ("images", [{"src": "http://a.example"}]),
        ("more", 1),
    ],
)
def test_what_is_not_is_refused(path: str, value: Any, pagerduty: Any) -> None:
    """One step beyond, the whole event is refused with 400 and the reason, and not kept."""
    status, said = pagerduty.take("/v2/enqueue", json.dumps(with_(path, value)).encode())
    assert (status, len(said["errors"])) == (400, 1)
    assert pagerduty.events == []


@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
def test_an_end_needs_a_key(action: str, pagerduty: Any) -> None:
    """Only a trigger may come without dedup_key; what is not JSON, or elsewhere, is refused."""
    event = {"routing_key": "a" * 32, "event_action": action}
    assert pagerduty.take("/v2/enqueue", json.dumps(event).encode())[0] == 400
    assert pagerduty.take("/v2/enqueue", json.dumps(event | {"dedup_key": "k"}).encode())[0] == 202
    assert pagerduty.incidents() == {}
    assert pagerduty.take("/v2/enqueue", b"{")[0] == 400
    assert pagerduty.take("/elsewhere", b"{}")[0] == 404
