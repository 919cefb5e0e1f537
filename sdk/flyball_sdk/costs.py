"""Costs as programs tell them: a call that was made must not fail by what it is said to have cost."""

from __future__ import annotations

import logging
import math
from typing import Final

_log: Final = logging.getLogger("flyball_sdk")


def known_cost(cost_usd: object) -> float | None:
    """Give USD that can be added up; None, not known, for what is no number from 0, which is logged."""
    if cost_usd is None:
        return None
    try:
        cost = math.nan if isinstance(cost_usd, (str, bytes)) else float(cost_usd)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        cost = math.nan
    if math.isfinite(cost) and cost >= 0:
        return cost
    _log.warning("flyball guard: a cost of %.60r USD is no number from 0, so it counts as not known", cost_usd)
    return None
