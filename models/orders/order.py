"""One order, as it lies in the topic of orders. The control plane writes them, the flow reads them.

Orders of one control plane are numbered (`n`), and lie in one partition in that order; after a crash some are written
again. Who reads takes each number once. All of them are absolute: a kill says since when it is in force.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from models.times import nanoseconds, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable

LEVELS = ("run", "user", "agent", "workflow", "tenant", "product")


class OrderError(ValueError):
    """An order cannot be read; the message says why, in words fit for counting."""


class Place(NamedTuple):
    """A scope, as far as it is a tenant's; None: everybody's."""

    level: str
    id: str
    tenant: str | None


class Kill(NamedTuple):
    """A kill is in force at `place` since then (Unix ns), by a rule, or by a person if that is `operator`."""

    place: Place
    since_ns: int
    rule: str
    by: str
    """The person, else the rule again."""


class Lift(NamedTuple):
    """No kill is in force at `place` any more."""

    place: Place


class Round(NamedTuple):
    """All kills that are in force were told by orders from number `first` on: there are no others."""

    first: int


class Acceptance(NamedTuple):
    """What a workflow does from `since_ns` (Unix ns) on is as it should be; `sli` None: all of its SLIs."""

    workflow: str
    sli: str | None
    since_ns: int
    by: str


@dataclass(frozen=True)
class Order:
    """The order number `n` of the control plane whose signals are the stream `stream`, given at `at_ns` (Unix ns)."""

    stream: str
    n: int
    at_ns: int
    what: Kill | Lift | Round | Acceptance

    def record(self) -> dict[str, Any]:
        """Give it as it is written."""
        head = {"kind": "order", "id": f"{self.stream}-{self.n}", "at": rfc3339(self.at_ns), "order": _name(self.what)}
        return head | _said(self.what) | {"stream": self.stream, "n": self.n}


def read(value: bytes) -> Order:
    """Read one record; raises OrderError."""
    try:
        said = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        msg = "order: not JSON"
        raise OrderError(msg) from error
    return of(said)


def of(said: Any) -> Order:
    """Read a record. Raises OrderError."""
    kind = said.get("order") if isinstance(said, dict) and said.get("kind") == "order" else None
    if not isinstance(kind, str) or kind not in _READ:
        msg = "order: of no known kind"
        raise OrderError(msg)
    try:
        what = _READ[kind](said)
        return Order(_text(said["stream"]), _count(said["n"]), nanoseconds(said["at"]), what)
    except (KeyError, TypeError, ValueError) as error:
        msg = "order: a field is missing or malformed"
        raise OrderError(msg) from error


def _name(what: Kill | Lift | Round | Acceptance) -> str:
    return {Kill: "kill", Lift: "lift", Round: "round", Acceptance: "accept"}[type(what)]


def _said(what: Kill | Lift | Round | Acceptance) -> dict[str, Any]:
    if isinstance(what, Kill):
        return _told(what.place) | {"since": rfc3339(what.since_ns), "rule": what.rule, "by": what.by}
    if isinstance(what, Lift):
        return _told(what.place)
    if isinstance(what, Round):
        return {"first": what.first}
    return {"workflow": what.workflow, "sli": what.sli, "since": rfc3339(what.since_ns), "by": what.by}


def _told(place: Place) -> dict[str, Any]:
    return {"scope": {"level": place.level, "id": place.id}, "tenant": place.tenant}


def _place(said: dict[str, Any]) -> Place:
    level, tenant = said["scope"]["level"], said["tenant"]
    if level not in LEVELS:
        raise ValueError(level)
    return Place(level, _text(said["scope"]["id"]), None if tenant is None else _text(tenant))


def _kill(said: dict[str, Any]) -> Kill:
    return Kill(_place(said), nanoseconds(said["since"]), _text(said["rule"]), _text(said["by"]))


def _acceptance(said: dict[str, Any]) -> Acceptance:
    sli = said["sli"]
    return Acceptance(
        _text(said["workflow"]), None if sli is None else _text(sli), nanoseconds(said["since"]), _text(said["by"])
    )


_READ: dict[str, Callable[[dict[str, Any]], Kill | Lift | Round | Acceptance]] = {
    "kill": _kill,
    "lift": lambda said: Lift(_place(said)),
    "round": lambda said: Round(_count(said["first"])),
    "accept": _acceptance,
}


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(value)
    return value


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(value)
    return value
