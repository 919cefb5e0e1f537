"""Kernels that call kernels: the same results, one executable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.kernels import allocating, kernel, small


@kernel
def _twice(x: Any) -> Any:
    return 2 * x


@small
def _more(x: Any) -> Any:
    return x + 1


@kernel
def _both(x: Any) -> Any:
    return _twice(_more(x)) + _twice(1.5)


@allocating
def _filled(n: Any) -> Any:
    out = np.empty(n, np.int64)
    for i in range(n):
        out[i] = i
    return out


@allocating
def _total(n: Any) -> Any:
    return _filled(n).sum() + _both(n)


@kernel
def _refused(x: Any) -> Any:
    if x < 0:
        raise ValueError("below nought")
    return x


@kernel
def _asks(x: Any) -> Any:
    return _refused(x) + 1


def test_a_kernel_that_others_call_is_a_part_of_them() -> None:
    """It is executable by itself only from when somebody calls it from Python, and then for all that is passed."""
    assert _total(5) == 0 + 1 + 2 + 3 + 4 + 12 + 3
    assert [len(each.signatures) for each in (_total, _filled, _both, _twice)] == [1, 0, 0, 0]
    assert (_twice(4), _twice(0.25), _both(5)) == (8, 0.5, 15)
    assert [len(each.signatures) for each in (_total, _filled, _both, _twice)] == [1, 0, 1, 2]
    assert _filled(3).tolist() == [0, 1, 2]


def test_errors_come_out_of_parts() -> None:
    """What a part raises, its kernel raises."""
    assert _asks(3) == 4
    with pytest.raises(ValueError, match="below nought"):
        _asks(-1)
