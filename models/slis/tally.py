"""Tally: the group sum over (SLI x group x row), compiled. Groups are found by hashing once per row and group.

Ratios are added up in a dense matrix [group, SLI]; histograms in a hash of (group, SLI, bin): most bins are empty.
"""
# compiled kernels take arrays one by one, in one loop

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import mix64
from models.kernels import allocating, small
from models.slis.bins import NOTHING
from models.slis.groups import ALONE, cohort_dimension

BAD, GOOD = 0, 1
"""The bins of a ratio."""

_ODD_1, _ODD_2, _ODD_3 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93), np.uint64(0xA0761D6478BD642F)
_BINS = 1 << 16
_HALF = 1 << 15


@small
def _slots(entries: Any) -> Any:
    size = 16
    while size < 2 * entries:
        size *= 2
    return np.full(size, -1, np.int32)


@small
def _group(found: Any, slots: Any, count: Any, workflow: Any, dimension: Any, value: Any, minute: Any) -> Any:
    """Find or make the group; `found` int64 [group, 4]."""
    mask = slots.size - 1
    h = np.uint64(workflow) * _ODD_1 ^ np.uint64(dimension) * _ODD_2 ^ np.uint64(value) * _ODD_3 ^ np.uint64(minute)
    at = np.int64(mix64(h)) & mask
    while True:
        g = slots[at]
        if g < 0:
            found[count, 0], found[count, 1], found[count, 2], found[count, 3] = workflow, dimension, value, minute
            slots[at] = count
            return count
        if found[g, 0] == workflow and found[g, 1] == dimension and found[g, 2] == value and found[g, 3] == minute:
            return g
        at = (at + 1) & mask


@allocating
def groups_of(workflow: Any, minute: Any, dimensions: Any, values: Any, cohort_names: Any, cohort_values: Any) -> Any:
    """Give (groups int64 [g, 4]: workflow, dimension, value, minute; members int64 [m, 2]: row, group).

    `dimensions` [d] are the fixed ones, `values` [d, n] their values, 0 where a row has none; cohorts are [n, c].
    """
    n = workflow.size
    most = n * (1 + dimensions.size + cohort_names.shape[1])
    members = np.empty((most, 2), np.int64)
    found = np.empty((most, 4), np.int64)
    slots = _slots(most)
    m = count = 0
    for row in range(n):
        for k in range(1 + dimensions.size + cohort_names.shape[1]):
            dimension = value = np.int64(ALONE)
            if 0 < k <= dimensions.size:
                dimension, value = dimensions[k - 1], values[k - 1, row]
            elif k > 0:
                value = cohort_values[row, k - 1 - dimensions.size]
                dimension = cohort_dimension(cohort_names[row, k - 1 - dimensions.size])
            if k > 0 and value == 0:
                continue
            g = _group(found, slots, count, workflow[row], dimension, value, minute[row])
            count = max(count, g + 1)
            members[m, 0], members[m, 1] = row, g
            m += 1
    return found[:count], members[:m]


@allocating
def ratio_sums(members: Any, groups: Any, good: Any, bad: Any, weight: Any) -> Any:
    """Add up int64 [group, ratio, BAD | GOOD]."""
    ratios, n = good.shape
    per_row = np.empty((n, ratios, 2), np.int64)
    for row in range(n):
        for r in range(ratios):
            per_row[row, r, BAD], per_row[row, r, GOOD] = bad[r, row] * weight[row], good[r, row] * weight[row]
    sums = np.zeros((groups, ratios, 2), np.int64)
    for m in range(members.shape[0]):
        row, g = members[m, 0], members[m, 1]
        for r in range(ratios):
            sums[g, r, BAD] += per_row[row, r, BAD]
            sums[g, r, GOOD] += per_row[row, r, GOOD]
    return sums


@allocating
def histogram_sums(members: Any, bins: Any, weight: Any) -> Any:
    """Give (keys int64 [k]: (group * histograms + histogram) * 2**16 + bin + 2**15; counts int64 [k])."""
    histograms = bins.shape[0]
    most = members.shape[0] * histograms
    slots = _slots(most)
    mask = slots.size - 1
    keys, counts = np.empty(most, np.int64), np.empty(most, np.int64)
    count = 0
    for m in range(members.shape[0]):
        row, g = members[m, 0], members[m, 1]
        for h in range(histograms):
            if bins[h, row] == NOTHING:
                continue
            key = (g * histograms + h) * _BINS + bins[h, row] + _HALF
            at = np.int64(mix64(np.uint64(key))) & mask
            while slots[at] >= 0 and keys[slots[at]] != key:
                at = (at + 1) & mask
            if slots[at] < 0:
                slots[at] = count
                keys[count], counts[count] = key, 0
                count += 1
            counts[slots[at]] += weight[row]
    return keys[:count], counts[:count]


@allocating
def cells_from(groups: Any, sums: Any, ratios: Any, keys: Any, counts: Any, histograms: Any) -> Any:
    """Lay the sums out as int64 [7, n]: workflow, dimension, value, SLI, minute, bin, count; zero sums are left out."""
    out = np.empty((7, np.count_nonzero(sums) + np.count_nonzero(counts)), np.int64)
    n = 0
    for g in range(sums.shape[0]):
        for r in range(ratios.size):
            for b in range(2):
                if sums[g, r, b] != 0:
                    _lay(out, n, groups, g, ratios[r], b, sums[g, r, b])
                    n += 1
    for k in range(keys.size):
        if counts[k] != 0:
            which, b = keys[k] // _BINS, keys[k] % _BINS - _HALF
            _lay(out, n, groups, which // histograms.size, histograms[which % histograms.size], b, counts[k])
            n += 1
    return out


@small
def _lay(out: Any, n: Any, groups: Any, g: Any, sli: Any, b: Any, count: Any) -> None:
    out[0, n], out[1, n], out[2, n], out[3, n] = groups[g, 0], groups[g, 1], groups[g, 2], sli
    out[4, n], out[5, n], out[6, n] = groups[g, 3], b, count
