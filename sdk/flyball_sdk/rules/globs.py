r"""Wildcards for values, as allow-lists need them: `*` stays within one word, `**` goes over everything.

With `*` going over everything, the list ["*@example.com"] would let `a@evil.org, b@example.com` through. So `*` stands
for any characters but blanks, control characters and , ; < > " ' @ / \, `**` for any at all. Matching takes time
proportional to text times pattern, whatever both are.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_APART: Final = re.compile(r"""[\s\x00-\x20,;<>"'@/\\]""")
LONGEST: Final = 4_096
"""Characters of a value that is compared; a longer one is in no list."""


def allowing(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Make the test that a text is one of an allow-list, by case."""
    exact, globs = _cut(patterns)
    return lambda text: text in exact or (len(text) <= LONGEST and globs.any_matches(text))


def forbidding(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Make the test that a text is one of those forbidden: case, width and blanks around it do not hide it.

    Here `*` alone is the text `*`, which means all to many tools; other patterns have wildcards.
    """
    plain = [folded(pattern) for pattern in patterns]
    exact, globs = _cut(pattern for pattern in plain if pattern != "*")
    if "*" in plain:
        exact |= {"*"}
    return lambda text: (it := folded(text)) in exact or globs.any_matches(it[:LONGEST])


class _Globs:
    """Patterns with wildcards. Those of one wildcard, which most are, are looked for by what stands around it."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._one: list[tuple[str, str, bool]] = []  # (before, after, over everything)
        self._more: list[list[str]] = []
        rests = set()
        for pattern in patterns:
            parts = _parts(pattern)
            stars = [part for part in parts if part in ("*", "**")]
            before, _, after = pattern.partition(stars[0])
            if len(stars) > 1:
                self._more.append(parts)
            elif stars[0] == "*" and not before and after and _APART.match(after):
                rests.add(after)  # as *@example.com: all before the first @ is the word, all from it the rest
            else:
                self._one.append((before, after, stars[0] == "**"))
        self._rests = frozenset(rests)

    def any_matches(self, text: str) -> bool:
        """Tell whether one of them is the text."""
        if self._rests and (end := _APART.search(text)) is not None and text[end.start() :] in self._rests:
            return True
        for before, after, everything in self._one:
            if text.startswith(before) and text.endswith(after) and len(text) >= len(before) + len(after):
                apart = None if everything else _APART.search(text, len(before), len(text) - len(after))
                if apart is None:
                    return True
        return any(_matches(parts, text) for parts in self._more) if self._more else False


def _cut(patterns: Iterable[str]) -> tuple[frozenset[str], _Globs]:
    known = list(patterns)
    return frozenset(p for p in known if "*" not in p), _Globs(p for p in known if "*" in p)


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
        apart = _APART.match(char) is not None
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
