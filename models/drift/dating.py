"""Dating: since when a stream is not what it was: the start whose test is strongest, among the looks that are kept.

An estimate, without guarantee by itself (confidence sets: arXiv 2502.06096). Counts since then describe the effect.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def strongest_start(log_e: Any) -> tuple[int, int]:
    """Give (look, bet) of the largest product of e-values from a look on, the last of equals; [bet, look]."""
    backwards = np.cumsum(log_e[:, ::-1], axis=1)
    bet, back = np.unravel_index(int(np.argmax(backwards)), backwards.shape)
    return log_e.shape[1] - 1 - int(back), int(bet)
