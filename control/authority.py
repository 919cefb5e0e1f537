"""Authority: verdicts and people's commands in, signed signals out. What is sent was written before, and only rises.

Everything that changes is worked out in memory and written as one batch, then it is shown and told. Where the file
cannot be written (a full disk), it is shown and told all the same, said loudly, and written as soon as that works:
a kill does not wait for a disk. Verdicts then go on for a while; what has no room stays in the log.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from flyball_sdk.envelope import Envelope, Heartbeat, Snapshot
from flyball_sdk.errors import MalformedError
from flyball_sdk.state import NEUTRAL

from control import masking
from control.clocks import Clocks, stamp
from control.contributions import Book, Place, Rules
from control.orders import Orders
from control.signals import Shown
from control.store import Batch
from control.verdicts import OPERATOR, read
from models.times import nanoseconds, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from flyball_sdk.envelope import Position
    from flyball_sdk.scope import Scope
    from flyball_sdk.signing import SigningKey
    from flyball_sdk.state import State

    from control.store import Store
    from control.verdicts import Verdict
    from models.orders.order import Acceptance

KEEP_RUN_S: Final = 48 * 3600
_KEEP_IDS_S: Final = 7 * 24 * 3600
_MOST_UNWRITTEN: Final = 10_000
"""Audit entries that wait for the disk; beyond, verdicts stay in the log and decisions are only counted."""


class NewerKillError(Exception):
    """A kill is newer than what was to be ended."""


class Authority:
    """The one authority on signals. Thread-safe; reading `shown` takes no lock."""

    def __init__(
        self,
        store: Store,
        key: SigningKey,
        rules: Rules | None = None,
        clocks: Clocks | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self._store, self._key, self._say = store, key, say
        self.clocks = clocks or Clocks()
        self._lock = threading.RLock()
        self._batch = Batch()
        self._durable = False
        self._touched: set[Place] = set()
        self.problem: str | None = None
        """Why nothing can be written now; None: all is well."""
        self.uncounted = 0
        """Decisions that found no room in the audit log, and are told there as a number."""
        self.tellers: list[Callable[[Sequence[Envelope]], None]] = []
        """Called with what has changed, in order, once it is written."""
        self.noters: list[Callable[[str, Mapping[str, Any]], None]] = []
        """Called with kind and content of what is added to the audit log."""
        epoch = store.raise_epoch(self.clocks.wall_ns() // 10**9)
        meta = store.meta()
        self.stream = meta.get("stream") or secrets.token_hex(8)
        self._up_s = int(meta.get("up_s", "0"))
        self._began_s = self.clocks.steady_s()
        self._beat_ns = 0
        self._commands = 0
        self._book = Book(rules)
        for place, source, contribution in store.contributions():
            self._book.put(place, source, contribution)
        self._book.changed.clear()
        self.chain = store.chain()
        self.shown = Shown(epoch, 0, dict(store.signals()))
        self.orders = Orders(self.stream, int(meta.get("orders", "-1")), store.in_force(), epoch)
        self._persons: dict[Place, str] = {}
        """Who has killed a place in the change under way."""
        self._resumed: set[Place] = set()
        """What was killed before the change under way, and that people resume by it."""
        with self.changing(durable=True):
            self._batch.meta["stream"] = self.stream
            for place, signal in self.shown.signals.items():  # of a version that told no orders
                self.orders.settle(place, self._book.killers(place), nanoseconds(signal.issued_at))
            self._touched |= {*self._book.places, *self.shown.signals}  # rules may have changed
            self.note("start", "authority", {"epoch": epoch, "stream": self.stream, "kid": key.kid})

    @contextmanager
    def changing(self, *, durable: bool = False) -> Iterator[None]:
        """Hold the authority for a change; what it caused is written, shown and told at the end."""
        with self._lock:
            yield
            changed = self._settle()
            self._durable = self._durable or durable or any(each.state.kill for each in changed)
            self._write()
            if changed:
                self.shown = self.shown.with_(changed[-1].seq, {Place(e.scope, e.tenant): e for e in changed})
                for tell in self.tellers:
                    tell(changed)

    # verdicts

    def take(self, topic: str, partition: int, messages: Sequence[tuple[int, bytes]]) -> None:
        """Take verdicts as (offset, value) of one partition; each id is applied once, whatever is told again."""
        with self.changing():
            told = [(offset, self._read(value)) for offset, value in messages]
            known = self._store.applied([verdict.id for _, verdict in told if verdict is not None])
            known |= self._batch.verdicts.keys()
            for _, verdict in told:
                if verdict is not None and verdict.id not in known:
                    known.add(verdict.id)
                    self._apply(verdict)
            self._batch.offsets[topic, partition] = messages[-1][0] + 1

    def begin(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Keep where partitions of a topic are begun."""
        with self.changing():
            self._batch.offsets |= {(topic, partition): offset for partition, offset in offsets.items()}

    def _read(self, value: bytes) -> Verdict | None:
        try:
            return read(value)
        except MalformedError as error:
            self.unreadable(error, value)
            return None

    def _apply(self, verdict: Verdict) -> None:
        changed = self._book.apply(verdict, self.up_s)
        self._batch.verdicts[verdict.id] = self.up_s
        if changed:
            self._touched.add(Place(verdict.scope, verdict.tenant))
        scope = verdict.scope.to_json()
        about = {"scope": scope, "tenant": verdict.tenant, "evidence": verdict.evidence}
        what = {
            "id": verdict.id,
            "scope": scope,
            "action": verdict.action,
            "rule": verdict.rule,
            "reason": masking.reason(verdict.reason, about),
            "generation": verdict.generation,
            "changed": changed,
        }
        self.note("verdict", verdict.rule, what, verdict.tenant)

    # commands

    def kill(self, scope: Scope, tenant: str | None, actor: str, reason: str) -> Envelope:
        """Kill, until somebody resumes; gives the signal."""
        place = Place(scope, tenant)
        with self.changing(durable=True):
            self._book.kill(place, self._generation(), self.up_s)
            self._persons[place] = actor
            self._commanded("kill", place, actor, reason)
        return self.shown.signals[place]

    def set(self, scope: Scope, tenant: str | None, state: State, actor: str, reason: str) -> Envelope | None:
        """Ask for a state instead of what people had asked for; it ends no kill. Gives the signal, None: neutral."""
        place = Place(scope, tenant)
        with self.changing(durable=True):
            self._book.set(place, state, self._generation(), self.up_s)
            self._commanded("set", place, actor, reason, state=state.to_json())
        return self.shown.signals.get(place)

    def resume(
        self,
        scope: Scope,
        tenant: str | None,
        actor: str,
        reason: str,
        *,
        second: str = "",
        upto: Position | None = None,
    ) -> list[Place]:
        """Take away all that is asked of a scope, of one tenant or (None) of all; gives the places that changed.

        `upto`: only if no kill is newer than that; raises NewerKillError, and nothing is changed then.
        """
        with self._lock:
            if upto is not None and any(each.at > upto for each in self.killed(scope, tenant)):
                msg = f"{scope} was killed again meanwhile"
                raise NewerKillError(msg)
            with self.changing(durable=True):
                self._resumed = {Place(each.scope, each.tenant) for each in self.killed(scope, tenant)}
                places = self._book.resume(scope, tenant, everybody=tenant is None)
                self._commanded("resume", Place(scope, tenant), actor, reason, second=second, places=len(places))
                self._touched |= set(places)
            return places

    def killed(self, scope: Scope, tenant: str | None) -> list[Envelope]:
        """List the kills that a resume of a scope would end."""
        signals = self.shown.signals.items()
        of_scope = [each for place, each in signals if place.scope == scope and tenant in (None, place.tenant)]
        return [each for each in of_scope if each.state.kill]

    def asked(self) -> dict[Place, dict[str, State]]:
        """Give what each source asks of each place that is not neutral."""
        with self._lock:
            return {place: self._book.sources(place) for place in self.shown.signals}

    def _commanded(self, name: str, place: Place, actor: str, reason: str, **more: Any) -> None:
        self._touched.add(place)
        about = {"scope": place.scope.to_json(), "tenant": place.tenant}
        what = {"command": name, "scope": about["scope"], "reason": masking.reason(reason, about), **more}
        self.note("command", actor, what, place.tenant)

    def _generation(self) -> int:
        self._commands += 1
        return (self.shown.epoch << 32) + self._commands

    # what is told

    def heartbeat(self, tenant: str | None) -> Heartbeat:
        """Sign a heartbeat; its time never falls, whatever the clock does."""
        with self._lock:
            self._beat_ns = max(self.clocks.wall_ns(), self._beat_ns + 10**6)
            shown = self.shown
            beat = Heartbeat(self.stream, shown.epoch, shown.seq, stamp(self._beat_ns), tenant, shown.view(tenant))
            return beat.signed(self._key)

    def snapshot(self, tenant: str | None) -> Snapshot:
        """Give a tenant's whole view."""
        with self._lock:
            return Snapshot(self.heartbeat(tenant), tuple(self.shown.of_tenant(tenant)))

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Hold the authority: nothing is told meanwhile."""
        with self._lock:
            yield

    # upkeep

    @property
    def up_s(self) -> int:
        """Seconds that the authority was up in all its lives: an age that no step of a clock can make longer."""
        return self._up_s + int(self.clocks.steady_s() - self._began_s)

    def note(self, kind: str, actor: str, what: dict[str, Any], tenant: str | None = None) -> None:
        """Add to the audit log; inside `changing`, or written by the next `tick`."""
        with self._lock:
            if self.problem is not None and self.unwritten > _MOST_UNWRITTEN:
                if kind == "decision":
                    self.uncounted += 1
                    return
            elif self.uncounted:
                self._add("lost", "authority", {"decisions": self.uncounted}, None)
                self.uncounted = 0
            self._add(kind, actor, what, tenant)

    def _add(self, kind: str, actor: str, what: dict[str, Any], tenant: str | None) -> None:
        self.chain.add(self.clocks.now(), kind, actor, what, tenant)
        for note in self.noters:
            note(kind, what)

    @property
    def unwritten(self) -> int:
        """Audit entries that wait for the disk."""
        return len(self._batch.entries) + len(self.chain.entries)

    @property
    def has_room(self) -> bool:
        """Verdicts may be taken; False while too much waits for the disk."""
        return self.problem is None or len(self._batch.entries) < _MOST_UNWRITTEN

    def meta(self, name: str, value: str) -> None:
        """Note a value by name."""
        with self._lock:
            self._batch.meta[name] = value

    def unreadable(self, error: MalformedError, value: bytes) -> None:
        """Note that a record of the flow cannot be read."""
        self.note("unreadable", "flow", {"problem": masking.text(str(error)), "bytes": len(value)})

    def spent(self, topic: str, partition: int, following: int, rows: dict[Any, tuple[int, bytes] | None]) -> None:
        """Keep what was spent (None: forget it), with how far its topic is taken."""
        with self.changing():
            self._batch.spend.update(rows)
            self._batch.offsets[topic, partition] = following

    def reserved(self, changed: Mapping[str, bytes | None]) -> None:
        """Keep what calls under way have reserved (None: it is over); written by the next `tick`."""
        with self._lock:
            self._batch.reserved |= changed

    def tick(self) -> None:
        """Write what waits, sign checkpoints; often."""
        with self.changing():
            self.chain.check(self.clocks.now(), self.clocks.steady_s(), self._key)

    def keep_house(self) -> None:
        """Drop runs of long ago, remember how long we are up; now and then."""
        with self.changing():
            self._touched |= set(self._book.expire(self.up_s, KEEP_RUN_S))
            self._batch.meta["up_s"] = str(self.up_s)
        if self.problem is None:
            self._store.forget_verdicts(self.up_s - _KEEP_IDS_S)

    def accept(self, acceptance: Acceptance, reason: str) -> None:
        """Have the flow take what a workflow does for the new normal; the person is in the acceptance."""
        with self.changing(durable=True):
            self.orders.accept(acceptance, self.clocks.wall_ns())
            about = {"workflow": acceptance.workflow, "sli": acceptance.sli}
            what = {"command": "drift.accept", **about, "since": rfc3339(acceptance.since_ns)}
            what["reason"] = masking.reason(reason, about)
            self.note("command", acceptance.by, what)

    def tell_all(self) -> None:
        """Order again all that is in force, and say that it is all; now and then."""
        with self.changing():
            self.orders.tell_all(self.clocks.wall_ns())

    def close(self) -> None:
        """Write all that waits, with a checkpoint."""
        with self.changing(durable=True):
            self._batch.meta["up_s"] = str(self.up_s)
            self.note("stop", "authority", {"epoch": self.shown.epoch, "seq": self.shown.seq})
            self.chain.check(self.clocks.now(), self.clocks.steady_s(), self._key, force=True)

    def _settle(self) -> list[Envelope]:
        """Sign what has changed, and put all of it into the batch."""
        changed, seq = [], self.shown.seq
        touched = sorted(self._touched, key=lambda place: (*place.scope, place.tenant or ""))
        for place in touched:
            state = self._book.state(place)
            before = self.shown.signals.get(place)
            if state != (NEUTRAL if before is None else before.state):
                seq += 1
                changed.append(self._envelope(place, state, seq))
        self._order(touched)
        self._touched.clear()
        for place, source in self._book.changed:
            self._batch.contributions[place, source] = self._book.get(place, source)
        self._book.changed.clear()
        for each in changed:
            self._batch.signals[Place(each.scope, each.tenant)] = None if each.state == NEUTRAL else each
            self._batch.meta["seq"] = str(each.seq)
        return changed

    def _order(self, touched: Sequence[Place]) -> None:
        """Put into the batch what the stream must hear of what has changed."""
        now_ns = self.clocks.wall_ns()
        for place in touched:
            person, resumed = self._persons.get(place, ""), place in self._resumed
            self.orders.settle(place, self._book.killers(place), now_ns, person, resumed=resumed)
        self._persons.clear()
        self._resumed.clear()
        if self.orders.new:
            self._batch.orders |= self.orders.new
            self._batch.in_force |= self.orders.changed
            self._batch.meta["orders"] = str(self.orders.n)
            self.orders.new, self.orders.changed = {}, {}

    def _envelope(self, place: Place, state: State, seq: int) -> Envelope:
        reason, rule = self._book.why(place)
        if state == NEUTRAL:
            reason, rule = "", OPERATOR
        shown, now = self.shown, self.clocks.now()
        made = Envelope(self.stream, shown.epoch, seq, now, place.tenant, place.scope, state, reason, rule)
        return made.signed(self._key)

    def _write(self) -> None:
        """Write the batch; what cannot be written now stays in it."""
        self._batch.entries += self.chain.entries
        self._batch.checkpoints += self.chain.checkpoints
        self.chain.entries, self.chain.checkpoints = [], []
        if not self._batch:
            return
        try:
            self._store.save(self._batch, durable=self._durable)
        except sqlite3.Error as error:
            if self.problem is None:
                self._say(f"NOT WRITTEN: {error}. Signals go on from memory; they are written when that works again")
            self.problem = str(error)
            return
        if self.problem is not None:
            self._say("all that waited is written")
        self._batch, self._durable, self.problem = Batch(), False, None
