"""Envelope: a signed signal. Heartbeat: the signed word that the stream lives, and what it has said (docs/governor.md).

Order: envelopes of a scope are ordered by `at`, the pair (epoch, seq). Heartbeats are ordered by (epoch, seq, time), so
whoever makes them must never let `at` fall within an epoch, whatever the clock does.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from flyball_sdk.checks import a_count, a_text, an_object, demand, wrong
from flyball_sdk.scope import Scope
from flyball_sdk.signing import KeyRing, SigningKey, sign_object, verify_object
from flyball_sdk.state import NEUTRAL, State

if TYPE_CHECKING:
    from collections.abc import Iterable

Position = tuple[int, int]
"""(epoch, seq)."""

VERSION: Final = 1
_ENVELOPE: Final = frozenset(
    "v stream epoch seq issued_at tenant scope state reason rule kid sig".split()  # noqa: SIM905 -- one line
)
_HEARTBEAT: Final = frozenset("v stream epoch seq at tenant view kid sig".split())  # noqa: SIM905 -- one line
_SNAPSHOT: Final = frozenset({"heartbeat", "signals"})
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class Envelope(NamedTuple):
    """A scope's state, as of (epoch, seq). `reason` is safe to show a model; `tenant` None: everybody's."""

    stream: str
    epoch: int
    seq: int
    issued_at: str
    """RFC 3339, UTC, milliseconds."""
    tenant: str | None
    scope: Scope
    state: State
    reason: str
    rule: str
    kid: str = ""
    sig: str = ""

    @property
    def at(self) -> Position:
        """(epoch, seq)."""
        return (self.epoch, self.seq)

    def signed(self, key: SigningKey) -> Envelope:
        """Sign it."""
        made = sign_object(self.to_json(), key)
        return self._replace(kid=key.kid, sig=str(made["sig"]))

    def to_json(self) -> dict[str, object]:
        """Give the object of the contract."""
        return {
            "v": VERSION,
            **self._asdict(),
            "scope": self.scope.to_json(),
            "state": self.state.to_json(),
        }

    @classmethod
    def parse(cls, value: object, where: str = "signal") -> Envelope:
        """Read the object of the contract WITHOUT checking its signature; raises MalformedError."""
        said = _versioned(where, value, _ENVELOPE)
        return cls(
            stream=a_text(f"{where}.stream", said["stream"]),
            epoch=a_count(f"{where}.epoch", said["epoch"], 1),
            seq=a_count(f"{where}.seq", said["seq"], 1),
            issued_at=_time(f"{where}.issued_at", said["issued_at"]),
            tenant=_tenant(f"{where}.tenant", said["tenant"]),
            scope=Scope.from_json(said["scope"], f"{where}.scope"),
            state=State.from_json(said["state"], f"{where}.state"),
            reason=a_text(f"{where}.reason", said["reason"], empty=True),
            rule=a_text(f"{where}.rule", said["rule"], empty=True),
            kid=a_text(f"{where}.kid", said["kid"]),
            sig=a_text(f"{where}.sig", said["sig"]),
        )

    @classmethod
    def verified(cls, value: object, keys: KeyRing, where: str = "signal") -> Envelope:
        """Read it and check its signature as it was sent; raises MalformedError or UntrustedError."""
        envelope = cls.parse(value, where)
        assert isinstance(value, dict)  # noqa: S101 -- parse saw to it
        verify_object(value, keys)
        return envelope


class Heartbeat(NamedTuple):
    """The stream lives, and whoever has heard all of it has a view with this digest."""

    stream: str
    epoch: int
    seq: int
    """The greatest that was given out in this epoch, to any tenant; 0: none yet."""
    sent_at: str
    """RFC 3339, UTC, milliseconds; `at` on the wire. It never falls within an epoch."""
    tenant: str | None
    view: str
    kid: str = ""
    sig: str = ""

    @property
    def at(self) -> Position:
        """(epoch, seq)."""
        return (self.epoch, self.seq)

    @property
    def order(self) -> tuple[int, int, str]:
        """(epoch, seq, time): heartbeats with a greater one are newer."""
        return (self.epoch, self.seq, self.sent_at)

    def signed(self, key: SigningKey) -> Heartbeat:
        """Sign it."""
        made = sign_object(self.to_json(), key)
        return self._replace(kid=key.kid, sig=str(made["sig"]))

    def to_json(self) -> dict[str, object]:
        """Give the object of the contract."""
        said: dict[str, object] = {"v": VERSION, **self._asdict()}
        said["at"] = said.pop("sent_at")
        return said

    @classmethod
    def parse(cls, value: object, where: str = "heartbeat") -> Heartbeat:
        """Read the object of the contract WITHOUT checking its signature; raises MalformedError."""
        said = _versioned(where, value, _HEARTBEAT)
        view = a_text(f"{where}.view", said["view"])
        demand(_DIGEST.fullmatch(view), f"{where}.view", "64 lower-case hex digits", view)
        return cls(
            stream=a_text(f"{where}.stream", said["stream"]),
            epoch=a_count(f"{where}.epoch", said["epoch"], 1),
            seq=a_count(f"{where}.seq", said["seq"]),
            sent_at=_time(f"{where}.at", said["at"]),
            tenant=_tenant(f"{where}.tenant", said["tenant"]),
            view=view,
            kid=a_text(f"{where}.kid", said["kid"]),
            sig=a_text(f"{where}.sig", said["sig"]),
        )

    @classmethod
    def verified(cls, value: object, keys: KeyRing, where: str = "heartbeat") -> Heartbeat:
        """Read it and check its signature as it was sent; raises MalformedError or UntrustedError."""
        heartbeat = cls.parse(value, where)
        assert isinstance(value, dict)  # noqa: S101 -- parse saw to it
        verify_object(value, keys)
        return heartbeat


class Snapshot(NamedTuple):
    """A tenant's whole view: every scope whose state is not neutral, as of the heartbeat."""

    heartbeat: Heartbeat
    signals: tuple[Envelope, ...]

    def to_json(self) -> dict[str, object]:
        """Give the object of the contract."""
        return {"heartbeat": self.heartbeat.to_json(), "signals": [signal.to_json() for signal in self.signals]}

    @classmethod
    def verified(cls, value: object, keys: KeyRing) -> Snapshot:
        """Read it, check every signature, and that the signals are the view of the heartbeat.

        Raises MalformedError or UntrustedError: a snapshot from which somebody took a signal away is refused.
        """
        said = an_object("snapshot", value, _SNAPSHOT)
        heartbeat = Heartbeat.verified(said["heartbeat"], keys)
        if not isinstance(said["signals"], list):
            raise wrong("snapshot.signals", "a list", said["signals"])
        signals = tuple(Envelope.verified(each, keys, f"signals[{at}]") for at, each in enumerate(said["signals"]))
        if view_digest(signals) != heartbeat.view:
            raise wrong("snapshot.signals", f"the view {heartbeat.view} of the heartbeat", view_digest(signals))
        return cls(heartbeat, signals)


def view_digest(signals: Iterable[Envelope]) -> str:
    """Digest a view: SHA-256 (hex) of the lines `level:id:epoch:seq`, sorted, of all whose state is not neutral."""
    return lines_digest(view_line(each.scope, each.at) for each in signals if each.state != NEUTRAL)


def view_line(scope: Scope, at: Position) -> str:
    """Write one line of a view, without its end."""
    return f"{scope.level}:{scope.id}:{at[0]}:{at[1]}"


def lines_digest(lines: Iterable[str]) -> str:
    """Digest the lines of a view, in any order."""
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(lines)).encode()).hexdigest()


def _versioned(where: str, value: object, members: frozenset[str]) -> dict[str, object]:
    if isinstance(value, dict):
        demand(value.get("v") == VERSION, f"{where}.v", str(VERSION), value.get("v"))
    return an_object(where, value, members)


def _tenant(where: str, value: object) -> str | None:
    return None if value is None else a_text(where, value)


def _time(where: str, value: object) -> str:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise wrong(where, "a time as 2026-01-01T00:00:00.000Z", value)
    return value
