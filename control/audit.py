"""The audit log: a chain of SHA-256 over every entry, and signed checkpoints of it.

An entry is the canonical JSON of {"n", "at", "kind", "tenant", "actor", "what"}; its hash is SHA-256 over the hash
before it and these bytes. A checkpoint signs (n, hash): whoever alters, deletes or reorders entries, or cuts them off
before a checkpoint, needs the key. What lies after the last checkpoint could be cut off or rewritten unseen, so it is
at most `EVERY` entries or `EVERY_S` seconds. More than a crash can leave there is a problem: checkpoints were deleted.
A checkpoint that was exported cannot be taken back at all.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from flyball_sdk.checks import a_count, a_text, wrong
from flyball_sdk.errors import FlyballError
from flyball_sdk.signing import SigningKey, sign_object, verify_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from flyball_sdk.signing import KeyRing

EVERY: Final = 1_000
EVERY_S: Final = 60
MOST_UNSIGNED: Final = 2 * EVERY
"""Entries after the last checkpoint. A life that is killed leaves fewer than `EVERY`, and those after it, where they
end before they have signed anything, a few each."""
MOST_UNSIGNED_S: Final = 2 * EVERY_S
"""Seconds of one life after the last checkpoint: `EVERY_S`, and as much for an upkeep that is late."""
START: Final = bytes(32)
"""The hash before the first entry."""


class Entry(NamedTuple):
    """One entry as it is kept."""

    n: int
    body: bytes
    hash: bytes


class Checkpoint(NamedTuple):
    """A signed place in the chain, as JSON."""

    n: int
    signed: bytes


class Chain:
    """The head of the chain, and what is not written yet. Not thread-safe."""

    def __init__(self, n: int = 0, head: bytes = START, checked: int = 0) -> None:
        self.n, self.head, self.checked = n, head, checked
        self.entries: list[Entry] = []
        self.checkpoints: list[Checkpoint] = []
        self._checked_s = 0.0
        self._key: SigningKey | None = None
        """Once `check` has brought it."""

    def add(self, at: str, kind: str, actor: str, what: dict[str, Any], tenant: str | None = None) -> int:
        """Append; gives its number."""
        self.n += 1
        said = {"n": self.n, "at": at, "kind": kind, "tenant": tenant, "actor": actor, "what": what}
        body = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
        self.head = hashlib.sha256(self.head + body).digest()
        self.entries.append(Entry(self.n, body, self.head))
        if self._key is not None and self.n - self.checked >= EVERY:  # many may come between two looks
            self._sign(at, self._key)
        return self.n

    def check(self, at: str, steady_s: float, key: SigningKey, *, force: bool = False) -> None:
        """Sign a checkpoint if one is due."""
        self._key = key
        if self.n == self.checked:
            self._checked_s = steady_s
            return
        if force or self.n - self.checked >= EVERY or steady_s - self._checked_s >= EVERY_S:
            self._sign(at, key)
            self._checked_s = steady_s

    def _sign(self, at: str, key: SigningKey) -> None:
        self.checkpoints.append(Checkpoint(self.n, sign_checkpoint(self.n, self.head, at, key)))
        self.checked = self.n


def sign_checkpoint(n: int, head: bytes, at: str, key: SigningKey) -> bytes:
    """Sign a place in the chain."""
    return orjson.dumps(sign_object({"n": n, "hash": head.hex(), "at": at, "v": 1}, key))


class Report(NamedTuple):
    """What a verification found; `problems` is empty where all is well."""

    entries: int
    checkpoints: int
    unsigned: int
    """Entries after the last checkpoint."""
    problems: list[str]


def verify(
    entries: Iterable[Entry],
    checkpoints: Sequence[bytes],
    keys: KeyRing,
    anchors: Sequence[bytes] = (),
    exported: Mapping[int, str] | None = None,
) -> Report:
    """Walk the chain. `anchors`: checkpoints that were exported before, which must be in it too.

    `exported`: hashes (hex) of entries by their number, that were exported before: signed or not, they must be in it.
    """
    problems: list[str] = []
    places: dict[int, str] = {}
    _place(checkpoints, keys, places, problems)
    last = max(places, default=0)
    _place(anchors, keys, places, problems)
    left = dict(exported or {})
    tail = _Tail()
    n, head, is_read = 0, START, True
    for entry in entries:
        n += 1
        head = hashlib.sha256(head + entry.body).digest()
        if entry.n != n or _number(entry.body) != n:
            problems.append(f"expected entry {n}, found {entry.n}: entries are missing or out of order")
            is_read = False
            break
        if head != entry.hash:
            problems.append(f"entry {n} was altered, or one before it")
            is_read = False
            break
        if places.pop(n, head.hex()) != head.hex():
            problems.append(f"the checkpoint of entry {n} signs another chain")
        if left.pop(n, head.hex()) != head.hex():
            problems.append(f"entry {n} was exported as another one: it was altered, or one before it")
            left.clear()  # so are all that follow
        if n > last:
            tail.add(entry)
    if is_read:  # else nobody knows what is behind the break
        gone = [at for at in sorted(places) if at > n]
        problems += [f"the checkpoint of entry {at} has no entry: the end was cut off" for at in gone]
    if left and not problems:
        problems.append(f"entry {min(left)} was exported and is not there: the end was cut off")
    return Report(n, len(checkpoints), max(0, n - last), problems + tail.problems())


class _Tail:
    """What comes after the last checkpoint."""

    def __init__(self) -> None:
        self._count = 0
        self._before_s = 0.0
        self._life_s = 0.0
        self._longest_s = 0.0
        self._timeless: int | None = None

    def add(self, entry: Entry) -> None:
        """Take the next entry."""
        self._count += 1
        said = orjson.loads(entry.body)
        try:
            at_s = datetime.fromisoformat(said["at"]).timestamp()
        except (ValueError, KeyError, TypeError):
            self._timeless = self._timeless or entry.n
            return
        # how long it was down before a life says nothing, nor does a clock that was put back
        begins = self._count == 1 or said.get("kind") == "start"
        self._life_s = 0.0 if begins else self._life_s + max(0.0, at_s - self._before_s)
        self._longest_s = max(self._longest_s, self._life_s)
        self._before_s = at_s

    def problems(self) -> list[str]:
        """Say what no crash can have left."""
        found = [] if self._timeless is None else [f"entry {self._timeless} has no time"]
        if self._count > MOST_UNSIGNED:
            found.append(
                f"{self._count} entries after the last checkpoint, more than {MOST_UNSIGNED} never wait for one:"
                " checkpoints were deleted"
            )
        if self._longest_s > MOST_UNSIGNED_S:
            found.append(
                f"{self._longest_s:.0f} s in one life after the last checkpoint, more than {MOST_UNSIGNED_S} s never"
                " pass without one: checkpoints were deleted"
            )
        return found


def _place(signed: Iterable[bytes], keys: KeyRing, places: dict[int, str], problems: list[str]) -> None:
    """Add the hashes that checkpoints sign, by the entry's number."""
    for each in signed:
        try:
            said = _checkpoint(each, keys)
        except (FlyballError, ValueError) as error:
            problems.append(f"a checkpoint does not hold: {error}")
            continue
        if places.setdefault(said["n"], said["hash"]) != said["hash"]:
            problems.append(f"two checkpoints of entry {said['n']} differ")


def _checkpoint(signed: bytes, keys: KeyRing) -> dict[str, Any]:
    """Read a checkpoint; the key signs other words too, which are none. Raises MalformedError, UntrustedError."""
    said = orjson.loads(signed)
    if not isinstance(said, dict):
        raise wrong("checkpoint", "an object", said)
    verify_object(said, keys)
    a_count("checkpoint.n", said.get("n"), 1)
    a_text("checkpoint.hash", said.get("hash"))
    return said


def _number(body: bytes) -> int:
    try:
        said = orjson.loads(body)
        return int(said["n"])
    except (ValueError, KeyError, TypeError):
        return -1
