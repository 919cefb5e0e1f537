"""Tool calls that no guard was asked about are seen in the agents' own spans, from the real guard to the SLI."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from flyball_sdk import Guard, Policy
from flyball_sdk.adapters.plain import StoppedError, tool
from opentelemetry.trace import SpanContext, get_tracer

from flows.replay import records_of
from flows.settings import FlowSettings
from tests.helpers.decode_by_hand import Traces

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


RUN = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "agent"}
SEARCH = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
SHELL = SEARCH | {"gen_ai.tool.name": "shell"}


def covered(spans: Sequence[ReadableSpan], path: Path) -> tuple[int, int] | None:
    """Replay spans as their exporter would send them; gives (good, total) of guard_coverage of the workflow."""
    traces = Traces()
    for span in spans:
        context, parent = span.context, span.parent
        assert isinstance(context, SpanContext)
        fields = {
            "trace_id": context.trace_id.to_bytes(16, "big"),
            "span_id": context.span_id.to_bytes(8, "big"),
            "parent_span_id": parent.span_id.to_bytes(8, "big") if parent else b"",
            "start_time_unix_nano": span.start_time,
            "end_time_unix_nano": span.end_time,
        }
        traces.span(dict(span.attributes or {}), **fields)
    message = traces.data.SerializeToString()
    path.write_bytes(len(message).to_bytes(4, "big") + message)
    found = [each for each in records_of(path, FlowSettings(), b'{"kind":"sli"') if each["sli"] == "guard_coverage"]
    whole: list[Any] = [each for each in found if each["group"] == {"workflow": "agent"}]
    return (whole[-1]["good"], whole[-1]["total"]) if whole else None


def work(guard: Guard, times: int) -> None:
    """Run an agent that calls one tool through the guard, as often as said, and one past it, once."""
    tracer = get_tracer("agent")

    @tool(guard)
    def search(query: str) -> str:
        return query.upper()

    with tracer.start_as_current_span("run", attributes=RUN):
        for _ in range(times):
            with tracer.start_as_current_span("call", attributes=SEARCH), contextlib.suppress(StoppedError):
                search("flyball")
        tracer.start_span("call", attributes=SHELL).end()  # nobody asked the guard


def test_a_call_past_the_guard_is_seen(recorded: InMemorySpanExporter, tmp_path: Path) -> None:
    """Of seven calls six were decided: four let through, two blocked as a loop. The seventh went past the guard."""
    work(Guard(), times=6)
    names = [span.name for span in recorded.get_finished_spans() if span.name.startswith("guard:")]
    assert names == ["guard:allowed:search"] * 4 + ["guard:blocked:search"] * 2
    assert covered(recorded.get_finished_spans(), tmp_path / "spans.pb") == (6, 7)


def test_a_guard_that_keeps_silent_about_allows(recorded: InMemorySpanExporter, tmp_path: Path) -> None:
    """Without these spans only what was stopped is known as decided."""
    work(Guard(Policy(tell_allowed=False)), times=6)
    assert covered(recorded.get_finished_spans(), tmp_path / "spans.pb") == (2, 7)


def test_a_recorder_that_fails_is_no_business_of_the_call(
    recorded: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call goes through, and the failure is logged."""

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError

    with get_tracer("agent").start_as_current_span("run", attributes=RUN):
        monkeypatch.setattr("flyball_sdk.telling._made_tracer", fails)
        assert Guard().evaluate("search", {"query": "x"}).allowed
    assert [span.name for span in recorded.get_finished_spans()] == ["run"]


def test_allows_outside_a_recorded_span_are_not_told(recorded: InMemorySpanExporter) -> None:
    """A span of its own would be a run of its own."""
    assert Guard().evaluate("search", {"query": "x"}).allowed
    assert not recorded.get_finished_spans()
