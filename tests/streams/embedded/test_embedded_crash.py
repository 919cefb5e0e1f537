"""What was flushed survives SIGKILL; what was torn is cut; what is damaged is said, never skipped in silence."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from streams.embedded import EmbeddedLog, Settings
from streams.port import LostOffsetError

if TYPE_CHECKING:
    from pathlib import Path

WRITER = """
import os, sys
from streams.embedded import EmbeddedLog, Settings
log = EmbeddedLog(sys.argv[1], Settings(segment_bytes=300_000))
log.ensure("t", 2)
writer, number = log.writer(), 0
while True:
    numbers = range(number, number + 20)
    writer.append("t", [(b"%d" % (n % 5), b"%d %d " % (int(sys.argv[2]), n) + b"." * 3000) for n in numbers])
    writer.flush()
    number += 20
    os.write(1, b"%d\\n" % number)
"""
READER = """
import sys
from streams.embedded import EmbeddedLog
readers = [EmbeddedLog(sys.argv[1]).reader("t", p, None) for p in range(2)]
seen = 0
while seen < int(sys.argv[2]):
    for reader in readers:
        for message in reader.poll(100, 1 << 18):
            seen += 1
            assert message.value.endswith(b"." * 3000)
print(seen)
"""


def spawn(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Run code in a process of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def values(log: EmbeddedLog, partition: int) -> list[bytes]:
    """Read a partition from its oldest message."""
    reader = log.reader("t", partition, None)
    found: list[bytes] = []
    while batch := reader.poll(1000, 1 << 20):
        found += [message.value for message in batch]
    reader.close()
    return found


def run_and_kill(path: Path, generation: int, until: int) -> int:
    """Write until `until` messages were acknowledged, kill the writer, and tell how many were."""
    acknowledged = 0
    with spawn(WRITER, path, generation) as process:
        assert process.stdout is not None
        try:
            while acknowledged < until:
                acknowledged = int(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split("\n")[:-1]
    return int(rest[-1]) if rest else acknowledged


def test_acknowledged_messages_survive_sigkill(tmp_path: Path) -> None:
    """Writers are killed in full flight, one after another: each acknowledged message is there once, in order."""
    log = EmbeddedLog(tmp_path)
    acknowledged = [run_and_kill(tmp_path, generation, 300 + 137 * generation) for generation in range(5)]
    found: dict[int, list[int]] = {generation: [] for generation in range(5)}
    for partition in range(2):
        for value in values(log, partition):
            generation, number = value.split()[:2]
            found[int(generation)].append(int(number))
    for generation, numbers in found.items():
        assert len(numbers) == len(set(numbers))
        assert set(numbers) >= set(range(acknowledged[generation]))


def test_readers_in_other_processes_follow_a_writer(tmp_path: Path) -> None:
    """Two reader processes that start before, and follow during, the writing see every message whole."""
    EmbeddedLog(tmp_path).ensure("t", 2)
    with spawn(READER, tmp_path, 3000) as one, spawn(READER, tmp_path, 3000) as two:
        try:
            run_and_kill(tmp_path, 0, 3000)
            for reader in (one, two):
                output, _ = reader.communicate(timeout=60)
                assert int(output) >= 3000
        finally:
            one.kill()
            two.kill()


def test_two_writer_processes_at_once(tmp_path: Path) -> None:
    """Processes that write one topic at the same time lose nothing of each other."""
    EmbeddedLog(tmp_path).ensure("t", 2)
    with spawn(WRITER, tmp_path, 1) as other:
        try:
            mine = run_and_kill(tmp_path, 0, 1000)
        finally:
            other.kill()
        output, _ = other.communicate()
    theirs = max([int(line) for line in output.split("\n")[:-1] if line], default=0)
    log = EmbeddedLog(tmp_path)
    numbers: dict[int, set[int]] = {0: set(), 1: set()}
    for value in values(log, 0) + values(log, 1):
        generation, number = map(int, value.split()[:2])
        numbers[generation].add(number)
    assert numbers[0] >= set(range(mine))
    assert numbers[1] >= set(range(theirs))


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """Give the folder of a log with the messages a, b, c in one segment."""
    log = EmbeddedLog(tmp_path / "log")
    log.ensure("t", 1)
    writer = log.writer()
    for value in (b"a" * 40, b"b" * 40, b"c" * 40):
        writer.append("t", [(b"k", value)])
        writer.flush()
    writer.close()
    return tmp_path / "log"


def segment(path: Path) -> Path:
    """Name the first segment file."""
    return path / "t" / "0" / f"{0:020d}.log"


def test_torn_tail_is_cut_at_every_length(three: Path, tmp_path: Path) -> None:
    """Whatever part of a dead writer's last write reached the file: it is never read, and d follows c."""
    whole = segment(three).read_bytes()
    frame = len(whole) // 3
    for length in range(frame):
        path = tmp_path / f"cut-{length}"
        shutil.copytree(three, path)
        with segment(path).open("ab") as file:
            file.write(whole[:length])  # of a frame with the wrong offset: even whole it would not pass
        log = EmbeddedLog(path)
        assert [value[:1] for value in values(log, 0)] == [b"a", b"b", b"c"]
        writer = log.writer()
        writer.append("t", [(None, b"d")])
        writer.flush()
        assert [value[:1] for value in values(log, 0)] == [b"a", b"b", b"c", b"d"]
        shutil.rmtree(path)


def test_whole_message_of_a_dead_writer_is_kept(three: Path) -> None:
    """A writer that died between the write and telling readers leaves a whole message: it gets its turn."""
    end = three / "t" / "0" / "end"
    end.write_bytes((2).to_bytes(8, sys.byteorder))
    log = EmbeddedLog(three)
    assert len(values(log, 0)) == 2
    writer = log.writer()
    writer.append("t", [(None, b"d")])
    writer.flush()
    assert [value[:1] for value in values(log, 0)] == [b"a", b"b", b"c", b"d"]


@pytest.mark.parametrize("kept", [0, 30, 75, 150])
def test_offsets_lost_with_the_power_are_said(three: Path, kept: int) -> None:
    """Where files hold less than was promised, readers are told, and the offsets are never given out again."""
    os.truncate(segment(three), kept)
    log = EmbeddedLog(three)
    with pytest.raises(LostOffsetError):
        values(log, 0)
    writer = log.writer()
    writer.append("t", [(None, b"d")])
    writer.flush()
    with pytest.raises(LostOffsetError, match="go on at 3"):
        values(log, 0)
    reader = log.reader("t", 0, 3)
    assert [(message.offset, message.value) for message in reader.poll(9, 999)] == [(3, b"d")]


def test_every_damaged_byte_is_noticed(three: Path) -> None:
    """Whatever byte of a message is changed: what precedes it is read, then the damage is said."""
    whole = segment(three).read_bytes()
    frame = len(whole) // 3
    for position in range(frame, 2 * frame):
        damaged = bytearray(whole)
        damaged[position] ^= 0x40
        segment(three).write_bytes(damaged)
        reader = EmbeddedLog(three).reader("t", 0, None)
        assert [message.value[:1] for message in reader.poll(9, 999)] == [b"a"]
        with pytest.raises(LostOffsetError, match="offset 1 is lost"):
            reader.poll(9, 999)
        reader.close()


def test_fsync_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fsync=True each flush syncs the file it wrote; without it none does."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    for fsync in (False, True):
        log = EmbeddedLog(tmp_path / str(fsync), Settings(fsync=fsync))
        log.ensure("t", 1)
        writer = log.writer()
        writer.append("t", [(None, b"x")])
        writer.flush()
        assert bool(synced) is fsync
