r"""Wildcards for values, as allow-lists need them: `*` stays within one word, `**` goes over everything.

With `*` going over everything, the list ["*@example.com"] would let `a@evil.org, b@example.com` through. So `*` stands
for any characters but blanks, control characters and , ; < > " ' @ / \, `**` for any at all. Matching takes time
proportional to text times pattern, whatever both are.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_APART: Final = frozenset(",;<>\"'@/\\")
LONGEST: Final = 4_096
"""Characters of a value that is compared; a longer one is in no list."""


def allowing(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Make the test that a text is one of an allow-list, by case."""
    exact, globs = frozenset(p for p in patterns if "*" not in p), [_parts(p) for p in patterns if "*" in p]
    return lambda text: text in exact or (len(text) <= LONGEST and any(_matches(glob, text) for glob in globs))


def forbidding(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Make the test that a text is one of those forbidden: case, width and blanks around it do not hide it.

    Here `*` alone is the text `*`, which means all to many tools; other patterns have wildcards.
    """
    plain = [folded(pattern) for pattern in patterns]
    exact = frozenset(p for p in plain if "*" not in p or p == "*")
    globs = [_parts(p) for p in plain if "*" in p and p != "*"]
    return lambda text: (it := folded(text)) in exact or any(_matches(glob, it[:LONGEST]) for glob in globs)


def folded(text: str) -> str:
    """Take away what can hide a word from a comparison."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return text.strip().casefold()


def _parts(pattern: str) -> list[str]:
    """Cut into characters, `*` and `**`."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        size = 2 if pattern.startswith("**", at) else 1
        parts.append(pattern[at : at + size])
        at += size
    return parts


def _matches(parts: list[str], text: str) -> bool:
    """Follow all positions in the pattern at once."""
    places = _closed({0}, parts)
    for char in text:
        apart = char in _APART or char <= " " or char.isspace()
        step = set()
        for place in places:
            part = parts[place] if place < len(parts) else ""
            if part == "**" or (part == "*" and not apart):
                step.add(place)
            elif part == char and part != "*":
                step.add(place + 1)
        places = _closed(step, parts)
        if not places:
            return False
    return len(parts) in places


def _closed(places: set[int], parts: list[str]) -> set[int]:
    """Add the positions that are reached by wildcards that stand for nothing."""
    for place in list(places):
        at = place
        while at < len(parts) and parts[at] in ("*", "**"):
            at += 1
            places.add(at)
    return places
