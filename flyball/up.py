"""Everything on one machine: receiver, flow, control plane and delivery as processes under one supervisor."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from flyball.errors import CommandError
from flyball.listen import hold_port, listen
from flyball.opening import open_configured_log
from flyball.supervise import Part, Supervisor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flyball.config.settings import Settings


_ALONE = {"receiver": "receive", "control": "control", "deliver": "deliver"}
"""Name of the part and command, of those that run once."""


def run_up(settings: Settings, config: Path | None, data: Path) -> int:
    """Run until SIGTERM or Ctrl-C; gives the exit code."""
    otlp, metrics, topics = settings.otlp, settings.metrics, settings.log.topics
    control, pages = settings.control, settings.deliver.metrics
    _ensure_free(settings)
    data.mkdir(parents=True, exist_ok=True)
    if not settings.log.brokers:  # a disk that cannot be written is told before anything starts; Kafka is waited for
        with closing(open_configured_log(settings, data)) as log:
            for topic in vars(topics).values():
                log.ensure(topic, settings.log.partitions)
    _say(f"OTLP/HTTP   http://{otlp.host}:{otlp.port}/v1/traces and /v1/logs")
    if otlp.grpc_port is not None:
        _say(f"OTLP/gRPC   {otlp.host}:{otlp.grpc_port}")
    _say(f"metrics     http://{metrics.host}:{metrics.port}/metrics")
    _say(f"records     {topics.runs}, {topics.slis} in {'Kafka' if settings.log.brokers else data / 'log'}")
    _say(f"pages       to the sinks of routes.yaml, else here; metrics http://{pages.host}:{pages.port}/metrics")
    keys = control.folder or data / "control"
    _say(f"control     http://{control.host}:{control.port}, signals and guard; keys in {keys}")
    if control.port:  # one that the system chooses is told by the control plane itself
        _say(f"console     http://{control.host}:{control.port}/console/")
    _say("Ctrl-C stops; the next start goes on where this one ended")
    with ExitStack() as stack:
        held = [stack.enter_context(hold_port()) for _ in range(settings.flow.workers)]
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in held]
        return Supervisor(parts(settings, config, data, addresses), _say).run()


def _ensure_free(settings: Settings) -> None:
    """Listen everywhere at once, and let go again: what cannot be is told before anything is started.

    Raises CommandError where an address is in use, or two parts would have the same.
    """
    otlp, metrics, control, pages = settings.otlp, settings.metrics, settings.control, settings.deliver.metrics
    wanted = [(otlp.host, otlp.port, "otlp.port")]
    if otlp.grpc_port is not None:
        wanted.append((otlp.host, otlp.grpc_port, "otlp.grpc_port"))
    workers = range(settings.flow.workers)
    wanted += [(metrics.host, metrics.port and metrics.port + index, "metrics.port") for index in workers]
    wanted += [(pages.host, pages.port, "deliver.metrics.port"), (control.host, control.port, "control.port")]
    taken: dict[int, str] = {}
    with ExitStack() as stack:
        for host, port, name in wanted:
            try:
                stack.enter_context(closing(listen(host, port, name)))
            except CommandError as error:
                if port not in taken:
                    raise
                msg = f"{name}: found {port}, which is {taken[port]} already, expected a port of its own"
                raise CommandError(msg) from error
            taken[port] = name


def parts(settings: Settings, config: Path | None, data: Path, addresses: Sequence[str]) -> list[Part]:
    """List the processes: one receiver, one control plane, one delivery, and one per worker of the flow.

    Workers find each other by `addresses`, one each; a worker that is alone needs none.
    """
    common = ["--data", str(data), *(["--config", str(config)] if config else [])]
    cluster = ["--addresses", ";".join(addresses)]
    flows = [
        Part(
            f"flow {index}", "flow", ["flow", *common, *(["--process", str(index), *cluster] if addresses[1:] else [])]
        )
        for index in range(settings.flow.workers)
    ]
    alone = [Part(name, name, [command, *common]) for name, command in _ALONE.items()]
    return [*alone, *flows]


def _say(text: str) -> None:
    print(f"flyball: {text}", file=sys.stderr, flush=True)  # noqa: T201  # what a command line is for
