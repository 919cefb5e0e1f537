"""Fixture: the detection lab, whose plain reference detectors and scenarios are the oracles of these tests."""

from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT, require

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def lab() -> SimpleNamespace:
    """Give the modules `scenarios` and `reference_detectors` of ../shared/tools/detection_lab."""
    folder: Path = ROOT.parent / "shared" / "tools" / "detection_lab"
    require(folder.is_dir(), f"the detection lab is not there: no folder {folder}")
    sys.path.insert(0, str(folder))
    try:
        return SimpleNamespace(**{name: importlib.import_module(name) for name in ("scenarios", "reference_detectors")})
    finally:
        sys.path.remove(str(folder))
