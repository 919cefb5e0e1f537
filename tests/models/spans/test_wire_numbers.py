"""Numbers as attributes carry them: whole, floating, as text."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from models.digest import SLACK
from models.spans.pointers import pointer_to
from models.spans.wire_values import DOUBLE, INT, STRING, to_integer


@njit
def _read(array: Any, kind: int, a: int, b: int, scale: int, signed: bool) -> Any:  # noqa: FBT001
    return to_integer(pointer_to(array), kind, a, b, scale, signed)


def read(value: str | float, scale: int = 0, *, signed: bool = True) -> int | None:
    """Read a value as a number times 10**scale; None where it is not one."""
    raw = value.encode() if isinstance(value, str) else b""
    buffer = np.frombuffer(bytearray(raw + b"9" * SLACK), np.uint8)
    if isinstance(value, str):
        number, fine = _read(buffer, STRING, 0, len(raw), scale, signed)
    elif isinstance(value, int):
        number, fine = _read(buffer, INT, value, 0, scale, signed)
    else:
        number, fine = _read(buffer, DOUBLE, int(np.float64(value).view(np.int64)), 0, scale, signed)
    return int(number) if fine else None


@pytest.mark.parametrize(
    ("text", "scale", "expected"),
    [
        ("12", 0, 12),
        (" 12 ", 0, 12),
        ("0.00008355", 9, 83_550),
        ("1e-9", 9, 1),
        ("4e-10", 9, 0),
        ("5e-10", 9, 1),
        ("-5e-10", 9, -1),
        ("+1.5", 0, 2),
        (".5", 0, 1),
        ("1.", 0, 1),
        ("1E3", 0, 1000),
        ("9000000000000000000", 0, 9 * 10**18),
        ("9000000000000000001", 0, None),
        ("0.1234567890123456789012", 9, 123_456_789),
        ("0" * 400 + "7", 0, 7),
        ("0e99999999999999999999", 9, 0),
        ("1e-99999999999999999999", 9, 0),
        ("1e99999999999999999999", 0, None),
        *(
            (text, 0, None)
            for text in ("", " ", ".", "-", "1e", "1e+", "0x10", "1_000", "12a", "nan", "inf", "1.2.3", "- 1")
        ),
    ],
)
def test_texts_are_read_as_numbers(text: str, scale: int, expected: int | None) -> None:
    """A decimal text is read exactly, rounded half away from zero; what is not one whole number of it is none."""
    assert read(text, scale) == expected


@settings(deadline=None, max_examples=500)
@given(st.decimals(allow_nan=False, allow_infinity=False), st.sampled_from([0, 6, 9]))
def test_decimal_texts_are_exact(number: Decimal, scale: int) -> None:
    """Any decimal number is read as the decimal module rounds it."""
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    if abs(exponent) > 4000:
        return
    exact = number.scaleb(scale, Context(prec=9000)).to_integral_value(ROUND_HALF_UP, Context(prec=9000))
    assert read(str(number), scale) == (int(exact) if abs(exact) <= 9 * 10**18 else None)


@settings(deadline=None)
@given(st.floats())
def test_doubles_are_rounded_to_nano(number: float) -> None:
    """A double is scaled and rounded; one that is not finite or too large is no number."""
    size = abs(number) * 1e9
    expected = int(np.floor(size + 0.5)) * (-1 if number < 0 else 1) if size < 9e18 else None
    assert read(number, 9) == expected


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_stay(number: int) -> None:
    """A whole number is itself, up to 9e18; scaled, only if it fits."""
    assert read(number) == (number if abs(number) <= 9 * 10**18 else None)
    assert read(number, 9) == (number * 10**9 if abs(number) <= 9 * 10**9 else None)


def test_negative_counts_are_no_numbers() -> None:
    """Where a number cannot be negative, a negative one is not known."""
    for value in (-1, -1.0, "-1"):
        assert read(value, signed=False) is None
        assert read(value) == -1
