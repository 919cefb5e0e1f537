"""`flyball records` prints what a topic of the log holds."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from flyball.cli import main
from streams.opening import open_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run without a configuration directory; the command leaves a signal as it was, also at an error."""
    monkeypatch.chdir(tmp_path)
    yield
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN


def test_records_come_oldest_first(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Records of all partitions are printed in the order in which the log took them."""
    log = open_log(f"embedded:{tmp_path}/d/log")
    log.ensure("flyball.runs", 4)
    writer = log.writer()
    lines = [b'{"run":%d}' % number for number in range(20)]
    for number, line in enumerate(lines):
        writer.append("flyball.runs", [(b"key %d" % number, line)])
        writer.flush()
    writer.close()
    log.close()
    assert main(["records", "flyball.runs", "--data", "d"]) == 0
    assert capfdbinary.readouterr().out.splitlines() == lines


@pytest.mark.parametrize(("topic", "told"), [("runs", "expected one of flyball.runs"), ("flyball.slis", "not there")])
def test_missing_topics_are_told(topic: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A topic that Flyball does not write, or has not written yet, is told in a line."""
    assert main(["records", topic]) == 1
    assert told in capsys.readouterr().err
