"""The journal of a shard: positions name exact states, whatever was written after them."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import journal as module
from flows.journal import Journal, JournalError, Restored

if TYPE_CHECKING:
    from pathlib import Path


class Notes:
    """A state that is a list of byte strings."""

    def __init__(self, notes: list[bytes]) -> None:
        self.notes = notes
        self.told = len(notes)

    def take_delta(self) -> bytes:
        """Give the new notes, joined."""
        new, self.told = self.notes[self.told :], len(self.notes)
        return b"".join(note + b"\n" for note in new)

    def dump(self) -> bytes:
        """Give all notes, joined."""
        return b"".join(note + b"\n" for note in self.notes)

    def append(self, journal: Journal) -> bytes:
        """Journal what changed."""
        return journal.append(self.take_delta(), self.dump)


def restored(folder: Path, position: bytes) -> Notes:
    """Read the notes at a position."""
    found = Journal(folder).restore(position)
    return Notes(((found.base or b"") + b"".join(found.deltas)).splitlines())


def test_position_names_the_state_then(tmp_path: Path) -> None:
    """Each position gives the state at its append, also after later appends."""
    journal, notes = Journal(tmp_path), Notes([])
    positions = []
    for number in range(5):
        notes.notes.append(b"%d" % number)
        positions.append(notes.append(journal))
    for number, position in enumerate(positions):
        assert restored(tmp_path, position).notes == [b"%d" % n for n in range(number + 1)]


def test_tail_of_a_dead_life_is_never_read(tmp_path: Path) -> None:
    """A life that goes on from an older position doesn't inherit what was journaled after it."""
    first, notes = Journal(tmp_path), Notes([b"a"])
    position = notes.append(first)
    notes.notes.append(b"lost")
    notes.append(first)

    second = Journal(tmp_path)
    again = Notes(restored(tmp_path, position).notes)
    second.restore(position)
    again.notes.append(b"b")
    assert restored(tmp_path, again.append(second)).notes == [b"a", b"b"]
    assert restored(tmp_path, position).notes == [b"a"]


def test_each_life_has_a_higher_generation(tmp_path: Path) -> None:
    """Generations number the lives of a shard, also when no snapshot was ever committed."""
    seen = []
    for _ in range(3):
        journal = Journal(tmp_path)
        seen.append(journal.generation)
        journal.append(b"", lambda: b"base")
    assert seen == [0, 1, 2]


def test_old_generations_go_when_no_resume_can_name_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotation keeps the older file for one more snapshot, then deletes it."""
    monkeypatch.setattr(module, "ROTATE_BYTES", 10)
    journal, notes = Journal(tmp_path), Notes([b"x"])
    counts = []
    for _ in range(40):
        notes.notes.append(b"y" * 5)
        position = notes.append(journal)
        assert restored(tmp_path, position).notes == notes.notes
        counts.append(len(list(tmp_path.glob("*.journal"))))
    assert max(counts) == 2
    assert journal.generation > 2


@pytest.mark.parametrize("damage", ["missing", "short", "flipped"])
def test_damage_is_loud(tmp_path: Path, damage: str) -> None:
    """A journal that doesn't reach the position, or was changed, stops the start with the file's name."""
    journal = Journal(tmp_path)
    position = journal.append(b"", lambda: b"state")
    path = next(tmp_path.glob("*.journal"))
    raw = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(raw[:-1] if damage == "short" else raw[:-1] + b"?")
    with pytest.raises(JournalError, match=path.name):
        Journal(tmp_path).restore(position)


def test_generations_of_version_1_are_read(tmp_path: Path) -> None:
    """What was written with the checksum of version 1 is there after an upgrade, and damage in it is still loud."""
    frames = [struct.pack("<II", len(part), zlib.crc32(part)) + part for part in (b"base", b"delta")]
    path = tmp_path / "00000003.journal"
    path.write_bytes(b"".join(frames))
    position = struct.pack("<BQQ", 1, 3, len(b"".join(frames)))
    assert Journal(tmp_path).restore(position) == Restored(b"base", [b"delta"])
    path.write_bytes(b"".join(frames)[:-1] + b"?")
    with pytest.raises(JournalError, match=path.name):
        Journal(tmp_path).restore(position)


@given(steps=st.lists(st.sampled_from(["note", "snapshot", "crash"]), max_size=40))
def test_crash_anywhere(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    """Whatever the order of notes, snapshots and crashes, a restart finds exactly the last snapshot."""
    folder = tmp_path_factory.mktemp("journal")
    journal, notes = Journal(folder), Notes([])
    position: bytes | None = None
    kept: list[bytes] = []
    for number, step in enumerate(steps):
        if step == "note":
            notes.notes.append(b"%d" % number)
        elif step == "snapshot":
            position, kept = notes.append(journal), list(notes.notes)
        else:
            journal = Journal(folder)
            if position is None:
                notes = Notes([])
            else:
                found = journal.restore(position)
                notes = Notes(((found.base or b"") + b"".join(found.deltas)).splitlines())
            assert notes.notes == kept
