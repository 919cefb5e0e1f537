"""SLI records: the contract `{"kind":"sli", ...}`, one per pane that is told."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import repeat
from typing import TYPE_CHECKING, Any

import orjson

from models.slis.bin_text import bin_texts
from models.slis.bins import VALUES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from models.slis.readings import Label, Readings

PANE_S = 60
_VALUES: list[float] = VALUES.tolist()
_REAL = [*map(orjson.dumps, _VALUES), b"null"]
_WHOLE = [*(b"%d" % round(value) for value in _VALUES), b"null"]
"""The text of each place in VALUES, that of place -1 last."""

_RATIO = b'%b,"pane_start":"%b","pane_s":60,"total":%d,"good":%d,"revision":%d}'
_HISTOGRAM = (
    b'%b,"pane_start":"%b","pane_s":60,"total":%d,"good":%d,"bins":{%b},"p50":%b,"p95":%b,"p99":%b,"revision":%d}'
)


def sli_records(readings: Readings) -> list[dict[str, Any]]:
    """Give the records of these panes, in order; for the meaning see `sli_lines`."""
    return [orjson.loads(line) for _, line in sli_lines(readings)]


def sli_lines(readings: Readings) -> list[tuple[bytes, bytes]]:
    """Give (group, record) of these panes as JSON, in order, of series that are told.

    A histogram also has "bins" (index as in `models.slis.bins` -> count) and p50, p95, p99, null when it is empty.

    Written as bytes: a dict per record, of all its bins, took several times as long.
    """
    minutes = readings.minute.tolist()
    starts = {minute: _rfc3339(minute * PANE_S) for minute in set(minutes)}
    has_bins = len(readings.bins) > 0
    bins: Iterable[bytes] = bin_texts(readings.bounds, readings.bins) if has_bins else repeat(b"", len(readings))
    columns = (readings.series, readings.total, readings.good, readings.places, readings.revision)
    lines = []
    for minute, text, series, total, good, places, revision in zip(
        minutes, bins, *(column.tolist() for column in columns), strict=True
    ):
        label, start = readings.labels[series], starts[minute]
        if label.untold:
            continue
        if label.histogram:
            p50, p95, p99 = map((_WHOLE if label.whole else _REAL).__getitem__, places)
            line = _HISTOGRAM % (label.head, start, total, good, text, p50, p95, p99, revision)
        else:
            line = _RATIO % (label.head, start, total, good, revision)
        lines.append((label.key, line))
    return lines


def quantile_values(label: Label, places: list[int]) -> list[float | None]:
    """Give the values at places in VALUES, None for -1; rounded where whole: up to 50 they are exact."""
    values = (_VALUES[place] if place >= 0 else None for place in places)
    return [round(value) if label.whole and value is not None else value for value in values]


def _rfc3339(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
