"""Reading an export of the audit log again, as `flyball audit export` wrote it: what the log must still contain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from flyball_sdk.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Exported(NamedTuple):
    """Checkpoints as they were signed, and the hash (hex) of each entry by its number."""

    checkpoints: list[bytes]
    hashes: dict[int, str]


NOTHING = Exported([], {})


def read(lines: Iterable[bytes]) -> Exported:
    """Read the lines of an export; raises MalformedError for another file, and for one that holds nothing."""
    found = Exported([], {})
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        said = _object(line)
        if isinstance(said.get("checkpoint"), dict):
            found.checkpoints.append(orjson.dumps(said["checkpoint"]))
        elif isinstance(entry := said.get("entry"), dict) and type(entry.get("n")) is int and "hash" in said:
            found.hashes[entry["n"]] = str(said["hash"])
        else:
            msg = f"line {number}: expected an entry with its hash, or a checkpoint, as audit export writes them"
            raise MalformedError(msg)
    if not found.hashes and not found.checkpoints:
        raise MalformedError("it holds no entries: nothing can be held against it")
    return found


def _object(line: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(line)
    except ValueError:
        said = None
    return said if isinstance(said, dict) else {}
