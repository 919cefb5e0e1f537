# ruff: noqa: PLC0415 -- a command imports when it runs
"""Kills a scope: its agents make no call any more, until somebody resumes it. Guards hear it within a second."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from flyball.arguments import add_config, add_data

if TYPE_CHECKING:
    import argparse

    from control.client import Client

PRODUCT = "product"
HELP = "stops a run, user, agent, workflow, tenant or the whole product"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    add_order(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask before the whole product is killed")


def add_order(parser: argparse.ArgumentParser) -> None:
    """Say what orders about a scope are given."""
    parser.add_argument("scope", metavar="SCOPE", help="run:ID, user:ID, agent:ID, workflow:ID, tenant:ID or product")
    parser.add_argument("--reason", default="", help="for people, in the audit log; no model sees it")
    parser.add_argument("--tenant", help="only as far as it is this tenant's")
    parser.add_argument("--url", help="the control plane; default: $FLYBALL_CONTROL, else as configured")
    add_config(parser)
    add_data(parser)


def control_of(args: argparse.Namespace) -> Client:
    """Give the control plane that is meant; what is no scope is told first."""
    from flyball.config.load import load
    from flyball.control import client, scope_of

    scope_of(args.scope)
    return client(load(args.config), args.data, args.url)


def order(control: Client, args: argparse.Namespace, path: str) -> Any:
    """Order it; gives the answer."""
    from flyball.control import call, scope_of

    said = {"scope": scope_of(args.scope)}
    said |= {name: value for name, value in (("reason", args.reason), ("tenant", args.tenant)) if value}
    return call(lambda: control.post(path, said))


def tell_unwritten(answer: Any) -> None:
    """Say so where what was ordered would not outlive the control plane."""
    from flyball.control import tell

    if not answer["written"]:
        tell(f"NOT WRITTEN YET: {answer['degraded']}. It holds as long as the control plane runs; mend its disk")


def _seen(control: Client, args: argparse.Namespace) -> Any:
    """Ask what a signal of the scope would reach; None: it is not known."""
    from urllib.parse import urlencode

    from control.client import ControlError
    from flyball.control import scope_of

    asked = urlencode(scope_of(args.scope) | ({"tenant": args.tenant} if args.tenant else {}))
    try:
        return control.get(f"/v1/console/preview?{asked}")
    except ControlError:  # it is killed all the same
        return None


def _ended(seen: Any) -> str:
    """Say what it reached, as far as the control plane has read the log."""
    if not seen.get("current", True):
        return f"what ran is not known, as the log is not read up now; guards connected: {seen['guards']}"
    runs = "1 run" if seen["runs"] == 1 else f"{seen['runs']} runs"
    return f"{runs} ended in the last {seen['minutes']} minutes; guards connected: {seen['guards']}"


def _reach(control: Client, args: argparse.Namespace) -> str:
    """Say whom it reached of late: a name with a slip in it is killed as willingly as any. "": it is not known."""
    from flyball.control import scope_of

    if scope_of(args.scope)["level"] == "run":  # it has no record as long as it is open
        return ""
    seen = _seen(control, args)
    if seen is None:
        return ""
    if seen.get("current", True) and not seen["runs"]:
        return (
            f"of it no run has ended in the last {seen['minutes']} minutes: is the name right?"
            " Runs that are open are not counted"
        )
    return f"of it {_ended(seen)}"


def _is_meant(control: Client, args: argparse.Namespace) -> bool:
    """Ask the person at the terminal before all agents stop; a script is not asked, and no smaller scope."""
    from flyball.control import scope_of, tell

    is_asked = scope_of(args.scope)["level"] == PRODUCT and not args.yes and sys.stdin and sys.stdin.isatty()
    if not is_asked:
        return True
    whose = f"of the tenant {args.tenant}" if args.tenant else "of every workflow, user and tenant"
    seen = _seen(control, args)
    tell(f"this stops all agents {whose}: they make no call any more, until two people resume it")
    tell("how many there are is not known: the control plane did not say" if seen is None else f"of it {_ended(seen)}")
    try:
        return input(f"type {PRODUCT} to kill it: ").strip() == PRODUCT
    except EOFError:
        return False


def run(args: argparse.Namespace) -> int:
    """Order it, and say what came of it."""
    from flyball.control import tell

    control = control_of(args)
    if not _is_meant(control, args):
        tell("nothing was killed")
        return 1
    answer = order(control, args, "/v1/kill")
    tell(f"{args.scope} is killed, signal ({answer['epoch']}, {answer['seq']})")
    if reach := _reach(control, args):
        tell(reach)
    tell_unwritten(answer)
    return 0
