"""From pulses to spend: signed amounts by scope and quarter of an hour, which add up to what was spent.

A run's whole spend lies where it began: its first quarter of an hour, its workflow, tenant and user. What becomes
known later (an earlier start, a name) moves all of it: minus where it lay, plus where it lies. So any order gives the
same sums.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from models.runs.pulse import NAMES, NEW_RUN, Pulse

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARDS = 8
QUARTER_S = 900
"""Seconds; every time zone is a multiple of it away from UTC."""
_QUARTER_NS = QUARTER_S * 1_000_000_000


class Level(IntEnum):
    """Whose spend it is."""

    PRODUCT = 0
    WORKFLOW = 1
    TENANT = 2
    USER = 3


class Spend(IntEnum):
    """Column of a spend row: names are digests (0: of the product, or not known), money is nano-USD."""

    LEVEL = 0
    ID = 1
    TENANT = 2  # of a user: whose user; else 0
    TIER = 3  # of a user: the plan said last; else 0
    QUARTER = 4  # Unix time in quarters of an hour
    COST = 5
    TOKENS = 6
    RUNS = 7


_KEY = 5
_P = Pulse
_BEFORE = (_P.BEFORE_WORKFLOW, _P.BEFORE_TENANT, _P.BEFORE_USER, _P.TIER, _P.BEFORE_BEGAN, _P.BEFORE_COST)
_NOW = (_P.WORKFLOW, _P.TENANT, _P.USER, _P.TIER, _P.BEGAN, _P.COST)
_NAMES_BEFORE, _NAMES = NAMES[:3], NAMES[3:]
_WORKFLOW, _TENANT, _USER, _TIER, _BEGAN, _COST, _TOKENS, _RUNS = range(8)


def spend_rows(pulses: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give [row, Spend]: one row a scope and quarter of an hour in which the sum changed."""
    amounts = _changes(pulses)
    few = _without_users(amounts)
    levels = [summed(_of_level(few, level), _KEY) for level in (Level.PRODUCT, Level.WORKFLOW, Level.TENANT)]
    rows = np.concatenate((*levels, summed(_of_level(amounts, Level.USER), _KEY)))
    return rows[np.any(rows[:, _KEY:] != 0, axis=1)]


def names_of(pulses: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the names in pulses, once each: those in force, and those that were before others."""
    now, before = pulses[:, _NAMES], pulses[:, _NAMES_BEFORE]
    renamed = before != now[:, : len(_NAMES_BEFORE)]
    return np.unique(np.concatenate((now.ravel(), before[renamed])))


def moving(pulses: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the pulses that change a sum or a pace: most only tell of spans that cost nothing."""
    before, now = (*_BEFORE, _P.BEFORE_TOKENS, _P.BEFORE_LLM_CALLS), (*_NOW, _P.TOKENS, _P.LLM_CALLS)
    return pulses[
        np.logical_or.reduce([pulses[:, was] != pulses[:, is_] for was, is_ in zip(before, now, strict=True)])
    ]


def parts_of(rows: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """Part spend rows by shard: all rows of one scope go to one."""
    shards = (rows[:, Spend.ID] ^ rows[:, Spend.TENANT]) & (SHARDS - 1)
    return {shard: rows[shards == shard] for shard in np.unique(shards).tolist()}


def _changes(pulses: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give signed amounts: what is new where a run lies as it lay; else minus where it lay, and plus where it lies."""
    now, before = _amounts(pulses, 1), _amounts(pulses, -1)
    known = pulses[:, _P.BEFORE_BEGAN] != NEW_RUN
    stays = known & np.all(now[:, :_COST] == before[:, :_COST], axis=1)
    now[stays, _COST:] += before[stays, _COST:]
    return np.concatenate((before[known & ~stays], now))


def _amounts(pulses: NDArray[np.int64], sign: int) -> NDArray[np.int64]:
    columns, tokens = (_BEFORE, _P.BEFORE_TOKENS) if sign < 0 else (_NOW, _P.TOKENS)
    out = np.empty((len(pulses), 8), np.int64)
    out[:, : _COST + 1] = pulses[:, columns]
    out[:, _BEGAN] //= _QUARTER_NS
    out[:, _COST] *= sign
    out[:, _TOKENS], out[:, _RUNS] = sign * pulses[:, tokens], sign
    return out


def _without_users(amounts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add up what lies alike but for the user: runs and users are many, workflows and tenants are not."""
    out = amounts.copy()
    out[:, _USER : _TIER + 1] = 0
    mixed = (out[:, _WORKFLOW] * 31 + out[:, _TENANT]) * 31 + out[:, _BEGAN]  # one number sorts five times as fast
    return _runs_summed(out[np.argsort(mixed)], _KEY)  # two places with one number stand mixed: then a sum is in parts


def _of_level(amounts: NDArray[np.int64], level: Level) -> NDArray[np.int64]:
    """Give the rows of one level; what belongs to no one at that level is left out."""
    ids = {Level.WORKFLOW: _WORKFLOW, Level.TENANT: _TENANT, Level.USER: _USER}
    if level is not Level.PRODUCT:
        amounts = amounts[amounts[:, ids[level]] != 0]
    out = np.zeros((len(amounts), len(Spend)), np.int64)
    out[:, Spend.LEVEL] = level
    if level is not Level.PRODUCT:
        out[:, Spend.ID] = amounts[:, ids[level]]
    if level is Level.USER:
        out[:, Spend.TENANT], out[:, Spend.TIER] = amounts[:, _TENANT], amounts[:, _TIER]
    out[:, Spend.QUARTER :] = amounts[:, _BEGAN:]
    return out


def summed(rows: NDArray[np.int64], key: int, newest: int | None = None) -> NDArray[np.int64]:
    """Add up rows whose first `key` columns are equal; of the column `newest` the greatest is taken."""
    return _runs_summed(rows[np.lexsort(rows[:, :key].T)], key, newest)


def _runs_summed(rows: NDArray[np.int64], key: int, newest: int | None = None) -> NDArray[np.int64]:
    """Add up neighbours whose first `key` columns are equal."""
    if not len(rows):
        return rows
    first = np.flatnonzero(np.r_[True, np.any(rows[1:, :key] != rows[:-1, :key], axis=1)])
    out = rows[first]
    out[:, key:] = np.add.reduceat(rows[:, key:], first, axis=0)
    if newest is not None:
        out[:, newest] = np.maximum.reduceat(rows[:, newest], first)
    return out
