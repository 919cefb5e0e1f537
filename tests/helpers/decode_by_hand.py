"""Messages written by hand, and what the decoder makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from models.spans.columns import Column
from models.spans.decoder import Decoder

if TYPE_CHECKING:
    from models.spans.batch import Decoded, Spans

NOW = 1_764_684_300_000_000_000
TRACE, OTHER_TRACE = bytes(15) + b"\x01", bytes(15) + b"\x02"
DECODER = Decoder()


def fill(attributes: Any, values: dict[str, Any]) -> None:
    """Write attributes; a dict becomes a kvlistValue, a list an arrayValue."""
    for key, value in values.items():
        _write(attributes.add(key=key).value, value)


def _write(target: Any, value: Any) -> None:
    if isinstance(value, dict):
        target.kvlist_value.SetInParent()
        fill(target.kvlist_value.values, value)
    elif isinstance(value, list):
        target.array_value.SetInParent()
        for each in value:
            _write(target.array_value.values.add(), each)
    else:
        name = {str: "string", bool: "bool", int: "int", float: "double", bytes: "bytes"}[type(value)]
        setattr(target, f"{name}_value", value)


class Traces:
    """A message of one resource and scope, to be filled."""

    def __init__(self, resource: dict[str, Any] | None = None, scope: str = "") -> None:
        self.data = TracesData()
        self.part = self.data.resource_spans.add()
        fill(self.part.resource.attributes, resource or {})
        self.scoped = self.part.scope_spans.add()
        self.scoped.scope.name = scope

    def span(self, attributes: dict[str, Any] | None = None, **fields: Any) -> Any:
        """Add a span of TRACE, a second long, that ended a minute ago."""
        fields = {
            "trace_id": TRACE,
            "span_id": len(self.scoped.spans).to_bytes(7, "big") + b"\x07",
            "start_time_unix_nano": NOW - 61 * 10**9,
            "end_time_unix_nano": NOW - 60 * 10**9,
        } | fields
        span = self.scoped.spans.add(**fields)
        fill(span.attributes, attributes or {})
        return span

    def decode(self, decoder: Decoder = DECODER) -> Decoded:
        """Decode the message."""
        return decoder.decode([self.data.SerializeToString()], NOW)


def one(attributes: dict[str, Any], scope: str = "", **fields: Any) -> dict[str, Any]:
    """Decode one span: its row, with names as texts."""
    traces = Traces(scope=scope)
    traces.span(attributes, **fields)
    return row(traces.decode().spans, 0)


def row(spans: Spans, i: int) -> dict[str, Any]:
    """Give a row by column, with names as texts."""
    values = {column.name: int(spans[column][i]) for column in Column}
    for column in range(Column.WORKFLOW, Column.LABEL + 1):
        digest = int(spans[Column(column)][i])
        values[Column(column).name] = spans.names[digest] if digest else None
    return values


def logs(
    name: str, attributes: dict[str, Any], *, as_attribute: bool = False, scope: str = "", **fields: Any
) -> Decoded:
    """Decode one log record of TRACE, written in span 5."""
    return DECODER.decode([record(name, attributes, as_attribute=as_attribute, scope=scope, **fields)], NOW)


def record(
    name: str, attributes: dict[str, Any], *, as_attribute: bool = False, scope: str = "", **fields: Any
) -> bytes:
    """Write a message of one log record, a nanosecond old."""
    data = LogsData()
    part = data.resource_logs.add()
    fill(part.resource.attributes, {"service.name": "logger"})
    scoped = part.scope_logs.add()
    scoped.scope.name = scope
    fields = {"trace_id": TRACE, "span_id": bytes(7) + b"\x05", "time_unix_nano": NOW - 1} | fields
    written = scoped.log_records.add(event_name="" if as_attribute else name, **fields)
    fill(written.attributes, ({"event.name": name} if as_attribute else {}) | attributes)
    return data.SerializeToString()
