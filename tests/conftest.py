"""Fixtures for all tests: the recorded runs, a real Kafka. What is missing skips a test; with CI=true it fails it."""

from __future__ import annotations

import importlib.util
import os
import shutil
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


def load(name: str, path: str) -> Any:
    """Load a module of the tests, which no package holds, once."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def kafka_tool() -> Any:
    """Give tests/services/broker.py."""
    return load("kafka_tool", "services/broker.py")


@pytest.fixture(scope="session")
def live() -> Any:
    """Give tests/helpers/live.py: traffic, deployments, and what they tell."""
    return load("live", "helpers/live.py")


@pytest.fixture(scope="session")
def forked() -> Any:
    """Give tests/helpers/forked.py: commands that start in a moment."""
    return load("forked", "helpers/forked.py")


@pytest.fixture(scope="session")
def told() -> Any:
    """Give tests/helpers/console.py: records as the flow tells them."""
    return load("console_records", "helpers/console.py")


@pytest.fixture(scope="session")
def decode_messages() -> Any:
    """Give tests/helpers/decode_messages.py: random OTLP messages."""
    return load("decode_messages", "helpers/decode_messages.py")


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


@pytest.fixture(scope="session")
def incidents() -> Any:
    """Give tests/helpers/incidents.py: tellings, a clock, a sink that remembers."""
    return load("incidents", "helpers/incidents.py")


@pytest.fixture(scope="session")
def openai_model() -> Any:
    """Give what makes a model that calls tools as told, of tests/helpers/openai_models.py."""
    return load("openai_models", "helpers/openai_models.py").openai_model


@pytest.fixture(scope="session")
def paging() -> Any:
    """Give tests/helpers/paging.py: an SLO that burns in minutes, routes, traffic that ends now."""
    return load("paging", "helpers/paging.py")


@pytest.fixture(scope="session")
def pagerduty_tool() -> Any:
    """Give tests/services/pagerduty.py."""
    return load("pagerduty_tool", "services/pagerduty.py")


@pytest.fixture
def pagerduty(pagerduty_tool: Any) -> Iterator[Any]:
    """Give a stand-in for PagerDuty: `.url`, `.events`, `.incidents()`, `.refused`, `.trouble`."""
    with pagerduty_tool.PagerDuty() as service:
        yield service


@pytest.fixture(scope="session")
def require_alertmanager() -> Any:
    """Give tests/services/alertmanager.py, where a real Alertmanager can be started."""
    tool = load("alertmanager_tool", "services/alertmanager.py")
    reason = tool.missing()
    require(reason is None, f"no Alertmanager: {reason}")
    return tool


@pytest.fixture(scope="session")
def need_chromium() -> None:
    """Skip, or with CI=true fail, where Debian's Chromium is not installed."""
    reason = "the console is tested in Chromium: apt-get install --no-install-recommends chromium"
    require(shutil.which("chromium"), reason)
