"""The journal of a shard: positions name exact states, whatever was written after them."""

from __future__ import annotations

import struct
import threading
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from flows import journal as module
from flows.journal import Journal, JournalError, Restored

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
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


class Slow(module._Bases):
    """Writes bases when told to."""

    def __init__(self) -> None:
        super().__init__(apart_s=0.0)
        self.may = threading.Semaphore(0)
        self.begun = 0

    @override
    def write(self, path: Path, base: module.Base, *, fsync: bool) -> Future[int]:
        self._pool.submit(self.may.acquire)
        self.begun += 1
        return super().write(path, base, fsync=fsync)

    def let(self) -> None:
        """Let one be written, and wait until it is."""
        self.may.release()
        self._pool.submit(lambda: None).result(10)

    @override
    def drop(self, paths: list[Path]) -> Future[None]:
        dropped = super().drop(paths)
        dropped.result(10)
        return dropped


@pytest.fixture
def bases(monkeypatch: pytest.MonkeyPatch) -> Slow:
    """Give journals that are soon too long, and bases that take as long as a test says."""
    bases = Slow()
    monkeypatch.setattr(module, "ROTATE_BYTES", 10)
    monkeypatch.setattr(module, "_BASES", bases)
    return bases


@pytest.mark.parametrize("waits", [0, 1, 5])
def test_old_generations_go_when_no_resume_can_name_them(tmp_path: Path, bases: Slow, waits: int) -> None:
    """A new base is written meanwhile; then the older file is kept for one more snapshot, and deleted."""
    journal, notes = Journal(tmp_path), Notes([b"x"])
    counts, begun, waited = [], 0, 0
    for _ in range(60):
        notes.notes.append(b"y" * 5)
        position = notes.append(journal)
        assert restored(tmp_path, position).notes == notes.notes
        counts.append(len(list(tmp_path.glob("*.journal"))))
        waited += bases.begun > begun
        if waited > waits:
            bases.let()
            begun, waited = bases.begun, 0
    assert max(counts) <= 3  # the one before, the one that goes on, the next
    assert journal.generation > 2


def test_a_picture_becomes_bytes_in_the_thread(tmp_path: Path, bases: Slow) -> None:
    """It is of the time it was taken; what is noted meanwhile follows it."""
    journal, notes, by = Journal(tmp_path), Notes([b"x"]), set()

    def picture() -> Callable[[], bytes]:
        then = notes.dump()

        def made() -> bytes:
            by.add(threading.get_ident())
            return then

        return made

    for _ in range(12):
        notes.notes.append(b"y" * 5)
        position = journal.append(notes.take_delta(), picture)
        assert restored(tmp_path, position).notes == notes.notes
    assert by == {threading.get_ident()}  # the first base: nothing goes on before it
    bases.let()
    notes.notes.append(b"z")
    assert restored(tmp_path, journal.append(notes.take_delta(), picture)).notes == notes.notes
    assert len(by) == 2
    bases.let()


def test_bases_take_turns(tmp_path: Path, bases: Slow) -> None:
    """While one is written, no other journal makes one; afterwards it does."""
    journals = [(Journal(tmp_path / name), Notes([b"x"])) for name in "ab"]
    for _ in range(20):
        for journal, notes in journals:
            notes.notes.append(b"y" * 5)
            notes.append(journal)
    assert bases.begun == 1
    bases.let()
    for journal, notes in journals:
        notes.append(journal)
    assert bases.begun == 2
    bases.let()


def test_a_journal_dropped_while_its_base_is_written_writes_into_no_other_file(tmp_path: Path, bases: Slow) -> None:
    """The next life goes on from the position; whatever the thread still writes is never read, and goes."""
    journal, notes = Journal(tmp_path), Notes([b"x"])
    while not bases.begun:
        notes.notes.append(b"y" * 5)
        position = notes.append(journal)
    del journal
    again, second = Notes(restored(tmp_path, position).notes), Journal(tmp_path)
    second.restore(position)
    other = tmp_path / "other"
    with other.open("wb") as opened:  # under the number of a descriptor that the first one had
        bases.let()
        opened.write(b"mine")
    assert other.read_bytes() == b"mine"
    for _ in range(3):
        again.notes.append(b"z")
        assert restored(tmp_path, again.append(second)).notes == again.notes
    assert len(list(tmp_path.glob("*.journal"))) == 1


def test_a_base_that_cannot_be_written_stops_the_flow(tmp_path: Path, bases: Slow) -> None:
    """At the next append, with the error; the position before it is still good."""
    journal, notes = Journal(tmp_path), Notes([b"x"])
    while not bases.begun:
        notes.notes.append(b"y" * 5)
        position = notes.append(journal)
    max(tmp_path.glob("*.journal")).unlink()
    bases.let()
    kept = list(notes.notes)
    with pytest.raises(OSError, match="journal"):
        notes.append(journal)
    assert restored(tmp_path, position).notes == kept


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


@given(
    steps=st.lists(st.sampled_from(["note", "snapshot", "crash"]), max_size=40), rotate=st.sampled_from([10, 1 << 20])
)
def test_crash_anywhere(tmp_path_factory: pytest.TempPathFactory, steps: list[str], rotate: int) -> None:
    """Whatever the order of notes, snapshots and crashes, a restart finds exactly the last snapshot."""
    folder = tmp_path_factory.mktemp("journal")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROTATE_BYTES", rotate)
        crash_anywhere(folder, steps)


def crash_anywhere(folder: Path, steps: list[str]) -> None:
    """Do these."""
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
