"""Kernels are compiled by one process at a time, in parts side by side, and put together without mixing versions."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.compiling import CACHE, compiling

_MODULE = """
import os, sys, time
from pathlib import Path

def _save(kernel, code):
    folder = Path(os.environ["NUMBA_CACHE_DIR"]) / "models_1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{kernel}.nbi").write_text(code)
    (folder / f"{kernel}.1.nbc").write_text(code)

def first(): _save("a-1", "first"); _save("shared-2", "first")
def second(): _save("b-1", "second"); _save("shared-2", "second"); _save("shared-22", "second")
def fails(): _save("c-1", "fails"); raise ValueError
def lasts(): print(os.getpid(), flush=True); time.sleep(60)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty cache, where child processes find the module `parts_to_compile`."""
    (tmp_path / "parts_to_compile.py").write_text(_MODULE)
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), str(root))))
    cache = tmp_path / "kernels"
    cache.mkdir()
    monkeypatch.setenv(CACHE, str(cache))
    return cache


def _said(place: Path, *names: str) -> list[str]:
    said: list[str] = []
    with compiling([("parts_to_compile", name) for name in names], said.append):
        pass
    return said


def test_parts_are_put_together_once(place: Path) -> None:
    """The first to have a kernel gives all files of it; afterwards nothing is called any more."""
    assert len(_said(place, "first", "second")) == 1
    found = {path.name: path.read_text() for path in (place / "models_1").iterdir()}
    assert found["a-1.nbi"] == found["shared-2.nbi"] == found["shared-2.1.nbc"] == "first"
    assert found["b-1.nbi"] == found["shared-22.1.nbc"] == "second"
    assert _said(place, "fails") == []
    left = {path.name for path in place.parent.iterdir()} - {"__pycache__"}
    assert left == {"kernels", "parts_to_compile.py"}


def test_a_part_may_fail(place: Path) -> None:
    """What it left is for the block to compile."""
    _said(place, "fails", "first")
    assert (place / "models_1" / "a-1.nbi").exists()
    assert (place / "ready").exists()


def test_a_block_that_fails_is_not_ready(place: Path) -> None:
    """The next start compiles again."""
    with pytest.raises(ZeroDivisionError), compiling([], lambda _: None):
        _ = 1 / 0
    assert not (place / "ready").exists()
    assert len(_said(place)) == 1


def test_one_process_compiles_and_others_wait(place: Path) -> None:
    """Of several that start at once only one says that it compiles."""
    code = "import flows.compiling as c\nwith c.compiling([('parts_to_compile', 'first')], print): pass"
    several = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(bool(each.communicate(timeout=60)[0]) for each in several) == 1
    assert all(each.returncode == 0 for each in several)


def test_parts_end_with_their_parent(place: Path) -> None:
    """A parent that is killed leaves nobody compiling."""
    code = "import flows.compiling as c\nwith c.compiling([('parts_to_compile', 'lasts')], lambda _: None): pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 30
    while _is_there(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_without_kernels_knows_where_they_lie() -> None:
    """The demo asks before it loads any: without the folder it would take a first start for a later one."""
    code = f"import os; import flows.compiling as c; c.is_compiled(); print(os.environ.get({CACHE!r}))"
    environment = {name: value for name, value in os.environ.items() if name != CACHE}
    said = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert "kernels-" in said.stdout


def _is_there(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
