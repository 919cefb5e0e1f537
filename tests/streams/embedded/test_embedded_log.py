"""The embedded log keeps what it was given, in order, and says what it no longer has."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import closing
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.embedded import EmbeddedLog, Settings, segments
from streams.port import LogError, LostOffsetError, UndeliveredError

if TYPE_CHECKING:
    from pathlib import Path

    from streams.port import Log, Message, Reader

SECOND = 10**9


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * SECOND

    def __call__(self) -> int:
        """Read it."""
        return self.now


def read_all(reader: Reader, max_messages: int = 1000, max_bytes: int = 1 << 20) -> list[Message]:
    """Poll until nothing comes."""
    found: list[Message] = []
    while batch := reader.poll(max_messages, max_bytes):
        found += batch
    return found


def values(log: Log, topic: str, partition: int = 0, offset: int | None = None) -> list[bytes]:
    """Read the values of a partition."""
    reader = log.reader(topic, partition, offset)
    try:
        return [message.value for message in read_all(reader)]
    finally:
        reader.close()


message_lists = st.lists(st.tuples(st.none() | st.binary(max_size=4), st.binary(max_size=300)), max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    batches=st.lists(message_lists, max_size=8),
    partitions=st.integers(1, 4),
    segment_bytes=st.sampled_from([1, 200, 1 << 20]),
    reopen=st.booleans(),
    max_messages=st.integers(1, 5),
    max_bytes=st.sampled_from([1, 100, 1 << 20]),
)
def test_gives_back_what_was_appended(
    batches: list[list[tuple[bytes | None, bytes]]],
    partitions: int,
    segment_bytes: int,
    reopen: bool,  # noqa: FBT001 - hypothesis passes by name
    max_messages: int,
    max_bytes: int,
) -> None:
    """Whatever the batches, segments, writers, poll sizes: each partition gives its messages once, in order."""
    with TemporaryDirectory() as folder:
        log = EmbeddedLog(folder, Settings(segment_bytes=segment_bytes))
        log.ensure("t", partitions)
        writer = log.writer()
        for batch in batches:
            writer.append("t", batch)
            writer.flush()
            if reopen:
                writer.close()
                writer = log.writer()
        writer.close()
        by_partition = [read_all(log.reader("t", p, None), max_messages, max_bytes) for p in range(partitions)]
    for messages in by_partition:
        assert [message.offset for message in messages] == list(range(len(messages)))
    given_back = [(m.key, m.value) for messages in by_partition for m in messages]
    appended = [pair for batch in batches for pair in batch]
    assert sorted(given_back, key=repr) == sorted(appended, key=repr)
    order: dict[bytes | None, list[bytes]] = defaultdict(list)
    for key, value in appended:
        order[key].append(value)
    for key in order.keys() - {None}:
        holders = [messages for messages in by_partition if any(m.key == key for m in messages)]
        assert len(holders) == 1
        assert [m.value for m in holders[0] if m.key == key] == order[key]


def test_starts_at_any_offset(tmp_path: Path) -> None:
    """A reader opened at an offset gives exactly what follows, across segments."""
    log = EmbeddedLog(tmp_path, Settings(segment_bytes=200))
    log.ensure("t", 1)
    writer = log.writer()
    for number in range(40):
        writer.append("t", [(None, b"%d" % number)])
        writer.flush()
    assert len(list((tmp_path / "t" / "0").glob("*.log"))) > 4
    for offset in range(41):
        assert values(log, "t", 0, offset) == [b"%d" % number for number in range(offset, 40)]


def test_poll_bounds(tmp_path: Path) -> None:
    """A poll gives no more messages and bytes than asked for, but always one, however large."""
    log = EmbeddedLog(tmp_path)
    log.ensure("t", 1)
    writer = log.writer()
    writer.append("t", [(None, b"x" * 10), (None, b"y" * 10), (None, b"z" * 6_000_000), (None, b"")])
    writer.flush()
    reader = log.reader("t", 0, None)
    assert [len(m.value) for m in reader.poll(1, 1000)] == [10]
    assert [len(m.value) for m in reader.poll(10, 12)] == [10]
    assert [len(m.value) for m in reader.poll(10, 1)] == [6_000_000]
    assert [len(m.value) for m in reader.poll(10, 1)] == [0]
    assert len(reader.poll(10, 1)) == 0


def test_lag_counts_what_was_not_given(tmp_path: Path) -> None:
    """Lag is exact at every step, and a reader sees what is appended after it was opened."""
    log = EmbeddedLog(tmp_path)
    log.ensure("t", 1)
    reader = log.reader("t", 0, None)
    assert (reader.lag(), len(reader.poll(9, 9))) == (0, 0)
    writer = log.writer()
    writer.append("t", [(None, b"a"), (None, b"b"), (None, b"c")])
    assert reader.lag() == 0
    writer.flush()
    assert reader.lag() == 3
    assert [m.value for m in reader.poll(1, 99)] == [b"a"]
    assert reader.lag() == 2
    assert [m.value for m in reader.poll(9, 99)] == [b"b", b"c"]
    assert reader.lag() == 0


def test_two_writers_take_turns(tmp_path: Path) -> None:
    """Writers of one topic, in any order and across new segments, never overwrite each other."""
    log = EmbeddedLog(tmp_path, Settings(segment_bytes=150))
    log.ensure("t", 1)
    writers = [log.writer(), log.writer(), log.writer()]
    turns = [0, 1, 1, 0, 2, 0, 1, 2, 2, 0] * 5
    for number, turn in enumerate(turns):
        writers[turn].append("t", [(None, b"%d" % number)])
        writers[turn].flush()
        if number % 7 == 0:
            log.retain()
    assert values(log, "t") == [b"%d" % number for number in range(50)]


def test_retention_by_size(tmp_path: Path) -> None:
    """The files stay within the bound (and one segment), the newest messages stay, and the lost offset is said."""
    bound = 40_000
    log = EmbeddedLog(tmp_path, Settings(max_bytes=bound))
    log.ensure("t", 1)
    early = log.reader("t", 0, 0)
    writer = log.writer()
    for number in range(200):
        writer.append("t", [(None, b"%d" % number + b"." * 997)])
        writer.flush()
        assert sum(file.stat().st_size for file in (tmp_path / "t").rglob("*.log")) <= bound + bound // 4 + 2000
    kept = values(log, "t")
    assert 25 <= len(kept) <= 50
    assert kept[-1].startswith(b"199.")
    with pytest.raises(LostOffsetError, match=f"go on at {200 - len(kept)}"):
        early.poll(10, 1000)
    with pytest.raises(LostOffsetError):
        values(log, "t", 0, 3)


def test_retention_by_age(tmp_path: Path) -> None:
    """Messages go a little after their age, also when nobody writes; the end offset never goes back."""
    clock = Clock()
    log = EmbeddedLog(tmp_path, Settings(max_age_ns=100 * SECOND), now_ns=clock)
    log.ensure("t", 1)
    writer = log.writer()
    for number in range(20):
        writer.append("t", [(None, b"%d" % number)])
        writer.flush()
        clock.now += 20 * SECOND
    kept = [int(value) for value in values(log, "t")]
    assert kept == list(range(kept[0], 20))
    assert 11 <= kept[0] <= 15  # written at 20 s a message: 5 of them are younger than 100 s, and a segment spans 25 s
    clock.now += 1000 * SECOND
    for segment in (tmp_path / "t" / "0").glob("*.log"):
        os.utime(segment, (1_700_000_400, 1_700_000_400))
    log.retain()
    assert values(log, "t") == []
    writer.append("t", [(None, b"new")])
    writer.flush()
    reader = log.reader("t", 0, None)
    assert [(m.offset, m.value) for m in reader.poll(9, 99)] == [(20, b"new")]


def test_reader_survives_deletion_under_it(tmp_path: Path) -> None:
    """A reader in a segment that retention deletes ends that segment, then says what is lost."""
    log = EmbeddedLog(tmp_path, Settings(max_bytes=4000))
    log.ensure("t", 1)
    writer = log.writer()
    writer.append("t", [(None, b"%d" % number) for number in range(8)])
    writer.flush()
    reader = log.reader("t", 0, 0)
    assert [m.value for m in reader.poll(2, 99)] == [b"0", b"1"]
    for _ in range(30):
        writer.append("t", [(None, b"." * 900)])
        writer.flush()
    assert not (tmp_path / "t" / "0" / f"{0:020d}.log").exists()
    assert [m.value for m in reader.poll(99, 99)][:6] == [b"%d" % number for number in range(2, 8)]
    with pytest.raises(LostOffsetError, match="retention"):
        read_all(reader)


def test_the_oldest_is_what_is_oldest_when_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention deletes the oldest segment between the look and the opening: reading begins at the next one."""
    log = EmbeddedLog(tmp_path, Settings(segment_bytes=1))
    log.ensure("t", 1)
    writer = log.writer()
    for value in (b"a", b"b", b"c"):
        writer.append("t", [(None, value)])
        writer.flush()
    writer.close()
    first, *rest = segments.bases(tmp_path / "t" / "0")
    seen = iter([[first, *rest]])
    monkeypatch.setattr(segments, "bases", lambda folder: next(seen, rest))
    segments.path_of(tmp_path / "t" / "0", first).unlink()
    assert [message.offset for message in read_all(log.reader("t", 0, None))][:1] == rest[:1]


