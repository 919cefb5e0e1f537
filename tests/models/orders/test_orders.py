"""Orders are read as they were written, and the book knows what is in force whatever is told again or cut off."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.orders.book import OrderBook
from models.orders.order import Acceptance, Kill, Lift, Order, OrderError, Place, Round, read

PLACES = [Place("user", "u1", None), Place("user", "u1", "acme"), Place("product", "*", None), Place("run", "ab", None)]
_WHAT: Any = st.one_of(
    st.builds(
        Kill, st.sampled_from(PLACES), st.integers(0, 9).map(lambda us: us * 1000), st.just("operator"), st.just("ann")
    ),
    st.builds(Lift, st.sampled_from(PLACES)),
    st.builds(Acceptance, st.just("air"), st.sampled_from([None, "task_success"]), st.just(5000), st.just("ann")),
)


@st.composite
def told(draw: Any) -> list[Order]:
    """Make the orders of one control plane, with rounds as it tells them: all kills in force again, then their end."""
    orders: list[Order] = []
    force: dict[Place, Kill] = {}
    for what in draw(st.lists(st.one_of(_WHAT, st.none()), max_size=20)):
        if what is None:
            first = len(orders)
            for kill in force.values():
                orders.append(Order("s", len(orders), 0, kill))
            orders.append(Order("s", len(orders), 0, Round(first)))
            continue
        orders.append(Order("s", len(orders), 0, what))
        if isinstance(what, Kill):
            force[what.place] = what
        elif isinstance(what, Lift):
            force.pop(what.place, None)
    return orders


def in_force(orders: list[Order]) -> dict[Place, Kill]:
    """Work it out in the simplest way, rounds left out: they say nothing new where nothing was lost."""
    found: dict[Place, Kill] = {}
    for order in orders:
        if isinstance(order.what, Kill):
            found[order.what.place] = order.what
        elif isinstance(order.what, Lift):
            found.pop(order.what.place, None)
    return found


def known(book: OrderBook) -> dict[Place, Kill]:
    """Give what a book knows."""
    return {kill.place: kill for kill in book.kills()}


@given(told())
def test_what_was_written_is_read(orders: list[Order]) -> None:
    """Every field of every kind."""
    assert [read(orjson.dumps(order.record())) for order in orders] == orders


@given(told(), st.data())
def test_told_again_cut_and_restored(orders: list[Order], data: st.DataObject) -> None:
    """Told again from an earlier one on, dumped and restored anywhere, it knows the same, and takes each order once."""
    book, at, news = OrderBook(), 0, 0
    base, deltas = None, []
    while at < len(orders):
        size = data.draw(st.integers(1, 5))
        news += len(book.take(orders[max(0, at - data.draw(st.integers(0, 3))) : at + size]))
        at += size
        assert known(book) == in_force(orders[:at])
        if data.draw(st.booleans()):
            base, deltas = book.dump(), []
            book.take_delta()
        else:
            deltas.append(book.take_delta())
        if data.draw(st.booleans()):
            book = OrderBook.load(base, deltas)
    assert (known(book), news) == (in_force(orders), len(orders))


@given(told(), st.integers(0, 20))
def test_a_round_makes_up_for_what_was_lost(orders: list[Order], lost: int) -> None:
    """Where retention has cut orders off, a round that lies wholly after them leaves nothing out, and nothing over."""
    before, rest = OrderBook(), orders[lost:]
    before.take(orders[: lost // 2])  # it was down meanwhile
    before.take(rest)
    whole = [n for n, order in enumerate(orders) if isinstance(order.what, Round) and order.what.first >= lost]
    if whole:
        assert known(before) == in_force(orders)


def test_another_control_plane_asks_anew() -> None:
    """Its stream is another: what the one before asked is over, and its numbers count from the start."""
    book = OrderBook()
    book.take([Order("s", 7, 0, Kill(PLACES[0], 1000, "operator", "ann"))])
    book.take([Order("t", 0, 0, Kill(PLACES[2], 2000, "operator", "bob"))])
    assert [kill.by for kill in book.kills()] == ["bob"]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"[]",
        b"{}",
        b'{"kind":"order"}',
        b'{"kind":"order","order":["kill"]}',
        b'{"kind":"order","order":"kill","n":1}',
    ],
)
def test_what_is_no_order_is_refused(value: bytes) -> None:
    """With a reason that can be counted."""
    with pytest.raises(OrderError, match="order: "):
        read(value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", "1"),
        ("n", -1),
        ("since", "yesterday"),
        ("scope", {"level": "galaxy", "id": "x"}),
        ("tenant", 7),
        ("by", ""),
    ],
)
def test_a_malformed_field_is_refused(field: str, value: object) -> None:
    """Whichever it is."""
    record = Order("s", 1, 0, Kill(PLACES[0], 0, "operator", "ann")).record() | {field: value}
    with pytest.raises(OrderError):
        read(orjson.dumps(record))
