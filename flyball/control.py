"""The control plane as a process, and the commands that speak to it."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from contextlib import ExitStack, closing, suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.errors import CommandError
from flyball.listen import listen
from flyball.opening import open_configured_log

if TYPE_CHECKING:
    from types import FrameType

    from control.client import Client
    from control.plane import PlaneSettings
    from control.store import Store
    from flyball.config.policy import PolicyFile
    from flyball.config.settings import Settings

ADDRESS, KEY, KEY_FILE = "FLYBALL_CONTROL", "FLYBALL_CONTROL_KEY", "FLYBALL_CONTROL_KEY_FILE"
"""Environment variables: where the control plane is, and the operator's key or the file it is in."""
_ADDRESS_FILE = "address"
_SWITCH_S = 0.0005
"""How long another thread may keep an evaluation waiting; Python's own 5 ms are as much as it may take in all."""


def run_control(settings: Settings, data: Path, policy: PolicyFile) -> int:
    """Run until SIGTERM or Ctrl-C; gives the exit code. The policy says which budgets there are."""
    from control.connections import allow_connections  # noqa: PLC0415
    from control.keys import KeysError  # noqa: PLC0415
    from control.plane import Plane  # noqa: PLC0415 -- loads the server
    from control.server import run  # noqa: PLC0415

    asked = settings.control
    folder = control_folder(settings, data)
    with ExitStack() as stack:
        tcp = stack.enter_context(listen(asked.host, asked.port, "control.port"))
        sockets = [tcp, *([stack.enter_context(_listen_unix(asked.socket))] if asked.socket else [])]
        log = stack.enter_context(closing(open_configured_log(settings, data)))
        try:
            plane = Plane(plane_settings(settings, folder, policy), log, say=_say)
        except KeysError as error:
            raise CommandError(str(error)) from error
        host, port = tcp.getsockname()[:2]
        address = f"http://{'[' + host + ']' if ':' in host else host}:{port}"

        def ready() -> None:
            (folder / _ADDRESS_FILE).write_text(f"{address}\n")
            _say(f"control plane on {address}{f' and {asked.socket}' if asked.socket else ''}, keys in {folder}")
            _say(f"console on {address}/console/")
            _say(f"guards pin {plane.signing.public().to_text()}")

        _end_well_on_signals()
        allow_connections()
        sys.setswitchinterval(_SWITCH_S)
        gc.collect()
        gc.set_threshold(50_000, 20, 50)  # an evaluation leaves next to no cycles behind
        gc.freeze()  # what is there now lives as long as the process: no collection looks at it again
        run(plane, sockets, ready)
    return 0


def plane_settings(settings: Settings, folder: Path, policy: PolicyFile) -> PlaneSettings:
    """Give what the configuration says to the control plane."""
    from flyball_sdk.policy import Policy  # noqa: PLC0415
    from flyball_sdk.state import Throttle  # noqa: PLC0415
    from flyball_sdk.tiers import Tiers  # noqa: PLC0415

    from control.console.follower import Topics  # noqa: PLC0415
    from control.contributions import Rules  # noqa: PLC0415
    from control.plane import PlaneSettings  # noqa: PLC0415
    from flyball.config.guard_limits import guard_limits  # noqa: PLC0415
    from flyball.config.policy_yaml import budgets  # noqa: PLC0415

    log, asked = settings.log, settings.control
    limits, own_limits = guard_limits(policy)
    throttle = Throttle(asked.throttle.calls_per_minute, asked.throttle.concurrency)
    tiers = Tiers({name: tool.tier for name, tool in asked.tools.items()}, default=asked.default_tier)
    return PlaneSettings(
        folder=folder,
        verdicts=log.topics.verdicts,
        spend=log.topics.spend,
        orders=log.topics.orders,
        partitions=log.partitions,
        start=log.start,
        on_lost=log.on_lost,
        rules=Rules(frozenset(asked.may_lift), throttle),
        policy=Policy(limits, tiers, mode=asked.mode),
        limits=own_limits,
        rate=float(asked.rate),
        audit_fields=asked.audit_fields,
        second_person_s=asked.second_person / 1e9,
        topics=Topics(**{each.name: getattr(log.topics, each.name) for each in fields(Topics)}),
        prices={
            model: {name: each for name, each in vars(price).items() if each is not None}
            for model, price in settings.prices.items()
        },
        attributes=dict(settings.attributes),
        zone=policy.spend.time_zone,
        costs={name: tool.cost for name, tool in asked.tools.items() if tool.cost},
        budgets=budgets(policy),
    )


