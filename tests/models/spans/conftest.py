"""Helpers of the decoder's tests, which no package holds."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

_HELPERS = Path(__file__).resolve().parents[2] / "helpers"


def _load(name: str) -> Any:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, _HELPERS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def decode_oracle() -> Any:
    """Give tests/helpers/decode_oracle.py."""
    return _load("decode_oracle")
