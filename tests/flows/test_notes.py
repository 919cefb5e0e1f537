"""Notes: what may have been told is owed until two snapshots of one life lie after it."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from flows.journal import JournalError
from flows.notes import Notes

if TYPE_CHECKING:
    from pathlib import Path


def life(folder: Path) -> Notes:
    """Begin another life."""
    return Notes(folder, "told")


def owed(folder: Path) -> list[bytes]:
    """Give what the next life would tell again."""
    return list(life(folder).owed())


def test_notes_are_let_go_of_two_snapshots_after_their_interval(tmp_path: Path) -> None:
    """A snapshot is only known to be committed when the one after it is taken."""
    notes = life(tmp_path)
    notes.note(b"a", b"b")
    for _ in range(2):
        notes.turn()
        assert owed(tmp_path) == [b"a", b"b"]
    notes.turn()
    assert owed(tmp_path) == []


def test_lives_that_die_young_owe_what_those_before_them_noted(tmp_path: Path) -> None:
    """However many lives noted, and took a snapshot that was never committed: no one may let go of anything."""
    said = []
    for number in range(9):
        notes = life(tmp_path)
        said.append(b"%d" % number)
        notes.note(said[-1])
        notes.turn()
        notes.turn()
        assert owed(tmp_path) == said


def test_a_life_that_lasts_lets_go_of_all_that_was_before_it(tmp_path: Path) -> None:
    """Its third snapshot shows that its second is committed, and so its first."""
    for number in range(5):
        life(tmp_path).note(b"%d" % number)
    notes = life(tmp_path)
    for _ in range(2):
        notes.turn()
        assert len(owed(tmp_path)) == 5
    notes.turn()
    assert owed(tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_a_torn_note_was_not_told(tmp_path: Path) -> None:
    """The write of a note may end anywhere."""
    life(tmp_path).note(b"whole", b"torn")
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    assert owed(tmp_path) == [b"whole"]


def test_a_note_that_was_not_written_whole_is_not_told(tmp_path: Path) -> None:
    """On a full disk a part of it may be: then the flow ends before it tells, as where a journal cannot be written."""
    notes = life(tmp_path)
    notes.note(b"whole")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
    try:
        with pytest.raises(JournalError, match="wrote 11 of 104 bytes: is the disk full"):
            notes.note(b"x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert owed(tmp_path) == [b"whole"]
