"""Drift for people: the strongest streams as a table, and changes that a person accepts."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.table import Table

from flyball.config import policy_yaml
from flyball.config.adding import with_entry
from flyball.config.problems import ConfigError
from models.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from flyball.topic import Members


MEMBERS: Members = {
    "workflow": str,
    "sli": str,
    "detector": str,
    "contrast": dict,
    "alarm": bool,
    "evidence": (int, float),
    "threshold": (int, float),
    "since": str,
    "summary": str,
}
"""Of a record that can be listed."""
_WORTH_TELLING = 3.0
"""Decades below the threshold from which a stream that is in no alarm is listed; nothing weaker is described."""


def strongest(
    records: Iterable[Mapping[str, Any]], workflow: str | None = None, sli: str | None = None
) -> list[Mapping[str, Any]]:
    """Give the newest record of each stream, those in alarm first, then by evidence over threshold.

    Those of which an alarm is over, without evidence that is worth telling, are left out.
    """
    newest: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for record in records:
        if workflow in (None, record["workflow"]) and sli in (None, record["sli"]):
            contrast = record["contrast"]
            watch = record.get("watch", record["detector"])  # of a version that did not name it
            of = contrast["dimension"], contrast["to"], contrast.get("tool", "")
            newest[record["workflow"], record["sli"], watch, *of] = record
    told = [each for each in newest.values() if each["alarm"] or each["threshold"] - each["evidence"] <= _WORTH_TELLING]
    return sorted(told, key=lambda each: (not each["alarm"], each["threshold"] - each["evidence"]))


def table(records: Sequence[Mapping[str, Any]]) -> Table:
    """Lay them out."""
    out = Table(box=None, pad_edge=False)
    for title in ("", "workflow", "SLI", "contrast", "evidence", "since", "effect"):
        out.add_column(title, justify="right" if title == "evidence" else "left")
    for record in records:
        contrast = record["contrast"]
        cells = (
            "alarm" if record["alarm"] else "",
            record["workflow"],
            record["sli"],
            f"{contrast['dimension']}: {contrast['from']} > {contrast['to']}" + _tool(contrast),
            f"{record['evidence']:.1f} of {record['threshold']:.1f}",
            record["since"][:16],
            record["summary"],
        )
        out.add_row(*map(plain, cells))
    return out


def _tool(contrast: Mapping[str, str]) -> str:
    return f", {contrast['tool']}" if "tool" in contrast else ""


def accept(directory: Path, workflow: str, sli: str | None, at: str) -> Path:
    """Add a change to `policy.yaml`, whole or not at all; raises ConfigError where the file would not be valid."""
    path = directory / policy_yaml.FILE
    before = path.read_bytes().decode() if path.exists() else ""  # its line ends stay, too
    entry = {"workflow": workflow, "at": at} | ({"sli": sli} if sli else {})
    waiting = path.with_suffix(".yaml.new")
    waiting.write_bytes(with_entry(before, "drift", "accepted", entry).encode())
    try:
        if found := policy_yaml.problems(waiting):
            raise ConfigError([replace(each, file=str(path)) for each in found])  # the other is gone by then
        os.replace(waiting, path)  # noqa: PTH105 -- atomic
    finally:
        waiting.unlink(missing_ok=True)
    return path
