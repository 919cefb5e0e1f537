"""SLI records: the contract `{"kind":"sli", ...}`, one per pane that is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from models.slis.bins import VALUES

if TYPE_CHECKING:
    from models.slis.readings import Label, Readings

PANE_S = 60
_QUANTILES = ("p50", "p95", "p99")
_VALUES: list[float] = VALUES.tolist()


def sli_records(readings: Readings) -> list[dict[str, Any]]:
    """Give the records of these panes, in order.

    A histogram also has "bins" (index as in `models.slis.bins` -> count) and p50, p95, p99, null when it is empty.
    """
    starts = {minute: _rfc3339(minute * PANE_S) for minute in set(readings.minute.tolist())}
    bounds, bins, places = readings.bounds.tolist(), readings.bins.tolist(), readings.places.tolist()
    records = []
    columns = (readings.series, readings.minute, readings.total, readings.good, readings.revision)
    for i, (series, minute, total, good, revision) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        label = readings.labels[series]
        record: dict[str, Any] = {
            "kind": "sli",
            "sli": label.sli,
            "group": label.group,
            "pane_start": starts[minute],
            "pane_s": PANE_S,
            "total": total,
            "good": good,
        }
        if label.histogram:
            record["bins"] = {str(k): count for k, count in bins[bounds[i] : bounds[i + 1]]}
            record |= zip(_QUANTILES, quantile_values(label, places[i]), strict=True)
        record["revision"] = revision
        records.append(record)
    return records


def quantile_values(label: Label, places: list[int]) -> list[float | None]:
    """Give the values at places in VALUES, None for -1; rounded where whole: up to 50 they are exact."""
    values = (_VALUES[place] if place >= 0 else None for place in places)
    return [round(value) if label.whole and value is not None else value for value in values]


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
