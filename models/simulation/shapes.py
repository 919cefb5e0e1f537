"""Shape: a span or log record as it will look on the wire, with placeholders where each one differs.

A shape is encoded once with its placeholders in place; finding them in the bytes gives the spots to be patched
(`models.simulation.templates`). Placeholders are as long as what replaces them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

Value = str | int | float | bool


class Slot(IntEnum):
    """What is patched into a record; also the kind of placeholder."""

    TRACE = 0
    SPAN = 1
    PARENT = 2
    START = 3
    END = 4
    CONVERSATION = 5
    CALL = 6
    NUMBER = 7
    COST = 8


CONVERSATION = "<CONVERSATION__>"
"""16 characters of hex: one a run."""
CALL = "<TOOL_CALL_____>"
"""16 characters of hex: one a span."""
NUMBER = "<NUMBER>"
"""8 digits: `{n}` in a tool's texts."""


class Money:
    """Marks the attribute that holds the cost, a double of USD."""


COST = Money()


class SpanType(IntEnum):
    """OTLP span kinds in use."""

    INTERNAL = 1
    CLIENT = 3


@dataclass(frozen=True)
class Shape:
    """A span, or a log record if `event` is set; attributes in order."""

    name: str
    attributes: tuple[tuple[str, Value | Money], ...]
    span_type: SpanType = SpanType.INTERNAL
    parented: bool = True
    error: str = ""
    """Status message; a status ERROR when set."""
    event: bool = False
    scope: str = "flyball.simulate"
    """Name of the instrumentation."""
