"""Kind: how a single value is written, read and shown. A new kind of value is one entry in `KINDS`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flyball.config.secrets import Secret
from flyball.config.units import Clock, Duration, Size, clock, duration, show_clock, show_duration, show_size, size

if TYPE_CHECKING:
    from collections.abc import Callable

_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_NUMBER = re.compile(r"[-+]?([0-9][0-9_]*)(\.[0-9_]*)?([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Kind:
    """`parse` raises ValueError; `show` writes a value as `parse` reads it.

    `quoted`: may stand in quotes. `references`: `${ENV:NAME}` and `${FILE:path}` in it are put in.
    """

    expected: str
    parse: Callable[[str], Any]
    show: Callable[[Any], str] = str
    quoted: bool = True
    references: bool = True
    secret: bool = False  # only by reference, never written out

    @property
    def name(self) -> str:
        """Name the kind, without examples."""
        return self.expected.partition(" such as")[0]


def whole(text: str) -> int:
    """Read a whole number; a leading 0 is refused, which YAML takes for octal."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(text)
    return int(text)


def number(text: str) -> float:
    """Read a decimal number; never infinity or NaN."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    value = float(text)
    if math.isinf(value):  # 1e999
        raise ValueError(text)
    return value


def truth(text: str) -> bool:
    """Read `true` or `false`, and not the other words of YAML 1.1 (`yes`, `on` ...)."""
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def text_of(text: str) -> str:
    """Take a text as it is; an empty one is refused."""
    if not text:
        raise ValueError(text)
    return text


def path_of(text: str) -> Path:
    """Read a path, `~` is the home folder; that of nobody is refused."""
    try:
        return Path(text_of(text)).expanduser()
    except RuntimeError as error:
        raise ValueError(text) from error


def zone_of(text: str) -> ZoneInfo:
    """Read a time zone by its name."""
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(text) from error


KINDS: dict[Any, Kind] = {
    str: Kind("a text", text_of),
    int: Kind("a whole number", whole, quoted=False),
    float: Kind("a number", number, lambda value: f"{value:g}", quoted=False),
    bool: Kind("true or false", truth, lambda value: str(value).lower(), quoted=False),
    Path: Kind("a path", path_of),
    Duration: Kind("a duration such as 250ms, 15m or 1h30m", duration, show_duration),
    Secret: Kind("a reference, ${ENV:NAME} or ${FILE:path}", text_of, lambda _: "…", secret=True),
    Clock: Kind("a time of day such as 07:30, up to 24:00", clock, show_clock),
    ZoneInfo: Kind("an IANA time zone such as Europe/Berlin", zone_of),
    Size: Kind("a size such as 500kB, 16MB or 1GiB", size, show_size),
}
