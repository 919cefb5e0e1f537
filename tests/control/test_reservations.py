"""Reservations: N calls at once never overshoot a budget by more than what they cost beyond their estimates."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import orjson
from flyball_sdk.reserving import Request, Reserved
from flyball_sdk.scope import Scope, Subject
from hypothesis import given, settings
from hypothesis import strategies as st

from control.plane import Plane, PlaneSettings
from control.reservations import LAG_S, LEASE_S, Reservations
from control.untold import Untold
from control.usage import SpendBook, nano, read
from models.spend.budget import Budget

if TYPE_CHECKING:
    from pathlib import Path

U1 = Scope("user", "u1")
WHO = Subject(user="u1", tenant="t1")
SAID = {
    "kind": "spend", "scope": {"level": "user", "id": "u1"}, "tenant": "t1", "period": "day",
    "start": "2026-01-01", "revision": 1,
}  # fmt: skip


def book(cost: float, limit: float | None, *, tenant: str | None = "t1") -> SpendBook:
    """Make a book with one day of one user."""
    return SpendBook([orjson.dumps(SAID | {"tenant": tenant, "cost_usd": cost, "limit_usd": limit})])


def request(tool: str = "pay", who: Subject = WHO) -> Request:
    """Make a call."""
    return Request("tool", tool, {}, who, "digest")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 40), st.integers(1, 30), st.integers(1, 7))
def test_threads_that_race_never_overshoot(spent: int, threads: int, price: int) -> None:
    """Of any number of racing calls just as many pass as fit, in whole nano-USD."""
    limit = 50
    found = Reservations(book(spent / 1e9, limit / 1e9).current, {"pay": price / 1e9})
    barrier, passed = threading.Barrier(threads), []

    def one() -> None:
        barrier.wait()
        if isinstance(found.reserve(request()), Reserved):
            passed.append(1)

    racing = [threading.Thread(target=one) for _ in range(threads)]
    for each in racing:
        each.start()
    for each in racing:
        each.join()
    assert len(passed) == min(threads, (limit - spent) // price)
    assert found.reserved(U1, "t1") == len(passed) * price


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["reserve", "settle", "pass"]), st.integers(0, 5)), max_size=30))
def test_what_is_reserved_is_the_sum_of_what_is_open(steps: list[Any]) -> None:
    """After any calls, results, and times: reserved is what a plain list of open and settled calls adds up to."""
    now = [0.0]
    found = Reservations(book(0, 1e-6).current, {"pay": 1e-7}, lambda: now[0])
    calls: dict[str, tuple[int, float]] = {}
    running: list[str] = []
    for step, number in steps:
        if step == "reserve":
            fits = sum(cost for cost, until in calls.values() if until > now[0]) + 100 <= 1000
            answer = found.reserve(request())
            assert isinstance(answer, Reserved) == fits
            if isinstance(answer, Reserved):
                calls[answer.token] = (100, now[0] + LEASE_S)
                running.append(answer.token)
        elif step == "settle" and running:
            token = running.pop(number % len(running))
            found.settle(token, number / 1e8)
            found.settle(token, 1.0)  # told twice: counted once
            if calls[token][1] > now[0]:
                calls[token] = (number * 10, now[0] + LAG_S)
        else:
            now[0] += number * 5
        assert found.reserved(U1, "t1") == sum(cost for cost, until in calls.values() if until > now[0])


def test_only_scopes_with_a_limit_refuse() -> None:
    """No limit, another user, or a call that costs nothing yet: nothing is refused; a used-up budget refuses all."""
    assert isinstance(Reservations(book(100, None).current, {"pay": 1.0}).reserve(request()), Reserved)
    full = Reservations(book(10, 10).current, {"pay": 1.0})
    assert not isinstance(full.reserve(request()), Reserved)
    assert isinstance(full.reserve(request("free")), Reserved)
    assert isinstance(full.reserve(request(who=Subject(user="u2", tenant="t1"))), Reserved)
    everybody = Reservations(book(10, 10, tenant=None).current, {"*": 1.0})
    assert not isinstance(everybody.reserve(request("anything")), Reserved)
    over = Reservations(book(10.5, 10).current, {})
    assert not isinstance(over.reserve(request()), Reserved)


def test_money_is_whole() -> None:
    """Ten tenths are one."""
    assert nano(0.1) * 10 == nano(1.0)
    scope = b'"scope":{"level":"user","id":"u"},"period":"day","start":"2026-01-01"'
    assert read(b'{"kind":"spend","limit_usd":0.3,"revision":0,%b}' % scope).limit == 300_000_000


def test_a_new_day_is_reserved_of_anew() -> None:
    """Of a day or month that nothing is told of yet, nothing is spent; one that goes on holds."""
    spent = book(9.0, 10.0)
    day = {"today": "2026-01-01"}
    found = Reservations(lambda scope, tenant: spent.now(scope, tenant, day["today"]), {"pay": 2.0})
    assert not isinstance(found.reserve(request()), Reserved)
    day["today"] = "2026-01-02"
    assert isinstance(found.reserve(request()), Reserved)
    assert [(each.cost, each.limit) for each in spent.now(U1, "t1", "2026-01-02")] == [(0, nano(10.0))]
    day["today"] = "2025-12-31"  # its clock is behind the flow's
    assert not isinstance(found.reserve(request()), Reserved)
    (kept,) = spent.current(U1, "t1")
    monthly = SpendBook([orjson.dumps({**orjson.loads(kept.record), "period": "month"})])
    assert [each.cost for each in monthly.now(U1, "t1", "2026-01-31")] == [nano(9.0)]
    assert [each.cost for each in monthly.now(U1, "t1", "2026-02-01")] == [0]


def untold(*budgets: Budget, told: SpendBook | None = None) -> Reservations:
    """Give reservations of a policy with budgets; a call costs a dollar."""
    spent = (told or SpendBook()).current
    found = Untold(budgets)
    return Reservations(spent, {"pay": 1.0}, untold=lambda *whose: found.of(*whose, "2026-01-01"))


def passed(found: Reservations, who: Subject, calls: int = 10) -> int:
    """Count the calls of a burst that pass."""
    return sum(isinstance(found.reserve(request(who=who)), Reserved) for _ in range(calls))


def test_who_was_never_heard_of_has_a_limit_too() -> None:
    """The first burst of a new user comes before any record of what was spent: it is held to the policy's budget."""
    found = untold(Budget("all", "user", "month", nano(3)), Budget("plan", "user", "day", nano(1), tier="free"))
    assert passed(found, WHO) == 3
    assert passed(found, Subject(user="u1", tenant="t2")) == 3  # the same name of another tenant is somebody else
    assert passed(found, Subject(user="u2", tenant="t1")) == 3
    assert passed(found, Subject(user="u3")) == 3
    assert passed(found, Subject(tenant="t1")) == 10
    assert passed(untold(Budget("all", "product", "day", nano(4))), WHO) == 4
    assert passed(untold(Budget("one", "tenant", "day", nano(2), id="t1")), WHO) == 2
    assert passed(untold(Budget("one", "tenant", "day", nano(2), id="t2")), WHO) == 10


