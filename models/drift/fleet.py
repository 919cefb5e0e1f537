"""Fleet: whom to page, of very many streams at once, under any dependence between them. e-d-BH.

Of N streams the r with the most evidence are told, for the greatest r with M_(r) >= patience * N / (alpha * r).
Guarantee: error over patience <= alpha: within `patience` looks the expected share of false ones among the streams
told is at most alpha, whatever they share (models, providers, incidents). arXiv 2501.04130; detection.md 3.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHA = 0.1


def told(evidence: Any, streams: int, alpha: float = ALPHA) -> NDArray[np.bool_]:
    """Say which to tell. `evidence` is M over the patience, in looks of that stream's clock.

    Streams with less evidence than 1 / alpha may be left out of `evidence`, but count in `streams`.
    """
    evidence = np.asarray(evidence, float)
    order = np.argsort(-evidence, kind="stable")
    enough = evidence[order] * alpha * np.arange(1, len(order) + 1) >= streams
    out = np.zeros(len(order), np.bool_)
    out[order[: int(np.flatnonzero(enough).max(initial=-1)) + 1]] = True
    return out
