"""Commands: one file each, named as the command, with its line here.

A file has a docstring (its help page), HELP (its line in the list), `add_arguments(parser)` and
`run(args) -> exit code`, and imports what is heavy inside `run`.
"""

from __future__ import annotations

COMMANDS = (
    "demo",
    "up",
    "replay",
    "simulate",
    "records",
    "check",
    "gate",
    "compare",
    "drift",
    "rules",
    "flow",
    "receive",
    "deliver",
    "control",
    "kill",
    "resume",
    "status",
    "audit",
)
