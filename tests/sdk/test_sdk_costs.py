"""What a call is said to have cost: nonsense is not known, and fails nobody."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from flyball_sdk import Guard
from flyball_sdk.adapters.plain import guarded
from flyball_sdk.reserving import Request, Reserved


class Budget:
    """A reserver that remembers what is settled."""

    def __init__(self) -> None:
        self.settled: list[Any] = []

    def reserve(self, request: Request) -> Reserved:
        """Reserve."""
        return Reserved("t1")

    def settle(self, token: str, cost_usd: float | None) -> None:
        """Remember."""
        self.settled.append((token, cost_usd))


@pytest.mark.parametrize(
    ("said", "cost"),
    [
        (0.5, 0.5),
        (0, 0.0),
        (Decimal("0.25"), 0.25),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        (-1.0, None),
        ("1.5", None),
        ([], None),
        (10**400, None),
    ],
)
def test_a_reservation_is_settled_whatever_the_call_is_said_to_have_cost(said: Any, cost: float | None) -> None:
    """It was held for ten minutes, and the call that had been made failed."""
    budget = Budget()
    guard = Guard(reserver=budget, on_event=lambda event: None)
    with guarded(guard, "pay", {}) as call:
        call.cost_usd = said
    assert budget.settled == [("t1", cost)]
    assert guard.usage().cost == round((cost or 0) * 10**9)
