"""Stage: `flyball up` as a process, in a folder and on ports of its own, and the way to end it."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import yaml

from flyball.errors import CommandError
from flyball.openslo.files import shipped_slos
from flyball.supervise import end_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flyball.demo.ports import Ports

_STEP_S = 0.005
_GRACE_S = 30.0
"""The supervisor gives its parts 20 s to end, then it kills them."""
_LAST_WORDS = 12


class Readiness(NamedTuple):
    """Which part answers at which port."""

    part: str
    port: int


class Stage:
    """A deployment for as long as the `with` lasts; its folder is `folder`, which must be empty or new."""

    def __init__(self, folder: Path, ports: Ports, *, pager: str) -> None:
        """`pager` is the address that pages are posted to, as to PagerDuty."""
        self.folder, self.ports = folder, ports
        self.config = folder / "config"
        self._pager = pager
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Write the configuration and start."""
        self._configure()
        with self.words.open("wb") as words:
            self._process = subprocess.Popen(  # noqa: S603  # our own command line
                [sys.executable, "-m", "flyball", "up", *self.options],
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                start_new_session=True,  # Ctrl-C reaches only us; we then end it
                preexec_fn=end_with_parent,  # noqa: PLW1509  # no other thread of ours runs yet
            )
        return self

    def __exit__(self, *error: object) -> None:
        """End all processes; returns when they are gone."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()  # its parts end with it
            process.wait()

    @property
    def options(self) -> list[str]:
        """Give the options by which other commands speak to this deployment."""
        return ["--data", str(self.folder), "--config", str(self.config)]

    @property
    def words(self) -> Path:
        """Name the file of what the parts say."""
        return self.folder / "up.log"

    def waits(self) -> list[Readiness]:
        """List the parts that do not answer yet."""
        ports = self.ports
        parts = (
            Readiness("receiver", ports.otlp),
            Readiness("control plane", ports.control),
            Readiness("delivery", ports.pages),
            Readiness("flow", ports.metrics),
        )
        return [part for part in parts if not answers(part.port)]

    def wait(self, condition: Callable[[], Any], seconds: float) -> Any:
        """Poll until the condition holds, and give what it gave; what it gave last after `seconds`."""
        end = time.monotonic() + seconds
        while not (found := condition()) and time.monotonic() < end:
            self.check()
            time.sleep(_STEP_S)
        return found

    def check(self) -> None:
        """Raise CommandError, with its last words, when the deployment has ended by itself."""
        if self._process is not None and (code := self._process.poll()) is not None:
            last = self.words.read_text(errors="replace").splitlines()[-_LAST_WORDS:]
            msg = "\n".join([f"flyball up ended with exit code {code}; its last words:", *last])
            raise CommandError(msg)

    def _configure(self) -> None:
        """Write the demo's configuration, as it is shipped, with ports and the pager."""
        self.config.mkdir(parents=True)
        for path in (shipped_slos() / "demo").glob("*.yaml"):
            (self.config / path.name).write_text(path.read_text())
        settings = yaml.safe_load((self.config / "flyball.yaml").read_text())
        for name, section in self.ports.settings().items():
            settings[name] = settings.get(name, {}) | section
        _write(self.config / "flyball.yaml", settings)
        (self.config / "routing-key").write_text("0" * 32)  # PagerDuty's have 32 characters
        sink = {"name": "on-call", "type": "pagerduty", "secret": "${FILE:routing-key}"}
        routes = {
            "runbooks": f"{self._pager}/runbooks",
            "console": f"http://127.0.0.1:{self.ports.control}/console/",
            "sinks": [sink | {"url": f"{self._pager}/v2/enqueue"}],
            "routes": [{"name": "all", "sinks": ["on-call"]}],
        }
        _write(self.config / "routes.yaml", routes)


def answers(port: int) -> bool:
    """Tell whether a part of ours says that it is well."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == http.HTTPStatus.OK)
    except (OSError, http.client.HTTPException):
        return False


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False))
