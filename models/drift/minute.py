"""Minute: what one look sees of all series of a shard, as dense arrays by series number."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.drift.exceedance import QUANTILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from models.slis.closing import Closed

J = len(QUANTILES)
UNKNOWN = 1 << 20
"""Threshold of a histogram whose quantiles are not known yet: over all bins, so nothing exceeds it."""


class Minute(NamedTuple):
    """Int64 by series [S]; of ratios `bad` of `total`, of histograms `over` [J, S] of `total`."""

    at: int
    """Unix minute of the look."""
    bad: NDArray[np.int64]
    total: NDArray[np.int64]
    over: NDArray[np.int64]
    values: NDArray[np.int64]
    """[k, 3] of the histograms: series, bin, count."""

    def amounts(self, of: str) -> NDArray[np.int64]:
        """Give [S] what a mix is of: "mix" all events, "mix_failed" the bad ones."""
        return self.bad if of == "mix_failed" else self.total

    def rates(self, series: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give (bad, total) of ratios [2, n]."""
        return np.stack([self.bad[series], self.total[series]])

    def exceedances(self, series: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give (over each threshold ..., total) of histograms [J + 1, n]."""
        return np.concatenate([self.over[:, series], self.total[None, series]])


def minutes_of(
    closed: Closed, is_histogram: NDArray[np.bool_], over: Callable[[], NDArray[np.int64]]
) -> Iterator[Minute]:
    """Yield the looks that saw anything, in order. `over` int64 [J, S]: thresholds of histograms, at each look."""
    looks, starts = np.unique(closed.look, return_index=True)
    bounds = [*starts.tolist(), len(closed.look)]
    bin_bounds = np.searchsorted(closed.bins[:, 0], bounds).tolist()
    for place, look in enumerate(looks.tolist()):
        rows = slice(bounds[place], bounds[place + 1])
        bins = closed.bins[bin_bounds[place] : bin_bounds[place + 1]]
        yield _minute(look, closed, rows, bins, is_histogram, over())


def _minute(
    look: int,
    closed: Closed,
    rows: slice,
    bins: NDArray[np.int64],
    is_histogram: NDArray[np.bool_],
    over: NDArray[np.int64],
) -> Minute:
    size = len(is_histogram)
    bad, total, beyond = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros((J, size), np.int64)
    series = closed.series[rows]
    total[series], bad[series] = closed.total[rows], closed.total[rows] - closed.good[rows]
    whose = closed.series[bins[:, 0]]
    np.add.at(total, whose, bins[:, 2])
    for j in range(J):
        np.add.at(beyond[j], whose, np.where(bins[:, 1] > over[j, whose], bins[:, 2], 0))
    return Minute(look, bad, total, beyond, np.stack([whose, bins[:, 1], bins[:, 2]], axis=1))
