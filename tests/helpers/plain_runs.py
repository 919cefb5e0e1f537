"""Recordings of runs that are one span each: as many as are needed, in little time."""

from __future__ import annotations

import orjson

SECOND = 10**9


def run_line(number: int, ended_ns: int, *, is_bad: bool, **said: str) -> bytes:
    """Give one run of `support` that took two seconds, as a line of OTLP/JSON; `said` are attributes, `_` for `.`."""
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "flyball.workflow": "support",
        "flyball.outcome": "failure" if is_bad else "success",
        **{name.replace("_", "."): value for name, value in said.items()},
    }
    span = {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "invoke_agent support",
        "startTimeUnixNano": str(ended_ns - 2 * SECOND),
        "endTimeUnixNano": str(ended_ns),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
    }
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
