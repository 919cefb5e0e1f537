"""Where compiled kernels are kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from models import kernel_cache
from models.kernel_cache import choose_kernel_cache

if TYPE_CHECKING:
    import pytest


def test_it_is_named_after_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change in any source file gives another folder, so stale machine code is never loaded."""
    monkeypatch.setattr(kernel_cache, "_HERE", tmp_path)
    (tmp_path / "kernel.py").write_text("a")
    chosen = []
    for text in ("a", "ab"):
        (tmp_path / "kernel.py").write_text(text)
        monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
        choose_kernel_cache()
        chosen.append(os.environ["NUMBA_CACHE_DIR"])
    assert chosen[0] != chosen[1]
    assert all(Path(folder).parent == tmp_path / "__pycache__" for folder in chosen)


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
