"""RunPolicy: when a run closes, how long it waits and is remembered, and how a missing outcome counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from models.digest import digest_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SECOND = 1_000_000_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE

TIMEOUT_WORDS = ("timeout", "timed out", "timed_out", "deadline")
"""An error type with one of these in it, in any case, is a time-out (gRPC: DEADLINE_EXCEEDED, Python: TimeoutError)."""

LONGEST_CLASS = 64
"""Characters of an error type that names a class of errors; longer ones are messages."""

GOOD_LABELS = ("pass", "passed", "true", "yes", "success", "correct", "good", "thumbs_up")
"""Labels of an evaluation without a score that count as good, in any case."""

GOOD_SCORE = 500_000
"""Score from which an evaluation is good, micro-units."""

_UNKNOWN = {"exclude": 0, "good": 1, "bad": 2}


@dataclass(frozen=True)
class RunPolicy:
    """All durations are nanoseconds of event time.

    Raises ValueError for a duration that is not positive or an unknown `unknown`.
    """

    idle: int = 15 * _MINUTE
    """A run without a root closes this long after its last end."""
    max_age: int = 24 * _HOUR
    """A run without a root closes at this age, however busy it is."""
    remember: int = 24 * _HOUR
    """A closed run takes corrections for this long."""
    grace: int = 15 * _MINUTE
    """How long a closed run waits for an evaluation, where evaluations have been seen."""
    remember_other: int = _HOUR
    """A closed trace without any agent span is kept this long, in case one comes."""
    remember_max: int = 20_000
    """Closed runs kept per shard; beyond it the oldest are forgotten early, and counted."""
    unknown: Literal["exclude", "good", "bad"] = "exclude"
    """How task_success counts a run whose outcome nobody said."""
    escalation_tools: tuple[str, ...] = ("transfer_to_human_agents",)
    """A call of one of these hands the task to a person."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        for name in ("idle", "max_age", "remember", "remember_other", "grace", "remember_max"):
            if getattr(self, name) <= 0:
                msg = f"run policy: {name} is {getattr(self, name)}, expected a positive number"
                raise ValueError(msg)
        if self.unknown not in _UNKNOWN:
            msg = f"run policy: unknown is {self.unknown!r}, expected one of {', '.join(_UNKNOWN)}"
            raise ValueError(msg)

    def rules(self, generation: int) -> NDArray[np.int64]:
        """Give what the kernels need, in the order of `models.runs.state.RULE_*`."""
        unknown, revision = _UNKNOWN[self.unknown], generation << 20
        durations = self.idle, self.max_age, self.remember, self.grace, self.remember_other
        return np.array([*durations, unknown, revision], np.int64)

    def digests(self) -> NDArray[np.int64]:
        """Give the digests of `task_success` and of the escalation tools."""
        return np.array([digest_of(name) for name in ("task_success", *self.escalation_tools)], np.int64)


def is_timeout(error_type: str) -> bool:
    """Say whether an error type, by its text, is a time-out."""
    text = error_type.lower()
    return any(word in text for word in TIMEOUT_WORDS)


def is_error_class(error_type: str) -> bool:
    """Say whether an error type names a class of errors, as OpenTelemetry wants it: `error.type` has few values.

    Some frameworks write the message there: it would not add up, and nobody checked what it holds.
    """
    return 0 < len(error_type) <= LONGEST_CLASS and not any(character.isspace() for character in error_type)


def is_good_label(label: str) -> bool:
    """Say whether a label, by its text, is a good one."""
    return label.strip().lower() in GOOD_LABELS
