"""Fixtures of the control plane's tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def planes() -> Any:
    """Give tests/control/planes.py: a served control plane, verdicts, clocks."""
    name = "planes"
    if name not in sys.modules:
        path = Path(__file__).resolve().parent / "planes.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture
def served(planes: Any, tmp_path: Path) -> Iterator[Any]:
    """Give a control plane that is served on loopback, with an embedded log."""
    with planes.Served(tmp_path) as plane:
        yield plane
