"""A program of Debian's that serves HTTP on loopback while it is entered, for tests."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from typing import TYPE_CHECKING, Self

from loopback import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

START_TIMEOUT_S = 30.0


class ServiceError(Exception):
    """It does not start: what it said."""


class WebService:
    """Runs `command` while it is entered; it listens on `port`, 0: a free one, and logs to `folder`/NAME.log."""

    ready_at = "/-/ready"
    """Where it answers once it is ready."""

    def __init__(self, folder: Path, name: str, port: int = 0) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        """Give what starts it."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Start, and wait until it is ready."""
        with self._log.open("wb") as file:
            self._process = subprocess.Popen(self.command(), stdout=file, stderr=file, stdin=subprocess.DEVNULL)
        until = time.monotonic() + START_TIMEOUT_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise ServiceError(self._log.read_text())
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

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}{self.ready_at}", timeout=1) as answer:  # noqa: S310 -- our own
                return bool(answer.status == 200)
        except OSError:
            return False
