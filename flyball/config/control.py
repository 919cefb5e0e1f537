# ruff: noqa: RUF009, TC003 -- `key` declares a field as `dataclasses.field` does; the types are read at run time
"""The section `control:` of `flyball.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from dataclasses import dataclass  # isort: skip

from flyball.config.schema import Between, Count, Dollars, Port, key, section
from flyball.config.units import Duration, duration

Tier = Annotated[int, Between(0, 3)]
Whole = Annotated[int, Between(0)]
Wait = Annotated[Duration, Between(duration("1s"), duration("24h"))]


@dataclass(frozen=True)
class ControlThrottle:
    """How fast a throttled scope may go where the verdict does not say it."""

    calls_per_minute: Whole = key(30, "tool calls a minute")
    concurrency: Whole = key(2, "tool calls at the same time")


@dataclass(frozen=True)
class ControlTool:
    """A tool, by its name or a glob: what the guard of the control plane knows of it."""

    tier: Tier = key(2, "0 reads, 1 reversible write, 2 destructive or spending, 3 irreversible")
    cost: Dollars = key(0.0, "what a call is estimated to cost, in USD: so much is reserved of budgets; no globs here")


@dataclass(frozen=True)
class Control:
    """The control plane: signals, guard, kill switch, audit log."""

    host: str = key("127.0.0.1", "address to listen on; beyond loopback put TLS before it")
    port: Port = key(8088, "port to listen on; 0 takes a free one")
    socket: Path | None = key(None, "a Unix socket to listen on, too")
    folder: Path | None = key(None, "folder of signals, keys and audit log; without it, `control` in the data folder")
    rate: Count = key(1_000, "requests a second of one tenant; beyond, 429")
    second_person: Wait = key(duration("10m"), "how long a resume of the whole product waits for a second person")
    may_lift: tuple[str, ...] = key(
        ("spend.*",), "rules, by name or glob, whose `clear` ends their own kill; else a person must resume"
    )
    throttle: ControlThrottle = section(ControlThrottle)
    mode: Literal["enforce", "audit"] = key(
        "enforce", "audit: /v1/guard judges and tells, but stops only what is killed"
    )
    default_tier: Tier = key(2, "tier of a tool that is not named")
    tools: Mapping[str, ControlTool] = key({}, "tools by name or glob")
    audit_fields: tuple[str, ...] = key((), "arguments of tools that the audit log may hold in words, by name")
