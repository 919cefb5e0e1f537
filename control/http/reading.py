"""Reading members of a request's JSON; what is wrong is a 400 that names the member."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyball_sdk.errors import MalformedError
from flyball_sdk.scope import RUN, Scope, as_named, as_run

from control.http.core import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST: Final = 512
_MOST_USD: Final = 10**12
"""More than any call costs."""


def text(said: Mapping[str, Any], name: str) -> str:
    """Take a text that must be there."""
    value = maybe(said, name)
    if value is None:
        raise Refused(400, name, f"expected {name}, a text that is not empty")
    return value


def maybe(said: Mapping[str, Any], name: str) -> str | None:
    """Take a text that may be missing."""
    value = said.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > _LONGEST:
        raise Refused(400, name, f"expected {name} to be a text of 1 to {_LONGEST} characters")
    return value


def part(said: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Take an object; a missing one is empty."""
    value = said.get(name, {})
    if not isinstance(value, dict):
        raise Refused(400, name, f"expected {name} to be an object")
    return value


def only(said: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    """Refuse a member that nothing reads: what it says would be missing where a decision needs it."""
    strange = sorted(said.keys() - known)
    if strange:
        names = ", ".join(sorted(known))
        raise Refused(400, "unknown", f"found {strange[0][:_LONGEST]} in {where}, expected only {names}")


def whole(said: Mapping[str, Any], name: str, default: int | None) -> int | None:
    """Take a whole number from 0 that may be missing."""
    value = said.get(name, default)
    if value is not None and (type(value) is not int or not 0 <= value < 2**53):
        raise Refused(400, name, f"expected {name} to be a whole number from 0")
    return value


def flag(said: Mapping[str, Any], name: str) -> bool:
    """Take true or false that may be missing, which is false."""
    value = said.get(name, False)
    if not isinstance(value, bool):
        raise Refused(400, name, f"expected {name} to be true or false")
    return value


def dollars(said: Mapping[str, Any], name: str) -> float | None:
    """Take USD that may be missing."""
    value = said.get(name)
    if value is not None and (type(value) not in (int, float) or not 0 <= value < _MOST_USD):
        raise Refused(400, name, f"expected {name} to be a number from 0")
    return value


def scope(said: Mapping[str, Any]) -> Scope:
    """Take a scope, of a name as it is or as scopes have it."""
    found = said.get("scope")
    if isinstance(found, dict) and isinstance(name := found.get("id"), str):
        found = {**found, "id": as_run(name) if found.get("level") == RUN else as_named(name)}
    try:
        return Scope.from_json(found)
    except MalformedError as error:
        raise Refused(400, "scope", str(error)) from None
