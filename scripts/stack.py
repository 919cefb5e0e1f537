"""The stack of docker-compose.yml on this machine, without Docker.

    python scripts/stack.py [--dir DIR] [--no-agents]     Ctrl-C ends all of it; DIR keeps the data

Kafka, receiver, flow, control plane, delivery, Prometheus, Alertmanager and simulated agents, as deploy/ configures
them, each with the command line that compose has for it, and started again when it ends, as there. The receiver stands
in for the Collector; there is no Grafana.
Needs Java, the Kafka jars (`python tests/services/broker.py fetch`), Debian's prometheus and prometheus-alertmanager.
"""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT), str(ROOT / "tests" / "services")]  # run as a script from anywhere, as the services are

from tests.services import broker as kafka  # noqa: E402

DEPLOY = ROOT / "deploy"
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
PORTS = {"otlp": 4318, "flow": 9464, "deliver": 9463, "control": 8088, "prometheus": 9090, "alertmanager": 9093}
"""Where compose has them; `otlp` is the receiver's."""
HEALTH = {"prometheus": "/-/ready", "alertmanager": "/-/ready"}
START_S = 240.0
"""On a fresh machine kernels are compiled first."""
STOP_S = 30.0


class StackError(Exception):
    """It does not start, or something of it ended: what it said."""


def missing() -> str | None:
    """Say what keeps it from being started; None: nothing."""
    for program in ("prometheus", "prometheus-alertmanager"):
        if shutil.which(program) is None:
            return f"no {program} in PATH: install Debian's {program}"
    return kafka.missing()


