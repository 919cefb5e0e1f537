# ruff: noqa: PLC0415 -- a command imports when it runs
"""Kills a scope: its agents make no call any more, until somebody resumes it. Guards hear it within a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.arguments import add_config, add_data

if TYPE_CHECKING:
    import argparse

    from control.client import Client

HELP = "stops a run, user, agent, workflow, tenant or the whole product"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
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


def _reach(control: Client, args: argparse.Namespace) -> str:
    """Say whom it reached of late: a name with a slip in it is killed as willingly as any. "": it is not known."""
    from urllib.parse import urlencode

    from control.client import ControlError
    from flyball.control import scope_of

    scope = scope_of(args.scope)
    if scope["level"] == "run":  # it has no record as long as it is open
        return ""
    asked = urlencode(scope | ({"tenant": args.tenant} if args.tenant else {}))
    try:
        seen = control.get(f"/v1/console/preview?{asked}")
    except ControlError:  # it is killed all the same
        return ""
    if not seen["runs"]:
        return (
            f"of it no run has ended in the last {seen['minutes']} minutes: is the name right?"
            " Runs that are open are not counted"
        )
    ended = "1 run" if seen["runs"] == 1 else f"{seen['runs']} runs"
    return f"of it {ended} ended in the last {seen['minutes']} minutes; guards connected: {seen['guards']}"


def run(args: argparse.Namespace) -> int:
    """Order it, and say what came of it."""
    from flyball.control import tell

    control = control_of(args)
    answer = order(control, args, "/v1/kill")
    tell(f"{args.scope} is killed, signal ({answer['epoch']}, {answer['seq']})")
    if reach := _reach(control, args):
        tell(reach)
    tell_unwritten(answer)
    return 0
