# ruff: noqa: PLC0415 -- a command imports when it runs
"""Verifies the audit log, or writes it out as JSON lines. It may run beside the control plane.

`audit export > FILE` keeps the checkpoints too; `audit verify --against FILE` finds a log that was replaced as a
whole, or in a part that was not signed yet.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flyball.arguments import add_config, add_data

if TYPE_CHECKING:
    import argparse

    from flyball_sdk.signing import KeyRing

    from control.exported import Exported
    from control.store import Store

HELP = "verifies or exports the audit log"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    parser.add_argument("what", choices=("verify", "export"))
    parser.add_argument("--key", action="append", help="public key to trust; default: that of the data folder")
    parser.add_argument("--against", metavar="FILE", type=Path, help="verify: an export made before")
    add_config(parser)
    add_data(parser)


def run(args: argparse.Namespace) -> int:
    """Do it; exit 1 where the log does not hold."""
    from contextlib import closing

    from flyball.config.load import load
    from flyball.control import control_folder, existing_store

    settings = load(args.config)
    with closing(existing_store(settings, args.data)) as store:
        return _export(store) if args.what == "export" else _verify(args, store, control_folder(settings, args.data))


def _export(store: Store) -> int:
    from flyball.control import tell

    for entry in store.entries():
        tell(f'{{"entry":{entry.body.decode()},"hash":"{entry.hash.hex()}"}}')
    for signed in store.checkpoints():
        tell(f'{{"checkpoint":{signed.decode()}}}')
    return 0


def _verify(args: argparse.Namespace, store: Store, folder: Path) -> int:
    from control import audit
    from flyball.control import tell

    keys, known = _keys(args, folder), _exported(args)
    checkpoints = store.checkpoints()
    entries = store.entries(limit=store.chain().n)  # what comes meanwhile is not signed yet, however much it is
    report = audit.verify(entries, checkpoints, keys, known.checkpoints, known.hashes)
    for problem in report.problems:
        tell(f"WRONG: {problem}")
    tell(f"{report.entries} entries, {report.checkpoints} checkpoints, {report.unsigned} entries not yet signed")
    return 1 if report.problems else 0


def _keys(args: argparse.Namespace, folder: Path) -> KeyRing:
    """Give the keys to trust. Raises CommandError."""
    from flyball_sdk.errors import MalformedError
    from flyball_sdk.signing import KeyRing, PublicKey, SigningKey

    from control.plane import SIGNING
    from flyball.errors import CommandError

    try:
        if args.key:
            return KeyRing([PublicKey.from_text(text) for text in args.key])
        return KeyRing([SigningKey.from_text((folder / SIGNING).read_text()).public()])
    except MalformedError as error:
        raise CommandError(str(error)) from error


def _exported(args: argparse.Namespace) -> Exported:
    """Give what was exported before. Raises CommandError."""
    from flyball_sdk.errors import MalformedError

    from control import exported
    from flyball.errors import CommandError

    if not args.against:
        return exported.NOTHING
    try:
        return exported.read(args.against.read_bytes().splitlines())
    except MalformedError as error:
        msg = f"{args.against}: {error}"
        raise CommandError(msg) from error
