"""The import rules of pyproject.toml hold, and each of them bites when it is broken; the command line starts light."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("alerts", "flyball", "flows", "models", "streams")
HEAVY = ("bytewax", "confluent_kafka", "genai_prices", "kafka", "numba", "polars", "starlette", "urllib3", "uvicorn")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the import rules of the repository over the packages in `folder`."""
    tool = Path(sys.executable).parent / "lint-imports"
    command = [str(tool), "--no-cache", "--config", str(ROOT / "pyproject.toml")]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Give a copy of the packages to spoil."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_imports_point_one_way() -> None:
    """The packages keep every import rule."""
    checked = lint_imports(ROOT)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("module", "imported", "rule"),
    [
        ("models/spoiled.py", "streams.port", "imports point one way BROKEN"),
        ("streams/spoiled.py", "flows", "imports point one way BROKEN"),
        ("flows/spoiled.py", "flyball", "imports point one way BROKEN"),
        ("alerts/spoiled.py", "flows", "imports point one way BROKEN"),
        ("streams/spoiled.py", "alerts", "imports point one way BROKEN"),
        ("alerts/sinks/spoiled.py", "bytewax", "only flows knows the engine BROKEN"),
        ("flyball/spoiled.py", "bytewax.dataflow", "only flows knows the engine BROKEN"),
        ("models/runs/spoiled.py", "bytewax", "only flows knows the engine BROKEN"),
        ("models/slis/spoiled.py", "time", "models do no I/O BROKEN"),
        ("models/spans/spoiled.py", "confluent_kafka", "models do no I/O BROKEN"),
    ],
)
def test_a_forbidden_import_is_found(copy: Path, module: str, imported: str, rule: str) -> None:
    """One forbidden import anywhere breaks the rule that is made for it."""
    (copy / module).write_text(f"import {imported}\n")
    checked = lint_imports(copy)
    assert checked.returncode == 1
    assert rule in checked.stdout


def test_the_command_line_starts_without_the_engine() -> None:
    """Importing flyball.cli loads neither the engine nor compilers nor data frames, so that --help is quick."""
    program = f"import sys, flyball.cli; print(*sorted(set(sys.modules) & set({HEAVY})))"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == []
