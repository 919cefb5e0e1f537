"""Rows to count: what the SLIs say of each change row, as integer matrices, by one Polars query a kind of row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from models.digest import digest_of
from models.runs.changes import CALL
from models.runs.record import RUN
from models.slis.base import Histogram, Ratio
from models.slis.bins import bins_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
        ratios = [sli for sli in own if isinstance(sli, Ratio)]
        histograms = [sli for sli in own if isinstance(sli, Histogram)]
        self.ratios = np.array([digest_of(sli.name) for sli in ratios], np.int64)
        self.histograms = np.array([digest_of(sli.name) for sli in histograms], np.int64)
        self._scales = np.array([h.scale for h in histograms], np.float64)[:, None]
        self._caps = np.array([np.inf if h.cap is None else h.cap for h in histograms], np.float64)
        self._said = [*(e for r in ratios for e in (r.total, r.good)), *map(_value, histograms)]
        self._plain = [_plain(expr) for expr in self._said]
        computed = [expr for expr, plain in zip(self._said, self._plain, strict=True) if plain is None]
        self._select = [expr.alias(str(i)) for i, expr in enumerate(computed)]
        self._read = sorted({root for expr in computed for root in expr.meta.root_names()})
        self.fields = sorted({root for expr in self._said for root in expr.meta.root_names()})
        unknown = set(self.fields) - (RUN_FIELDS if per == "run" else CALL_FIELDS)
        if unknown:
            msg = f"SLIs per {per} read {sorted(unknown)}; a {per} row has no such field"
            raise ValueError(msg)

    def ask(self, columns: Mapping[str, NDArray[Any]], n: int) -> Counted:
        """Evaluate all expressions over n rows; `columns` has at least `fields`."""
        ratios, histograms = len(self.ratios), len(self.histograms)
        totals, values = np.empty((2 * ratios, n), np.int64), np.empty((histograms, n), np.float64)
        for i, said in enumerate(self._answers(columns)):
            if i < 2 * ratios:
                totals[i] = said
            else:
                values[i - 2 * ratios] = said
        values /= self._scales
        good = totals[1::2]
        return Counted(good, totals[::2] - good, bins_of(values, self._caps))

    def _answers(self, columns: Mapping[str, NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """Give what each expression says. One query for all; those that only name a column cost nothing."""
        computed: Iterator[pl.Series] = iter(())
        if self._select:
            frame = pl.DataFrame({field: np.ascontiguousarray(columns[field]) for field in self._read})
            computed = iter(frame.select(self._select).get_columns())
        for i, plain in enumerate(self._plain):
            if plain is not None:
                yield columns[plain]
                continue
            series = next(computed)
            is_count = i < 2 * len(self.ratios)
            # elsewhere null becomes NaN, which is not counted
            yield (series.fill_null(0) if is_count and series.null_count() else series).to_numpy()


def _plain(expr: pl.Expr) -> str | None:
    """Give the column when the expression is nothing else."""
    return expr.meta.output_name() if expr.meta.is_column() else None


def _value(histogram: Histogram) -> pl.Expr:
    return histogram.value if histogram.where is None else pl.when(histogram.where).then(histogram.value)
