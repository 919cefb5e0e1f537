"""`flyball replay` prints records as they are, or the report; what a person must know of a file is one line."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from flows.files import CutError, FileError
from flyball import progress
from flyball.cli import main
from flyball.stderr import stderr_held_back

if TYPE_CHECKING:
    from collections.abc import Callable

SUMMARY = {"kind": "summary", "spans": 7, "first_at": None, "last_at": None, "spans_per_s": 1.5}
VALUES = [b'{"kind":"sli","sli":"task_success"}', b'{"kind":"dead_letter","reason":"truncated message"}']


class _Replay:
    """Stands for the dataflow: emits two records in two batches, or fails as it is told."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.given: tuple[Any, ...] = ()
        self.summary: dict[str, object] = SUMMARY
        self.cut: list[CutError] = []

    def __call__(
        self, paths: Any, settings: Any, emit: Callable[[list[Any]], None], progress: Any, cut: list[Any] | None = None
    ) -> SimpleNamespace:
        self.given = (paths, settings, progress)
        for value in VALUES:
            if progress:
                progress(1, len(value))
            emit([SimpleNamespace(topic="t", key=b"k", value=value)])
        if cut is not None:
            cut.extend(self.cut)
        if self.error:
            wrapped = RuntimeError("error calling next_batch")
            raise wrapped from self.error
        return SimpleNamespace(record=lambda: self.summary)


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> _Replay:
    """Put a stand-in in the place of the dataflow, and run without a configuration directory."""
    stand_in, module = _Replay(), ModuleType("flows.replay")
    monkeypatch.setattr(module, "replay", stand_in, raising=False)
    monkeypatch.setitem(sys.modules, "flows.replay", module)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jsonl").touch()
    (tmp_path / "b.jsonl").touch()
    return stand_in


def test_records_are_printed_as_they_are(replay: _Replay, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """--json prints each record's own bytes on a line, the summary last."""
    assert main(["replay", "--json", "a.jsonl", "b.jsonl"]) == 0
    *lines, last = capfdbinary.readouterr().out.splitlines()
    assert lines == VALUES
    assert json.loads(last) == SUMMARY
    assert [path.name for path in replay.given[0]] == ["a.jsonl", "b.jsonl"]


def test_the_report_is_the_default(replay: _Replay, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json the report is printed, and no record."""
    assert main(["replay", "a.jsonl"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("0 runs in a.jsonl")
    assert "1 x truncated message" in out
    assert "{" not in out


def test_the_configuration_is_used(replay: _Replay, tmp_path: Path) -> None:
    """What the configuration says reaches the flow."""
    (tmp_path / "flyball.yaml").write_text("flow: {lateness: 5s}\nruns: {idle: 1m}\n")
    assert main(["replay", "--config", str(tmp_path), "--json", "a.jsonl"]) == 0
    assert replay.given[1].lateness_ns == 5_000_000_000
    assert replay.given[1].runs.idle == 60_000_000_000


def test_a_file_that_cannot_be_read_is_told(replay: _Replay, capsys: pytest.CaptureFixture[str]) -> None:
    """What the engine wraps is told as what it is about: the file."""
    replay.error = FileError("a.jsonl: not a gzip file")
    assert main(["replay", "a.jsonl"]) == 1
    assert capsys.readouterr().err == "flyball: a.jsonl: not a gzip file\n"


def test_a_mistake_of_the_flow_is_raised(replay: _Replay) -> None:
    """An error that nobody foresaw keeps its traceback."""
    replay.error = ZeroDivisionError()
    with pytest.raises(RuntimeError):
        main(["replay", "a.jsonl"])


def test_there_is_no_bar_without_a_terminal(replay: _Replay, capsys: pytest.CaptureFixture[str]) -> None:
    """Into a file or a pipe no progress is written."""
    assert main(["replay", "a.jsonl"]) == 0
    assert replay.given[2] is None
    assert capsys.readouterr().err == ""


def test_the_bar_counts_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the bar goes from nothing to the size of all files, line ends included."""
    (tmp_path / "a.jsonl").write_bytes(b"1234567\n" * 1000)
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")  # whatever the terminal of whoever runs the tests
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(progress, "Console", lambda file: Console(file=out, force_terminal=True, width=100))
    with progress.reading([tmp_path / "a.jsonl"], shown=True) as advance:
        assert advance is not None
        advance(1000, 7000)
    assert "8.0/8.0 kB" in out.getvalue()
    with progress.reading([tmp_path / "a.jsonl"], shown=False) as advance:
        assert advance is None


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "missing.jsonl"])
def test_the_size_may_not_be_known(name: str, tmp_path: Path) -> None:
    """Of compressed files only what was read is shown: their size is no measure of it."""
    if name != "missing.jsonl":
        (tmp_path / name).write_bytes(b"x")
    assert progress._total([tmp_path / name]) is None


