"""The second person: some commands hold only when two people have asked for the same, within some time."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from flyball_sdk.envelope import Position


class _Asked(NamedTuple):
    person: str
    of: Position
    at_s: float


class SecondPerson:
    """Remembers who asked first, in memory: after a restart both must ask again. Not thread-safe."""

    def __init__(self, within_s: float = 600.0) -> None:
        self.within_s = within_s
        self._asked: dict[str | None, _Asked] = {}

    def ask(self, tenant: str | None, person: str, of: Position, now_s: float) -> str:
        """Ask to end a kill, which is named by its (epoch, seq); gives who had asked first, empty: it is the first.

        A kill that is newer than the first question must be asked for again by both.
        """
        first = self._asked.get(tenant)
        is_another = first is not None and first.of == of and now_s - first.at_s <= self.within_s
        if first is None or not is_another or _plain(first.person) == _plain(person):
            self._asked[tenant] = _Asked(person, of, now_s)  # who asks again has asked now
            return ""
        del self._asked[tenant]
        return first.person


def _plain(name: str) -> str:
    """Give what two ways of writing one name have in common: letters and digits, whatever their case and width."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return "".join(sign for sign in text if sign.isalnum()) or text
