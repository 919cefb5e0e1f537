"""`/v1/console/runs/{key}`: the flight recorder of one run: spans, verdicts and decisions of guards, by time."""

from __future__ import annotations

import asyncio
import re
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import orjson

from control.console import otlp
from control.console.board import mode
from control.console.flight import Scan, scan
from control.console.timeline import rows
from control.http.core import Answer, Refused
from control.masking import shown, text
from models.spans.mapping import Mapping as Table
from models.times import nanoseconds
from streams.port import LogError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from control.http.core import Request
    from control.plane import Plane

_RUN: Final = re.compile(r"[0-9a-f]{32}")
_RECENT_NS: Final = 3600 * 10**9
"""Where nothing is known of a run's beginning, so far back is looked."""
_MOST_ENTRIES: Final = 500
_looks = threading.Semaphore(2)
"""Two looks at a time: more would only be slower, and evaluations come first."""


async def run(request: Request) -> Answer:
    """Give the record of one run."""
    if not _RUN.fullmatch(request.name):
        raise Refused(400, "run_id", "expected 32 lower-case hex digits for a run")
    return Answer(await asyncio.to_thread(_record, request.plane, request.name))


def _record(plane: Plane, run_id: str) -> dict[str, Any]:
    console = plane.console
    said = console.runs.get(run_id)
    verdicts = console.board.verdicts(run_id)
    window = _window(said, verdicts, plane.clocks.wall_ns())
    found, problem = _read(plane, run_id, window)
    spans = sum(not each.is_record for each in found.spans)
    if said and not problem and not found.cut and spans < said["llm_calls"] + said["tool_calls"]:
        found, problem = _read(plane, run_id, (window[0], None))  # its spans were sent long after it ended
    signals = [each for place, each in plane.authority.shown.signals.items() if place.scope == ("run", run_id)]
    incidents = [each for each in console.board.incidents() if run_id in each.get("runs", ())]
    return {
        "run": said,
        "spans": rows(found.spans, console.costs, Table.load(console.attributes)),
        "verdicts": [_verdict(each) for each in verdicts],
        "decisions": _decisions(plane, run_id),
        "signals": [
            {"state": each.state.to_json(), "reason": text(each.reason), "rule": each.rule} for each in signals
        ],
        "incidents": [
            shown({name: each[name] for name in ("key", "severity", "title", "status")}) for each in incidents
        ],
        "read": {
            "messages": found.messages,
            "bytes": found.bytes,
            "unreadable": found.unreadable,
            "cut": found.cut,
            "problem": problem,
        },
    }


def _read(plane: Plane, run_id: str, window: tuple[int, int | None]) -> tuple[Scan, str | None]:
    """Read spans and log records; gives what went wrong too."""
    console = plane.console
    if console.log is None:
        return Scan(), "this control plane has no log to read spans from"
    topics = {console.topics.spans: otlp.spans, console.topics.logs: otlp.records}
    with _looks:
        try:
            return scan(console.log, topics, run_id, window), None
        except LogError as error:
            return Scan(), f"the log could not be read: {error}"


def _window(said: Mapping[str, Any] | None, verdicts: list[dict[str, Any]], now_ns: int) -> tuple[int, int | None]:
    """Give when to look, Unix ns."""
    if said is not None:
        return nanoseconds(said["started_at"]), nanoseconds(said["ended_at"])
    return (_first_ns(verdicts) or now_ns) - _RECENT_NS, None


def _first_ns(verdicts: list[dict[str, Any]]) -> int | None:
    """Give when the first verdict was; None: there is none, or it says no time."""
    with suppress(ValueError):
        return nanoseconds(verdicts[0]["at"]) if verdicts else None
    return None


def _verdict(said: Mapping[str, Any]) -> object:
    """Give what is shown of a verdict: its words come from the flow, and may quote what agents said."""
    kept = {name: said.get(name) for name in ("at", "action", "rule", "reason", "scope", "evidence")}
    return shown(kept | {"mode": mode(said)})


def _decisions(plane: Plane, run_id: str) -> list[dict[str, Any]]:
    """Give what guards decided about the run, and what people ordered, from the audit log; never its arguments."""
    found = [orjson.loads(each.body) for each in reversed(plane.store.newest(run_id, _MOST_ENTRIES))]
    kept = ("decision", "would", "mode", "reason_code", "tool", "command", "reason", "action", "rule", "killed")
    return [
        {"n": each["n"], "at": each["at"], "kind": each["kind"], "actor": each["actor"]}
        | {name: each["what"][name] for name in kept if name in each["what"]}
        for each in found
        if each["kind"] in ("decision", "command")
    ]