@pytest.mark.parametrize(("error", "passed_on"), [(FileError("a.jsonl: torn"), b""), (KeyError("x"), b"panic\n")])
def test_the_backtrace_of_the_engine_is_only_for_mistakes(
    error: Exception, passed_on: bytes, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """What the engine writes to stderr is dropped when a person is told in a line, and shown when it is a mistake."""

    def fail() -> None:
        with stderr_held_back(lambda found: isinstance(found, FileError)):
            os.write(2, b"panic\n")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert capfdbinary.readouterr().err == passed_on


def test_warnings_are_passed_on(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """When all goes well nothing that was written to stderr is lost."""
    with stderr_held_back(lambda found: True):
        os.write(2, b"a warning\n")
    assert capfdbinary.readouterr().err == b"a warning\n"


@pytest.mark.parametrize("name", ["nothing", "."])
def test_what_is_no_file_is_refused_first(name: str, replay: _Replay, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that is not there, or a folder, is told before anything is read."""
    assert main(["replay", "a.jsonl", name]) == 1
    assert capsys.readouterr().err.endswith("expected a file of recorded traces\n")
    assert replay.given == ()


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize(("content", "dead"), [(b"", 0), (b"\n\n", 0), (b"hello\n", 1)])
def test_files_without_otlp_are_refused(
    form: list[str], content: bytes, dead: int, replay: _Replay, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files that hold nothing, or nothing readable, end with exit code 1 and a line; what there is to print is."""
    replay.summary = {**SUMMARY, "spans": 0, "runs": 0, "dead_letters": dead}
    Path("a.jsonl").write_bytes(content)
    assert main(["replay", *form, "a.jsonl"]) == 1
    said = capsys.readouterr()
    assert said.err == "flyball: a.jsonl: nothing in it is OTLP\n"
    assert said.out


def test_log_records_alone_are_no_mistake(replay: _Replay) -> None:
    """A file of which every message could be read is fine, spans or not."""
    replay.summary = {**SUMMARY, "spans": 0, "runs": 0, "dead_letters": 0}
    Path("a.jsonl").write_bytes(b"{}\n")
    assert main(["replay", "a.jsonl", "b.jsonl"]) == 0


@pytest.mark.parametrize("words", [["--json"], []])
def test_a_file_that_is_cut_is_named_after_all_else(
    replay: _Replay, capfd: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """Records, or the report, and the summary are there; then an error says which file could not be read on."""
    replay.cut = [CutError("b.jsonl.gz: ends in the middle of its compressed data")]
    assert main(["replay", "a.jsonl", "b.jsonl", "--quiet", *words]) == 1
    out, err = capfd.readouterr()
    assert err == (
        "flyball: b.jsonl.gz: ends in the middle of its compressed data; what lies before that, and the other files,"
        " count\n"
    )
    assert not words or [json.loads(line)["kind"] for line in out.splitlines()] == ["sli", "dead_letter", "summary"]
    assert words or out
