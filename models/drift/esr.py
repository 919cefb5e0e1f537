"""e-SR: the recursion behind the detectors, over all streams at once, and the two kinds of bets on rates.

An e-value L >= 0 has expectation <= 1, given the past, when nothing changed. M <- (M + 1) * L starts one test a look
(Shiryaev-Roberts) and M - t is a supermartingale when nothing changed, so the mean time to a false alarm at M >= c is
at least c looks, and P(false alarm within n looks) <= n / c. A mean of such M is one, too: over bets on several sizes
of change, directions, categories. Shin, Ramdas, Rinaldo: E-detectors, arXiv 2203.03532.

Arrays have the bets on the first axis and the streams on the last: one bet's column is contiguous.
"""

from __future__ import annotations

from typing import Any

import numpy as np

ODDS_RATIOS = np.array([1.15, 1.3, 1.6, 2.0, 3.0, 6.0])
"""Sizes of change that are bet on: the odds of what is counted, against those of the null. detection.md 3.2."""
SLOW_ODDS_RATIOS = np.array([1.1, 1.25, 1.5, 2.0, 3.0, 6.0])
"""The same on the clock of hours: a slow decline has come to odds of about 1.1 when it can first be told."""
STAKES = np.array([0.5, 2.0, 5.0, 9.0, 14.0, 18.0])
"""Stakes on the mean of a look."""
_LARGEST_STAKE = 0.99
"""Times 1 / null rate: a look without any hit leaves something to go on with."""
CEILING = 1e60
"""M is cut here: far above any threshold, and what is taken away can only make alarms rarer."""
LARGEST_LOG = 500.0
"""ln L is cut here: with M at its ceiling their product is a number yet. Days as one look can say more."""
_BLOCK = 8192
"""Streams worked on at a time, so that what lies between stays in the cache (benchmarks/detection.py)."""


def shifted(rate: Any, odds_ratio: Any) -> Any:
    """Give the rate whose odds are `odds_ratio` times those of `rate`."""
    return odds_ratio * rate / (1.0 - rate + odds_ratio * rate)


def bet_on_counts(m: Any, hits: Any, events: Any, null: Any, dispersion: Any, odds_ratios: Any = ODDS_RATIOS) -> Any:
    """Take one look, by the likelihood ratio of binomial counts; changes `m` [bet, stream], gives its mean [stream].

    `hits` of `events` are whole numbers, `null` the highest rate that is no change. Exact for independent events at
    any rate <= null. `dispersion` > 1 tempers it, L ** (1 / dispersion): a heuristic for bursts, without proof.
    """
    means = np.empty(m.shape[-1])
    log_ratios, more = np.log(odds_ratios)[:, None], odds_ratios[:, None] - 1.0
    for start in range(0, len(means), _BLOCK):
        of = slice(start, start + _BLOCK)
        log_e = log_ratios * hits[of] - np.log(1.0 + more * null[of]) * events[of]
        log_e /= dispersion[of]
        np.minimum(log_e, LARGEST_LOG, out=log_e)
        means[of] = advance(m[:, of], np.exp(log_e, out=log_e))
    return means


def bet_on_mean(m: Any, hits: Any, events: Any, null: Any) -> Any:
    """Take one look, by a bet on the mean of the look: exact under any dependence between the events of a look.

    Waudby-Smith, Ramdas: Estimating means of bounded random variables by betting, arXiv 2010.09686. As `bet_on_counts`;
    `hits` may be sums of values between 0 and 1.
    """
    stakes = np.minimum(STAKES[:, None], _LARGEST_STAKE / np.maximum(null, np.finfo(float).tiny))
    over = np.where(events > 0, hits / np.maximum(events, 1) - null, 0.0)
    return advance(m, 1.0 + stakes * over)


def advance(m: Any, e_values: Any) -> Any:
    """Take one look with these e-values [bet, stream]; gives the mean over the bets [stream]."""
    m += 1.0
    m *= e_values
    np.minimum(m, CEILING, out=m)
    return m.mean(axis=0)
