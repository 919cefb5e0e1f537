"""Secrets come from the environment and from files, and never show in a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flyball.config.load import load
from flyball.config.problems import ConfigError
from flyball.config.secrets import SecretError, resolve

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYBALL_TEST_HOST", "kafka.acme")
    monkeypatch.setenv("FLYBALL_TEST_PORT", "5318")
    (tmp_path / "token").write_text("s3cret\n")


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("${ENV:FLYBALL_TEST_HOST}:9092", "kafka.acme:9092"),
        ("${FILE:token}", "s3cret"),
        ("${ENV:FLYBALL_TEST_HOST}${FILE:token}", "kafka.acmes3cret"),
        ("$${ENV:FLYBALL_TEST_HOST}", "${ENV:FLYBALL_TEST_HOST}"),
        ("$5 and $HOME", "$5 and $HOME"),
    ],
)
def test_references_are_put_in(text: str, resolved: str, tmp_path: Path) -> None:
    """A reference stands for what it names, anywhere in a text; a doubled dollar sign is none."""
    assert resolve(text, tmp_path) == resolved


@pytest.mark.parametrize(
    "text", ["${ENV:FLYBALL_TEST_NONE}", "${FILE:none}", "${NAME}", "${ENV:}", "${ENV:FLYBALL_TEST_HOST"]
)
def test_a_reference_to_nothing_is_refused(text: str, tmp_path: Path) -> None:
    """What is not there is told, never taken for empty."""
    with pytest.raises(SecretError):
        resolve(text, tmp_path)


def test_numbers_may_come_from_the_environment(tmp_path: Path) -> None:
    """A reference can give a value of any kind, and files are found from the configuration directory."""
    (tmp_path / "flyball.yaml").write_text(
        'otlp: {port: "${ENV:FLYBALL_TEST_PORT}"}\nlog: {brokers: ["${ENV:FLYBALL_TEST_HOST}:9092"]}\n'
    )
    settings = load(tmp_path)
    assert settings.otlp.port == 5318
    assert settings.log.brokers == ("kafka.acme:9092",)


def test_a_secret_never_shows_in_a_message(tmp_path: Path) -> None:
    """A value of the wrong kind is told as it is written, not as what it stands for."""
    (tmp_path / "flyball.yaml").write_text("otlp:\n  port: ${FILE:token}\n  max_body: ${FILE:token}\n")
    with pytest.raises(ConfigError) as refused:
        load(tmp_path)
    assert "s3cret" not in str(refused.value)
    assert "found '${FILE:token}', expected a whole number" in str(refused.value)
