"""Verdict: what the stream decides about a scope, and its record (`{"kind":"verdict", ...}`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from models.times import rfc3339


class Action(StrEnum):
    """What is to happen, mildest first; `clear` takes back what its rule asked for."""

    WARN = "warn"
    THROTTLE = "throttle"
    BOUND = "bound"
    BLOCK = "block"
    KILL = "kill"
    CLEAR = "clear"


@dataclass(frozen=True)
class Verdict:
    """One decision, absolute. Told again, it is the same `id`: whoever acts on it acts once.

    `at_ns` is Unix ns of event time. `evidence` has `count` and `limit`. Of two of one rule about one scope the higher
    `generation` holds.
    """

    id: str
    at_ns: int
    level: str
    scope: str
    action: Action
    rule: str
    reason: str
    evidence: dict[str, Any]
    generation: int

    def record(self) -> dict[str, Any]:
        """Give the record, in the words of the contract."""
        return {
            "kind": "verdict",
            "id": self.id,
            "at": rfc3339(self.at_ns),
            "scope": {"level": self.level, "id": self.scope},
            "action": str(self.action),
            "rule": self.rule,
            "reason": self.reason,
            "evidence": self.evidence,
            "generation": self.generation,
        }


def verdict_id(*words: str) -> str:
    """Give an id, 32 hex digits, that is the same wherever these words are decided on."""
    return sha256("\x1f".join(words).encode()).hexdigest()[:32]


def mode_words(mode: str) -> tuple[str, ...]:
    """Give what parts the ids of a rule in shadow from those of one in force.

    Whoever obeys takes each id once: a rule that comes to be in force says anew what it had said in shadow.
    """
    return () if mode == "enforce" else (mode,)
