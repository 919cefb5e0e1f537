"""The documents are true: every command line of theirs can be given, every configuration in them passes the check."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from flyball.check import check
from flyball.cli import parser

ROOT = Path(__file__).resolve().parent.parent
RUNBOOKS = sorted((ROOT / "alerts" / "runbooks").glob("*.md"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *RUNBOOKS]


def commands(text: str) -> list[str]:
    """List the lines of a page that call Flyball: in blocks, and whole commands in the text."""
    blocks = "\n".join(re.findall(r"```(?:console|bash)\n(.*?)```", text, re.DOTALL))
    found = re.findall(r"^\s*(?:\$ )?(?:uv run )?(flyball [^\n]+)", blocks, re.MULTILINE)
    return found + re.findall(r"`(flyball (?:kill|resume|gate|compare|deliver --|audit|drift accept)[^`]*)`", text)


CASES = [(page.name, line) for page in PAGES for line in commands(page.read_text())]


@pytest.mark.parametrize(("page", "line"), CASES, ids=[f"{page}: {line}" for page, line in CASES])
def test_a_command_can_be_given(page: str, line: str) -> None:
    """Its options exist, and take what is written there."""
    words = shlex.split(line.split(" > ", maxsplit=1)[0].split(" | ", maxsplit=1)[0])[1:]
    if len(words) == 1 or any(word.isupper() or word.startswith("[") or word.endswith("...") for word in words):
        return  # the form of a command, not a command
    try:
        parser().parse_args(words)
    except (SystemExit, argparse.ArgumentError):
        pytest.fail(f"{page}: {line}")


def test_the_configuration_of_the_guide_is_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its files together are a configuration without a mistake."""
    text = (ROOT / "docs" / "guide.md").read_text()
    files = re.findall(r"<!-- ([\w/.]+\.yaml) -->\n\n```yaml\n(.*?)```", text, re.DOTALL)
    assert {name for name, _ in files} == {"slos/support.yaml", "routes.yaml", "policy.yaml"}
    for name, content in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    for secret in ("PAGERDUTY_KEY", "SLACK_WEBHOOK"):
        monkeypatch.setenv(secret, "https://hooks.example/secret" if "SLACK" in secret else "k" * 32)
    assert check(tmp_path) == (3, [])


def test_every_class_of_incident_has_a_runbook_that_the_operator_guide_names() -> None:
    """A person who is woken finds it."""
    guide = (ROOT / "docs" / "operate.md").read_text()
    assert [each.name for each in RUNBOOKS if f"runbooks/{each.name}" not in guide] == []


@pytest.mark.parametrize("name", ["scripts/stack.py", "tests/services/broker.py", "tests/services/alertmanager.py"])
def test_a_script_for_a_person_starts_from_any_folder(name: str, tmp_path: Path) -> None:
    """Without what the tests put into their path: pytest finds modules that a person's Python does not."""
    plain = {each: value for each, value in os.environ.items() if each != "PYTHONPATH"}
    line = [sys.executable, str(ROOT / name), "--help"]
    done = subprocess.run(line, cwd=tmp_path, env=plain, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
