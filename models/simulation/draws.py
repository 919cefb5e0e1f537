"""Counted random draws: the n-th draw of a key is a hash of both, so no draw depends on how many came before it.

That is what keeps runs apart: another workflow, rate or incident changes no draw of a run that it does not touch.
SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014), with the
finaliser of `models.digest`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from models.digest import digest_of, mix64
from models.kernels import allocating

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEP = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(11)
_TO_UNIT = 2.0**-53


def stream_of(seed: int, name: str) -> int:
    """Give the key of everything called `name` under this seed, as an int64."""
    return digest_of(f"{seed}/{name}")


@allocating
def keys_of(stream: Any, first: Any, count: Any) -> Any:
    """Give the uint64 keys of members first .. first + count - 1 of a stream."""
    keys = np.empty(count, np.uint64)
    for i in range(count):
        keys[i] = mix64(np.uint64(stream) ^ mix64(np.uint64(first + i) + _STEP))
    return keys


@allocating
def bits(keys: Any, purpose: Any) -> Any:
    """Give 64 random bits for each key, as int64 and never 0."""
    drawn = np.empty(len(keys), np.int64)
    for i in range(len(keys)):
        drawn[i] = np.int64(mix64(keys[i] ^ mix64(np.uint64(purpose) * _STEP)))
        drawn[i] += drawn[i] == 0
    return drawn


@allocating
def uniforms(keys: Any, purpose: Any) -> Any:
    """Give one float64 in [0, 1) for each key; draws for different purposes are independent."""
    drawn = np.empty(len(keys), np.float64)
    for i in range(len(keys)):
        drawn[i] = np.float64(mix64(keys[i] ^ mix64(np.uint64(purpose) * _STEP)) >> _SHIFT) * _TO_UNIT
    return drawn


@allocating
def next_bits(state: Any) -> Any:
    """Draw 64 bits and step `state` (uint64[1])."""
    state[0] += _STEP
    return mix64(state[0])


@allocating
def next_unit(state: Any) -> Any:
    """Draw a float64 in [0, 1)."""
    return np.float64(next_bits(state) >> _SHIFT) * _TO_UNIT


@allocating
def next_spread(state: Any, median: Any, sigma: Any) -> Any:
    """Draw from the log-normal of this median and this deviation of the logarithm (Box-Muller)."""
    radius = math.sqrt(-2.0 * math.log(1.0 - next_unit(state)))
    return median * math.exp(sigma * radius * math.cos(2.0 * math.pi * next_unit(state)))


def chosen(drawn: NDArray[np.float64], weights: tuple[float, ...]) -> NDArray[np.int64]:
    """Turn uniform draws into positions, each as likely as its weight."""
    edges = np.cumsum(np.asarray(weights, np.float64))
    return np.minimum(np.searchsorted(edges / edges[-1], drawn, side="right"), len(weights) - 1)
