"""Rows to count: what the SLIs say of each change row, as integer matrices, by one Polars query a kind of row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from models.digest import digest_of
from models.runs.changes import CALL
from models.runs.record import RUN
from models.slis.base import Histogram, Ratio
from models.slis.bins import bins_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from models.slis.base import Per, Sli

RUN_FIELDS = frozenset(name for name in RUN.names or () if not RUN[name].subdtype)
CALL_FIELDS = frozenset(CALL.names or ()) | (RUN_FIELDS - {"revision"})


@dataclass(frozen=True)
class Counted:
    """What SLIs say of n rows: `good`, `bad` int64 [ratio, n]; `bins` int64 [histogram, n], NOTHING: not counted."""

    good: NDArray[np.int64]
    bad: NDArray[np.int64]
    bins: NDArray[np.int64]


class Query:
    """The SLIs of one kind of row, ready to be asked. Raises ValueError when one reads a column that there is not."""

    def __init__(self, slis: Sequence[Sli], per: Per) -> None:
        own = [sli for sli in slis if sli.per == per]
        self._ratios = [sli for sli in own if isinstance(sli, Ratio)]
        self._histograms = [sli for sli in own if isinstance(sli, Histogram)]
        self._caps = np.array([np.inf if h.cap is None else h.cap for h in self._histograms], np.float64)
        self._select = [
            *[e.alias(f"{i}{kind}") for i, r in enumerate(self._ratios) for kind, e in (("t", r.total), ("g", r.good))],
            *[_value(h).alias(f"{i}v") for i, h in enumerate(self._histograms)],
        ]
        self.ratios = np.array([digest_of(sli.name) for sli in self._ratios], np.int64)
        self.histograms = np.array([digest_of(sli.name) for sli in self._histograms], np.int64)
        self.fields = sorted({root for expr in self._select for root in expr.meta.root_names()})
        unknown = set(self.fields) - (RUN_FIELDS if per == "run" else CALL_FIELDS)
        if unknown:
            msg = f"SLIs per {per} read {sorted(unknown)}; a {per} row has no such field"
            raise ValueError(msg)

    def ask(self, columns: Mapping[str, NDArray[np.generic]], n: int) -> Counted:
        """Evaluate all expressions over n rows; `columns` has at least `fields`."""
        good = np.zeros((len(self._ratios), n), np.int64)
        bad = np.zeros((len(self._ratios), n), np.int64)
        values = np.empty((len(self._histograms), n), np.float64)
        if self._select:
            frame = pl.DataFrame({field: np.ascontiguousarray(columns[field]) for field in self.fields})
            said = frame.select(self._select)
            for i in range(len(self._ratios)):
                total = _whole(said.get_column(f"{i}t"))
                good[i] = _whole(said.get_column(f"{i}g"))
                bad[i] = total - good[i]
            for i in range(len(self._histograms)):
                values[i] = said.get_column(f"{i}v").to_numpy()  # null becomes NaN
        return Counted(good, bad, bins_of(values, self._caps))


def _value(histogram: Histogram) -> pl.Expr:
    value = histogram.value if histogram.where is None else pl.when(histogram.where).then(histogram.value)
    return value.cast(pl.Float64)


def _whole(column: pl.Series) -> NDArray[np.int64]:
    return (column.fill_null(0) if column.null_count() else column).to_numpy().astype(np.int64, copy=False)
