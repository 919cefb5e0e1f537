"""Records of the flow as they lie in the log: what all kinds have in common."""

from __future__ import annotations

from typing import Any

import orjson
from flyball_sdk.checks import wrong
from flyball_sdk.scope import Scope, as_named


def record_of(kind: str, value: bytes) -> dict[str, Any]:
    """Read an object of a kind; raises MalformedError."""
    try:
        said = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise wrong(kind, "JSON", str(error)) from error
    if not isinstance(said, dict) or said.get("kind") != kind:
        raise wrong(kind, f'an object of kind "{kind}"', said)
    return said


def scope_in(said: dict[str, Any]) -> Scope:
    """Read the scope of a record; raises MalformedError."""
    scope = said.get("scope")
    if isinstance(scope, dict):  # of a later version, it may say more
        name = scope.get("id")
        scope = {"level": scope.get("level"), "id": as_named(name) if isinstance(name, str) else name}
    return Scope.from_json(scope)