class Stack:
    """All parts, while it is entered. `ports` as in PORTS, `more` for flyball.yaml; before, `write` changes files."""

    def __init__(
        self,
        folder: Path,
        ports: dict[str, int] | None = None,
        *,
        scrape: str = "15s",
        more: dict[str, Any] | None = None,
        broker: kafka.Broker | None = None,
    ) -> None:
        """`broker`: one that runs already, and goes on running."""
        self.folder, self.ports = folder.resolve(), ports or free_ports()
        self.config = self.folder / "config"
        self._own = broker is None
        self.broker = broker or kafka.Broker(self.folder / "kafka")
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._lines: dict[str, list[str]] = {}
        self._scrape, self._more = scrape, more or {}
        self.config.mkdir(parents=True, exist_ok=True)
        self.write("policy.yaml", yaml.safe_load((DEPLOY / "flyball" / "policy.yaml").read_text()))
        routes = yaml.safe_load((DEPLOY / "flyball" / "routes.yaml").read_text())
        self.write("routes.yaml", routes | {"sinks": [self.sink()]})

    def write(self, name: str, said: dict[str, Any]) -> None:
        """Write a file of Flyball's configuration."""
        (self.config / name).write_text(yaml.safe_dump(said))

    def sink(self) -> dict[str, str]:
        """Give the sink of compose, for routes.yaml."""
        (sink,) = yaml.safe_load((DEPLOY / "flyball" / "routes.yaml").read_text())["sinks"]
        return {**sink, "url": f"http://{self.address('alertmanager')}"}

    def address(self, name: str) -> str:
        """Give host and port of a part."""
        return f"127.0.0.1:{self.ports[name]}"

    def __enter__(self) -> Self:
        """Start all, and wait until each is ready."""
        try:
            self.broker.start()
            self._configure()
            self._start(
                "receive", self._flyball(["receive", "--config", "/etc/flyball", "--data", "/var/lib/flyball"], "otlp")
            )
            for name in ("flow", "control", "deliver"):
                self._start(name, self._flyball(SERVICES[name]["command"], name))
            self._start_prometheus()
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """End all."""
        for process in reversed(self.running.values()):
            process.terminate()
        for process in reversed(self.running.values()):
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running = {}
        if self._own:
            self.broker.stop()

    def simulate(self) -> None:
        """Start the simulated agents of compose."""
        words = [word.replace("collector:4318", self.address("otlp")) for word in SERVICES["agents"]["command"]]
        self._start("agents", [sys.executable, "-m", "flyball", *words])

    def check(self) -> None:
        """Raise StackError if a part has ended."""
        for name, process in self.running.items():
            if process.poll() is not None:
                msg = f"{name} ended with {process.returncode}:\n{self.said(name)}"
                raise StackError(msg)

    def revive(self) -> list[str]:
        """Start parts again that have ended, as compose does; gives what to say of each."""
        ended = {name: process.returncode for name, process in self.running.items() if process.poll() is not None}
        for name in ended:
            self._start(name, self._lines[name])
        return [f"{name} ended with {code}, and is started again; {name}.log says why" for name, code in ended.items()]

    def said(self, name: str) -> str:
        """Give the end of what a part said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def wait(self) -> None:
        """Wait until every part is ready. Raises StackError."""
        end = time.monotonic() + START_S
        while waiting := [name for name in self.ports if not is_well(self.address(name), HEALTH.get(name, "/healthz"))]:
            self.check()
            if time.monotonic() > end:
                msg = f"not ready: {', '.join(waiting)}"
                raise StackError(msg)
            time.sleep(0.1)

    def _configure(self) -> None:
        """Write the configuration of compose with the addresses of here."""
        said = yaml.safe_load((DEPLOY / "flyball" / "flyball.yaml").read_text())
        said["log"]["brokers"] = [self.broker.address]
        said["otlp"] = {"port": self.ports["otlp"], "grpc_port": None}
        for section, name in (
            (said["metrics"], "flow"),
            (said["deliver"]["metrics"], "deliver"),
            (said["control"], "control"),
        ):
            section.update(host="127.0.0.1", port=self.ports[name])
        self.write("flyball.yaml", said | self._more)
        self._configure_prometheus()

    def _configure_prometheus(self) -> None:
        said = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
        said["global"] = {
            "scrape_interval": self._scrape,
            "scrape_timeout": self._scrape,
            "evaluation_interval": self._scrape,
        }
        said["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [self.address("alertmanager")]}]}]
        jobs = [job["job_name"] for job in said["scrape_configs"] if job["job_name"] in self.ports]
        said["scrape_configs"] = [
            {"job_name": name, "static_configs": [{"targets": [self.address(name)]}]} for name in jobs
        ]
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(said))
        shutil.copy(ROOT / "dashboards" / "prometheus" / "rules.yaml", self.folder)

    def _flyball(self, words: list[str], name: str) -> list[str]:
        """Give a command line of compose with the folders of here."""
        here = {"/etc/flyball": str(self.config), "/var/lib/flyball": str(self.folder / "data" / name)}
        return [sys.executable, "-m", "flyball", *(here.get(word, word) for word in words)]

    def _start_prometheus(self) -> None:
        config = DEPLOY / "alertmanager" / "alertmanager.yml"
        files = [f"--config.file={config}", f"--storage.path={self.folder / 'alertmanager'}"]
        listen = [f"--web.listen-address={self.address('alertmanager')}", "--cluster.listen-address="]
        self._start("alertmanager", ["prometheus-alertmanager", *files, *listen])
        files = [f"--config.file={self.folder / 'prometheus.yml'}", f"--storage.tsdb.path={self.folder / 'prometheus'}"]
        self._start("prometheus", ["prometheus", *files, f"--web.listen-address={self.address('prometheus')}"])

    def _start(self, name: str, line: list[str]) -> None:
        self._lines[name] = line
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(line, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def is_well(address: str, path: str) -> bool:
    """Tell whether a part says that it is well."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004
    except (OSError, http.client.HTTPException):
        return False


def free_ports() -> dict[str, int]:
    """Ask the system for ports that nobody listens on now."""
    held = {name: socket.create_server(("127.0.0.1", 0)) for name in PORTS}
    ports = {name: int(each.getsockname()[1]) for name, each in held.items()}
    for each in held.values():
        each.close()
    return ports


def main() -> int:
    """Run until Ctrl-C or SIGTERM. A part that ends is started again: `restart: unless-stopped`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=Path("flyball-stack"), help="data, configuration, logs")
    parser.add_argument("--no-agents", action="store_true", help="without simulated agents")
    args = parser.parse_args()
    if reason := missing():
        print(reason, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Stack(args.dir, PORTS) as stack:
            if not args.no_agents:
                stack.simulate()
            for name in stack.ports:
                print(f"{name:13} http://{stack.address(name)}")
            print(
                f"keys in {stack.folder / 'data' / 'control' / 'control'}, logs in {stack.folder}; Ctrl-C ends it",
                flush=True,
            )
            while True:
                time.sleep(1)
                for each in stack.revive():
                    print(each, flush=True)
    except KeyboardInterrupt:
        return 0
    except (StackError, kafka.BrokerError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
