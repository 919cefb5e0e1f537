"""Figures in words: numbers as people read them, rounded so that they never say what is not so."""

from __future__ import annotations

import math
from string import Formatter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MOST_DIGITS = 9
_NOTHING = 1e-9
"""What is nearer to nothing, or to all, is it: the last bits of a float."""
_CENTS = 2


def percent(ratio: float, digits: int = 1) -> str:
    """Write a share without its sign, as 12.3: what is not quite all is never 100, what is not quite nothing never 0.

    So many digits behind the point, more where they would say so: 0.9996 is 100.0 no more than it is 100.
    """
    for whole in 0.0, 1.0:
        if abs(ratio - whole) < _NOTHING:
            return f"{100 * whole:.{digits}f}"
        while digits < _MOST_DIGITS and round(100 * ratio, digits) == 100 * whole:
            digits += 1
    return f"{100 * ratio:.{digits}f}"


def usd(amount: float) -> str:
    """Write dollars without their sign: cents, and of less than ten of them two digits that count, as 0.0031."""
    if abs(amount) < _NOTHING:
        return f"{0:.{_CENTS}f}"
    return f"{amount:.{max(_CENTS, 1 - math.floor(math.log10(abs(amount))))}f}"


def number(value: float) -> str:
    """Write a count or size in full, thousands apart: never as 3.75012e+06."""
    return f"{value:,.12g}"


def about(value: float, digits: int = 3) -> str:
    """Write a number to so many digits that count, in full: 12,300, never 1.23e+04; a small one as 0.00123."""
    if not value or not math.isfinite(value):
        return f"{value:g}"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    text = f"{rounded:,.{max(0, places)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def written(template: str, values: Mapping[str, Any]) -> str:
    """Fill in a text as `str.format` does; `{x:usd}` and `{x:full}` write a number as `usd` and `number` do."""
    return _WORDS.vformat(template, (), values)


class _Words(Formatter):
    def format_field(self, value: Any, spec: str) -> str:
        form = _FORMS.get(spec)
        return form(value) if form else str(super().format_field(value, spec))


_FORMS: Mapping[str, Callable[[float], str]] = {"usd": usd, "full": number}
_WORDS = _Words()
