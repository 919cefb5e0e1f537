# ruff: noqa: PLR2004 - compiled kernels: state in arguments, constants of IEEE 754
"""JSON numbers to integers and doubles, compiled.

A number is read as `digits * 10**exponent` with up to 19 significant digits (20 while they fit 64 bits). Integers are
exact. Doubles are correctly rounded while no digit was dropped, and else within 1 unit in the last place: Lemire,
"Number Parsing at a Gigabyte per Second" (Software: Practice and Experience 51, 2021), and Mushtak and Lemire, "Fast
Number Parsing Without Fallback" (2023), which proves that the 128-bit product always decides.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import load64
from models.kernels import kernel
from models.spans.json_bits import bits_of_double, high64, leading_zeros
from models.spans.json_errors import BAD_NUMBER, NOT_WHOLE, OUT_OF_RANGE

_TOP = np.uint64(0xFFFFFFFFFFFFFFFF)
_ZERO, _ONE, _TEN = np.uint64(0), np.uint64(1), np.uint64(10)
_LAST_TENTH = np.uint64(0xFFFFFFFFFFFFFFFF // 10)
_HIGH_NIBBLES = np.uint64(0xF0F0F0F0F0F0F0F0)
_ASCII_DIGITS = np.uint64(0x3030303030303030)
_SIXES = np.uint64(0x0606060606060606)
_MAX_EXPONENT = 100_000  # far beyond any double: more digits of an exponent change nothing

_SMALLEST, _LARGEST = -342, 308  # powers of ten beyond which every double is 0 or infinite
_INFINITE = np.uint64(0x7FF0000000000000)
_SIGN = np.uint64(1 << 63)
_MANTISSA_BITS = 52
_HIDDEN = np.uint64(1 << _MANTISSA_BITS)
_PRECISION_MASK = _TOP >> np.uint64(_MANTISSA_BITS + 3)
_EXACT_INTEGER = np.uint64(1 << 53)
_EXACT_POWERS = 10.0 ** np.arange(23)  # the powers of ten that are doubles


def _power_of_five(q: int) -> int:
    """Give 5**q as a 128-bit integer whose top bit is set: rounded down, for a negative q rounded up."""
    if q >= 0:
        power = int(5**q)
        return power << (128 - power.bit_length()) if power.bit_length() < 128 else power >> (power.bit_length() - 128)
    power = int(5**-q)
    z = (power - 1).bit_length()
    c = (1 << (z + 127 if q >= -27 else 2 * z + 128)) // power + 1
    return c >> max(0, c.bit_length() - 128)


_FIVES = np.array(
    [[p >> 64, p & 0xFFFFFFFFFFFFFFFF] for p in map(_power_of_five, range(_SMALLEST, _LARGEST + 1))], dtype=np.uint64
)


@kernel
def eight_digits(word: Any) -> Any:
    """Say whether the 8 bytes of a little-endian word are all ASCII digits."""
    return ((word & _HIGH_NIBBLES) | (((word + _SIXES) & _HIGH_NIBBLES) >> np.uint64(4))) == np.uint64(
        0x3333333333333333
    )


@kernel
def value_of_eight(word: Any) -> Any:
    """Give the value of 8 ASCII digits, first digit in the lowest byte, by three multiplications."""
    word = word - _ASCII_DIGITS
    word = word * _TEN + (word >> np.uint64(8))
    low = (word & np.uint64(0x000000FF000000FF)) * np.uint64(0x000F424000000064)
    high = ((word >> np.uint64(16)) & np.uint64(0x000000FF000000FF)) * np.uint64(0x0000271000000001)
    return (low + high) >> np.uint64(32)


@kernel
def _run_of_digits(buffer: Any, p: Any, digits: Any, exponent: Any, dropped: Any, fraction: Any) -> Any:
    """Add the decimal digits at `p` to `digits`; those that no longer fit move the exponent or are dropped."""
    if digits < np.uint64(100_000_000_000):  # 11 digits and 8 more always fit
        word = load64(buffer, p)
        if eight_digits(word):
            digits = digits * np.uint64(100_000_000) + value_of_eight(word)
            p += 8
            if fraction:
                exponent -= 8
    while True:
        digit = np.uint64(buffer[p]) - np.uint64(48)
        if digit > np.uint64(9):
            return p, digits, exponent, dropped
        p += 1
        if digits < _LAST_TENTH or (digits == _LAST_TENTH and digit <= np.uint64(5)):
            digits = digits * _TEN + digit
            if fraction:
                exponent -= 1
        else:
            if digit != _ZERO:
                dropped = True
            if not fraction:
                exponent += 1


@kernel
def read_number(buffer: Any, p: Any) -> Any:
    """Read the JSON number at `p`: (position behind it or -code, negative, digits, exponent, dropped).

    The caller sees to it that some byte that is no part of a number follows before the end of the message.
    """
    digits, exponent, dropped = _ZERO, np.int64(0), False
    negative = buffer[p] == 45
    if negative:
        p += 1
    first = p
    p, digits, exponent, dropped = _run_of_digits(buffer, p, digits, exponent, dropped, fraction=False)
    if p == first or (buffer[first] == 48 and p > first + 1):
        return np.int64(-BAD_NUMBER), negative, digits, exponent, dropped
    if buffer[p] == 46:
        first = p + 1
        p, digits, exponent, dropped = _run_of_digits(buffer, first, digits, exponent, dropped, fraction=True)
        if p == first:
            return np.int64(-BAD_NUMBER), negative, digits, exponent, dropped
    if buffer[p] == 101 or buffer[p] == 69:
        p, power = _read_exponent(buffer, p + 1)
        exponent += power
    return p, negative, digits, exponent, dropped


@kernel
def _read_exponent(buffer: Any, p: Any) -> Any:
    """Read the exponent behind its `e`: (position behind it or -code, exponent)."""
    power = np.int64(0)
    minus = buffer[p] == 45
    if minus or buffer[p] == 43:
        p += 1
    first = p
    while 48 <= buffer[p] <= 57:
        if power < _MAX_EXPONENT:
            power = power * 10 + np.int64(buffer[p]) - 48
        p += 1
    if p == first:
        return np.int64(-BAD_NUMBER), power
    return p, -power if minus else power


@kernel
def whole(digits: Any, exponent: Any, dropped: Any) -> Any:
    """Give `digits * 10**exponent` as (0, uint64), or (code, 0) when it is no integer or does not fit."""
    if digits == _ZERO:
        return 0, _ZERO
    while exponent < 0:
        if dropped or digits % _TEN != _ZERO:
            return NOT_WHOLE, _ZERO
        digits //= _TEN
        exponent += 1
    while exponent > 0:
        if digits > _LAST_TENTH:
            return OUT_OF_RANGE, _ZERO
        digits *= _TEN
        exponent -= 1
    return (OUT_OF_RANGE, _ZERO) if dropped else (0, digits)


@kernel
def double_bits(negative: Any, digits: Any, exponent: Any) -> Any:
    """Give the IEEE 754 bits of `digits * 10**exponent`, rounded to nearest even; infinite where it overflows."""
    if digits <= _EXACT_INTEGER and -22 <= exponent <= 22:
        value = np.float64(digits)
        value = value * _EXACT_POWERS[exponent] if exponent >= 0 else value / _EXACT_POWERS[-exponent]
        bits = bits_of_double(value)
    else:
        bits = _rounded(digits, exponent)
    return bits | _SIGN if negative else bits


@kernel
def _rounded(digits: Any, q: Any) -> Any:
    """Round `digits * 10**q` by the leading 128 bits of the product (names as in the papers)."""
    if digits == _ZERO or q < _SMALLEST:
        return _ZERO
    if q > _LARGEST:
        return _INFINITE
    lz = leading_zeros(digits)
    w = digits << np.uint64(lz)
    low, high = w * _FIVES[q - _SMALLEST, 0], high64(w, _FIVES[q - _SMALLEST, 0])
    if (high & _PRECISION_MASK) == _PRECISION_MASK:
        carry = high64(w, _FIVES[q - _SMALLEST, 1])
        low += carry
        if carry > low:
            high += _ONE
    upper = np.int64(high >> np.uint64(63))
    shift = np.uint64(upper + 64 - _MANTISSA_BITS - 3)
    mantissa = high >> shift
    power = ((217_706 * q) >> 16) + 63 + upper - lz + 1023  # 217706 / 2**16 is log2(10), exact enough for every q
    if power <= 0:
        return _subnormal(mantissa, power)
    halfway = low <= _ONE and -4 <= q <= 23 and (mantissa & np.uint64(3)) == _ONE
    if halfway and (mantissa << shift) == high:
        mantissa &= ~_ONE
    mantissa = (mantissa + (mantissa & _ONE)) >> _ONE
    if mantissa >= _HIDDEN << _ONE:
        mantissa = _HIDDEN
        power += 1
    if power >= 2047:
        return _INFINITE
    return (mantissa & ~_HIDDEN) | (np.uint64(power) << np.uint64(_MANTISSA_BITS))


@kernel
def _subnormal(mantissa: Any, power: Any) -> Any:
    """Finish the rounding of a number below the smallest normal double; rounding up may make it normal."""
    if 1 - power >= 64:
        return _ZERO
    mantissa >>= np.uint64(1 - power)
    return (mantissa + (mantissa & _ONE)) >> _ONE  # bit 52, if set, is the exponent of the smallest normal double
