"""Records as the flow tells them, for a console to show, and a page of it in headless Chromium."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

ARTEFACTS = Path(__file__).resolve().parents[1] / "artefacts" / "console"
"""Where screenshots are kept."""
OUTCOMES = ("success", "success", "success", "failure", "unknown")
TOOLS = ("search", "book_flight", "refund", "send_email")


def stamp(moment: datetime) -> str:
    """Write a time as records do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def run(number: int, ended: datetime | None = None, **said: Any) -> dict[str, Any]:
    """Make a run's record; numbers give all there is."""
    ended = ended or datetime.now(UTC) - timedelta(seconds=number)
    took = 2.0 + number % 90
    tools = {TOOLS[number % 4]: {"calls": 1 + number % 3, "errors": number % 7 == 0}}
    return {
        "kind": "run",
        "run_id": hashlib.sha256(b"%d" % number).hexdigest()[:32],
        "workflow": ("airline", "retail", "telecom")[number % 3],
        "agent": "support",
        "version": f"v{number % 4}",
        "environment": "production",
        "tenant": ("acme", "globex")[number % 2],
        "user": f"u-{number % 211}",
        "started_at": stamp(ended - timedelta(seconds=took)),
        "ended_at": stamp(ended),
        "duration_s": took,
        "closed_by": "root",
        "outcome": OUTCOMES[number % 5],
        "outcome_from": "status",
        "escalated": False,
        "llm_calls": 3 + number % 11,
        "tool_calls": 1 + number % 3,
        "tool_errors": int(number % 7 == 0),
        "input_tokens": 1_000 + number,
        "output_tokens": 100,
        "cost_usd": None if number % 13 == 0 else (number % 400) / 1000,
        "priced": "computed",
        "revision": 0,
        "tools": {name: {**each, "errors": int(each["errors"])} for name, each in tools.items()},
    } | said


def slo(name: str, at: datetime, left: float | None, **said: Any) -> dict[str, Any]:
    """Make an SLO's record with so much budget left."""
    total = 0 if left is None else 1_840
    return {
        "kind": "slo",
        "slo": name,
        "at": stamp(at),
        "target": 0.9,
        "total": total,
        "bad": 0 if left is None else round(184 * (1 - left)),
        "budget_used": None if left is None else 1 - left,
        "budget_remaining": left,
        "burn": {"5m": None if left is None else (1 - left) * 16, "1h": None if left is None else (1 - left) * 4},
        "exhausts_at": None,
        "period_s": 2_592_000,
        "sli": "task_success",
        "service": "agents",
        "workflow": "airline",
        "gate": "open",
        "spent_by": [{"dimension": "version", "value": "v42", "bad": 51, "total": 610}],
    } | said


def incident(key: str, revision: int = 0, **said: Any) -> dict[str, Any]:
    """Make an incident's telling."""
    now = stamp(datetime.now(UTC) - timedelta(minutes=12))
    return {
        "kind": "incident",
        "key": key,
        "at": now,
        "status": "open",
        "severity": "SEV-1",
        "class": "slo.burn",
        "title": "task-success of airline burns 14.4 times too fast",
        "scope": {"level": "workflow", "id": "airline"},
        "evidence": {"count": 57, "limit": 18, "total": 420, "window": "1h", "factor": 14.4, "guilty": "version v42"},
        "runbook": "slo.burn",
        "runs": [],
        "revision": revision,
        "opened_at": now,
        "rule": "task-success",
        "summary": "57 of 420 runs failed within an hour; at this rate the month's budget is gone in 2 days.",
        "owner": "on-call",
        "resolved_at": None,
        "workflow": "airline",
        "tenant": None,
        "labels": {},
    } | said


def drifted(key: str, since: datetime, revision: int = 0, **contrast: str) -> dict[str, Any]:
    """Make a telling of an incident of drift since then, of a workflow against its past or another contrast."""
    of = {"dimension": "time", "from": "baseline", "to": "now"} | contrast
    evidence = {"contrasts": [{"since": stamp(since), "contrast": of}], "since": stamp(since)}
    said = {"class": "drift", "severity": "SEV-3", "runbook": "drift", "title": "Drift of tokens_per_task in airline"}
    return incident(key, revision, evidence=evidence, **said)


def incidents(run_id: str, since: datetime) -> list[dict[str, Any]]:
    """Make an SLO that burns, with this run; an incident that is over; and one of drift since then."""
    over = incident("old", status="resolved", severity="SEV-3", resolved_at=stamp(datetime.now(UTC)))
    return [incident("burn", runs=[run_id]), over, drifted("moved", since)]


def drift(**said: Any) -> dict[str, Any]:
    """Make a record of drift."""
    now = stamp(datetime.now(UTC))
    return {
        "kind": "drift",
        "at": now,
        "detector": "rate",
        "sli": "tool_success",
        "workflow": "airline",
        "contrast": {"dimension": "version", "from": "v41", "to": "v42"},
        "direction": "down",
        "worse": True,
        "effect": {"before": 0.99, "now": 0.91, "interval": [0.88, 0.94], "events": 812},
        "evidence": 6.1,
        "threshold": 4.0,
        "alarm": True,
        "alarm_at": now,
        "since": now,
        "rolled_out": [],
        "summary": "tool_success of airline fell from 99 % to 91 % with v42",
    } | said


def spend(name: str, cost: float, limit: float | None, level: str = "user") -> dict[str, Any]:
    """Make a spend record of today."""
    return {
        "kind": "spend",
        "scope": {"level": level, "id": name},
        "tenant": "acme" if level == "user" else None,
        "period": "day",
        "start": datetime.now(UTC).date().isoformat(),
        "cost_usd": cost,
        "tokens": int(cost * 50_000),
        "runs": 12,
        "limit_usd": limit,
        "revision": 1,
    }


def chromium() -> str | None:
    """Find Debian's Chromium."""
    return shutil.which("chromium")


@contextmanager
def browser() -> Iterator[Browser]:
    """Run headless Chromium."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 -- only where there is a browser

    flags = ["--disable-gpu", "--disable-dev-shm-usage"] + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as tool:
        started = tool.chromium.launch(executable_path=chromium(), args=flags)
        try:
            yield started
        finally:
            started.close()
