"""The command line tells people what is wrong in a line, and lets mistakes of its own be seen."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from flyball.cli import main
from flyball.commands import COMMANDS, check
from flyball.errors import CommandError, find_cause, message_for_people
from streams.port import LostOffsetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Give a function that makes `flyball check` fail with an error."""

    def fail_with(error: BaseException) -> None:
        def run(args: Any) -> int:
            raise error

        monkeypatch.setattr(check, "run", run)

    return fail_with


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (CommandError("found x, expected y"), "flyball: found x, expected y\n"),
        (LostOffsetError("spans/0: offset 5 is gone"), "flyball: spans/0: offset 5 is gone\n"),
        (FileNotFoundError(2, "No such file or directory", "a.jsonl"), "flyball: a.jsonl: No such file or directory\n"),
        (OSError("address in use"), "flyball: address in use\n"),
    ],
)
def test_what_people_can_mend_is_told_in_a_line(
    error: Exception, told: str, failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors about files, addresses, logs and what was asked for have no traceback; the exit code is 1."""
    failing(error)
    assert main(["check"]) == 1
    assert capsys.readouterr().err == told


def test_a_wrapped_error_is_found(failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]) -> None:
    """What the engine wraps is told as what it was."""
    wrapped = RuntimeError("error calling next_batch")
    wrapped.__cause__ = CommandError("the file is empty")
    failing(wrapped)
    assert main(["check"]) == 1
    assert capsys.readouterr().err == "flyball: the file is empty\n"


def test_mistakes_of_our_own_are_raised(failing: Callable[[BaseException], None]) -> None:
    """An error that nobody foresaw keeps its traceback."""
    failing(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["check"])


def test_interrupting_is_no_error(failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends with the shell's exit code for it, and says nothing."""
    failing(KeyboardInterrupt())
    assert main(["check"]) == 130
    assert capsys.readouterr().err == ""


def test_causes_that_go_round_end() -> None:
    """A chain of causes that comes back to itself is walked once."""
    error, other = ValueError(), TypeError()
    error.__cause__, other.__cause__ = other, error
    assert find_cause(error, TypeError) is other
    assert find_cause(error, KeyError) is None
    assert message_for_people(error) is None


_HELP = """
import sys
from flyball.cli import main
try:
    main(["--help"])
finally:
    print("loaded:", *({"numpy", "numba", "polars", "bytewax", "confluent_kafka", "httpx"} & set(sys.modules)))
"""


def test_help_comes_at_once() -> None:
    """The help of all commands loads nothing that takes time to load."""
    shown = subprocess.run([sys.executable, "-c", _HELP], check=True, capture_output=True, text=True).stdout
    assert shown.splitlines()[-1].strip() == "loaded:"
    assert [name for name in COMMANDS if name not in shown] == []


def test_output_may_end_early(tmp_path: Path) -> None:
    """A reader that has had enough, as `head`, ends a command without a word on stderr."""
    shell = f"{sys.executable} -m flyball check {tmp_path} | true; exit ${{PIPESTATUS[0]}}"
    (tmp_path / "flyball.yaml").write_text("".join(f"key_{number}: 1\n" for number in range(2000)))
    done = subprocess.run(["bash", "-c", shell], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (141, "")


def test_replay_of_a_missing_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there is told by its name, without a traceback."""
    assert main(["replay", "--quiet", str(tmp_path / "none.jsonl")]) == 1
    assert "none.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["replay", "--jsno", "x"],
            "flyball replay: error: found --jsno, which it does not know; did you mean --json?",
        ),
        (
            ["demo", "--free-port"],
            "flyball demo: error: found --free-port, which it does not know; did you mean --free",
        ),
        (["check", "a", "b"], "flyball check: error: found b, which it does not know"),
    ],
    ids=str,
)
def test_an_option_that_is_not_known_is_told_by_its_command(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what was meant, if there is something near; an option is never guessed from its beginning."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
