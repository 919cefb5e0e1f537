"""Touched: the runs that batches touched, of all run shards of a worker, as those see them who watch runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.runs.pulse import BEFORE, NEW_RUN, NO_PULSES, Pulse
from models.runs.shards import shard_of_trace
from models.runs.texts import unread
from models.spans.batch import Spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from models.runs.table import RunTable

_NO_ROWS = np.empty(0, np.int64)
_COUNTS = (Pulse.REPEATS, Pulse.ERRORS)
_TEXTS = 200_000
"""Texts remembered; beyond it all are read anew."""


class Touched(NamedTuple):
    """What a batch touched: pulses [run, Pulse], and the rows of `spans` that did."""

    pulses: NDArray[np.int64]
    spans: Spans
    rows: NDArray[np.int64]


class Runs:
    """The run tables of a worker, by the number of their shard: what pulses do not say of a run is read there."""

    def __init__(self) -> None:
        self.tables: dict[int, RunTable] = {}
        self._texts: dict[int, str] = {}
        """Texts that were asked for: those of a run are asked for with each batch that touches it."""

    def calls(self, hi: int, lo: int) -> NDArray[np.int64]:
        """Give the calls of a run, as `RunTable.calls` does."""
        return self.tables[shard_of_trace(hi, lo)].calls(hi, lo)

    def text(self, digest: int) -> str | None:
        """Give the text of a name that some run has."""
        found = (table.texts.known.get(digest) for table in list(self.tables.values()))  # asked by other threads too
        return next(filter(None, found), None)

    def texts(self, digests: Iterable[int]) -> dict[int, str]:
        """Give the texts of names, as far as some run has them."""
        asked, known = list(digests), self._texts
        try:
            return dict(zip(asked, map(known.__getitem__, asked), strict=True))
        except KeyError:  # some are new
            texts = {digest: known[digest] for digest in asked if digest in known}
            return texts | self._read([digest for digest in asked if digest not in texts])

    def _read(self, wanted: list[int]) -> dict[int, str]:
        texts: dict[int, str] = {}
        for table in self.tables.values():
            known = table.texts.known
            texts |= {digest: known[digest] for digest in wanted if digest in known}
            wanted = [digest for digest in wanted if digest not in texts]
        if len(self._texts) > _TEXTS:
            self._texts.clear()
        self._texts |= {digest: text for digest, text in texts.items() if text != unread(digest)}
        return texts


def gathered(parts: Sequence[Touched]) -> Touched:
    """Give as one batch what was touched part by part: of a run there is one pulse, unless it was forgotten between."""
    pulses = merged(np.concatenate([NO_PULSES, *[part.pulses for part in parts]]))
    of_rows = [part for part in parts if len(part.rows)]
    if not of_rows:
        return Touched(pulses, Spans.empty(), _NO_ROWS)
    spans = of_rows[0].spans
    if all(part.spans is spans for part in of_rows):
        return Touched(pulses, spans, np.concatenate([part.rows for part in of_rows]))
    names: dict[int, str] = {}
    for other in {id(part.spans): part.spans for part in of_rows}.values():
        names |= other.names
    rows = np.concatenate([part.spans.cols.T[part.rows] for part in of_rows])
    return Touched(pulses, Spans(rows.T, names), np.arange(len(rows)))


def merged(pulses: NDArray[np.int64]) -> NDArray[np.int64]:
    """Make one of the pulses of each run, in order of time: as it stood before the first, and stands after the last."""
    lows = np.sort(pulses[:, Pulse.TRACE_LO])
    if not (lows[1:] == lows[:-1]).any():  # as nearly always
        return pulses
    order = np.lexsort((pulses[:, Pulse.TRACE_LO], pulses[:, Pulse.TRACE_HI]))
    ids = pulses[order][:, (Pulse.TRACE_HI, Pulse.TRACE_LO)]
    is_first = np.ones(len(pulses), np.bool_)
    is_first[1:] = (ids[1:] != ids[:-1]).any(axis=1)
    is_first |= pulses[order, Pulse.BEFORE_BEGAN] == NEW_RUN
    first = np.flatnonzero(is_first)
    out: NDArray[np.int64] = pulses[order[np.append(first[1:], len(pulses)) - 1]]
    out[:, :BEFORE] = pulses[order[first], :BEFORE]
    out[:, _COUNTS] = np.maximum.reduceat(pulses[order][:, _COUNTS], first)
    return out
