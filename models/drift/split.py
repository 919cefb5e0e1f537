"""Split: e-SR without any baseline: was there some time before and after which all counts fit two laws, and not one?

E_s = KT(before s) KT(from s) / max likelihood of all, KT the Dirichlet(1/2) mixture: universal inference. Alarm at
sum_s E_s >= c over the times s that are kept: s while t - s <= 6 * 2**(trailing zeros of s), O(log t) of them.
Guarantee: P(false alarm within n looks) <= n / c, whatever the constant law is, hence ARL >= c / 2. Slower than
`frozen_rate`: for streams without history. detection.md 3.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import gammaln, xlogy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State

_PRIOR = 0.5
_RETENTION = 6
_RING = 4
"""Of times s with equal trailing zeros so many at most are kept at once: they are 2 * 2**zeros apart."""
_ZEROS = 24
"""Times are told apart up to 2**24 looks, 30 years of minutes."""
_LARGEST = 60.0
"""ln E is cut here."""


@dataclass(frozen=True)
class Split:
    """Streams of counts by category, two for (failed, succeeded)."""

    categories: int = 2
    name: str = "split"

    @property
    def columns(self) -> tuple[str, ...]:
        """The categories."""
        return tuple(f"category_{j}" for j in range(self.categories))

    def fit(self, past: NDArray[np.int64]) -> State:
        """Open as many streams as `past` has; it tells nothing else."""
        return start(self.categories, past.shape[1])

    def look(self, state: State, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Take one look."""
        looks, total = state["looks"], state["total"]
        since, before = state["since"], state["before"]
        total += counts
        looks += 1
        kept = (since > 0) & (looks - since <= _RETENTION * (since & -since))
        found: NDArray[np.float64] = np.where(kept, np.exp(np.minimum(_log_e(before, total), _LARGEST)), 0.0).sum(0)
        _keep(state)
        return found

    def restart(self, state: State, which: NDArray[np.bool_]) -> None:
        """Begin anew."""
        for array in state.values():
            array[..., which] = 0


def start(categories: int, streams: int) -> State:
    """Open streams."""
    slots = _RING * _ZEROS
    return {
        "looks": np.zeros(streams, np.int64),
        "total": np.zeros((categories, streams), np.int64),
        "since": np.zeros((slots, streams), np.int64),
        "before": np.zeros((slots, categories, streams), np.int64),
    }


def _keep(state: State) -> None:
    """Keep the present as a time at which the law may have changed."""
    looks = state["looks"]
    zeros = np.minimum(np.log2(looks & -looks).astype(np.int64), _ZEROS - 1)
    slot, streams = zeros * _RING + (looks >> (zeros + 1)) % _RING, np.arange(len(looks))
    state["since"][slot, streams] = looks
    state["before"][slot, :, streams] = state["total"].T


def _log_e(before: Any, total: Any) -> Any:
    """Give ln E [slot, stream]."""
    size = total.sum(axis=0)
    most_likely = (xlogy(total, total) - xlogy(total, size)).sum(axis=0)
    return _log_mixture(before, 1) + _log_mixture(np.maximum(total[None] - before, 0), 1) - most_likely


def _log_mixture(counts: Any, axis: int) -> Any:
    k = counts.shape[axis]
    shares = (gammaln(counts + _PRIOR) - gammaln(_PRIOR)).sum(axis)
    return gammaln(k * _PRIOR) - gammaln(counts.sum(axis) + k * _PRIOR) + shares
