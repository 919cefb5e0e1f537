"""Reservations: what calls under way may still cost counts as spent, so that N at once cannot overshoot a budget.

All in whole nano-USD. A call is let through if, of each scope with a limit, spent + reserved + its estimate <= limit;
so spend goes beyond a limit by no more than what the calls under way cost beyond their estimates. What a settled call
has cost stays reserved until the stream can have counted it (`LAG_S`): for that time a budget may look a little fuller
than it is, never emptier. What is reserved is kept over a restart, from which on it lasts anew: its calls may go on.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from flyball_sdk.clock import steady
from flyball_sdk.reserving import Denied, Request, Reserved
from flyball_sdk.scope import USER, Scope

from control.usage import nano

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from control.usage import Spend

LAG_S: Final = 30.0
LEASE_S: Final = 600.0
"""A call whose end nobody told gives its reservation back after this long."""


class _Open(NamedTuple):
    scopes: tuple[tuple[Scope, str | None], ...]
    amount: int
    until_s: float

    def kept(self, *, settled: bool) -> bytes:
        """Give what is kept of it."""
        scopes = [[*scope, tenant] for scope, tenant in self.scopes]
        return orjson.dumps({"scopes": scopes, "amount": self.amount, "settled": settled})


def _nothing(scope: Scope, tenant: str | None, told: Sequence[Spend]) -> Sequence[Spend]:
    return ()


class Reservations:
    """Thread-safe. `spent` gives the current periods of a scope; `costs` the estimate of a call by tool, in USD.

    `untold` gives those with a limit of which nothing was told yet, beside what was told. `life` is a number that no
    other life of the process has: calls of one must not end those of the next. `kept` is what earlier lives have kept.
    """

    def __init__(
        self,
        spent: Callable[[Scope, str | None], Sequence[Spend]],
        costs: Mapping[str, float],
        now: Callable[[], float] = steady,
        untold: Callable[[Scope, str | None, Sequence[Spend]], Sequence[Spend]] = _nothing,
        life: int = 0,
        kept: Iterable[tuple[str, bytes]] = (),
    ) -> None:
        self._spent, self._now, self._untold = spent, now, untold
        self._costs = {tool: nano(usd) for tool, usd in costs.items()}
        self._lock = threading.Lock()
        self._reserved: dict[tuple[Scope, str | None], int] = {}
        self._open: dict[str, _Open] = {}
        self._settled: deque[tuple[str, _Open]] = deque()
        self._life, self._number = life, 0
        self._changed: dict[str, bytes | None] = {}
        for token, said in kept:
            self._restore(token, orjson.loads(said))

    def reserve(self, request: Request) -> Reserved | Denied:
        """Reserve what a call is estimated to cost, of every scope that has a limit, or of none."""
        amount = self._costs.get(request.tool, self._costs.get("*", 0))
        subject = request.subject
        with self._lock:
            self._release()
            scopes = []
            tenants = (None,) if subject.tenant is None else (None, subject.tenant)
            for scope in subject.scopes():
                whose = subject.tenant if scope.level == USER else None  # only users are a tenant's
                for tenant in tenants:
                    spent = self._spent(scope, tenant)
                    if tenant == whose:
                        spent = [*spent, *self._untold(scope, tenant, spent)]
                    if self._full(scope, tenant, amount, spent):
                        says = "The spend budget is used up, so this call was not made."
                        return Denied("spend.reserved", "block", says)
                    scopes.append((scope, tenant))
            return Reserved(self._take(tuple(scopes), amount) if amount else "")

    def settle(self, token: str, cost_usd: float | None) -> None:
        """Replace an estimate by what the call has cost; a cost that is not known is taken as the estimate."""
        with self._lock:
            done = self._open.pop(token, None)
            if done is not None:
                cost = done.amount if cost_usd is None else nano(cost_usd)
                self._add(done.scopes, cost - done.amount)
                done = _Open(done.scopes, cost, self._now() + LAG_S)
                self._settled.append((token, done))
                self._changed[token] = done.kept(settled=True)

    def reserved(self, scope: Scope, tenant: str | None) -> int:
        """Give what is reserved of a scope, in nano-USD."""
        with self._lock:
            self._release()
            return self._reserved.get((scope, tenant), 0)

    def take_changed(self) -> dict[str, bytes | None]:
        """Give what changed since the last call, by token, to be kept; None: it is over."""
        with self._lock:
            self._release()
            changed, self._changed = self._changed, {}
        return changed

    def _restore(self, token: str, said: Any) -> None:
        """Go on with what an earlier life reserved. How long it was down is not known: it lasts as if it began now."""
        scopes = tuple((Scope(level, name), tenant) for level, name, tenant in said["scopes"])
        found = _Open(scopes, said["amount"], self._now() + (LAG_S if said["settled"] else LEASE_S))
        if said["settled"]:
            self._settled.append((token, found))
        else:
            self._open[token] = found
        self._add(scopes, found.amount)

    def _full(self, scope: Scope, tenant: str | None, amount: int, spent: Sequence[Spend]) -> bool:
        if not spent:
            return False
        more = self._reserved.get((scope, tenant), 0) + amount
        return any(each.limit is not None and (each.cost or 0) + more > each.limit for each in spent)

    def _take(self, scopes: tuple[tuple[Scope, str | None], ...], amount: int) -> str:
        self._number += 1
        token = f"res_{self._life:x}_{self._number:x}"
        taken = self._open[token] = _Open(scopes, amount, self._now() + LEASE_S)
        self._changed[token] = taken.kept(settled=False)
        self._add(scopes, amount)
        return token

    def _release(self) -> None:
        """Give back what is over: settled calls that are counted by now, and calls that never ended."""
        now = self._now()
        while self._settled and self._settled[0][1].until_s <= now:
            token, done = self._settled.popleft()
            self._give_back(token, done)
        while self._open and (first := next(iter(self._open.items())))[1].until_s <= now:
            del self._open[first[0]]
            self._give_back(*first)

    def _give_back(self, token: str, over: _Open) -> None:
        self._add(over.scopes, -over.amount)
        self._changed[token] = None

    def _add(self, scopes: tuple[tuple[Scope, str | None], ...], amount: int) -> None:
        for key in scopes:
            left = self._reserved.get(key, 0) + amount
            if left:
                self._reserved[key] = left
            else:
                self._reserved.pop(key, None)
