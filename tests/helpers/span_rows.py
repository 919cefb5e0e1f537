"""Spans written by hand: dicts with lower-case column names, names as text, times in seconds."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import digest_of
from models.spans.batch import Cohorts, Spans
from models.spans.columns import FIRST_NAME, LAST_NAME, NO_SCORE, UNKNOWN, Column, SpanKind

SECOND = 1_000_000_000
_CONTENT = {"call_id", "arguments", "result"}
_NUMBERS = ("input_tokens", "output_tokens", "cache_read", "cache_write", "cost")


def row(kind: SpanKind, span_id: int, parent_id: int, start: float, end: float, **more: Any) -> dict[str, Any]:
    """Give one row of trace 1, unless `trace_lo` says another."""
    base = {"trace_hi": 7, "trace_lo": 1, "span_id": span_id, "parent_id": parent_id, "kind": int(kind)}
    return {**base, "start": int(start * SECOND), "end": int(end * SECOND), **more}


def spans_of(rows: list[dict[str, Any]]) -> Spans:
    """Give the rows as a batch; `cohorts` of a row is a dict of text."""
    cols = np.zeros((len(Column), len(rows)), np.int64)
    names: dict[int, str] = {}
    cohorts: list[tuple[int, int, int]] = []

    def named(text: str) -> int:
        digest = digest_of(text)
        names[digest] = text
        return digest

    for name in _NUMBERS:
        cols[Column[name.upper()]] = UNKNOWN
    cols[Column.SCORE] = NO_SCORE
    for j, values in enumerate(rows):
        for name, value in values.items():
            if name == "cohorts":
                cohorts += [(j, named(cohort), named(text)) for cohort, text in value.items()]
                continue
            column = Column[name.upper()]
            if FIRST_NAME <= column <= LAST_NAME:
                cols[column, j] = named(value) if value else 0
            elif name in _CONTENT:
                cols[column, j] = digest_of(value) if value else 0
            else:
                cols[column, j] = value
    table = np.array(cohorts, np.int64).reshape(-1, 3)
    return Spans(cols, names, Cohorts(*(np.ascontiguousarray(table[:, k]) for k in range(3))))
