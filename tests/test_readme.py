"""The README is executed: its commands run, its services come up and stop, its output is what is printed.

Before a `bash` block a comment may say how it is to be taken; without one it is run and must succeed:

    <!-- not run: WHY -->
    <!-- runs until stopped; ready at URL -->        started, waited for, and stopped by SIGTERM at the end
    <!-- runs until it says: TEXT -->                stopped by SIGTERM as soon as it has said that

A `text` block after `<!-- output -->` is what the last block printed; `…` in it stands for anything. After
`<!-- output, but for its numbers -->` a number stands for any, and a time for any time.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import pytest
import yaml

from flyball.config.load import load
from models import slis

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
START_S = 300
"""Seconds for a service to come up: on a fresh machine the kernels are compiled first."""
RUN_S = 600
STOP_S = 30


class Block(NamedTuple):
    """A fenced block: the comment before it, its language, its text."""

    comment: str
    language: str
    text: str


def blocks(*languages: str) -> list[Block]:
    """List the blocks of the README that are in one of the languages, from top to bottom."""
    found = re.findall(r"(?:<!-- ([^\n]*?) -->\n\n?)?```(\w+)\n(.*?)```", README, re.DOTALL)
    return [block for block in map(Block._make, found) if block.language in languages]


def environment() -> dict[str, str]:
    """Give an environment in which `uv run` means this checkout as it is installed, from any folder."""
    terminal = ("COLUMNS", "FORCE_COLOR")
    inherited = {name: value for name, value in os.environ.items() if name not in terminal}
    return {**inherited, "UV_PROJECT": str(ROOT), "UV_NO_SYNC": "1"}


def run(block: Block, folder: Path) -> str:
    """Run a block; it must succeed. Gives what it printed."""
    line = ["bash", "-euo", "pipefail", "-c", block.text]
    done = subprocess.run(
        line,
        cwd=folder,
        env=environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{block.text}{done.stdout}{done.stderr}"
    return done.stdout


def started(block: Block, folder: Path, log: IO[str]) -> subprocess.Popen[bytes]:
    """Start a block that is one command; what it says goes to `log`."""
    return subprocess.Popen(
        ["bash", "-c", f"exec {block.text}"],
        cwd=folder,
        env=environment(),
        stdout=log,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )


@contextmanager
def service(block: Block, folder: Path) -> Iterator[None]:
    """Start a block that runs until it is stopped, wait until it is ready, and see that SIGTERM ends it well."""
    with (folder / "service.log").open("w+") as log:
        process = started(block, folder, log)
        try:
            wait_for(block.comment.split(" ready at ")[1], process, Path(log.name))
            yield
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOP_S) == 0, Path(log.name).read_text()
        finally:
            process.kill()
            process.wait()


def run_until(block: Block, folder: Path) -> str:
    """Start a block that does not end by itself, and stop it when it has said what it is to say. Gives what it said."""
    text = block.comment.split("says: ")[1]
    with (folder / "said.log").open("w+") as log:
        process = started(block, folder, log)
        try:
            end = time.monotonic() + RUN_S
            while text not in (said := Path(log.name).read_text()):
                assert process.poll() is None, said
                assert time.monotonic() < end, said
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOP_S) == 0, Path(log.name).read_text()
        finally:
            process.kill()
            process.wait()
        return Path(log.name).read_text()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the address answers; fails when the process ends before it, or takes too long."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 (an address that the README names)
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    pytest.fail(f"{url} did not answer within {START_S} s:\n{log.read_text()}")


def normal(text: str) -> str:
    """Take out what depends on the terminal: trailing spaces, empty lines at the ends."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def without_numbers(text: str) -> str:
    """Take out what differs from one time to the next: numbers, times, their width, and where lines are folded."""
    return re.sub(r"\s+", " ", re.sub(r"-?\d[\d.,:]*( ms\b| s\b)?", "#", text))


@pytest.mark.slow
def test_the_commands_work_and_print_what_is_shown(tmp_path: Path) -> None:
    """Every command of the README runs from top to bottom in an empty folder and prints what the README shows."""
    if shutil.which("uv") is None:
        assert os.environ.get("CI") != "true", "uv is missing"
        pytest.skip("uv is missing: the README's commands start with it")
    printed = ""
    with ExitStack() as services:
        for block in blocks("bash", "text"):
            if block.comment.startswith("output"):
                alike = without_numbers if "numbers" in block.comment else str
                shown = ".*?".join(map(re.escape, alike(normal(block.text)).split("…")))
                said = f"shown:\n{block.text}\nprinted:\n{printed}"
                assert re.search(shown, alike(normal(printed)), re.DOTALL), said
            elif block.comment.startswith("runs until stopped"):
                services.enter_context(service(block, tmp_path))
            elif block.comment.startswith("runs until it says"):
                printed = run_until(block, tmp_path)
            elif block.language == "bash" and not block.comment.startswith("not run"):
                printed = run(block, tmp_path)


def test_the_test_command_is_what_ci_runs() -> None:
    """The README's test command is the last thing that .ci/run does, so that CI ends with pytest's summary."""
    (command,) = [block.text.strip() for block in blocks("bash") if "these are the tests" in block.comment]
    assert (ROOT / ".ci" / "run").read_text().rstrip().splitlines()[-1] == f'{command} "$@"'


def test_the_settings_to_paste_are_understood(tmp_path: Path) -> None:
    """What the README says to paste into flyball.yaml is valid there; a Collector is told the topics Flyball reads."""
    settings = [(block.text, yaml.safe_load(block.text)) for block in blocks("yaml")]
    for text, parsed in settings:
        if "exporters" not in parsed:
            (tmp_path / "flyball.yaml").write_text(text)
            load(tmp_path)
    topics = load().log.topics
    kafka = next(parsed["exporters"]["kafka"] for _, parsed in settings if "kafka" in parsed.get("exporters", ()))
    assert kafka["traces"]["topic"] == topics.spans
    assert kafka["logs"]["topic"] == topics.logs


def test_every_sli_is_told() -> None:
    """The README lists every SLI that is measured, by its name."""
    assert [sli.name for sli in slis.ALL if f"`{sli.name}`" not in README] == []


def test_the_links_lead_somewhere() -> None:
    """Every relative link of the README and of the documents is a file of the repository."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#:\s]+)\)", page.read_text())]
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []
