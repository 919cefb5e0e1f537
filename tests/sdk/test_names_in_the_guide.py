"""What the guide has people set in their framework so that it sends traces is read by the framework that there is."""

from __future__ import annotations

import mmap
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "guide.md").read_text()


def row(framework: str) -> list[str]:
    """Give the names that the guide says of a framework, without their values."""
    (line,) = [each for each in GUIDE.splitlines() if each.startswith(f"| {framework}")]
    return [each.partition("=")[0] for each in re.findall(r"`([A-Z]+_[A-Z_]+=\w+)`", line)]


def folder(package: str) -> Path:
    """Give where a package is installed."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed")
    return Path(spec.origin).parent


def test_claude_code_sends_spans_only_as_a_beta() -> None:
    """Each variable is known to the program that the SDK runs; the one without which there are no spans is named."""
    names = row("Claude Code")
    assert {"CLAUDE_CODE_ENABLE_TELEMETRY", "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA", "OTEL_TRACES_EXPORTER"} <= set(names)
    program = folder("claude_agent_sdk") / "_bundled" / "claude"
    if not program.exists():
        pytest.skip("this wheel of claude_agent_sdk has no program in it")
    with program.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        assert [name for name in names if content.find(name.encode()) < 0] == []


def test_langsmith_reads_its_variables() -> None:
    """With or without the prefix that it puts before each."""
    names = row("LangChain")
    assert names == ["LANGSMITH_TRACING", "LANGSMITH_OTEL_ENABLED"]
    sources = "".join(path.read_text() for path in (folder("langsmith")).glob("*.py"))
    assert [name for name in names if f'"{name.removeprefix("LANGSMITH_")}' not in sources] == []


def test_pydantic_ai_instruments_all_agents() -> None:
    """By the name that the guide says."""
    pydantic_ai = pytest.importorskip("pydantic_ai")
    assert "`Agent.instrument_all()`" in GUIDE
    assert callable(pydantic_ai.Agent.instrument_all)