def control_folder(settings: Settings, data: Path) -> Path:
    """Give the folder of signals, keys and audit log."""
    return settings.control.folder or data / "control"


def client(settings: Settings, data: Path, address: str | None) -> Client:
    """Open the control plane that the command line, the environment, this machine or the configuration names."""
    from control.client import Client  # noqa: PLC0415

    folder = control_folder(settings, data)
    return Client(address or os.environ.get(ADDRESS) or _address(settings, folder), _key(folder))


def existing_store(settings: Settings, data: Path) -> Store:
    """Open the file of a control plane, which may be running. Raises CommandError."""
    from control.store import FILE, Store  # noqa: PLC0415

    path = control_folder(settings, data) / FILE
    if not path.exists():
        msg = f"found no {path}: no control plane ever ran with this data folder"
        raise CommandError(msg)
    return Store(path)


def scope_of(text: str) -> dict[str, str]:
    """Read a scope as people write it: `run:ID`, `workflow:air`, `product`. Raises CommandError."""
    from flyball_sdk.errors import MalformedError  # noqa: PLC0415
    from flyball_sdk.scope import EVERYTHING, PRODUCT, RUN, SCOPE_LEVELS, Scope, as_run  # noqa: PLC0415

    level, _, name = text.partition(":")
    if level == PRODUCT and not name:
        name = EVERYTHING
    name = as_run(name) if level == RUN else name
    try:
        Scope.from_json({"level": level, "id": name})
    except MalformedError as error:
        msg = (
            f"{text!r} is no scope ({error}); write {', '.join(f'{each}:ID' for each in SCOPE_LEVELS[:-1])} or product"
        )
        raise CommandError(msg) from error
    return {"level": level, "id": name}


def call(act: Any) -> Any:
    """Do what speaks to the control plane; its refusals are told in one line. Raises CommandError."""
    from control.client import ControlError  # noqa: PLC0415

    try:
        return act()
    except ControlError as error:
        raise CommandError(str(error)) from error


def tell(text: str) -> None:
    """Print what was asked for."""
    print(text, flush=True)  # noqa: T201 -- what a command is for


def has_key(settings: Settings, data: Path) -> bool:
    """Say whether there is an operator's key to speak to a control plane with."""
    from control.plane import FIRST  # noqa: PLC0415

    return any(map(os.environ.get, (KEY, KEY_FILE))) or (control_folder(settings, data) / FIRST).exists()


def _address(settings: Settings, folder: Path) -> str:
    asked = settings.control
    if not asked.port:
        with suppress(OSError):  # it never ran, or another user's does: the configuration says where
            return (folder / _ADDRESS_FILE).read_text().strip()
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(asked.host, asked.host)  # noqa: S104 -- to connect, not to bind
    return f"http://{host}:{asked.port}"


def _key(folder: Path) -> str:
    from control.plane import FIRST  # noqa: PLC0415

    if key := os.environ.get(KEY):
        return key.strip()
    path = Path(os.environ.get(KEY_FILE) or folder / FIRST)
    try:
        return path.read_text().strip()
    except OSError as error:
        msg = f"found no operator's key: {path}: {error.strerror}. Set {KEY}, or {KEY_FILE} to the file it is in"
        raise CommandError(msg) from error


def _listen_unix(path: Path) -> socket.socket:
    """Bind a Unix socket that only this user reaches; what a dead process left there is taken away."""
    if path.is_socket():
        path.unlink()
    listening = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        listening.bind(str(path))
    except OSError as error:
        listening.close()
        msg = f"cannot listen on {path}: {error.strerror}; another path is set by control.socket in flyball.yaml"
        raise CommandError(msg) from error
    finally:
        os.umask(mask)
    listening.listen(1024)
    return listening


def _end_well_on_signals() -> None:
    """Make being stopped no failure: after its own shutdown the server raises the signal again, for us."""

    def nothing(number: int, frame: FrameType | None) -> None:
        """Do nothing."""

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, nothing)


def _say(text: str) -> None:
    print(f"flyball: {text}", file=sys.stderr, flush=True)  # noqa: T201 -- for people
