"""Sides: the runs that one argument of `flyball compare` means: FILE, FILE#DIMENSION=VALUE, or #DIMENSION=VALUE."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from flyball.errors import CommandError
from models.drift.comparing import Run
from models.run_id import run_id_of
from models.slis.groups import TASK
from models.spans.columns import Column, SpanKind
from models.times import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from flyball.topic import Members
    from models.spans.batch import Spans

_OF_SPANS = ("version", "prompt", "toolset", "model", "variant", "tenant", "tier", "environment", "user", "workflow")
_OF_RECORDS = ("version", "environment", "tenant", "user", "workflow", "agent")

MEMBERS: Members = {
    "run_id": str,
    "outcome": str,
    "escalated": bool,
    "tool_calls": int,
    "tool_errors": int,
    "llm_calls": int,
    "input_tokens": int,
    "output_tokens": int,
    "cost_usd": (int, float, NoneType),
    "priced": str,
    "duration_s": (int, float),
    "ended_at": str,
}
"""Of a run record that can be compared."""


class Side(NamedTuple):
    """One argument: `path` None: the deployment's own runs; `dimension` empty: all of them."""

    text: str
    path: Path | None
    dimension: str
    value: str


class Calls(NamedTuple):
    """What spans tell of one run beside its record."""

    tools: tuple[str, ...]
    most_repeated: int


def side_of(text: str) -> Side:
    """Read an argument; raises CommandError."""
    path, marker, choice = _parted(text)
    dimension, equals, value = choice.partition("=")
    known = _OF_SPANS if path else _OF_RECORDS
    is_cohort = bool(path) and dimension.startswith("cohort.")
    if (marker and not equals) or (not path and not choice) or (choice and dimension not in known and not is_cohort):
        msg = f"found {text}, expected FILE, FILE#DIMENSION=VALUE or #DIMENSION=VALUE with one of {', '.join(known)}"
        raise CommandError(msg)
    return Side(text, Path(path) if path else None, dimension, value)


def _parted(text: str) -> tuple[str, str, str]:
    """Part FILE from DIMENSION=VALUE. A file may be named with # too: what is there is it, the longest first."""
    if not text.startswith("#"):
        marks = [at for at, letter in enumerate(text) if letter == "#"]
        for at in (len(text), *reversed(marks)):
            if os.path.isfile(text[:at]):  # noqa: PTH113 -- what is too long for a name is no error
                return text[:at], text[at : at + 1], text[at + 1 :]
    return text.partition("#")


def runs_of_records(records: Iterable[Mapping[str, Any]], side: Side, unknown: str = "exclude") -> list[Run]:
    """Give the runs of the log's run records, the newest revision of each; tools are not known there.

    `unknown` says how `task_success` counts a run of unknown outcome: exclude, good or bad.
    """
    newest: dict[str, Mapping[str, Any]] = {}
    for record in records:
        newest[record["run_id"]] = record
    chosen = (record for record in newest.values() if record.get(side.dimension) == side.value)
    return [_run(record, Calls((), 0), unknown)._replace(task=_task(record)) for record in chosen]


def runs_of_file(records: Iterable[Mapping[str, Any]], spans: Spans, side: Side, unknown: str = "exclude") -> list[Run]:
    """Give the runs of a file from its run records and its spans; for `unknown` see `runs_of_records`."""
    newest = {record["run_id"]: record for record in records}
    chosen, calls, tasks = _chosen(spans, side), calls_of(spans), tasks_of(spans)
    return [
        _run(record, calls.get(run_id, Calls((), 0)), unknown)._replace(task=tasks.get(run_id, ""))
        for run_id, record in newest.items()
        if chosen is None or run_id in chosen
    ]


def calls_of(spans: Spans) -> dict[str, Calls]:
    """Give tools in order of time, and how often the most repeated call was made, by run id; each span counts once."""
    rows = np.flatnonzero((spans[Column.KIND] == SpanKind.TOOL) & (spans[Column.TOOL] != 0))
    wanted = (Column.TRACE_HI, Column.TRACE_LO, Column.SPAN_ID, Column.END, Column.TOOL, Column.ARGUMENTS)
    columns = [spans[column][rows].tolist() for column in wanted]
    found: dict[str, dict[int, tuple[int, str, int]]] = {}
    for hi, lo, span, end, tool, arguments in zip(*columns, strict=True):
        found.setdefault(run_id_of(hi, lo), {})[span] = end, spans.names.get(tool, "?"), arguments
    return {run_id: _calls(list(of.values())) for run_id, of in found.items()}


def tasks_of(spans: Spans) -> dict[str, str]:
    """Give the types of tasks that spans say, by run id; of several that of the largest digest, as runs have it."""
    of, found = spans.cohorts, dict[str, int]()
    for row, key, value in zip(of.row.tolist(), of.name.tolist(), of.value.tolist(), strict=True):
        if spans.names.get(key) == TASK and spans.names.get(value):
            run_id = run_id_of(int(spans[Column.TRACE_HI][row]), int(spans[Column.TRACE_LO][row]))
            found[run_id] = max(value, found.get(run_id, value))
    return {run_id: spans.names[value] for run_id, value in found.items()}


def _calls(calls: list[tuple[int, str, int]]) -> Calls:
    calls.sort()
    repeated = Counter((tool, arguments) for _, tool, arguments in calls if arguments)
    return Calls(tuple(tool for _, tool, _ in calls), max(repeated.values(), default=0))


def _chosen(spans: Spans, side: Side) -> set[str] | None:
    """Give the ids of the runs of which a span says what is asked for; None: all."""
    if not side.dimension:
        return None
    if side.dimension.startswith("cohort."):
        name = side.dimension.removeprefix("cohort.")
        of = spans.cohorts
        said = zip(of.row.tolist(), of.name.tolist(), of.value.tolist(), strict=True)
        rows: Sequence[int] = [
            row for row, key, value in said if (spans.names.get(key), spans.names.get(value)) == (name, side.value)
        ]
    else:
        digests = [digest for digest, text in spans.names.items() if text == side.value]
        rows = np.flatnonzero(np.isin(spans[Column[side.dimension.upper()]], digests)).tolist()
    return {
        run_id_of(hi, lo)
        for hi, lo in zip(spans[Column.TRACE_HI][rows].tolist(), spans[Column.TRACE_LO][rows].tolist(), strict=True)
    }


def _task(record: Mapping[str, Any]) -> str:
    """Give the type of task that a record says; records from before they said any say none."""
    task = record.get("task")
    return task if isinstance(task, str) else ""


def _run(record: Mapping[str, Any], calls: Calls, unknown: str) -> Run:
    known = {"success": True, "failure": False, "unknown": {"good": True, "bad": False}.get(unknown)}
    return Run(
        succeeded=known.get(record["outcome"]),
        escalated=record["escalated"],
        tool_calls=record["tool_calls"],
        tool_errors=record["tool_errors"],
        llm_calls=record["llm_calls"],
        tokens=record["input_tokens"] + record["output_tokens"],
        cost_usd=record["cost_usd"] if record["priced"] in ("reported", "computed") else None,
        duration_s=record["duration_s"],
        tools=calls.tools,
        most_repeated=calls.most_repeated,
        ended_ns=nanoseconds(record["ended_at"]),
    )
