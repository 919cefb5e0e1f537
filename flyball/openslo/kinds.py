"""Kinds of values in OpenSLO files: names, durations in shorthand, exact decimals, prose, wall-clock times."""

from __future__ import annotations

import re
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple, NewType

from flyball.config.kinds import KINDS, Kind, text_of

Name = NewType("Name", str)
"""A name of RFC 1123: at most 63 lower case letters, digits and dashes."""

Decimal = NewType("Decimal", Fraction)
"""An exact fraction, read from decimal text: 0.999 is 999/1000."""

Prose = NewType("Prose", str)
"""Text for people; nothing in it is put in or looked at."""

Description = NewType("Description", str)
"""Prose of at most 1050 characters."""

WallClock = NewType("WallClock", str)
"""A date and time of day without a time zone, "YYYY-MM-DD HH:MM:SS"."""

MAX_NAME = 63
MAX_DESCRIPTION = 1050
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SHORTHAND = re.compile(r"(0|[1-9][0-9]{0,6})([mhdwMQY])")
_DECIMAL = re.compile(r"-?([0-9]{1,12}(\.[0-9]{1,12})?|\.[0-9]{1,12})")
_FIXED_S = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Shorthand(NamedTuple):
    """OpenSLO's duration: a count and one of m h d w M Q Y (minutes to years; case tells m from M)."""

    number: int
    unit: str

    @property
    def seconds(self) -> int | None:
        """Give the length; None for months, quarters and years, which have no fixed one."""
        return self.number * _FIXED_S[self.unit] if self.unit in _FIXED_S else None

    def __str__(self) -> str:
        """Write it as it is read."""
        return f"{self.number}{self.unit}"


SliceLength = NewType("SliceLength", Shorthand)
"""A duration in shorthand, or a number of minutes."""


def name_of(text: str) -> str:
    """Read a name; raises ValueError."""
    if not _NAME.fullmatch(text):
        raise ValueError(text)
    return text


def shorthand(text: str) -> Shorthand:
    """Read a duration; raises ValueError."""
    found = _SHORTHAND.fullmatch(text)
    if not found:
        raise ValueError(text)
    return Shorthand(int(found[1]), found[2])


def slice_length(text: str) -> Shorthand:
    """Read a duration, a bare number as minutes; raises ValueError."""
    return shorthand(f"{text}m" if text.isdecimal() else text)


def decimal(text: str) -> Fraction:
    """Read a decimal number exactly; raises ValueError. No exponents: they could be endless."""
    if not _DECIMAL.fullmatch(text):
        raise ValueError(text)
    return Fraction(text)


def description(text: str) -> str:
    """Take a text of at most 1050 characters; raises ValueError."""
    if len(text) > MAX_DESCRIPTION:
        raise ValueError(text)
    return text


def wall_clock(text: str) -> str:
    """Read a date and time; raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").isoformat(sep=" ")  # noqa: DTZ007 -- has no zone


KINDS |= {
    Name: Kind("a name of lower case letters, digits and inner dashes, at most 63", name_of, references=False),
    Decimal: Kind(
        "a decimal number of at most 12 digits before and after the point",
        decimal,
        lambda value: f"{float(value):g}",
        quoted=False,
    ),
    Prose: Kind("a text", text_of, references=False),
    Description: Kind(f"at most {MAX_DESCRIPTION} characters", description, references=False),
    WallClock: Kind("a date and time YYYY-MM-DD HH:MM:SS, without a time zone", wall_clock),
    Shorthand: Kind("a duration: a whole number and one of m h d w M Q Y, such as 30d", shorthand),
    SliceLength: Kind("a duration such as 5m, or a number of minutes", slice_length),
}