@pytest.mark.parametrize("offset", [1, 5, -1])
def test_offset_beyond_the_end(tmp_path: Path, offset: int) -> None:
    """An offset that was never given out is lost, not the end."""
    log = EmbeddedLog(tmp_path)
    log.ensure("t", 1)
    with pytest.raises(LostOffsetError, match="beyond the end"):
        log.reader("t", 0, offset).poll(1, 1)


def test_ensure_keeps_what_is_there(tmp_path: Path) -> None:
    """Ensuring a topic again changes nothing, whatever number of partitions is said."""
    log = EmbeddedLog(tmp_path)
    assert log.partitions("t") == 0
    log.ensure("t", 3)
    log.ensure("t", 5)
    assert EmbeddedLog(tmp_path).partitions("t") == 3


def test_missing_topics_and_bad_names(tmp_path: Path) -> None:
    """A missing topic, a missing partition and a name that leaves the folder are refused."""
    log = EmbeddedLog(tmp_path)
    log.ensure("t", 1)
    with pytest.raises(LogError, match="1 partitions, none of number 1"):
        log.reader("t", 1, None)
    with pytest.raises(LogError, match="no topic 'u'"):
        log.writer().append("u", [(None, b"")])
    for name in ("../t", "", ".hidden", "a/b", "a b"):
        with pytest.raises(ValueError, match="no topic name"):
            log.ensure(name, 1)


