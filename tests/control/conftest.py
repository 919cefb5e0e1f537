"""Fixtures of the control plane's tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPICS = ("flyball.runs", "flyball.slos", "flyball.incidents", "otlp_spans", "otlp_logs")
"""Topics that a console reads, beside those that every control plane has."""


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


@pytest.fixture(scope="module")
def chromium(told: Any, need_chromium: None) -> Iterator[Any]:
    """Give a running Chromium."""
    with told.browser() as browser:
        yield browser


@pytest.fixture
def page(chromium: Any, served: Any) -> Iterator[Any]:
    """Give a page that is logged in."""
    for topic in TOPICS:
        served.log.ensure(topic, 1)
    opened = chromium.new_context(viewport={"width": 1360, "height": 850})
    page = opened.new_page()
    page.set_default_timeout(20_000)
    page.goto(f"http://127.0.0.1:{served.port}/console/")
    page.get_by_label("Operator's key").fill(served.admin)
    page.get_by_role("button", name="Log in").click()
    page.locator(".who .mark.good").wait_for()
    yield page
    opened.close()
