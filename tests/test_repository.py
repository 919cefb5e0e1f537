"""What holds for the repository as a whole: sizes, names, pins, and what is shipped."""

from __future__ import annotations

import ast
import os
import re
import shutil
import statistics
import subprocess
import sys
import tomllib
import zipfile
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 500
MAX_MEDIAN_LINES = 150
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("maven", "org"),
        ("maven", "apache", "org"),
        ("npmjs", "org"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("deb", "debian", "org"),
        ("docker", "io"),
        ("ghcr", "io"),
        ("quay", "io"),
    )
]


def settings() -> dict[str, Any]:
    """Read pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@cache
def committed() -> list[Path]:
    """List the files that git tracks and that are there."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: cannot tell what is committed")
    git = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files", "-z"]
    names = subprocess.run(git, check=True, capture_output=True, text=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def texts() -> dict[Path, str]:
    """Read every committed file that is text."""
    raw = {path: path.read_bytes() for path in committed()}
    return {path: content.decode(errors="replace") for path, content in raw.items() if b"\0" not in content}


def packages() -> list[str]:
    """Name the packages that the wheel ships."""
    return list(settings()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def sources() -> list[Path]:
    """List the committed Python files of the shipped packages."""
    return [path for path in committed() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in packages()]


def test_no_committed_file_names_a_registry_host() -> None:
    """Where packages come from is the machine's business: no file names a package registry."""
    found = [(path.name, host) for path, text in texts().items() for host in REGISTRY_HOSTS if host in text]
    assert found == []


def test_source_files_are_short() -> None:
    """No Python file is longer than 500 lines, and half of the shipped ones have at most 150."""
    lengths = {path: len(path.read_text().splitlines()) for path in committed() if path.suffix == ".py"}
    assert [(str(path), length) for path, length in lengths.items() if length > MAX_LINES] == []
    assert statistics.median(lengths[path] for path in sources()) <= MAX_MEDIAN_LINES


def test_test_files_have_unique_names_and_sentences() -> None:
    """Test files have unique names, and every test says in a docstring what it shows."""
    files = [path for path in committed() if path.name.startswith("test_") and path.suffix == ".py"]
    assert len({path.name for path in files}) == len(files)
    silent = [f"{path.name}::{f.name}" for path in files for f in functions(path) if is_test(f) and not described(f)]
    assert silent == []


def functions(path: Path) -> list[ast.FunctionDef]:
    """List the functions and methods of a Python file."""
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]


def is_test(function: ast.FunctionDef) -> bool:
    """Tell whether pytest would run it."""
    return function.name.startswith("test_")


def described(function: ast.FunctionDef) -> bool:
    """Tell whether it has a docstring."""
    return ast.get_docstring(function) is not None


def test_no_function_is_written_twice() -> None:
    """No two functions of four statements or more have the same body: what is needed twice is shared."""
    places = defaultdict(list)
    for path in sources():
        for function in functions(path):
            body = function.body[1:] if described(function) else function.body
            if sum(isinstance(node, ast.stmt) for statement in body for node in ast.walk(statement)) >= 4:
                places["\n".join(map(ast.dump, body))].append(f"{path.relative_to(ROOT)}:{function.name}")
    assert [where for where in places.values() if len(where) > 1] == []


def test_models_never_ask_the_clock_or_the_disk() -> None:
    """Nothing in models/ calls now(), today(), open() or print(): time and data are handed in."""
    impure = {"now", "utcnow", "today", "open", "print", "input"}
    found = []
    for path in (path for path in sources() if path.relative_to(ROOT).parts[0] == "models"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                found += [f"{path.relative_to(ROOT)}:{node.lineno} {name}()"] if name in impure else []
    assert found == []


def test_decisions_are_numbered() -> None:
    """Decisions are NNNN-name.md, each number once, each with a title."""
    files = [path for path in committed() if path.parent == ROOT / "docs" / "decisions"]
    assert files
    assert [path.name for path in files if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name)] == []
    assert len({path.name[:4] for path in files}) == len(files)
    assert [path.name for path in files if not path.read_text().startswith("# ")] == []


def test_the_wheel_holds_the_packages_and_nothing_else(tmp_path: Path) -> None:
    """The built wheel has every committed file of the packages, data files too, and never tests or benchmarks."""
    uv = shutil.which("uv")
    if uv is None:
        assert os.environ.get("CI") != "true", "uv is missing"
        pytest.skip("uv is missing: cannot build the wheel")
    subprocess.run(
        [uv, "build", "--wheel", "--quiet", "--out-dir", tmp_path, ROOT], check=True, stdin=subprocess.DEVNULL
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert {name.split("/")[0] for name in names} == set(packages())
    expected = {str(path.relative_to(ROOT)) for path in committed() if path.relative_to(ROOT).parts[0] in packages()}
    expected |= {f"flyball/{path.relative_to(ROOT)}" for path in committed() if path.is_relative_to(ROOT / "slos")}
    assert expected - names == set()


def test_python_is_the_one_promised() -> None:
    """The tests run on a Python that pyproject.toml allows."""
    assert (3, 11) <= sys.version_info < (3, 13)
    assert settings()["project"]["requires-python"] == ">=3.11,<3.13"
