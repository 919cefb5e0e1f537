"""Fixtures for all tests: the recorded runs, a real Kafka. What is missing skips a test; with CI=true it fails it."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent


def require(present: object, reason: str) -> None:
    """Skip the test with `reason` unless `present`; fail it where CI=true, for CI is to run everything."""
    if present:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI=true, and {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of recorded agent runs, ../shared/data beside the repository."""
    folder = ROOT.parent / "shared" / "data"
    require(folder.is_dir(), f"the recorded runs are not there: no folder {folder}")
    return folder


@pytest.fixture(scope="session")
def kafka_tool() -> Any:
    """Load tests/services/broker.py, which no package holds."""
    spec = importlib.util.spec_from_file_location("kafka_tool", ROOT / "tests" / "services" / "broker.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def kafka_broker(kafka_tool: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start the one broker of this test session; a test that stops it starts it again before it ends."""
    reason = kafka_tool.missing()
    require(reason is None, f"no Kafka: {reason}")
    broker = kafka_tool.Broker(tmp_path_factory.mktemp("kafka"))
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def kafka(kafka_broker: Any) -> Any:
    """Give the running broker: `.address` (host:port), `.start()`, `.stop()`, `.kill()`."""
    kafka_broker.start()
    return kafka_broker
