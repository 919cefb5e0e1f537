"""Units as people write them: durations (`15m`, `250ms`) in ns, sizes (`16MB`) in bytes, times of day in minutes."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NewType

Duration = NewType("Duration", int)
"""Nanoseconds."""

Size = NewType("Size", int)
"""Bytes."""

Clock = NewType("Clock", int)
"""Minute of the day, 0 to 1440."""

_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9}
_DECIMAL = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_BYTES = _DECIMAL | {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|ms|s|m|h|d)")
_CLOCK = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kKMGT]?i?B)")


def duration(text: str) -> Duration:
    """Read a duration, exactly; raises ValueError when it has no unit, or is not a whole number of nanoseconds."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(text)
    return Duration(_whole(text, sum(Fraction(number) * _NS[unit] for number, unit in parts)))


def size(text: str) -> Size:
    """Read a size: kB, MB, GB, TB are powers of 1000, KiB, MiB, GiB, TiB of 1024; raises ValueError."""
    found = _SIZE.fullmatch(text)
    unit = found[2].replace("KB", "kB") if found else ""
    if found is None or unit not in _BYTES:
        raise ValueError(text)
    return Size(_whole(text, Fraction(found[1]) * _BYTES[unit]))


def clock(text: str) -> Clock:
    """Read a time of day, `HH:MM`, up to 24:00; raises ValueError."""
    found = _CLOCK.fullmatch(text)
    minute = int(found[1]) * 60 + int(found[2]) if found else 1441
    if minute > 1440:  # noqa: PLR2004 -- 24 hours
        raise ValueError(text)
    return Clock(minute)


def show_clock(minute: int) -> str:
    """Write a time of day."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def show_duration(ns: int) -> str:
    """Write a duration as `duration` reads it, in the largest units that are exact."""
    parts = []
    for unit, factor in sorted(_NS.items(), key=lambda item: -item[1]):
        if unit != "d":  # 24h reads better than 1d, and is what the documents say
            count, ns = divmod(ns, factor)
            parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def show_size(count: int) -> str:
    """Write a size as `size` reads it, in the largest unit that is exact."""
    unit = max((unit for unit in _BYTES if count % _BYTES[unit] == 0), key=_BYTES.__getitem__) if count else "B"
    return f"{count // _BYTES[unit]}{unit}"


def _whole(text: str, exact: Fraction | int) -> int:
    if int(exact) != exact:
        raise ValueError(text)
    return int(exact)
