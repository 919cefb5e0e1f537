"""Cohorts: e-SR of two cohorts that run at the same time: one against the rest, the old version against the new.

Given the failures of both together in a look, how many of them are B's is hypergeometric when the odds are equal,
whatever the common rate is: shared incidents and daily cycles cancel, no baseline, no season. With psi the odds ratio
bet on and h the hypergeometric probabilities: E = psi**kB / sum_j h(j) psi**j.
Guarantee: ARL >= c looks under any common, time-varying rate, for events independent given it. Fisher's conditional
test as an e-value; detection.md 3.5, beside arXiv 2106.02693.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift.esr import LARGEST_LOG, advance
from models.kernels import allocating

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State

WORSE = (1.3, 1.6, 2.0, 3.0, 6.0)
ODDS_RATIOS = (*WORSE, *(1 / ratio for ratio in WORSE))
"""Of B against A: worse, and better."""
_NOTHING = 1e-18
"""A term that is so small a part of the sum is left out, with all after it: they fall faster and faster."""


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
        means: NDArray[np.float64] = advance(state["m"], np.exp(np.minimum(log_e, LARGEST_LOG)))
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
    bounds = np.stack([np.broadcast_to(each, counts.shape[1]) for each in (low, high)])
    side = (odds_ratios > 1).astype(int)
    null = bounds[side]
    bet = odds_ratios[:, None] * null
    ways = _log_ways(counts, np.concatenate((bet, bounds)))
    many = len(odds_ratios)
    out: NDArray[np.float64] = counts[2] * (np.log(bet) - np.log(null)) - (ways[:many] - ways[many:][side])
    return out


def log_likelihoods(counts: Any, odds_ratios: Any) -> Any:
    """Give ln P(kB | k, psi) [psi, stream], but for a term that is the same for every psi."""
    psi = odds_ratios[:, None] * np.ones(counts.shape[1])
    return np.log(psi) * counts[2] - _log_ways(counts, psi)


def _log_ways(counts: NDArray[np.int64], odds_ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give ln sum_j h(j) psi**j [psi, stream], h(j) the ways in which j of B's events fail; of one j alone psi**j."""
    out = np.zeros(odds_ratios.shape)
    _fill_log_ways(counts.astype(np.float64), odds_ratios, out)
    return out


@allocating
def _fill_log_ways(counts: Any, odds_ratios: Any, out: Any) -> None:
    """Add up from the largest term outwards, each from the one before it, until they no longer count.

    One by one they would be as many as failures; so they are some standard deviations: a fifteenth of the time.
    """
    for stream in range(counts.shape[1]):
        failed_a, a, failed_b, b = counts[0, stream], counts[1, stream], counts[2, stream], counts[3, stream]
        k = failed_a + failed_b
        least, most = max(0.0, k - a), min(b, k)
        for row in range(odds_ratios.shape[0]):
            psi = odds_ratios[row, stream]
            if most <= least:
                out[row, stream] = least * math.log(psi)
                continue
            q = psi * (b + k + 2) + a - k
            r = psi * (b + 1) * (k + 1)
            mode = math.floor(2 * r / (q + math.sqrt(max(0.0, q * q - 4 * (psi - 1) * r))))
            mode = min(max(mode, least), most)
            total, term, j = 1.0, 1.0, mode
            while j < most and term > _NOTHING * total:
                term *= psi * (b - j) * (k - j) / ((j + 1) * (a - k + j + 1))
                total += term
                j += 1
            term, j = 1.0, mode
            while j > least and term > _NOTHING * total:
                term *= j * (a - k + j) / (psi * (b - j + 1) * (k - j + 1))
                total += term
                j -= 1
            largest = mode * math.log(psi) - math.lgamma(mode + 1) - math.lgamma(b - mode + 1)
            out[row, stream] = largest - math.lgamma(k - mode + 1) - math.lgamma(a - k + mode + 1) + math.log(total)
