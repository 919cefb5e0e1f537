"""SignalStore: the last known signals, as a guard obeys them. Never back in (epoch, seq), whatever arrives.

An envelope is taken only if its (epoch, seq) is greater than what is held of that scope, and greater than the floor.
The floor is the position up to which this store is known to be complete: that of the last snapshot, or of the last
heartbeat whose view was the store's own. What is at or below it and not held was superseded: it can only be a replay.

Signals of a tenant and of everybody on one scope stand side by side, and both are obeyed.
"""

from __future__ import annotations

import json
import math
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from flyball_sdk.clock import steady
from flyball_sdk.envelope import Envelope, Heartbeat, Position, Snapshot, lines_digest, view_line
from flyball_sdk.errors import FlyballError, ForeignError, MalformedError
from flyball_sdk.keeping import write_private
from flyball_sdk.scope import NOBODY, SCOPE_LEVELS, THE_PRODUCT, Scope, Subject
from flyball_sdk.state import NEUTRAL, State, at_least_as_strict, merged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flyball_sdk.signing import KeyRing

ADOPT: Final = ""
"""Instead of a tenant or a stream: that of the first signed word that is heard, from then on."""
_NOTHING: Final[Position] = (0, 0)
_NO_BEAT: Final = (0, 0, "")
_FILE_VERSION: Final = 1

_Key = tuple[str | None, str, str]  # (tenant, level, id)


class Held(NamedTuple):
    """What is asked of one scope, and why, in words that a model may see."""

    scope: Scope
    state: State
    reason: str
    rule: str


