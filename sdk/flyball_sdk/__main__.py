"""python -m flyball_sdk doctor: says whether this agent is guarded; exit code 1 if not."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from flyball_sdk.doctor import FAILED, examine

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flyball_sdk", description="The guard in an agent's process.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("doctor", help="make a call that must be blocked; look at rules, keys, clock and stream")
    parser.parse_args(arguments)
    failed = False
    for finding in examine():
        failed = failed or finding.state == FAILED
        sys.stdout.write(f"{finding.state:<8}{finding.what:<15}{finding.text}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
