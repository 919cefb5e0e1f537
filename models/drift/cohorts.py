"""Cohorts: e-SR of two cohorts that run at the same time: one against the rest, the old version against the new.

Given the failures of both together in a look, how many of them are B's is hypergeometric when the odds are equal,
whatever the common rate is: shared incidents and daily cycles cancel, no baseline, no season. With psi the odds ratio
bet on and h the hypergeometric probabilities: E = psi**kB / sum_j h(j) psi**j.
Guarantee: ARL >= c looks under any common, time-varying rate, for events independent given it. Fisher's conditional
test as an e-value; detection.md 3.5, beside arXiv 2106.02693.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import gammaln

from models.drift.esr import advance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State

WORSE = (1.3, 1.6, 2.0, 3.0, 6.0)
ODDS_RATIOS = (*WORSE, *(1 / ratio for ratio in WORSE))
"""Of B against A: worse, and better."""


@dataclass(frozen=True)
class Cohorts:
    """Streams of (failed and events of A, failed and events of B)."""

    odds_ratios: tuple[float, ...] = ODDS_RATIOS
    name: str = "cohorts"
    columns: tuple[str, ...] = ("failed_a", "events_a", "failed_b", "events_b")

    def fit(self, past: NDArray[np.int64]) -> State:
        """Open as many streams as `past` has; it tells nothing else."""
        ones = np.ones(past.shape[1])
        return start(ones, ones, ones, self.odds_ratios)

    def look(self, state: State, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Take one look."""
        log_e = log_e_values(counts, np.array(self.odds_ratios), state["low"], state["high"]) / state["dispersion"]
        means: NDArray[np.float64] = advance(state["m"], np.exp(log_e))
        return means

    def restart(self, state: State, which: NDArray[np.bool_]) -> None:
        """Begin anew."""
        state["m"][:, which] = 0.0


def start(low: Any, high: Any, dispersion: Any, odds_ratios: tuple[float, ...] = ODDS_RATIOS) -> State:
    """Open streams. Odds ratios from `low` to `high`, [stream] each, are no change: 1 and 1, or what always was.

    A bet is on psi times `high`, or times `low` where psi < 1: kB rises with the odds ratio, so E <= 1 within.
    `dispersion` tempers where events of one look hang together, as calls of one run: a heuristic without proof.
    """
    bets = np.zeros((len(odds_ratios), len(low)))
    return {"m": bets, "low": low.copy(), "high": high.copy(), "dispersion": dispersion.copy()}


def log_e_values(counts: Any, odds_ratios: Any, low: Any = 1.0, high: Any = 1.0) -> Any:
    """Give ln E [odds ratio, stream] of one look; 0 where nothing failed, everything did, or one cohort is empty."""
    out = np.zeros((len(odds_ratios), counts.shape[1]))
    bounds = np.stack([low, high]) * np.ones(counts.shape[1])
    side = (odds_ratios > 1).astype(int)
    width = _support(counts)[1]
    sizes = np.ceil(np.log2(width + 1)).astype(int)
    for size in np.unique(sizes[width > 0]).tolist():  # rows of like width at once
        of = np.flatnonzero((width > 0) & (sizes == size))
        log_ways, j = _log_ways(counts[:, of])
        failed_b, null = counts[2, of], bounds[:, of]
        bet = _log_likelihoods(log_ways, j, failed_b, odds_ratios[:, None] * null[side])
        out[:, of] = bet - _log_likelihoods(log_ways, j, failed_b, null)[side]
    return out


def log_likelihoods(counts: Any, odds_ratios: Any) -> Any:
    """Give ln P(kB | k, psi) [psi, stream], but for a term that is the same for every psi."""
    log_ways, j = _log_ways(counts)
    return _log_likelihoods(log_ways, j, counts[2], odds_ratios[:, None] * np.ones(counts.shape[1]))


def _log_likelihoods(log_ways: Any, j: Any, failed_b: Any, odds_ratios: Any) -> Any:
    log_ratios = np.log(odds_ratios)
    weighted = log_ways + log_ratios[:, :, None] * j
    most = weighted.max(axis=2)
    return log_ratios * failed_b - most - np.log(np.exp(weighted - most[:, :, None]).sum(axis=2))


def _support(counts: Any) -> Any:
    """Give the least number of failures that B can have had, and how many more it could have had at most."""
    failed_a, events_a, failed_b, events_b = counts
    failed = failed_a + failed_b
    least = np.maximum(0, failed - events_a)
    return least, np.minimum(events_b, failed) - least


def _log_ways(counts: Any) -> Any:
    """Give ln of the ways in which j of B's events fail [stream, j], -inf for what cannot be; and those j."""
    failed_a, events_a, failed_b, events_b = counts[:, :, None]
    least, width = _support(counts)
    j = least[:, None] + np.arange(width.max(initial=0) + 1)
    rest = failed_a + failed_b - j
    can = j <= (least + width)[:, None]
    terms = [gammaln(np.maximum(each, 0) + 1.0) for each in (j, events_b - j, rest, events_a - rest)]
    return np.where(can, -sum(terms), -np.inf), j