class SignalStore:
    """Last known signals of one tenant. Reading takes no lock; writing does. Ages are in seconds of `now`.

    With `path`, `keep` writes what is known to a file and a new store reads it, checking every signature again. What
    comes from the file is obeyed but not fresh.
    """

    def __init__(
        self,
        keys: KeyRing,
        tenant: str | None = ADOPT,
        path: Path | None = None,
        now: Callable[[], float] = steady,
        stream: str = ADOPT,
    ) -> None:
        self._keys = keys
        self._tenant = tenant
        self._stream = stream
        self._path = path
        self._now = now
        self._lock = threading.Lock()
        self._entries: dict[_Key, Envelope] = {}
        self._held: dict[tuple[str, str], tuple[Held, ...]] = {}
        self._floor: Position = _NOTHING
        self._latest: Position = _NOTHING
        self._order = _NO_BEAT
        self._beat: Heartbeat | None = None
        self._fresh_at = -math.inf
        self._dirty = False
        self._subject = NOBODY
        self.wants_snapshot = True
        """True while the store may have missed something: at first, and after a heartbeat with another view."""
        self.trouble: list[str] = []
        """What was wrong with the file, and conflicts; for people."""
        if path is not None and path.exists():
            self._load(path)

    def renew(self) -> None:
        """Make a new lock: after a fork the old one may be held by a thread that is not there."""
        self._lock = threading.Lock()

    def take(self, value: object) -> bool:
        """Take an envelope as it came; False: it is not newer than what is known.

        Raises MalformedError, UntrustedError or ForeignError; nothing has changed then.
        """
        envelope = Envelope.verified(value, self._keys)
        with self._lock:
            self._recognise(envelope.stream, envelope.tenant, of_everybody_too=True)
            return self._take(envelope)

    def beat(self, value: object) -> bool:
        """Take a heartbeat as it came; True: it is new and the view is ours, so the signals are fresh.

        Raises as `take`.
        """
        beat = Heartbeat.verified(value, self._keys)
        with self._lock:
            self._recognise(beat.stream, beat.tenant)
            return self._heard(beat)

    def replace(self, value: object) -> bool:
        """Take a snapshot as it came; False: older than one known. Raises as `take`, also if its parts do not fit."""
        snapshot = Snapshot.verified(value, self._keys)
        with self._lock:
            for each in snapshot.signals:
                self._check(each.stream, each.tenant, of_everybody_too=True)
            self._recognise(snapshot.heartbeat.stream, snapshot.heartbeat.tenant)
            if snapshot.heartbeat.at < self._floor:
                return False
            self._replace(snapshot)
            self._heard(snapshot.heartbeat)
            self.wants_snapshot = snapshot.heartbeat.at < self._order[:2]
            return True

    def of(self, subject: Subject) -> list[Held]:
        """List what is asked of the scopes of a subject, the run's first; states are not neutral.

        What is asked of whom the key names holds for every call.
        """
        held = self._held
        if not held:
            return []
        found: list[Held] = []
        for level, name, own in zip(SCOPE_LEVELS, subject, self._subject, strict=False):
            if name is not None:
                found += held.get((level, name), ())
            if own is not None and own != name:
                found += held.get((level, own), ())
        return found + list(held.get(THE_PRODUCT, ()))

    def state_of(self, subject: Subject) -> State:
        """Merge what is asked of the scopes of a subject."""
        return merged(each.state for each in self.of(subject))

    def age_s(self) -> float:
        """Seconds since the last heartbeat that was new and agreed; inf: none yet."""
        return self._now() - self._fresh_at

    @property
    def position(self) -> Position:
        """The greatest (epoch, seq) that is known of; (0, 0): nothing is."""
        latest, order = self._latest, self._order
        return latest if latest >= order else order[:2]  # the longer tuple is the greater of equal ones

    @property
    def applied(self) -> Position | None:
        """What may be acknowledged; None while something may be missing."""
        return None if self.wants_snapshot else self.position

    @property
    def tenant(self) -> str | None:
        """The tenant whose signals these are; ADOPT: not known yet."""
        return self._tenant

    @property
    def subject(self) -> Subject:
        """Whose key the signals are heard by: its agent and tenant, as far as they are known."""
        return self._subject

    def belong_to(self, subject: Subject) -> None:
        """Take in whose key it is."""
        if subject != self._subject:
            self._subject, self._dirty = subject, True

    def view(self) -> str:
        """Digest what is held, as heartbeats do."""
        return lines_digest(view_line(e.scope, e.at) for e in self._entries.values() if e.state != NEUTRAL)

    def keep(self) -> None:
        """Write what is known to the file, if it has changed; raises OSError, and is due again then."""
        if self._path is None or not self._dirty:
            return
        with self._lock:
            beat = None if self._beat is None else self._beat.to_json()
            signals = [envelope.to_json() for envelope in self._entries.values()]
            whose = {"agent": self._subject.agent, "tenant": self._subject.tenant}
            self._dirty = False
        said = {"v": _FILE_VERSION, "heartbeat": beat, "signals": signals, "whose": whose}
        try:
            write_private(self._path, json.dumps(said).encode())
        except OSError:
            self._dirty = True
            raise

    def _take(self, envelope: Envelope) -> bool:
        key = (envelope.tenant, *envelope.scope)
        known = self._entries.get(key)
        if known is not None and known.at == envelope.at and known.state != envelope.state:
            # two authorities with one key: the stricter stays, a person must look
            self._say(f"two states of {envelope.scope} at {envelope.at}")
            if not at_least_as_strict(envelope.state, known.state):
                return False
        elif envelope.at <= max(self._floor, _NOTHING if known is None else known.at):
            return False
        self._put(key, envelope)
        return True

    def _put(self, key: _Key, envelope: Envelope) -> None:
        self._entries[key] = envelope
        self._latest = max(self._latest, envelope.at)
        self._dirty = True
        self._show(self._held, envelope.scope)

    def _show(self, held: dict[tuple[str, str], tuple[Held, ...]], scope: Scope) -> None:
        """Put the states of one scope where `of` finds them."""
        keys: list[_Key] = [(None, *scope)] if self._tenant is None else [(None, *scope), (self._tenant, *scope)]
        found = tuple(
            Held(scope, entry.state, entry.reason, entry.rule)
            for key in keys
            if (entry := self._entries.get(key)) is not None and entry.state != NEUTRAL
        )
        if found:
            held[scope] = found
        else:
            held.pop(scope, None)

    def _replace(self, snapshot: Snapshot) -> None:
        upto = snapshot.heartbeat.at
        entries = {key: entry for key, entry in self._entries.items() if entry.at > upto}
        for each in snapshot.signals:
            key = (each.tenant, *each.scope)
            known = entries.get(key)
            if known is None or known.at < each.at:
                entries[key] = each
        self._entries = entries
        held: dict[tuple[str, str], tuple[Held, ...]] = {}
        for entry in entries.values():
            self._show(held, entry.scope)
        self._held = held  # in one step: no reader sees half of it
        self._latest = max([self._latest, *(entry.at for entry in entries.values())])
        self._floor = upto  # it is not below the one before
        if self._beat is None or snapshot.heartbeat.order > self._beat.order:
            self._beat = snapshot.heartbeat
        self._dirty = True

    def _heard(self, beat: Heartbeat) -> bool:
        if beat.order <= self._order:
            return False
        self._order = beat.order
        self._dirty = True
        if self.view() != beat.view:
            # what is newer than the heartbeat cannot be in its view: then the next one tells
            self.wants_snapshot = self.wants_snapshot or beat.at >= self._latest
            return False
        self._beat = beat
        self._floor = max(self._floor, beat.at)
        self._forget_neutral()
        self.wants_snapshot = False
        self._fresh_at = self._now()
        return True

    def _forget_neutral(self) -> None:
        """Forget neutral states at or below the floor, which says as much."""
        gone = [k for k, entry in self._entries.items() if entry.state == NEUTRAL and entry.at <= self._floor]
        for key in gone:
            del self._entries[key]

    def _recognise(self, stream: str, tenant: str | None, *, of_everybody_too: bool = False) -> None:
        """Check that a word is of our stream and tenant, which the first one settles."""
        self._check(stream, tenant, of_everybody_too=of_everybody_too)
        self._stream = stream
        if self._tenant == ADOPT and not (of_everybody_too and tenant is None):
            self._tenant = tenant
            for entry in list(self._entries.values()):
                self._show(self._held, entry.scope)

    def _check(self, stream: str, tenant: str | None, *, of_everybody_too: bool = False) -> None:
        if self._stream not in (ADOPT, stream):
            msg = f"of stream {stream!r}, this guard listens to {self._stream!r}"
            raise ForeignError(msg)
        if self._tenant not in (ADOPT, tenant) and not (of_everybody_too and tenant is None):
            msg = f"of tenant {tenant!r}, this guard is of {self._tenant!r}"
            raise ForeignError(msg)

    def _load(self, path: Path) -> None:
        """Read the file; what does not verify is left out and told."""
        try:
            said = json.loads(path.read_bytes())
            if not isinstance(said, dict) or said.get("v") != _FILE_VERSION:
                raise MalformedError("not a file of signals")
            beat, signals, whose = said.get("heartbeat"), said.get("signals"), said.get("whose")
        except (OSError, ValueError, RecursionError) as error:
            self._say(f"{path}: {error}")
            return
        for each in signals if isinstance(signals, list) else []:
            self._load_one(path, self.take, each)
        if beat is not None:
            self._load_one(path, self._load_beat, beat)
        if isinstance(whose, dict):
            self._subject = whose_key(whose)
        self._dirty = False

    def _load_one(self, path: Path, load: Callable[[object], object], value: object) -> None:
        try:
            load(value)
        except FlyballError as error:
            self._say(f"{path}: {error}")

    def _load_beat(self, value: object) -> None:
        """Take the kept heartbeat: the store was complete up to it, but nothing is fresh."""
        beat = Heartbeat.verified(value, self._keys)
        self._recognise(beat.stream, beat.tenant)
        self._beat, self._order, self._floor = beat, beat.order, beat.at

    def _say(self, text: str) -> None:
        if len(self.trouble) < 100 and text not in self.trouble:  # noqa: PLR2004 -- bounded
            self.trouble.append(text)


def whose_key(said: dict[str, object]) -> Subject:
    """Read the agent and tenant of a key."""
    agent, tenant = (name if isinstance(name := said.get(each), str) and name else None for each in ("agent", "tenant"))
    return Subject(agent=agent, tenant=tenant)
