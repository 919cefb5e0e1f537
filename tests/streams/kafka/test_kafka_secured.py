"""A Kafka that lets nobody in without a password, over TLS: what `log.kafka` says reaches all clients."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from loopback import free_port

from flyball.config.load import load
from flyball.opening import open_configured_log
from streams.port import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "open-sesame"  # noqa: S105 -- of a broker that lives as long as this test
LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


def certificate(folder: Path) -> None:
    """Make a certificate for 127.0.0.1 that is its own authority, and its key."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=broker -addext subjectAltName=IP:127.0.0.1"
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "ca.pem")]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)


@pytest.fixture
def secured(kafka_broker: Any, kafka_tool: Any, tmp_path: Path) -> Iterator[str]:
    """Run a broker that has a listener for those with a password; give its address. The certificate is `ca.pem`."""
    assert kafka_broker.address  # there is Kafka here, or the test is skipped
    certificate(tmp_path)
    (tmp_path / "both.pem").write_text((tmp_path / "key.pem").read_text() + (tmp_path / "ca.pem").read_text())
    port = free_port()
    broker = kafka_tool.Broker(tmp_path / "kafka")
    broker._configure()
    properties = broker.folder / "server.properties"
    said = properties.read_text().replace("CONTROLLER://", f"SASL://127.0.0.1:{port},CONTROLLER://", 1)
    said = said.replace("advertised.listeners=", f"advertised.listeners=SASL://127.0.0.1:{port},")
    said = said.replace("protocol.map=", "protocol.map=SASL:SASL_SSL,")
    said += f"""
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config={LOGIN} user_flyball="{PASSWORD}";
listener.name.sasl.ssl.keystore.type=PEM
listener.name.sasl.ssl.keystore.location={tmp_path / "both.pem"}
"""
    properties.write_text(said)
    broker.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        broker.stop()


def log(folder: Path, address: str, password: str) -> Any:
    """Open the log that a configuration names."""
    (folder / "password").write_text(f"{password}\n")
    (folder / "flyball.yaml").write_text(f"""
log:
  brokers: ["{address}"]
  kafka: {{security: SASL_SSL, user: flyball, password: "${{FILE:password}}", ca: ca.pem}}
""")
    return open_configured_log(load(folder), folder)


@pytest.mark.kafka
@pytest.mark.slow
def test_a_secured_broker_is_written_to_and_read(secured: str, tmp_path: Path) -> None:
    """The client that makes topics, the writer and the reader all log in; with a wrong password nobody does."""
    opened = log(tmp_path, secured, PASSWORD)
    opened.ensure("topic", 1)
    writer = opened.writer()
    writer.append("topic", [(None, b"said")])
    writer.flush()
    writer.close()
    reader = opened.reader("topic", 0, 0)
    until = time.monotonic() + 20
    found: list[bytes] = []
    while not found and time.monotonic() < until:
        found += [bytes(each.value) for each in reader.poll(100, 1 << 20)]
    assert found == [b"said"]
    reader.close()
    opened.close()
    wrong = log(tmp_path, secured, "another")
    with pytest.raises(UnreachableError) as error:
        wrong.partitions("topic")
    assert "another" not in str(error.value)
    wrong.close()
