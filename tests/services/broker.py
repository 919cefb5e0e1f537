"""A real Apache Kafka broker on loopback, for tests and for a person who wants one: KRaft mode, one node, no Docker.

    python tests/services/broker.py fetch                            the jars, by Maven, into the cache (once)
    python tests/services/broker.py start --dir DIR [--port 9092]    prints the address when the broker answers
    python tests/services/broker.py status --dir DIR
    python tests/services/broker.py stop --dir DIR                   DIR keeps the data; `start` goes on with it

Needs Java 17 and Maven. The jars lie in $FLYBALL_KAFKA_CACHE, else in ~/.cache/flyball/kafka-VERSION.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from loopback import free_port

VERSION = "4.3.1"
HERE = Path(__file__).resolve().parent / "kafka_broker"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
# a broker for tests: small heap, the quick compiler only, no pause for a big collector to start
JVM = [
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Xshare:auto",
]


class BrokerError(Exception):
    """The broker cannot be had: what is missing, or what it said."""


def jars() -> Path:
    """Give the folder of the jars (it may be missing)."""
    said = os.environ.get("FLYBALL_KAFKA_CACHE")
    return Path(said) if said else Path.home() / ".cache" / "flyball" / f"kafka-{VERSION}"


def missing() -> str | None:
    """Say what keeps a broker from being started; None: nothing."""
    if shutil.which("java") is None:
        return "no java in PATH: install a Java 17 runtime (Debian: openjdk-17-jre-headless)"
    if not (jars() / f"kafka_2.13-{VERSION}.jar").exists():
        return f"no Kafka jars in {jars()}: run `python tests/services/broker.py fetch` (needs Maven)"
    return None


def fetch() -> Path:
    """Get the jars with Maven, once; a half-done download is never taken for a whole one."""
    target = jars()
    if (target / f"kafka_2.13-{VERSION}.jar").exists():
        return target
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerError("no mvn in PATH: install Maven (Debian: maven)")
    work = target.with_name(f"{target.name}.{os.getpid()}")
    command = [maven, "--batch-mode", "--quiet", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-Dkafka.version={VERSION}", f"-DoutputDirectory={work}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            msg = f"Maven failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}"
            raise BrokerError(msg)
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


class Broker:
    """One broker whose configuration, data, log and process id lie in `folder`."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder.resolve()
        self._said_port = port

    @property
    def port(self) -> int:
        """The port it listens on, as written at its first start."""
        return int((self.folder / "port").read_text())

    @property
    def address(self) -> str:
        """The `host:port` to bootstrap from."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        try:
            pid = int((self.folder / "pid").read_text())
            command = Path(f"/proc/{pid}/cmdline")
            # the id may have been given to another process since
            alive = str(self.folder).encode() in command.read_bytes() if command.exists() else _signal(pid, 0)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return None
        return pid if alive else None

    def start(self) -> str:
        """Start it, or find it running; give its address when it answers."""
        reason = missing()
        if reason is not None:
            raise BrokerError(reason)
        if self.pid is None:
            self._configure()
            with (self.folder / "broker.log").open("ab") as log:
                command = self._java("kafka.Kafka", str(self.folder / "server.properties"))
                process = subprocess.Popen(
                    command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
                )
            self._process = process  # kept, so that a broker that ends at once is reaped
            (self.folder / "pid").write_text(str(process.pid))
        self._await_answer()
        return self.address

    def stop(self) -> None:
        """Stop it cleanly (SIGTERM), and wait till it is gone."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Let it die on the spot (SIGKILL), as a power cut to the process would."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        pid = self.pid
        if pid is None:
            return
        os.kill(pid, how)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while self._running(pid):
            if time.monotonic() > deadline:
                msg = f"the broker (process {pid}) did not end within {STOP_TIMEOUT_S:g} s of {how.name}"
                raise BrokerError(msg)
            time.sleep(0.05)
        (self.folder / "pid").unlink(missing_ok=True)

    def _running(self, pid: int) -> bool:
        process: subprocess.Popen[bytes] | None = getattr(self, "_process", None)
        if process is not None and process.pid == pid:
            return process.poll() is None
        return self.pid == pid

    def _configure(self) -> None:
        """Write the configuration and format the storage, at the first start only."""
        if (self.folder / "port").exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        port, controller = self._said_port or free_port(), free_port()
        text = (HERE / "server.properties").read_text()
        for name, value in {"PORT": port, "CPORT": controller, "DATA": self.folder / "data"}.items():
            text = text.replace(f"@{name}@", str(value))
        (self.folder / "server.properties").write_text(text)
        identity = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode().replace("-", "A")
        arguments = ["format", "--standalone", "--ignore-formatted", "-t", identity]
        command = self._java("kafka.tools.StorageTool", *arguments, "-c", str(self.folder / "server.properties"))
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False)
        if done.returncode != 0:
            msg = f"formatting the storage failed:\n{done.stdout}{done.stderr}"
            raise BrokerError(msg)
        (self.folder / "port").write_text(str(port))

    def _java(self, main: str, *arguments: str) -> list[str]:
        logging = [f"-Dkafka.logs.dir={self.folder}", f"-Dlog4j2.configurationFile=file:{HERE / 'log4j2.properties'}"]
        return ["java", *JVM, *logging, "-cp", f"{jars()}/*", main, *arguments]

    def _await_answer(self) -> None:
        admin = AdminClient(
            {"bootstrap.servers": self.address, "log_level": 0, "socket.connection.setup.timeout.ms": 1000}
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                if admin.list_topics(timeout=0.5).brokers:
                    return
            except KafkaException:
                pass
            pid = self.pid
            if pid is None or not self._running(pid):
                msg = f"the broker ended while starting:\n{self._last_words()}"
                raise BrokerError(msg)
            if time.monotonic() > deadline:
                msg = f"no answer from {self.address} within {START_TIMEOUT_S:g} s:\n{self._last_words()}"
                raise BrokerError(msg)

    def _last_words(self) -> str:
        return (self.folder / "broker.log").read_text(errors="replace")[-3000:]


def _signal(pid: int, number: int) -> bool:
    os.kill(pid, number)
    return True


def main() -> int:
    """Run one command; 1 where it fails or nothing runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["fetch", "start", "status", "stop"])
    parser.add_argument(
        "--dir", type=Path, default=Path("kafka-data"), help="folder of the broker (default: ./kafka-data)"
    )
    parser.add_argument("--port", type=int, default=9092, help="port at the first start; 0: any free one")
    asked = parser.parse_args()
    broker = Broker(asked.dir, asked.port)
    try:
        if asked.command == "fetch":
            print(fetch())
        elif asked.command == "start":
            fetch()
            print(broker.start())
        elif asked.command == "stop":
            broker.stop()
        else:
            print("stopped" if broker.pid is None else f"running at {broker.address}, process {broker.pid}")
            return int(broker.pid is None)
    except BrokerError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
