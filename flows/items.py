"""What flows between the steps: always a batch, never an event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.runs.pulse import NO_PULSES
from models.spans.batch import Cohorts, Spans

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from models.drift.examples import Example
    from models.drift.settings import Accepted
    from models.drift.table import Looked
    from models.orders.in_force import InForce
    from models.orders.order import Order
    from models.runaways.book import Defied
    from models.runaways.touched import Touched
    from models.runs.changes import Changes
    from models.runs.table import RunTable
    from models.slis.cells import Cells
    from models.slis.closing import Closed
    from models.slos.events import Events
    from models.verdicts import Verdict

Marks = tuple[tuple[str, int], ...]
"""(source partition, newest event time in Unix ns) pairs: what a watermark is made of."""


@dataclass(frozen=True)
class RawBatch:
    """Messages of one source partition, in order. `received_ns` is int64 [n], when the log took each message."""

    part: str
    topic: str
    partition: int
    offsets: NDArray[np.int64]
    received_ns: NDArray[np.int64]
    messages: list[bytes]


@dataclass(frozen=True)
class ShardSpans:
    """Those rows (int64, ascending) of a decoded batch that are of one run shard; what is said to it by `track`."""

    key: str
    spans: Spans
    rows: NDArray[np.int64]
    marks: Marks
    expected: dict[int, int] = field(default_factory=dict)
    """Workflows and services (name digest) that have evaluations -> event time of their first."""
    asked: Spans | None = None
    """Evaluations of answers, for whoever has the run."""
    joined: bool = False
    """Whether these are evaluations of conversations that were found to be about runs of this shard."""

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.rows)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process with the own rows and names only."""
        return _arrived, (
            self.key,
            *_chosen(self.spans, self.rows),
            self.marks,
            self.expected,
            self.asked,
            self.joined,
        )


@dataclass(frozen=True)
class ShardTalk:
    """What is said to one shard of `join`: ends of runs of conversations, as `ends_of_runs` gives them, and scores."""

    key: str
    ends: NDArray[np.int64]
    asked: Spans | None
    marks: Marks


@dataclass(frozen=True)
class ShardOrders:
    """Orders, as they were given."""

    key: str
    orders: list[Order]


@dataclass(frozen=True)
class ShardKills:
    """All kills in force, for one run shard, and the ids of runs that were resumed just now.

    `lifted` has all that were resumed of late, with when (Unix ns): for who begins, and knows of none.
    """

    key: str
    kills: InForce
    resumed: tuple[str, ...] = ()
    lifted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ShardAccepted:
    """Changes that people have accepted, for the series shard of their workflow."""

    key: str
    accepted: list[Accepted]


@dataclass(frozen=True)
class Tracked:
    """What one shard of `track` has to say."""

    key: str
    changes: Changes


@dataclass(frozen=True)
class ShardTouched:
    """What a batch touched in one run shard, and its table: for `watch`, on the same worker, before the next batch."""

    key: str
    table: RunTable
    touched: Touched


@dataclass(frozen=True)
class Watched:
    """What was seen of runs while they run: pulses (`models.runs.pulse`) that move a sum, verdicts."""

    key: str
    pulses: NDArray[np.int64] = field(default_factory=lambda: NO_PULSES)
    names: dict[int, str] = field(default_factory=dict)
    """Text of the names in the pulses."""
    verdicts: list[Verdict] = field(default_factory=list)
    defied: list[Defied] = field(default_factory=list)


@dataclass(frozen=True)
class Progress:
    """How far one shard of `track` is: all it has to say of spans up to `watermark_ns` (Unix ns) was said before."""

    key: str
    watermark_ns: int


@dataclass(frozen=True)
class Advanced:
    """The same by the clock, where most steps go by the clock too: only who closes minutes needs this word."""

    key: str
    watermark_ns: int


Said = Tracked | Watched | Progress | Advanced
"""What comes out of `track` and `watch`."""


class Behind(NamedTuple):
    """When (Unix ns) the log took the oldest of what a process reads now; None: that is within the limit of lag."""

    process: str
    oldest_ns: int | None


@dataclass(frozen=True)
class ShardEvents:
    """Events for one shard of `judge`, None when only the rest is news: (shard of `track`, watermark) pairs, a lag."""

    key: str
    events: Events | None
    marks: Marks
    behind: Behind | None = None


@dataclass(frozen=True)
class ShardAmounts:
    """Spend rows [row, Spend] for one shard of `spend`, None when only the marks are news."""

    key: str
    rows: NDArray[np.int64] | None
    names: dict[int, str]
    marks: Marks
    paces: NDArray[np.int64] | None = None
    """Pace rows [row, Pace]."""


@dataclass(frozen=True)
class ShardVerdicts:
    """What one shard of `govern` hears of its workflows, and how far `track` is."""

    key: str
    verdicts: list[Verdict]
    defied: list[Defied]
    marks: Marks


@dataclass(frozen=True)
class ShardCells:
    """Counts for one shard of `measure`, None when only the marks are news."""

    key: str
    cells: Cells | None
    marks: Marks
    tracked: Marks = ()
    """How far `track` is, by its shards: what it had to say of earlier spans came before."""


@dataclass(frozen=True)
class ShardClosed:
    """Minutes of one shard of `measure` that are over, for `drift`."""

    key: str
    closed: Closed


@dataclass(frozen=True)
class ShardLooked:
    """What one shard of `drift` has evidence of, for `fleet`."""

    key: str
    shard: str
    looked: Looked
    marks: Marks


@dataclass(frozen=True)
class ShardExamples:
    """Runs that may be shown beside an alarm, for `fleet`."""

    key: str
    examples: list[Example]
    marks: Marks = ()


class Outbound(NamedTuple):
    """One record on its way out."""

    topic: str
    key: bytes
    value: bytes


def _chosen(
    spans: Spans, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], dict[int, str], tuple[NDArray[np.int64], ...]]:
    cols, of = np.asfortranarray(spans.cols[:, rows]), spans.cohorts
    own = np.flatnonzero(np.isin(of.row, rows))
    cohorts = np.searchsorted(rows, of.row[own]), of.name[own], of.value[own]
    used = {*np.unique(cols).tolist(), *cohorts[1].tolist(), *cohorts[2].tolist()}
    return cols, {digest: text for digest, text in spans.names.items() if digest in used}, cohorts


def _arrived(
    key: str,
    cols: NDArray[np.int64],
    names: dict[int, str],
    cohorts: tuple[NDArray[np.int64], ...],
    *rest: Any,
) -> ShardSpans:
    return ShardSpans(key, Spans(cols, names, Cohorts(*cohorts)), np.arange(cols.shape[1]), *rest)
