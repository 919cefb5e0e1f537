"""Ports of the demo: those that everybody knows, or free ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from flyball.config.settings import Settings
from flyball.errors import CommandError
from flyball.listen import hold_port, listen

if TYPE_CHECKING:
    from contextlib import ExitStack


class Ports(NamedTuple):
    """On 127.0.0.1."""

    otlp: int
    control: int
    metrics: int
    pages: int

    def settings(self) -> dict[str, dict[str, Any]]:
        """Give them as `flyball.yaml` says them."""
        return {
            "otlp": {"port": self.otlp},
            "control": {"port": self.control},
            "metrics": {"port": self.metrics},
            "deliver": {"metrics": {"port": self.pages}},
        }


def usual() -> Ports:
    """Give the defaults of `flyball up`."""
    settings = Settings()
    metrics = settings.metrics.port, settings.deliver.metrics.port
    return Ports(settings.otlp.port, settings.control.port, *metrics)


def checked(ports: Ports) -> Ports:
    """Give the ports if all of them are free now; raises CommandError."""
    for port in ports:
        try:
            listen("127.0.0.1", port, "").close()
        except CommandError as error:
            reason = str(error).partition(";")[0]
            msg = f"{reason}: does `flyball up` run already? `flyball demo --free-ports` takes others"
            raise CommandError(msg) from error
    return ports


def free_ports(stack: ExitStack) -> Ports:
    """Hold free ports for as long as the stack is open: only servers of ours can listen on them."""
    return Ports(*(stack.enter_context(hold_port()).getsockname()[1] for _ in Ports._fields))
