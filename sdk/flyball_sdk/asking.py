"""What a set of rules is asked, and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flyball_sdk.decision import Finding
    from flyball_sdk.scope import Subject
    from flyball_sdk.signals import Held
    from flyball_sdk.throttling import Asked


class Question(NamedTuple):
    """A call that rules look at. `env` None: where it runs is not known, then rules of any place hold."""

    tool: str
    tool_input: Mapping[str, object]
    subject: Subject
    env: str | None


class Fired(NamedTuple):
    """A rule that fired."""

    finding: Finding
    change: Callable[[Mapping[str, object]], dict[str, object]] | None = None
    """For modify: gives the input as it should be; the one it is given is left as it is."""
    throttle: Asked | None = None
    """For throttle: what the call must pass. The finding then only counts if it does not."""
    tier: int | None = None
    """Of what the call does, by this rule: it counts if it is higher than the tool's."""


class Rules(Protocol):
    """A compiled set of rules: immutable, the same answer to the same question."""

    @property
    def digest(self) -> str:
        """Name the set by its content."""

    def judge(self, question: Question) -> Sequence[Fired]:
        """Give the rules that fire. What it raises is a part of the guard without an answer."""


class SignalSource(Protocol):
    """Where signals are: the store of a client, or the authority itself.

    One that has `subject` too, as the store has, says whose calls these are as far as nobody else does.
    """

    def of(self, subject: Subject) -> Sequence[Held]:
        """List what is asked of the scopes of a subject, tenant's and everybody's; states are not neutral."""

    def age_s(self) -> float:
        """Seconds since the signals were known to be all there are; inf: they never were."""

    @property
    def position(self) -> tuple[int, int]:
        """The greatest (epoch, seq) that is known of."""


class RuleSource(Protocol):
    """Where the rules of the moment are."""

    @property
    def current(self) -> Rules:
        """The set that calls are judged by; replaced in one step."""
