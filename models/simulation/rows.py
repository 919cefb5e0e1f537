"""Rows: spans and log records before they are encoded, one int64 column each [column, row]."""

from __future__ import annotations

from enum import IntEnum


class Row(IntEnum):
    """Column of a row."""

    TEMPLATE = 0  # index into the book of shapes
    CONTEXT = 1  # index of the user whose attributes are appended; -1: none
    RESOURCE = 2
    TRACE_HI = 3
    TRACE_LO = 4
    SPAN_ID = 5
    PARENT_ID = 6  # of a log record: the span it speaks of
    START = 7
    END = 8
    NUMBER = 9  # eight digits, `{n}` of a tool's texts
    INPUT = 10  # tokens; -1: not said
    OUTPUT = 11
    CACHED = 12
    COST = 13  # nano-USD


TAIL = (
    (Row.INPUT, "gen_ai.usage.input_tokens"),
    (Row.OUTPUT, "gen_ai.usage.output_tokens"),
    (Row.CACHED, "gen_ai.usage.cache_read.input_tokens"),
)
"""Integers whose length differs, appended as attributes where they are said."""
