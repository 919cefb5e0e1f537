"""A real Alertmanager on loopback, for tests and for a person: Debian's prometheus-alertmanager.

    python tests/services/alertmanager.py --dir DIR [--port 9093] [--config FILE]     Ctrl-C ends it

Needs the package prometheus-alertmanager (its `amtool` asks it what it knows).
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

PROGRAM = "prometheus-alertmanager"
START_TIMEOUT_S = 30.0
SILENT = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


class AlertmanagerError(Exception):
    """It cannot be had: what is missing, or what it said."""


def missing() -> str | None:
    """Say what keeps it from being started; None: nothing."""
    for program in (PROGRAM, "amtool"):
        if shutil.which(program) is None:
            return f"no {program} in PATH: install Debian's prometheus-alertmanager"
    return None


class Alertmanager:
    """One Alertmanager with a configuration (YAML text); runs while it is entered."""

    def __init__(self, folder: Path, config: str = SILENT, port: int = 0) -> None:
        self._folder = folder
        self.port = port or _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "alertmanager.yml").write_text(config)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start, and wait until it is ready."""
        log = self._folder / "alertmanager.log"
        command = [PROGRAM, f"--config.file={self._folder / 'alertmanager.yml'}"]
        command += [f"--storage.path={self._folder / 'data'}", f"--web.listen-address=127.0.0.1:{self.port}"]
        command += ["--cluster.listen-address="]
        with log.open("wb") as file:
            self._process = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
        until = time.monotonic() + START_TIMEOUT_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise AlertmanagerError(log.read_text())
            time.sleep(0.05)
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def alerts(self) -> list[dict[str, Any]]:
        """Ask `amtool` for the alerts that are active."""
        command = ["amtool", "alert", "query", "--output=json", f"--alertmanager.url={self.url}"]
        return list(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as answer:  # noqa: S310 -- our own
                return bool(answer.status == 200)
        except OSError:
            return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def main() -> None:
    """Run until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--port", type=int, default=9093)
    parser.add_argument("--config", type=Path)
    args = parser.parse_args()
    args.dir.mkdir(parents=True, exist_ok=True)
    reason = missing()
    if reason:
        sys.exit(reason)
    with Alertmanager(args.dir, args.config.read_text() if args.config else SILENT, args.port) as running:
        print(running.url, flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
