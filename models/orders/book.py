"""OrderBook: which kills are in force, by the orders heard so far. Each order counts once, however often it is told."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import orjson

from models.orders.order import Acceptance, Kill, Lift, Order, Place, Round, of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_LIFTS = 1_000
_LIFTED_NS = 48 * 3600 * 10**9
"""So many runs that were resumed are kept, and so long: no run is open for longer, by far."""


class OrderBook:
    """What the flow knows of orders. Its state follows from the orders taken, in order: a delta is these."""

    def __init__(self) -> None:
        self._stream, self._n = "", -1
        self._kills: dict[Place, tuple[int, Kill]] = {}
        """With the number of the order that told it last."""
        self._lifts: OrderedDict[str, Order] = OrderedDict()
        """Of runs, the oldest first. Who watches runs decides again, after a restart, what people have ended."""
        self._taken: list[Order] = []

    def take(self, orders: Iterable[Order]) -> list[Order]:
        """Take orders; gives those that are news."""
        news = [order for order in orders if self._take(order)]
        self._taken += news
        return news

    def kills(self) -> list[Kill]:
        """List the kills that are in force."""
        return [kill for _, kill in self._kills.values()]

    def lifts(self) -> dict[str, int]:
        """Give when (Unix ns) runs were resumed last, by id."""
        return {run: order.at_ns for run, order in self._lifts.items()}

    def _take(self, order: Order) -> bool:
        if order.stream != self._stream:  # a control plane that lost its file asks nothing of what was asked before
            self._stream, self._n = order.stream, -1
            self._kills.clear()
            self._lifts.clear()
        if order.n <= self._n:
            return False
        self._n = order.n
        what = order.what
        if isinstance(what, Kill):
            self._kills[what.place] = order.n, what
        elif isinstance(what, Lift):
            self._kills.pop(what.place, None)
            if what.place.level == "run":
                self._keep(what.place.id, order)
        elif isinstance(what, Round):
            self._kills = {place: known for place, known in self._kills.items() if known[0] >= what.first}
        else:
            assert isinstance(what, Acceptance)  # noqa: S101 -- there is no other; nothing of it is kept here
        return True

    def _keep(self, run: str, lift: Order) -> None:
        """Keep that a run was resumed."""
        self._lifts[run] = lift
        self._lifts.move_to_end(run)
        oldest = next(iter(self._lifts.values()))
        while len(self._lifts) > _LIFTS or oldest.at_ns < lift.at_ns - _LIFTED_NS:
            self._lifts.popitem(last=False)
            oldest = next(iter(self._lifts.values()))

    # what is kept

    def take_delta(self) -> bytes:
        """Give the orders taken since the last call; empty when there were none."""
        taken, self._taken = self._taken, []
        return _written(taken) if taken else b""

    def dump(self) -> bytes:
        """Give everything: the orders that lead to it."""
        known = [*self._lifts.values(), *[Order(self._stream, n, 0, kill) for n, kill in self._kills.values()]]
        known.sort(key=lambda order: order.n)
        if self._n >= 0 and (not known or known[-1].n < self._n):
            known.append(Order(self._stream, self._n, 0, Round(0)))  # how far it is
        return _written(known)

    @staticmethod
    def load(base: bytes | None, deltas: Sequence[bytes]) -> OrderBook:
        """Restore from a dump and the deltas after it."""
        found = OrderBook()
        for raw in ([base] if base else []) + list(deltas):
            for record in orjson.loads(raw) if raw else ():
                found._take(of(record))  # its own class
        return found


def _written(orders: list[Order]) -> bytes:
    return orjson.dumps([order.record() for order in orders])
