"""Replay: the same dataflow over recorded files, in event time, in this process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from bytewax.testing import run_main
from prometheus_client import CollectorRegistry

from flows.files import FileSource, read_messages
from flows.metrics import Metrics
from flows.sink import CallSink
from flows.topology import build
from flows.warm_up import warm_up
from models.spans.decoder import Decoder
from models.spans.mapping import Mapping
from models.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from flows.files import CutError
    from flows.items import Outbound
    from flows.settings import FlowSettings
    from models.spans.batch import Spans


@dataclass(frozen=True)
class Summary:
    """What a replay read; times Unix ns, 0 where nothing was read."""

    spans: int
    runs: int
    duplicates: int
    late: int
    dead_letters: int
    unpriced: int
    first_ns: int
    last_ns: int
    seconds: float

    def record(self) -> dict[str, object]:
        """Give the `summary` record."""
        return {
            "kind": "summary",
            "spans": self.spans,
            "runs": self.runs,
            "duplicates": self.duplicates,
            "late": self.late,
            "dead_letters": self.dead_letters,
            "unpriced": self.unpriced,
            "first_at": rfc3339(self.first_ns) if self.first_ns else None,
            "last_at": rfc3339(self.last_ns) if self.last_ns else None,
            "spans_per_s": round(self.spans / self.seconds, 1) if self.seconds else 0.0,
        }


def replay(
    paths: Sequence[Path],
    settings: FlowSettings,
    emit: Callable[[list[Outbound]], None],
    progress: Callable[[int, int], None] | None = None,
    metrics: Metrics | None = None,
    cut: list[CutError] | None = None,
) -> Summary:
    """Run the flow over `paths`; `emit` gets the records as they come, `progress` (messages, bytes) as they are read.

    `metrics` are those to fill. Raises FileError when a file can't be read; where one only can't be read to its end,
    `cut` is given the error instead, if it is there, and nothing else is lost.
    """
    warm_up(lambda _: None)  # so that its time is not counted
    metrics = metrics or Metrics(None, CollectorRegistry())
    source = FileSource(paths, time.time_ns(), progress, cut=cut)
    flow = build(source, CallSink(emit), settings, metrics, clock=None, drain=True, kept=False)
    began = time.perf_counter()
    run_main(flow)
    seconds = time.perf_counter() - began
    counters = metrics.run_counters()
    seen = metrics.seen
    return Summary(
        seen.spans,
        counters.get("runs_closed", 0),
        counters.get("duplicates", 0),
        counters.get("late", 0),
        seen.dead_letters,
        counters.get("unpriced", 0),
        seen.first_ns,
        seen.last_ns,
        seconds,
    )


def records_of(path: Path, settings: FlowSettings, prefix: bytes) -> list[dict[str, Any]]:
    """Replay one file; gives the records that begin like this, in order. Raises FileError."""
    found: list[dict[str, Any]] = []

    def emit(records: list[Outbound]) -> None:
        found.extend(orjson.loads(record.value) for record in records if record.value.startswith(prefix))

    replay([path], settings, emit)
    return found


def spans_of(path: Path, settings: FlowSettings) -> Spans:
    """Decode one file, whole. Raises FileError."""
    decoder = Decoder(Mapping.load(settings.attributes))
    return decoder.decode(list(read_messages(path)), time.time_ns()).spans


def parsed(records: list[Outbound]) -> list[dict[str, object]]:
    """Read the records back, for reports and tests."""
    return [orjson.loads(record.value) for record in records]