def test_what_was_told_comes_before_the_policy() -> None:
    """A record knows the plan, and what was spent; of the period that none tells of the policy's budget holds."""
    budgets = Budget("day", "user", "day", nano(2)), Budget("month", "user", "month", nano(4))
    assert passed(untold(*budgets, told=book(3.0, 9.0)), WHO) == 4
    assert passed(untold(*budgets, told=book(8.0, 9.0)), WHO) == 1


def test_a_call_of_an_earlier_life_ends_no_reservation_of_this_one(tmp_path: Path) -> None:
    """Its token is not that of another call, which is still under way."""
    tokens = []
    for _ in range(2):
        plane = Plane(PlaneSettings(tmp_path, costs={"pay": 4.0}), say=lambda _: None)
        plane.spend.take(read(orjson.dumps(SAID | {"cost_usd": 0, "limit_usd": 10, "start": plane.today()})))
        answer = plane.reservations.reserve(request())
        assert isinstance(answer, Reserved)
        for token in tokens:
            plane.reservations.settle(token, 0.0)
        tokens.append(answer.token)
        assert plane.reservations.reserved(U1, "t1") == nano(4.0)
        plane.stop()


def life(folder: Path) -> Plane:
    """Begin a life of the control plane: a call is estimated at 4 USD, of a budget of 10."""
    plane = Plane(PlaneSettings(folder, costs={"pay": 4.0}), say=lambda _: None)
    plane.spend.take(read(orjson.dumps(SAID | {"cost_usd": 0, "limit_usd": 10, "start": plane.today()})))
    return plane


def test_what_is_reserved_outlives_a_restart(tmp_path: Path) -> None:
    """Of calls that are under way: with them as many pass as would have without it, and their ends are heard."""
    plane = life(tmp_path)
    first, second = (plane.reservations.reserve(request()) for _ in range(2))
    assert isinstance(first, Reserved)
    assert isinstance(second, Reserved)
    plane.stop()
    plane = life(tmp_path)
    assert plane.reservations.reserved(U1, "t1") == nano(8.0)
    assert not isinstance(plane.reservations.reserve(request()), Reserved)
    plane.reservations.settle(first.token, 0.5)
    assert plane.reservations.reserved(U1, "t1") == nano(4.5)
    assert isinstance(plane.reservations.reserve(request()), Reserved)
    plane.stop()
    plane = life(tmp_path)
    assert plane.reservations.reserved(U1, "t1") == nano(8.5)
    plane.stop()


def test_what_is_kept_ends_as_it_would_have(tmp_path: Path) -> None:
    """A killed process loses no more than its last 50 ms; what a restart finds lasts anew, then nothing is kept."""
    plane = life(tmp_path)
    tokens = [answer.token for _ in range(2) if isinstance(answer := plane.reservations.reserve(request()), Reserved)]
    plane.reservations.settle(tokens[0], None)
    plane.tick()
    kept, now = plane.store.reserved(), [0.0]
    plane.stop()
    assert [token for token, _ in kept] == [tokens[0], tokens[1]]
    found = Reservations(book(0, 10).current, {"pay": 4.0}, lambda: now[0], life=2, kept=kept)
    for at, reserved in ((0, 8.0), (LAG_S - 1, 8.0), (LAG_S, 4.0), (LEASE_S - 1, 4.0), (LEASE_S, 0.0)):
        now[0] = at
        assert found.reserved(U1, "t1") == nano(reserved)
    assert found.take_changed() == dict.fromkeys(tokens)
