"""Logs are opened by address, and an address that cannot be read says what was expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.embedded import EmbeddedLog
from streams.kafka import KafkaLog
from streams.opening import open_log

if TYPE_CHECKING:
    from pathlib import Path


def test_embedded_with_settings(tmp_path: Path) -> None:
    """A path, relative or absolute, and settings by name."""
    log = open_log(f"embedded:{tmp_path}/log?max_bytes=5000&fsync=true&max_age_ns=7")
    assert isinstance(log, EmbeddedLog)
    assert (tmp_path / "log").is_dir()
    settings = log._settings
    assert (settings.max_bytes, settings.fsync, settings.max_age_ns) == (5000, True, 7)


def test_kafka_with_settings() -> None:
    """Several brokers, settings by name, and librdkafka's own by their dotted names; nothing is asked yet."""
    log = open_log("kafka://a:1,b:2?group=g&delivery_timeout_s=2.5&security.protocol=SSL&ssl.ca.location=/ca")
    assert isinstance(log, KafkaLog)
    settings = log._settings
    assert (settings.brokers, settings.group, settings.delivery_timeout_s) == ("a:1,b:2", "g", 2.5)
    assert settings.producer()["security.protocol"] == "SSL"
    assert settings.consumer()["ssl.ca.location"] == "/ca"
    assert settings.admin()["security_protocol"] == "SSL"
    assert settings.admin()["bootstrap_servers"] == ["a:1", "b:2"]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "is no log: expected embedded:PATH or kafka://"),
        ("embedded:", "is no log"),
        ("kafka://", "is no log"),
        ("redis://x", "is no log"),
        ("embedded:x?max_byte=1", "there is no setting 'max_byte'; there are max_age_ns, max_bytes"),
        ("embedded:x?max_bytes=much", "max_bytes is 'much', expected a whole number"),
        ("embedded:x?fsync=1", "fsync is '1', expected true or false"),
        ("embedded:x?max_bytes=0", "max_bytes must be positive, not 0"),
        ("kafka://a:1?brokers=b", "there is no setting 'brokers'"),
        ("kafka://a:1?group", "bad query field"),
    ],
)
def test_bad_addresses_say_why(address: str, why: str) -> None:
    """What cannot be read is refused before anything is opened or created."""
    with pytest.raises(ValueError, match=why.replace("(", r"\(")):
        open_log(address)
