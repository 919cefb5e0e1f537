"""PaceLimits: whom a pace limits now, and when that ends: ten minutes without another, or when the day is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from models.verdicts import Action, Verdict, verdict_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

QUIET_S = 600
"""Seconds after the last minute that was too much: whoever is throttled goes slower, so one good minute says little."""
_NANO = 1_000_000_000
_LONGEST_S = 2 * 86_400
_UNKNOWN_S = 0


class Whom(NamedTuple):
    """A rule, and whom it limits."""

    rule: str
    level: str
    id: str
    tenant: str | None


class PaceLimits:
    """The limits of one shard, kept over restarts: else nobody would end them."""

    def __init__(self) -> None:
        self._until: dict[Whom, tuple[int, int]] = {}
        """Generation of the newest verdict; Unix second at which it ends, 0: ten minutes from the next look on."""

    def note(self, verdicts: Iterable[Verdict], until_s: int = _UNKNOWN_S) -> None:
        """Remember what is in force of these; it ends at `until_s` (0: when it has been quiet)."""
        for told in verdicts:
            if told.action is not Action.WARN and told.evidence["mode"] == "enforce":
                tenant = told.evidence.get("tenant") if told.level == "user" else None
                whom = Whom(told.rule, told.level, told.scope, tenant)
                generation, _ = self._until.get(whom, (0, 0))
                self._until[whom] = max(told.generation, generation), until_s

    def ended(self, now_s: int) -> Iterator[Verdict]:
        """Give what lets go of those whose pace has gone back by `now_s`, Unix seconds."""
        for whom, (generation, until_s) in list(self._until.items()):
            if until_s == _UNKNOWN_S or until_s > now_s + _LONGEST_S:  # by a clock that was ahead
                self._until[whom] = generation, now_s + QUIET_S
            elif until_s <= now_s:
                del self._until[whom]
                yield _cleared(whom, generation, now_s)

    def state(self) -> list[list[Any]]:
        """Give all of it as plain types."""
        return [[*whom, *ends] for whom, ends in self._until.items()]

    def restore(self, state: Iterable[Iterable[Any]]) -> None:
        """Put back what `state` gave."""
        self._until = {Whom(*whom): (generation, until_s) for *whom, generation, until_s in state}


def _cleared(whom: Whom, generation: int, now_s: int) -> Verdict:
    """Give the verdict that lets go; what is told of a later minute holds against it."""
    evidence = {"count": 0, "limit": 0, "mode": "enforce"} | ({"tenant": whom.tenant} if whom.tenant else {})
    return Verdict(
        id=verdict_id(whom.rule, whom.level, whom.id, whom.tenant or "", str(generation), "clear"),
        at_ns=now_s * _NANO,
        level=whom.level,
        scope=whom.id,
        action=Action.CLEAR,
        rule=whom.rule,
        reason="the pace has gone back to what is usual",
        evidence=evidence,
        generation=generation + 1,
    )
