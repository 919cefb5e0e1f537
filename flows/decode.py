"""Step `decode`: raw messages of an activation -> spans per run shard, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flows.items import Outbound, RawBatch, ShardCells, ShardSpans, ShardTalk
from flows.letters import dead_letter
from models.digest import digest_of
from models.runs import conversations
from models.runs.shards import SHARDS, by_shard
from models.slis import groups
from models.spans.batch import Spans
from models.spans.columns import Column, SpanKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from flows.items import Marks
    from flows.metrics import Metrics
    from models.spans.batch import DeadLetter
    from models.spans.decoder import Decoder
    from models.spans.pricing import Prices

_TASK_SUCCESS = digest_of("task_success")
_MARK_EVERY_NS = 1_000_000_000
RUN_SHARDS = [f"r{shard:02d}" for shard in range(SHARDS)]
SERIES_SHARDS = [f"s{shard:02d}" for shard in range(groups.SHARDS)]
TALK_SHARDS = [f"c{shard}" for shard in range(conversations.SHARDS)]

RunItem = tuple[str, ShardSpans]
SeriesItem = tuple[str, ShardCells]
TalkItem = tuple[str, ShardTalk]


class DecodeStep:
    """Callable for `flat_map_batch`; keeps nothing that a restart may not forget."""

    def __init__(
        self,
        decoder: Decoder,
        prices: Prices,
        metrics: Metrics,
        dead_letters_topic: str,
        clock: Callable[[], int] | None,
    ) -> None:
        self._decoder = decoder
        self._prices = prices
        self._metrics = metrics
        self._dead_letters = dead_letters_topic
        self._clock = clock
        self._expected: dict[int, int] = {}
        self._newest: dict[str, int] = {}
        self._untold: set[str] = set()
        """Partitions that went on since all shards were last told."""
        self._told_ns = 0

    def __call__(self, batches: list[RawBatch]) -> list[RunItem | SeriesItem | TalkItem | Outbound]:
        """Decode all batches of this activation as one."""
        messages = [message for batch in batches for message in batch.messages]
        if not messages and not self._untold:
            return []  # quiet partitions need no word: a watermark goes on by the clock when nothing comes
        received = np.concatenate([batch.received_ns for batch in batches])
        decoded = self._decoder.decode(messages, received)
        self._metrics.decoded(len(messages), decoded)
        spans = self._prices.price(decoded.spans)
        marks = self._observe(batches, spans, received)
        out: list[RunItem | SeriesItem | TalkItem | Outbound] = list(self._letters(batches, decoded.dead))
        out.extend(self._per_shard(spans, marks, tell_all=not messages))
        return out

    def _per_shard(self, spans: Spans, marks: Marks, *, tell_all: bool) -> Iterator[RunItem | SeriesItem | TalkItem]:
        scores = np.flatnonzero(spans[Column.KIND] == SpanKind.EVALUATION)
        expected, asked = self._news_of_evaluations(spans, scores), _chosen(spans, scores, Column.RESPONSE_ID)
        ends, talked = conversations.ends_of_runs(spans), _chosen(spans, scores, Column.CONVERSATION)
        tell_all = self._due() or bool(expected) or asked is not None or tell_all
        if tell_all:  # a shard that got no rows of a partition has not heard of it since the last time
            marks = tuple((part, self._newest[part]) for part in sorted(self._untold))
            self._untold.clear()
        for key, rows in zip(RUN_SHARDS, by_shard(spans.cols), strict=True):
            if len(rows) or tell_all:
                yield key, ShardSpans(key, spans, rows, marks, expected, asked)
        if tell_all:
            yield from ((key, ShardCells(key, None, marks)) for key in SERIES_SHARDS)
        if tell_all or len(ends) or talked:
            yield from _per_conversation(ends, talked, marks, tell_all=tell_all)

    def _observe(self, batches: list[RawBatch], spans: Spans, received: NDArray[np.int64]) -> Marks:
        """Find the newest event time per source partition; an event is never newer than its receipt.

        A partition that brought no events is as good as silent: ordinary logs must not hold the watermark back.
        """
        marks = []
        # a time that was missing or impossible was mended to the time of receipt: it says nothing of what has been seen
        receipts = received[spans[Column.MESSAGE]]
        ends = np.where(spans[Column.END] == receipts, 0, np.minimum(spans[Column.END], receipts))
        first = 0
        for batch in batches:
            last = first + len(batch.messages)
            of_batch = (
                (spans[Column.MESSAGE] >= first) & (spans[Column.MESSAGE] < last) if len(batches) > 1 else slice(None)
            )
            newest = int(ends[of_batch].max(initial=0))
            if newest:
                self._newest[batch.part] = max(newest, self._newest.get(batch.part, 0))
                self._untold.add(batch.part)
                marks.append((batch.part, self._newest[batch.part]))
            first = last
        return tuple(marks)

    def _news_of_evaluations(self, spans: Spans, scores: NDArray[np.intp]) -> dict[int, int]:
        """Find workflows, or services where no workflow is said, that have evaluations since earlier than known."""
        rows = scores[spans[Column.EVALUATION][scores] == _TASK_SUCCESS]
        news: dict[int, int] = {}
        workflows, services = spans[Column.WORKFLOW][rows], spans[Column.SERVICE][rows]
        senders = np.where(workflows != 0, workflows, services).tolist()
        for name, end in zip(senders, spans[Column.END][rows].tolist(), strict=True):
            if name and end < min(self._expected.get(name, end + 1), news.get(name, end + 1)):
                news[name] = end
        self._expected.update(news)
        return news

    def _due(self) -> bool:
        if self._clock is None:
            return True  # a replay judges as far as all shards have come
        now = self._clock()
        due = now - self._told_ns >= _MARK_EVERY_NS
        if due:
            self._told_ns = now
        return due

    def _letters(self, batches: list[RawBatch], dead: list[DeadLetter]) -> Iterator[Outbound]:
        if not dead:
            return
        where = [(b.topic, b.partition, offset) for b in batches for offset in b.offsets.tolist()]
        for letter in dead:
            yield dead_letter(self._dead_letters, letter.reason, where[letter.message], letter.size)


def _per_conversation(
    ends: NDArray[np.int64], talked: Spans | None, marks: Marks, *, tell_all: bool
) -> Iterator[TalkItem]:
    last = conversations.SHARDS - 1
    shards = ends[:, 0] & last
    for shard, key in enumerate(TALK_SHARDS):
        own = ends[shards == shard]
        asked = None
        if talked is not None:
            asked = _chosen(talked, np.flatnonzero(talked[Column.CONVERSATION] & last == shard), Column.CONVERSATION)
        if tell_all or len(own) or asked is not None:
            yield key, ShardTalk(key, own, asked, marks)


def _chosen(spans: Spans, scores: NDArray[np.intp], by: Column) -> Spans | None:
    """Give the evaluations among these rows that are joined to their run by this column; None: there are none."""
    rows = scores[spans[by][scores] != 0]
    if not len(rows):
        return None
    labels = {label: spans.names[label] for label in spans[Column.LABEL][rows].tolist() if label}
    return Spans(spans.cols[:, rows], labels)
