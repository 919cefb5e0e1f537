"""Runbooks: every class has one, each with its four parts, and they name no command or metric that there is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flyball.commands import COMMANDS
from models.incidents.classes import OWNERS, classes, is_safety
from models.incidents.incident import Severity

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "alerts" / "runbooks"
PARTS = ["Symptom", "First five minutes", "Containment", "Investigation"]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.md")), ids=lambda path: path.stem)
def test_a_runbook_is_whole(path: Path) -> None:
    """It is of a class, has its title, its four parts in order, each with something to do."""
    text = path.read_text()
    assert path.stem in {known.runbook for known in classes().values()}
    assert text.startswith(f"# {path.stem}: ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == PARTS
    parts = re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]
    assert min(len(re.findall(r"^(?:\d+\.|-) ", part, re.MULTILINE)) for part in parts) >= 2
    assert set(re.findall(r"`flyball ([a-z]+)", text)) <= set(COMMANDS)


def test_every_class_has_a_runbook() -> None:
    """The table of classes is read: severity, owner and runbook of each are there."""
    assert {"slo.burn", "slo.budget", "telemetry.silent", "telemetry.lag"} <= set(classes())
    for name, known in classes().items():
        assert known.name == name
        assert known.severity in Severity
        assert known.owner in OWNERS
        assert (FOLDER / f"{known.runbook}.md").is_file()


def test_safety_is_told_by_its_name_too() -> None:
    """A class that begins with `safety.` is about safety, known or not; others are as the table says."""
    assert is_safety("safety.anything")
    assert not is_safety("slo.burn")
    assert not is_safety("unknown.class")


def test_metrics_that_are_named_exist() -> None:
    """Every flyball_ metric that a runbook or the page on alerts names is made somewhere in the code."""
    code = "".join(path.read_text() for folder in ("alerts", "flows") for path in (ROOT / folder).rglob("*.py"))
    pages = [*FOLDER.glob("*.md"), ROOT / "docs" / "alerts.md"]
    named = {name for page in pages for name in re.findall(r"flyball_[a-z_]+[a-z]", page.read_text())}
    stems = {name.removesuffix("_total") for name in named} - {"flyball_sli"}
    assert {name for name in stems if f'"{name}"' not in code} == set()


def test_the_command_on_a_burn_gives_two_numbers() -> None:
    """Good and total of one SLI in five minutes, out of the thousand series that a single workflow has."""
    (pattern,) = re.findall(r"grep '(flyball_sli[^']+)'", (FOLDER / "slo.burn.md").read_text().replace("\n   ", " "))
    asked = re.compile(pattern.replace("SLI", "task_success").replace("WORKFLOW", "air"))
    names = [f"flyball_sli_{name}" for name in ("good", "total", "quantile")]
    series = [
        f'{name}{{dimension="{dimension}",sli="{sli}",value="v",window="{window}",workflow="air"}} 1.0'
        for name in names
        for dimension in ("", "version")
        for sli in ("task_success", "tool_success")
        for window in ("5m", "1h")
    ]
    assert [each.partition("{")[0] for each in series if asked.search(each)] == names[:2]
