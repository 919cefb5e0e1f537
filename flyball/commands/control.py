# ruff: noqa: PLC0415 -- a command imports when it runs
"""Runs the control plane: signals for agents, the guard's HTTP, the kill switch and the audit log, until SIGTERM.

With --new-key, --keys or --revoke it does that and ends; a running control plane sees it within a second.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flyball.arguments import add_config, add_data, whole

if TYPE_CHECKING:
    import argparse

    from control.keys import Key, Keys

HELP = "runs the control plane: signals, guard, kill switch"
_DAY_NS = 86_400 * 10**9
_MOST_DAYS = 36_500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    add_config(parser)
    add_data(parser)
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--new-key", choices=("agent", "operator"), help="make a key and show it, once")
    only.add_argument("--keys", action="store_true", help="list the keys")
    only.add_argument("--revoke", metavar="ID", help="end a key")
    parser.add_argument("--tenant", help="of an agent's key; without it, of a deployment without tenants")
    parser.add_argument("--agent", help="of an agent's key; * is any agent of the tenant")
    parser.add_argument("--person", help="of an operator's key: who holds it")
    parser.add_argument("--roles", default="view", help="of an operator's key: some of view,kill,resume,configure")
    parser.add_argument(
        "--days", type=whole(_MOST_DAYS), help="how long the key holds; without it, until it is revoked"
    )


def run(args: argparse.Namespace) -> int:
    """Run until stopped, or do the one thing asked for."""
    from flyball.check import configuration, policy
    from flyball.control import control_folder, run_control
    from flyball.errors import CommandError

    settings = configuration(args.config)
    if not (args.new_key or args.keys or args.revoke):
        return run_control(settings, args.data, policy(args.config))
    from control.keys import Keys, KeysError

    folder = control_folder(settings, args.data)
    if not args.new_key and not folder.is_dir():
        msg = f"found no {folder}: no control plane ever ran with this data folder"
        raise CommandError(msg)
    try:
        return _about_keys(args, Keys(folder))
    except KeysError as error:
        raise CommandError(str(error)) from error


def _about_keys(args: argparse.Namespace, keys: Keys) -> int:
    from flyball.control import tell

    expires_ns = None if args.days is None else time.time_ns() + args.days * _DAY_NS
    if args.new_key == "agent":
        tell(keys.agent(args.tenant, args.agent or "", expires_ns))
    elif args.new_key == "operator":
        tell(keys.operator(args.person or "", tuple(args.roles.split(",")), expires_ns))
    elif args.revoke:
        keys.revoke(args.revoke)
        tell(f"{args.revoke} is over")
    else:
        for key in keys.all():
            whose = f"{key.person}: {','.join(key.roles)}" if key.roles else f"tenant {key.tenant}, agent {key.agent}"
            tell(f"{key.id}  {key.made_at}  {whose}{_ending(key, time.time_ns())}")
    return 0


def _ending(key: Key, now_ns: int) -> str:
    """Say of a key whether it is over, or when it will be; a list of keys is asked why an agent is refused."""
    from control.clocks import stamp

    if key.revoked:
        return "  revoked"
    if key.expires_ns is None:
        return ""
    return f"  {'over since' if now_ns >= key.expires_ns else 'until'} {stamp(key.expires_ns)}"
