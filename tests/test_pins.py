"""Every dependency is pinned to one version, and what is installed is what is pinned."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("alerts", "control", "flows", "flyball", "models", "streams")
DEVELOPED = ("benchmarks", "dashboards", "scripts", "tests")


@cache
def settings() -> dict[str, Any]:
    """Read pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def direct() -> list[str]:
    """List the requirements of Flyball and of its developers, as written."""
    return [*settings()["project"]["dependencies"], *settings()["dependency-groups"]["dev"]]


@cache
def pins() -> dict[str, str]:
    """Give the pinned version of every package, by canonical name."""
    return dict(line.split("==") for line in settings()["tool"]["uv"]["constraint-dependencies"])


def tree() -> dict[str, str]:
    """Give the installed version of every distribution that the requirements reach, through the extras asked for."""
    found: dict[str, str] = {}
    waiting = [Requirement(line) for line in direct()]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue  # for another system; the next test sees to it that it is pinned all the same
        extras = ["", *wanted.extras]
        if name in found and not wanted.extras:
            continue
        found[name] = installed.version
        needed = map(Requirement, installed.requires or [])
        waiting += [next_one for next_one in needed if applies(next_one, extras)]
    return found


def applies(requirement: Requirement, extras: list[str]) -> bool:
    """Tell whether a requirement holds on this system, with any of the extras."""
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)


def test_every_pin_is_exact() -> None:
    """Direct requirements, constraints and build constraints name one version each, with ==."""
    build = settings()["build-system"]["requires"]
    build_constraints = settings()["tool"]["uv"]["build-constraint-dependencies"]
    lines = [*direct(), *settings()["tool"]["uv"]["constraint-dependencies"], *build, *build_constraints]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==([0-9]+!)?[0-9][0-9a-z.]*", line)] == []


def test_direct_requirements_agree_with_the_pins() -> None:
    """A version that is written twice is written alike."""
    for line in [*direct(), *settings()["build-system"]["requires"]]:
        name, version = line.split("==")
        assert pins().get(name, version) == version


def test_the_environment_is_what_is_pinned() -> None:
    """Every distribution that is reached from Flyball's requirements is pinned, and installed in just that version."""
    unpinned_or_other = {name: version for name, version in tree().items() if pins().get(name) != version}
    assert unpinned_or_other == {}


def imported(*folders: str) -> set[str]:
    """Name the packages that the Python files in `folders` import, the standard library's and our own left out."""
    names = set()
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    helpers = {path.stem for path in files}
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"__future__", "flyball_sdk", *SHIPPED, *DEVELOPED, *helpers}


@pytest.mark.parametrize(
    ("folders", "requirements"),
    [
        (SHIPPED, settings()["project"]["dependencies"]),
        (DEVELOPED, direct()),
    ],
    ids=["shipped", "tests and benchmarks"],
)
def test_what_is_imported_is_required(folders: tuple[str, ...], requirements: list[str]) -> None:
    """Nothing is imported that only comes along with something else."""
    required = {canonicalize_name(Requirement(line).name) for line in requirements}
    owners = packages_distributions()
    missing = {
        name
        for name in imported(*folders)
        if required.isdisjoint(canonicalize_name(owner) for owner in owners.get(name, ()))
    }
    assert missing == set()


def test_nothing_is_pinned_in_vain() -> None:
    """Every pin is reached on some system: uv's own resolution, for all systems, names the same packages."""
    lock = ROOT / "uv.lock"
    if not lock.exists():
        pytest.skip("no uv.lock: it is made by `uv run`, and not committed")
    locked = {package["name"]: package["version"] for package in tomllib.loads(lock.read_text())["package"]}
    assert {name: version for name, version in locked.items() if name != "flyball"} == pins()
