# ruff: noqa: PLC0415 -- a command imports when it runs
"""Shows what is asked of agents now: every scope that is not neutral, by whom, and who has applied it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flyball.arguments import add_config, add_data

if TYPE_CHECKING:
    import argparse

HELP = "what is killed or restricted now"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    parser.add_argument("--json", action="store_true", help="as the control plane tells it")
    parser.add_argument("--url", help="the control plane; default: $FLYBALL_CONTROL, else as configured")
    add_config(parser)
    add_data(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, and show."""
    from flyball.config.load import load
    from flyball.control import call, client, tell
    from models.plain import plain

    control = client(load(args.config), args.data, args.url)
    said = call(lambda: control.get("/v1/status"))
    if args.json:
        tell(json.dumps(said))
        return 0
    for row in said["scopes"]:
        tell(plain(_line(row)))
    scopes, guards = _count(len(said["scopes"]), "scope"), _count(said["clients"], "guard")
    tell(f"{scopes}, {guards}, at signal ({said['epoch']}, {said['seq']})")
    if said["degraded"]:
        tell(f"DEGRADED: {said['degraded']}")
    return 0


def _line(row: dict[str, Any]) -> str:
    scope, state = row["scope"], row["state"]
    killed = f"killed by {row['killed_by']} at {row['killed_at']}" if row.get("killed_by") else "killed"
    words = [killed] if state["kill"] else []
    words += [state["level"]] if state["level"] != "full" else []
    words += [f"only {', '.join(state['tools']) or 'no tools'}"] if state["tools"] is not None else []
    words += [f"not {', '.join(state['deny'])}"] if state["deny"] else []
    words += ["throttled"] if state["throttle"] else []
    whose = f" of {row['tenant']}" if row["tenant"] else ""
    by = ", ".join(sorted(row["sources"]))
    last = f", by all at {row['acknowledged_at']}" if row.get("acknowledged_at") else ""
    return f"{scope['level']}:{scope['id']}{whose}  {'; '.join(words)}  by {by}, {row['applied']['text']}{last}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
