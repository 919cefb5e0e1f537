"""Where compiled kernels are kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models import kernel_cache
from models.kernel_cache import choose_kernel_cache


def _chosen(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    choose_kernel_cache()
    return Path(os.environ["NUMBA_CACHE_DIR"])


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a package in which a kernel takes a constant from one module by way of another."""
    monkeypatch.setattr(kernel_cache, "_HERE", tmp_path)
    (tmp_path / "runs").mkdir()
    for name, text in {
        "__init__.py": "",
        "runs/__init__.py": "",
        "runs/apply.py": "from numba import njit\n\nfrom models.runs import facts as f\n",
        "runs/facts.py": "from models.runs.state import (\n    MAX_TOOLS,\n)\n",
        "runs/state.py": "MAX_TOOLS = 256\n",
        "runs/report.py": "from models.runs.apply import apply\n",
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    "changed", ["__init__.py", "runs/__init__.py", "runs/apply.py", "runs/facts.py", "runs/state.py"]
)
def test_it_is_named_after_the_sources(package: Path, monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    """A change in any file that a kernel can depend on gives another folder: stale machine code is never loaded."""
    before = _chosen(monkeypatch)
    (package / changed).write_text((package / changed).read_text() + "MORE = 1\n")
    after = _chosen(monkeypatch)
    assert before != after
    assert [folder.parent for folder in (before, after)] == [package / "__pycache__"] * 2


def test_files_without_kernels_do_not_count(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no kernel depends on, and when a file was written, change nothing: nothing is compiled again."""
    before = _chosen(monkeypatch)
    (package / "runs" / "report.py").write_text("another")
    os.utime(package / "runs" / "state.py", (1, 1))
    assert _chosen(monkeypatch) == before


def test_a_package_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package is not writable the cache goes elsewhere."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "__pycache__").write_text("in the way")
    monkeypatch.setattr(kernel_cache, "_HERE", package)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    choose_kernel_cache()
    assert os.environ["NUMBA_CACHE_DIR"].startswith(str(tmp_path / "home"))


def test_what_the_user_chose_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is set already is left alone."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/somewhere")
    choose_kernel_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == "/somewhere"
