"""Clients: which guards there are, and what each has applied: "applied by 412 of 412"."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from flyball_sdk.envelope import Envelope, Position

    from control.contributions import Place
    from control.signals import Shown

GONE_S: Final = 15.0
"""A client that was not heard of for this long is gone."""
_MOST: Final = 100_000
_AT_ONCE: Final = 20


class Client(NamedTuple):
    """What is known of one guard; `heard_s` is steady time."""

    tenant: str | None
    applied: Position
    heard_s: float


class Clients:
    """The guards that acknowledge. Not thread-safe: all in the event loop."""

    def __init__(self) -> None:
        self._clients: OrderedDict[tuple[str, str], Client] = OrderedDict()
        self._acknowledged: dict[Place, tuple[Position, str]] = {}

    def heard(self, key: str, name: str, tenant: str | None, applied: Position, now_s: float) -> None:
        """Take an acknowledgement; it never goes back."""
        known = self._clients.get((key, name))
        applied = applied if known is None else max(known.applied, applied)
        self._clients[key, name] = Client(tenant, applied, now_s)
        self._clients.move_to_end((key, name))
        if len(self._clients) > _MOST:
            self._clients.popitem(last=False)

    def alive(self, key: str, name: str, tenant: str | None, now_s: float) -> None:
        """Hear of a client that listens, whatever it has applied."""
        self.heard(key, name, tenant, (0, 0), now_s)

    def position(self, tenant: str | None, shown: Shown, now_s: float) -> tuple[int, int]:
        """Count the clients of a tenant that have applied its newest signal, and all of them."""
        newest = max((each.at for each in shown.of_tenant(tenant)), default=(0, 0))
        alive = [c for c in self._clients.values() if now_s - c.heard_s <= GONE_S and c.tenant == tenant]
        return sum(client.applied >= newest for client in alive), len(alive)

    def applied(self, signal: Envelope, now_s: float) -> tuple[int, int]:
        """Count the clients that have applied a signal, and all that it is for."""
        alive = [c for c in self._clients.values() if now_s - c.heard_s <= GONE_S and signal.tenant in (None, c.tenant)]
        return sum(client.applied >= signal.at for client in alive), len(alive)

    def count(self, now_s: float) -> int:
        """Count the clients that are there."""
        return sum(now_s - each.heard_s <= GONE_S for each in self._clients.values())

    def acknowledged_at(self, place: Place, signal: Envelope) -> str | None:
        """Give when a kill was applied by all of its clients that were there; None: it never was."""
        at, when = self._acknowledged.get(place, ((0, 0), ""))
        return when if at == signal.at else None

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
