"""Clients: which guards there are, and what each has applied: "applied by 412 of 412"."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from flyball_sdk.envelope import Envelope, Position

    from control.contributions import Place
    from control.signals import Shown

GONE_S: Final = 15.0
"""A guard without a stream that was not heard of for this long is gone."""
_MOST: Final = 10_000
"""Guards of one key that are remembered; more where more are connected."""
_AT_ONCE: Final = 20


class Client(NamedTuple):
    """What is known of one guard; `heard_s` is steady time."""

    tenant: str | None
    applied: Position
    heard_s: float


class Clients:
    """The guards that there are; who only reads flags (OFREP) is none. Not thread-safe: all in the event loop.

    A guard acknowledges only what is news, and its stream does not say which guard it is. So of a key with N open
    streams the N guards that were heard last are there: after a signal, those are the ones that have applied it. Who
    was heard just now is there too, with or without a stream.
    """

    def __init__(self) -> None:
        self._clients: dict[str, OrderedDict[str, Client]] = {}
        self._streams: Counter[tuple[str, str | None]] = Counter()
        self._acknowledged: dict[Place, tuple[Position, str]] = {}

    def opened(self, key: str, tenant: str | None) -> None:
        """A guard has opened a stream by a key."""
        self._streams[key, tenant] += 1

    def closed(self, key: str, tenant: str | None) -> None:
        """A guard's stream has ended."""
        self._streams[key, tenant] -= 1
        if not self._streams[key, tenant]:
            del self._streams[key, tenant]

    def heard(self, key: str, name: str, tenant: str | None, applied: Position, now_s: float) -> None:
        """Take an acknowledgement; it never goes back."""
        clients = self._clients.setdefault(key, OrderedDict())
        known = clients.get(name)
        applied = applied if known is None else max(known.applied, applied)
        clients[name] = Client(tenant, applied, now_s)
        clients.move_to_end(name)
        if len(clients) > max(_MOST, self._streams[key, tenant]):
            clients.popitem(last=False)

    def position(self, tenant: str | None, shown: Shown, now_s: float) -> tuple[int, int]:
        """Count the guards of a tenant that have applied its newest signal, and all of them."""
        return self._count(shown.newest(tenant), tenant, now_s, everybody=False)

    def applied(self, signal: Envelope, now_s: float) -> tuple[int, int]:
        """Count the guards that have applied a signal, and all that it is for."""
        return self._count(signal.at, signal.tenant, now_s, everybody=signal.tenant is None)

    def count(self, now_s: float) -> int:
        """Count the guards that are there."""
        return self._count((0, 0), None, now_s, everybody=True)[1]

    def _count(self, at: Position, tenant: str | None, now_s: float, *, everybody: bool) -> tuple[int, int]:
        done = of = 0
        streams = {key: (whose, count) for (key, whose), count in self._streams.items()}
        for key in self._clients.keys() | streams.keys():
            clients = list(self._clients.get(key, {}).values())
            whose, open_ = streams.get(key, (clients[-1].tenant if clients else None, 0))
            if not everybody and whose != tenant:
                continue
            recent = sum(now_s - each.heard_s <= GONE_S for each in clients)
            there = max(open_, recent)
            done += sum(each.applied >= at for each in clients[-there:]) if there else 0
            of += there
        return done, of

    def acknowledged_at(self, place: Place, signal: Envelope) -> str | None:
        """Give when a kill was applied by all of its clients that were there; None: it never was."""
        at, when = self._acknowledged.get(place, ((0, 0), ""))
        return when if at == signal.at else None

    def waiting_kills(self, shown: Shown, now_s: float) -> int:
        """Count the kills that were never acknowledged by all of their guards; none where no guard is there."""
        if not self.count(now_s):
            return 0
        kills = [(place, each) for place, each in shown.signals.items() if each.state.kill]
        return sum(self.acknowledged_at(place, each) is None for place, each in kills)

    def note(self, shown: Shown, now: str, now_s: float) -> None:
        """Look which kills all of their clients have applied by now; some at a time, those that wait longest first."""
        kills = {place: each for place, each in shown.signals.items() if each.state.kill}
        self._acknowledged = {place: known for place, known in self._acknowledged.items() if place in kills}
        waiting = [(place, each) for place, each in kills.items() if self.acknowledged_at(place, each) is None]
        for place, signal in waiting[:_AT_ONCE]:
            done, of = self.applied(signal, now_s)
            if of and done == of:
                self._acknowledged[place] = signal.at, now


def told(done: int, of: int) -> dict[str, Any]:
    """Write "applied by n of m"."""
    return {"applied": done, "clients": of, "text": f"applied by {done} of {of}"}
