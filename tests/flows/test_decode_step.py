"""Step `decode`: what it says of the progress of source partitions, and of messages that nobody can read."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest

from flows.decode import RUN_SHARDS, SERIES_SHARDS, DecodeStep
from flows.items import Outbound, RawBatch, ShardCells, ShardSpans
from flows.metrics import Metrics
from models.runs.shards import by_shard
from models.spans.columns import SpanKind
from models.spans.decoder import Decoder
from models.spans.pricing import Prices
from tests.helpers.span_rows import row, spans_of

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND = 10**9
START = 1_000_000 * SECOND
EVERYONE = len(RUN_SHARDS) + len(SERIES_SHARDS)
LOG = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"%d","body":{"stringValue":"hello"}}]}]}]}'


class Bench:
    """A decode step with a clock to turn."""

    def __init__(self) -> None:
        self.now = START
        self.metrics = Metrics(lambda: self.now)
        self._step = DecodeStep(Decoder(), Prices(None), self.metrics, "dead", lambda: self.now)

    def __call__(self, *batches: tuple[str, list[bytes]]) -> list[Any]:
        """Decode one activation of (partition, messages)."""
        return self._step([raw(part, messages, self.now) for part, messages in batches])

    def heard(self, *batches: tuple[str, list[bytes]]) -> list[dict[str, int]]:
        """Decode; give the marks told to each of the run shards and series shards that were told any."""
        items = [item[1] for item in self(*batches)]
        return [dict(item.marks) for item in items if isinstance(item, ShardSpans | ShardCells)]


def raw(part: str, messages: list[bytes], received_ns: int) -> RawBatch:
    """Make a batch of a partition."""
    count = len(messages)
    return RawBatch(part, "spans", 3, np.arange(7, 7 + count), np.full(count, received_ns), messages)


@pytest.fixture
def bench() -> Bench:
    """Give a step that has told everyone just now."""
    bench = Bench()
    bench.heard(("x", [LOG % START]))
    return bench


@pytest.fixture
def span(live: Any) -> Callable[[int, int], bytes]:
    """Give a function that writes a message with one span, by number and end."""
    return live.quiet_span  # type: ignore[no-any-return]


def test_all_shards_hear_of_a_partition_within_a_second(bench: Bench, span: Callable[[int, int], bytes]) -> None:
    """A partition that brings one message and then none: its shard hears at once, the others with the next round."""
    assert bench.heard(("a", [span(1, START - 5)])) == [{"a": START - 5}]
    assert (
        bench.heard(("b", [span(1, START - 4)]), ("a", [span(2, START - 9)])) == [{"b": START - 4, "a": START - 5}] * 2
    )
    bench.now += SECOND
    assert bench.heard(("c", [span(3, START - 3)])) == [{"a": START - 5, "b": START - 4, "c": START - 3}] * EVERYONE


def test_a_quiet_source_lets_the_rest_be_told(bench: Bench, span: Callable[[int, int], bytes]) -> None:
    """An empty batch, sent when nothing has come for a second, tells all shards what they do not know yet, once."""
    bench.heard(("a", [span(1, START - 5)]))
    assert bench.heard(("a", [])) == [{"a": START - 5}] * EVERYONE
    assert bench.heard(("a", [])) == []


def test_messages_without_events_hold_nobody_back(bench: Bench, span: Callable[[int, int], bytes]) -> None:
    """A partition of ordinary logs has no event time, and is not said to be at any: no watermark waits for it."""
    bench.now += SECOND
    assert bench.heard(("logs", [LOG % START]), ("a", [span(1, START)])) == [{"a": START}] * EVERYONE


def test_time_is_never_beyond_the_receipt(bench: Bench, span: Callable[[int, int], bytes]) -> None:
    """An agent's clock that runs ahead doesn't carry the watermark away."""
    assert bench.heard(("a", [span(1, START + 60 * SECOND)])) == [{"a": START}]


def test_dead_letters_say_where(bench: Bench, span: Callable[[int, int], bytes]) -> None:
    """A message that cannot be read is told with topic, partition, offset and size; its neighbours are read."""
    told = bench(("a", [span(1, START), b"\xff" * 9, span(2, START)]))
    letters = [item for item in told if isinstance(item, Outbound)]
    (record,) = [orjson.loads(letter.value) for letter in letters]
    assert record.pop("reason")
    assert record == {"kind": "dead_letter", "topic": "spans", "partition": 3, "offset": 8, "bytes": 9}
    assert bench.metrics.seen.spans == 2


def test_spans_travel_with_their_own_rows_and_names() -> None:
    """What a shard gets from another process is its rows, their cohorts and names, and nothing of the other shards."""
    rows = [
        row(SpanKind.LLM, 1, 0, 1, 2, trace_lo=n, user=f"user {n}", cohorts={"arm": f"a{n}"} if n % 2 else {})
        for n in range(1, 200)
    ]
    spans, seen = spans_of(rows), 0
    for own in by_shard(spans.cols):
        there = pickle.loads(pickle.dumps(ShardSpans("r00", spans, own, (("p", 5),), {7: 8})))  # noqa: S301 - our own
        assert (there.key, there.marks, there.expected) == ("r00", (("p", 5),), {7: 8})
        assert np.array_equal(there.spans.cols[:, there.rows], spans.cols[:, own])
        numbers = [rows[j]["trace_lo"] for j in own.tolist()]
        arms = [n for n in numbers if n % 2]
        assert [numbers[j] for j in there.spans.cohorts.row.tolist()] == arms
        assert [there.spans.names[v] for v in there.spans.cohorts.value.tolist()] == [f"a{n}" for n in arms]
        users = {f"user {n}" for n in numbers} | {f"a{n}" for n in arms} | ({"arm"} if arms else set())
        assert set(there.spans.names.values()) == users
        seen += len(there)
    assert seen == len(rows)
