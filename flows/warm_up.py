"""Warm-up: every kernel is compiled, or loaded from disk, before the first batch comes.

Compiling takes about a minute, once per version and machine, on two cores (`flows.compiling`); a service that compiled
when its first span arrived would fall behind by that much, and a person would wonder what it does.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from flows.compiling import compiling
from models.drift.cohorts import log_e_values
from models.runaways.policy import RunawayPolicy
from models.runaways.tools import KnownTools
from models.runaways.touched import Runs, Touched
from models.runaways.watch import Watch
from models.runs.changes import CALL, Changes
from models.runs.policy import RunPolicy
from models.runs.record import RUN
from models.runs.report import run_lines
from models.runs.shards import SHARDS, by_shard
from models.runs.table import RunTable
from models.slis.cells import cells_of
from models.slis.panes import PaneTable
from models.slis.records import sli_lines
from models.slis.settings import SliSettings
from models.slos.counting import Counter
from models.slos.spec import Indicator, Rolling, Slo
from models.spans.batch import Spans
from models.spans.columns import Column, SpanKind
from models.spans.decoder import Decoder
from models.spans.json_wire import transcode
from models.watermark import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

_AT = 1_700_000_000 * SECOND
_MANY = 3000
_LATER = _AT + 90_000 * SECOND
_SLO = Slo("warm-up", "warm-up", Indicator("task_success"), Fraction(1, 2), Rolling(3600))


def warm_up(say: Callable[[str], None]) -> None:
    """Make all kernels ready, once a process; `say` is told when that will take long."""
    with compiling([(__name__, part) for part in ("decode", "track", "measure")], say):
        _compile_all()


@cache
def _compile_all() -> None:
    """Take a small run through all there is."""
    for spans in decode():
        _count(_track(spans, Decoder().decode([_ASKED], _AT).spans))


def decode() -> list[Spans]:
    """Compile what decodes; gives the small run, in three ways."""
    Decoder().decode([_MANY_NAMES], _AT)
    wire = _protobuf([_TRACES, _LOGS])
    return [Decoder().decode(messages, _AT).spans for messages in (wire, [_TRACES, _LOGS], [*wire, _TRACES])]


def track() -> None:
    """Compile what tracks, but for rare paths, by one span that nobody has to decode first."""
    cols = np.zeros((len(Column), 1), np.int64)
    cols[[Column.TRACE_LO, Column.SPAN_ID, Column.TOOL]] = 1
    cols[[Column.START, Column.END]] = _AT
    cols[Column.KIND] = SpanKind.TOOL
    spans = Spans(cols, {1: "warm-up"})
    _track(spans, spans)


def measure() -> None:
    """Compile what counts, but for rare paths, by a run and a call that nobody has to track first.

    And what a table without runs is restored by, so that this part takes as long as the others.
    """
    _restored(RunTable(RunPolicy()).dump())
    runs, calls = np.zeros(1, RUN), np.zeros(1, CALL)
    runs["workflow"], runs["user"], runs["cohort_name"], runs["ended_at"] = 1, 1, 1, _AT
    calls["tool"], calls["calls"], calls["minute"] = 1, 1, _AT // (60 * SECOND)
    _count([Changes(runs, np.ones(1, np.int64), calls, runs, {1: "warm-up"}, calls)])


def _count(changes: list[Changes]) -> None:
    _measure(changes)
    Counter([_SLO, replace(_SLO, indicator=Indicator("tool_success"))]).count(changes)
    log_e_values(np.ones((4, 1), np.int64), np.ones(1))


def _track(spans: Spans, asked: Spans) -> list[Changes]:
    table = RunTable(RunPolicy(), is_journaled=True)
    table.is_watched = True
    table.ask(asked)
    changes = [table.join(_AT)]
    changes += [table.update(spans, rows, _AT) for rows in by_shard(spans.cols) if len(rows)]
    deltas = [table.take_delta()]
    table.expect_evaluations({1: _AT})
    changes.append(table.update(spans, np.arange(len(spans)), _AT + SECOND))
    changes.append(table.advance(_AT + 1000 * SECOND))
    changes.append(table.update(_many(spans), slice(0, _MANY * len(spans)), _AT + SECOND))
    deltas.append(table.take_delta())
    pulses = table.pulses()
    runs = Runs()
    runs.tables = dict.fromkeys(range(SHARDS), table)
    Watch(RunawayPolicy(), KnownTools(), runs).look(Touched(pulses[0], spans, np.arange(len(spans))))
    runs.calls(0, 1)
    changes += _restored(table.dump())
    changes += _restored(None, *deltas)
    for changed in changes:
        run_lines(changed.records, changed.names, changed.tools)
    return changes


def _restored(whole: bytes | None, *deltas: bytes) -> list[Changes]:
    """Restore a table, as after a restart, and let time go on for it."""
    table = RunTable.load(RunPolicy(), whole, list(deltas))
    changes = [table.drain(), table.advance(_LATER)]
    table.dump()
    return changes


def _many(spans: Spans) -> Spans:
    """Give the same run many times over, each with a user of its own: tables grow, and move."""
    run = np.repeat(np.arange(1, _MANY + 1), len(spans))
    cols = np.tile(spans.cols, _MANY)
    cols[Column.TRACE_LO] += run
    cols[Column.USER] = run
    return Spans(cols, {**spans.names, **{int(number): f"user {number}" for number in np.unique(run)}})


def _measure(changes: list[Changes]) -> None:
    settings = SliSettings(new_user_days=7)
    table = PaneTable(settings)
    parts = cells_of(changes, by_user=True).split().values()
    for cells in parts:
        table.apply(cells)
    sli_lines(table.early(_AT))
    table.gauges(_AT)
    for cells in parts:  # what comes after the gauges were read
        table.apply(cells)
    table.spread(_AT)
    table.final(_AT + 3600 * SECOND)
    again = PaneTable.load(settings, None, [table.take_delta()])
    again = PaneTable.load(settings, table.dump(), [])
    again.drain()
    again.gauges(_LATER)


def _protobuf(messages: list[bytes]) -> list[bytes]:
    stops = np.cumsum([len(message) for message in messages])
    buffer = np.frombuffer(b"".join(messages) + bytes(8), np.uint8)
    out, starts, ends, _ = transcode(buffer, np.concatenate((np.zeros(1, np.int64), stops[:-1])), stops)
    return [out[start:end].tobytes() for start, end in zip(starts, ends, strict=True)]


def _span(number: int, parent: int, *attributes: dict[str, object]) -> dict[str, object]:
    return {
        "traceId": f"{1:032x}",
        "spanId": f"{number:016x}",
        **({"parentSpanId": f"{parent:016x}"} if parent else {}),
        "name": "warm-up",
        "startTimeUnixNano": str(_AT - 5 * SECOND),
        "endTimeUnixNano": str(_AT),
        "attributes": list(attributes),
        "status": {"code": 0},
    }


def _said(key: str, value: str | float) -> dict[str, object]:
    kinds = {str: "stringValue", int: "intValue", float: "doubleValue"}
    return {"key": key, "value": {kinds[type(value)]: value}}


_OPERATION = "gen_ai.operation.name"
_TOOL = (_said(_OPERATION, "execute_tool"), _said("gen_ai.tool.name", "t"), _said("gen_ai.tool.call.arguments", "{}"))
_RESOURCE = {"attributes": [_said("service.name", "warm-up"), _said("flyball.cohort.arm", "a")]}
_TRACES = orjson.dumps(
    {
        "resourceSpans": [
            {
                "resource": _RESOURCE,
                "scopeSpans": [
                    {
                        "spans": [
                            _span(2, 1, _said(_OPERATION, "chat"), _said("gen_ai.usage.input_tokens", 7)),
                            _span(3, 1, *_TOOL, _said("error.type", "timeout")),
                            _span(4, 3, *_TOOL),
                            _span(1, 0, _said(_OPERATION, "invoke_agent"), _said("gen_ai.usage.cost", 0.5)),
                        ]
                    }
                ],
            }
        ]
    }
)
_MANY_NAMES = orjson.dumps(
    {
        "resourceSpans": [
            {
                "resource": {"attributes": [_said("service.name", f"service {number}")]},
                "scopeSpans": [{"spans": [_span(1, 0)]}],
            }
            for number in range(1000)
        ]
    }
)
"""More names than a decoder has places for at first."""
_EVENT: dict[str, Any] = {
    "traceId": f"{1:032x}",
    "spanId": f"{1:016x}",
    "timeUnixNano": str(_AT),
    "eventName": "gen_ai.evaluation.result",
    "attributes": [_said("gen_ai.evaluation.name", "task_success"), _said("gen_ai.evaluation.score.value", 1.0)],
}
_LOGS = orjson.dumps({"resourceLogs": [{"resource": _RESOURCE, "scopeLogs": [{"logRecords": [_EVENT]}]}]})
_ANSWERED = {**_EVENT, "traceId": "", "attributes": [*_EVENT["attributes"], _said("gen_ai.response.id", "a")]}
_ASKED = orjson.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [_ANSWERED]}]}]})
