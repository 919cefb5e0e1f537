"""NestedFiles: what the watches of a flow know of nested agents, in a folder that all of its processes see.

A watch has no state that the engine keeps, and runs come to other workers when there are more or fewer of these. So
each watch writes to files of its own, and one that begins reads them all. What it reads may be ahead of the state
that the flow begins with: agents come again then, and are the same.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import orjson

from models.runaways.nested import Agent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.runaways.nested import Nested

_OLD_S = 25 * 3600
"""A file is of no use so long after it was written to last: no run is open for longer."""
_A_FILE = 200_000
"""Agents of a file, 20 MB; then the next one is begun, and of those of this life the two newest stay."""
_READ = 500_000
"""Agents that are read at the start, those of the newest files: a second."""


class NestedFiles:
    """The files of one watch, called `name`, and those of all others in `folder`. `now_ns` is the clock."""

    def __init__(self, folder: Path, name: str, nested: Nested, now_ns: int) -> None:
        self._folder, self._name, self._nested = folder, name, nested
        self._number = self._written = 0
        folder.mkdir(parents=True, exist_ok=True)
        for agents in reversed(_newest(folder, now_ns / 1e9 - _OLD_S)):
            nested.add(agents)
        nested.take_new()  # each stays in its file

    def keep(self) -> None:
        """Write what is new."""
        new = self._nested.take_new()
        if not new:
            return
        if self._written >= _A_FILE:
            self._number, self._written = self._number + 1, 0
            self._path(self._number - 2).unlink(missing_ok=True)
        self._written += len(new)
        _append(self._path(self._number), new)

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._name}-{number}.jsonl"


def _newest(folder: Path, since_s: float) -> list[list[Agent]]:
    """Give what the files hold, the newest first; deletes those that were not written to since (Unix seconds)."""
    found: list[list[Agent]] = []
    written = [(_written_s(path), path) for path in folder.glob("*.jsonl")]
    for written_s, path in sorted(written, reverse=True):
        if written_s < since_s:
            path.unlink(missing_ok=True)
        elif sum(map(len, found)) < _READ:
            found.append(_read(path))
    return found


def _append(path: Path, agents: Sequence[Agent]) -> None:
    lines = [orjson.dumps((*agent[:-1], _plain(agent.text))) for agent in agents]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, b"\n".join([*lines, b""]))
    finally:
        os.close(descriptor)


def _plain(text: str | None) -> str | None:
    """Give a text that can be written: half of a character cannot."""
    return text and text.encode("utf-8", "replace").decode()


def _read(path: Path) -> list[Agent]:
    """Give what a file holds, but for lines that are torn; another process may be deleting it."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    return [agent for line in lines if line.endswith(b"\n") and (agent := _agent(line))]


def _agent(line: bytes) -> Agent | None:
    """Read a line; None: it is torn, by a kill or where the disk was full."""
    try:
        return Agent(*orjson.loads(line))
    except (orjson.JSONDecodeError, TypeError):
        return None


def _written_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
