"""Generate: a scenario as encoded OTLP messages, in export order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.simulation import json_text, protobuf
from models.simulation.rows import Row
from models.simulation.scenario import Encoding
from models.simulation.stamp import stamp
from models.simulation.templates import compile_templates
from models.simulation.traffic import Traffic
from models.simulation.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from models.simulation.scenario import Scenario
    from models.simulation.templates import Templates
    from models.simulation.traffic import Slice


class Exported(NamedTuple):
    """One message."""

    event_ns: int
    """When it is exported, in event time: to pace live traffic by."""
    signal: str
    """traces or logs."""
    records: int
    """Spans or log records in it."""
    payload: bytes
    """OTLP protobuf, or OTLP/JSON without a line end."""


class Generation:
    """A scenario being generated: iterate over it once; `truth` then tells what was made so far."""

    def __init__(self, scenario: Scenario, encoding: Encoding = Encoding.JSON) -> None:
        """Encode all that is encoded once."""
        self._traffic = Traffic(scenario)
        self._templates = compile_templates(self._traffic.book, encoding)
        self._batch = scenario.batch
        self.truth = Truth(scenario, self._traffic)

    def __iter__(self) -> Iterator[Exported]:
        """Give the messages in export order."""
        for part in self._traffic.slices():
            self.truth.add(part.runs)
            yield from messages(part, self._templates, self._batch)


def generate(scenario: Scenario, encoding: Encoding = Encoding.JSON) -> Iterator[Exported]:
    """Give the messages of a scenario in export order; equal scenarios give equal bytes."""
    return iter(Generation(scenario, encoding))


def messages(part: Slice, templates: Templates, batch: int) -> Iterator[Exported]:
    """Cut a slice into messages of at most `batch` records of one flush and signal, grouped by resource and scope."""
    count = part.rows.shape[1]
    if not count:
        return
    message = _message_numbers(part, batch)
    source = part.rows[Row.RESOURCE] * len(templates.scopes) + templates.scope_of_shape[part.rows[Row.TEMPLATE]]
    order = np.lexsort((np.arange(count), source, message))
    rows, message, source = part.rows[:, order], message[order], source[order]
    data, starts = stamp(rows, templates)
    new_message = np.diff(message, prepend=-1) != 0
    new_group = new_message | (np.diff(source, prepend=-1) != 0)
    groups = np.flatnonzero(new_group)
    bounds = starts[np.append(groups, count)].tolist()
    heads_of_groups = [_heads(templates, number) for number in source[groups].tolist()]
    heads = np.flatnonzero(new_message)
    first_group = np.append(np.searchsorted(groups, heads), len(groups)).tolist()
    sizes = np.diff(np.append(heads, count)).tolist()
    flushes, logs = part.flush_ns[order][heads].tolist(), part.is_log[order][heads].tolist()
    codec = json_text if templates.encoding is Encoding.JSON else protobuf
    view = memoryview(data)  # type: ignore[arg-type]
    for i, (flush, is_log, size) in enumerate(zip(flushes, logs, sizes, strict=True)):
        members = range(first_group[i], first_group[i + 1])
        pieces = [(*heads_of_groups[group], view[bounds[group] : bounds[group + 1]]) for group in members]
        payload = codec.message(pieces, logs=is_log)
        yield Exported(flush, "logs" if is_log else "traces", size, payload)


def _heads(templates: Templates, source: int) -> tuple[bytes, bytes]:
    resource, scope = divmod(source, len(templates.scopes))
    return templates.resources[resource], templates.scopes[scope]


def _message_numbers(part: Slice, batch: int) -> NDArray[np.int64]:
    """Number the rows by message: a new one at every flush, every change of signal, and after `batch` rows."""
    count = part.rows.shape[1]
    changed = (np.diff(part.flush_ns, prepend=-1) != 0) | (np.diff(part.is_log, prepend=False))
    changed[0] = True
    begun = np.maximum.accumulate(np.where(changed, np.arange(count), 0))
    full = (np.arange(count) - begun) % batch == 0
    return np.cumsum(full)
