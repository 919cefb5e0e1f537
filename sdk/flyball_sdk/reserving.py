"""Reserver: whoever keeps spend budgets lets a call reserve what it will cost, before it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyball_sdk.scope import Subject


class Request(NamedTuple):
    """A call that will cost something. `kind` is tool or llm; a model's name stands for the tool then."""

    kind: str
    tool: str
    tool_input: Mapping[str, object]
    subject: Subject
    action_digest: str


class Reserved(NamedTuple):
    """The call may be made; `token` names the reservation when it is settled (empty: nothing was reserved)."""

    token: str = ""


class Denied(NamedTuple):
    """The call may not be made. `effect` is block, escalate or kill; `says` is safe for a model."""

    rule: str
    effect: str
    says: str


class Reserver(Protocol):
    """Keeps budgets. Called from the agent's threads, so it must be thread-safe and keep its own deadline.

    What it raises, or a deadline that passes, is no answer: the tier of the tool decides then.
    """

    def reserve(self, request: Request) -> Reserved | Denied:
        """Ask for one call."""

    def settle(self, token: str, cost_usd: float | None) -> None:
        """Tell what a reserved call has cost; None: not known. Must not block and must not raise."""