def test_backlog_counts_from_the_commit(tmp_path: Path) -> None:
    """The backlog is unknown until someone commits, then exact over all partitions."""
    log = EmbeddedLog(tmp_path)
    log.ensure("t", 2)
    writer = log.writer()
    writer.append("t", [(None, b"x")] * 10)
    writer.flush()
    assert log.backlog("t") is None
    log.commit("t", {0: 2})
    assert log.backlog("t") == 3 + 5
    log.commit("t", {1: 5})
    assert log.backlog("t") == 3


def test_too_large_a_message_is_refused_whole(tmp_path: Path) -> None:
    """A batch with a message beyond the bound is refused before anything of it is queued."""
    log = EmbeddedLog(tmp_path, Settings(max_message_bytes=10))
    log.ensure("t", 1)
    writer = log.writer()
    with pytest.raises(ValueError, match="11 bytes; at most 10"):
        writer.append("t", [(None, b"fits"), (b"k", b"0123456789")])
    writer.close()
    assert values(log, "t") == []


def test_a_full_disk_is_said_and_leaves_no_half_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a write fails half-way flush raises, and the partition continues without a trace of it."""
    log = EmbeddedLog(tmp_path)
    log.ensure("t", 1)
    writer = log.writer()
    writer.append("t", [(None, b"one")])
    writer.flush()
    real_write, calls = os.write, []

    def failing_write(descriptor: int, content: bytes) -> int:
        calls.append(1)
        if len(calls) == 1:
            return real_write(descriptor, bytes(content[:7]))
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", failing_write)
        writer.append("t", [(None, b"two")])
        with pytest.raises(UndeliveredError, match="No space left"):
            writer.flush()
    assert values(log, "t") == [b"one"]
    writer.append("t", [(None, b"three")])
    writer.flush()
    assert values(log, "t") == [b"one", b"three"]


def test_settings_are_checked() -> None:
    """A bound of nothing is refused."""
    with pytest.raises(ValueError, match="max_bytes must be positive, not 0"):
        Settings(max_bytes=0)


def test_an_offset_by_time_leaves_nothing_out(tmp_path: Path) -> None:
    """From the offset of a time every message that was appended then or later is read, and not much before it."""
    clock = iter(range(0, 10**6, 10))
    log = EmbeddedLog(tmp_path, Settings(segment_bytes=200), now_ns=lambda: next(clock))
    log.ensure("t", 1)
    writer = log.writer()
    for number in range(60):
        writer.append("t", [(None, b"%d" % number)])
        writer.flush()
    times = [message.appended_ns for message in log.reader("t", 0, None).poll(1, 1) or ()]
    found: list[Message] = []
    reader = log.reader("t", 0, None)
    while messages := reader.poll(100, 1 << 20):
        found += messages
    assert times == [found[0].appended_ns]
    for message in found:
        offset = log.offset_at("t", 0, message.appended_ns) or 0
        assert message.offset - 20 <= offset <= message.offset
    assert log.offset_at("t", 0, 0) is None
    assert (log.offset_at("t", 0, 10**9) or 0) > 40


def test_the_first_message_of_a_partition_comes_while_a_reader_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lies in no segment that was listed, and is not skipped for that."""
    log = EmbeddedLog(tmp_path)
    log.ensure("t", 1)
    bases = segments.bases

    def listed(folder: Path) -> list[int]:
        found = bases(folder)
        monkeypatch.setattr(segments, "bases", bases)
        with closing(log.writer()) as writer:
            writer.append("t", [(None, b"first")])
            writer.flush()
        return found

    monkeypatch.setattr(segments, "bases", listed)
    with closing(log.reader("t", 0, None)) as reader:
        assert [message.value for message in reader.poll(10, 1000)] == [b"first"]
