"""Orders: what the stream must hear of what people and budgets ask, as it changes. See `models/orders`.

Not thread-safe: the authority holds its lock. What is to be told lies in the same transaction as what it tells of,
and goes from there into the log (`control/outlet.py`); so a crash between the two tells it again, never not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from flyball_sdk.scope import RUN

from control.verdicts import OPERATOR
from models.orders.order import Acceptance, Kill, Lift, Order, Place, Round

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from control import contributions

_A_SECOND = 1 << 20
"""Numbers of orders there are for each second between the epochs of two lives."""


class Orders:
    """The kills that are in force as they were told, and what is new of it. `n` is the number of the last order.

    A life numbers from its `epoch` on: a copy of the file may have been put back, and who reads takes each number once,
    also those of lives that the copy knows nothing of. (None tells a million orders a second, for all its seconds.)
    """

    def __init__(self, stream: str, n: int, told: Iterable[Order], epoch: int = 0) -> None:
        self._stream, self.n = stream, max(n, epoch * _A_SECOND - 1)
        self._was_any = n >= 0
        self._kills = {order.what.place: order.what for order in told if isinstance(order.what, Kill)}
        self.new: dict[int, bytes] = {}
        """Records by number, to be written."""
        self.changed: dict[Place, bytes | None] = {}
        """Kills in force, to be written beside them; None: no more."""

    def settle(
        self,
        at: contributions.Place,
        killers: Collection[str],
        now_ns: int,
        person: str = "",
        *,
        resumed: bool = False,
    ) -> None:
        """Hear which sources kill a place now; `person` is who killed it just now, `resumed` that one ended its kill.

        A run that only rules kill is none of it: they are rules of the stream, which watches what it has killed itself;
        so it must hear when such a run is resumed.
        """
        place = _ordered(at)
        if place.level == RUN:
            killers = {OPERATOR} & {*killers}
        known = self._kills.get(place)
        if not killers:
            if known is not None:
                del self._kills[place]
                self.changed[place] = None
            if known is not None or (resumed and place.level == RUN):
                self._tell(Lift(place), now_ns)
            return
        rule = OPERATOR if OPERATOR in killers else min(killers)
        if known is None or known.rule != rule:  # who holds it has changed; that it is killed has not
            by = (person or OPERATOR) if rule == OPERATOR else rule
            since_ns = now_ns if known is None else known.since_ns
            self._kills[place] = kill = Kill(place, since_ns, rule, by)
            self.changed[place] = self._tell(kill, now_ns)

    def kill_at(self, at: contributions.Place) -> Kill | None:
        """Give the kill of a place that was told: by whom, and since when. May be called from another thread."""
        return self._kills.get(_ordered(at))

    def accept(self, acceptance: Acceptance, now_ns: int) -> None:
        """Tell of drift that a person accepts."""
        self._tell(acceptance, now_ns)

    def tell_all(self, now_ns: int) -> None:
        """Tell all kills in force again, and that these are all: whoever has missed some knows then."""
        if not self._was_any:
            return  # nothing was ever ordered
        first = self.n + 1
        for kill in self._kills.values():
            self._tell(kill, now_ns)
        self._tell(Round(first), now_ns)

    def _tell(self, what: Kill | Lift | Round | Acceptance, now_ns: int) -> bytes:
        self.n, self._was_any = self.n + 1, True
        self.new[self.n] = said = orjson.dumps(Order(self._stream, self.n, now_ns, what).record())
        return said


def _ordered(at: contributions.Place) -> Place:
    """Give a place as orders name it."""
    return Place(at.scope.level, at.scope.id, at.tenant)
