"""Contributions: what each source (a rule, or people) asks of a scope. Pure; a scope's state is their merge.

Between two commands the order, the number of times and the batches in which verdicts come do not matter: of each
source only maxima are kept (the greatest generation, and of equal ones the merge). A kill is kept apart: verdicts of
another kind never end it, only a resume, or a `clear` of a rule that the configuration names as one that may lift.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flyball_sdk.scope import RUN, Scope
from flyball_sdk.state import NEUTRAL, State, Throttle, merge, merged, rank

from control.verdicts import CLEAR, KILL, OPERATOR, WARN, asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from control.verdicts import Verdict

NONE: Final = -1
"""Below every generation."""
BY_OPERATOR: Final = "Stopped by an operator."
"""What a model is told of a person's command; the person's own words are for people."""


class Place(NamedTuple):
    """A scope, as it is asked of one tenant or (None) of everybody."""

    scope: Scope
    tenant: str | None


@dataclass(frozen=True)
class Contribution:
    """What one source asks of one place. Generations are NONE where there was none."""

    generation: int = NONE
    """Of `state`."""
    state: State = NEUTRAL
    """Without the kill."""
    kill: int = NONE
    """The greatest generation that killed."""
    lifted: int = NONE
    """The greatest generation of a clear that may lift: kills below it are over."""
    floor: int = NONE
    """What a resume took away and remembers: nothing at or below it counts."""
    reason: str = ""
    kill_reason: str = ""
    touched_up_s: int = 0
    """When the last verdict came, in seconds that the authority had been up in all its lives."""

    @property
    def killed(self) -> bool:
        """It asks for a kill."""
        return self.kill > self.floor and self.kill >= self.lifted

    def asks(self) -> State:
        """Give all that it asks."""
        return self.state._replace(kill=self.killed)

    def to_json(self) -> dict[str, Any]:
        """Give plain values."""
        return {**asdict(self), "state": self.state.to_json()}

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Contribution:
        """Read what `to_json` gave."""
        return cls(**{**said, "state": State.from_json(said["state"])})


_EMPTY: Final = Contribution()
_THROTTLE: Final = Throttle(30, 2)


@dataclass(frozen=True)
class Rules:
    """What the configuration says of verdicts."""

    may_lift: frozenset[str] = frozenset()
    """Rules, by name or glob, whose clear ends their own kill."""
    throttle: Throttle = _THROTTLE
    """Where a throttle does not say how fast."""

    def lifts(self, rule: str) -> bool:
        """Say whether a clear of this rule ends its own kill."""
        return any(fnmatchcase(rule, glob) for glob in self.may_lift)


class Book:
    """All contributions. `changed` holds what is to be written: places and sources."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self.places: dict[Place, dict[str, Contribution]] = {}
        self.changed: set[tuple[Place, str]] = set()

    def put(self, place: Place, source: str, contribution: Contribution) -> None:
        """Set one contribution."""
        self.places.setdefault(place, {})[source] = contribution
        self.changed.add((place, source))

    def get(self, place: Place, source: str) -> Contribution | None:
        """Give one contribution."""
        return self.places.get(place, {}).get(source)

    def apply(self, verdict: Verdict, up_s: int = 0) -> bool:
        """Take a verdict; False: it changes nothing."""
        place = Place(verdict.scope, verdict.tenant)
        known = self.get(place, verdict.rule) or _EMPTY
        if verdict.action == WARN or verdict.generation <= known.floor:
            return False
        new = self._with(known, verdict)
        if new == known:
            return False
        self.put(place, verdict.rule, _at(new, up_s))
        return True

    def kill(self, place: Place, generation: int, up_s: int = 0) -> None:
        """A person kills."""
        known = self.get(place, OPERATOR) or _EMPTY
        new = replace(known, kill=generation, kill_reason="")
        self.put(place, OPERATOR, _at(new, up_s))

    def set(self, place: Place, state: State, generation: int, up_s: int = 0) -> None:
        """A person asks for a state, instead of what people had asked for; a kill of theirs stays."""
        known = self.get(place, OPERATOR) or _EMPTY
        new = replace(known, generation=generation, state=state._replace(kill=False), reason="")
        self.put(place, OPERATOR, _at(new, up_s))

    def resume(self, scope: Scope, tenant: str | None, *, everybody: bool) -> list[Place]:
        """Take away what is asked of a scope, and remember the generations; gives the places that asked for anything.

        `everybody`: of all tenants; else only what is asked of `tenant` (None: what is asked of everybody).
        """
        found = [place for place in self.places if place.scope == scope and (everybody or place.tenant == tenant)]
        asked_for = [place for place in found if self.state(place) != NEUTRAL]
        for place in found:
            for source, known in list(self.places[place].items()):
                floor = max(known.floor, known.generation, known.kill, known.lifted)
                self.put(place, source, Contribution(floor=floor, touched_up_s=known.touched_up_s))
        return asked_for

    def expire(self, up_s: int, keep_s: int) -> list[Place]:
        """Drop runs of which nothing was heard for `keep_s`; gives their places."""
        old = [
            place for place, each in self.places.items() if place.scope.level == RUN and _is_old(each, up_s - keep_s)
        ]
        for place in old:
            self.changed |= {(place, source) for source in self.places.pop(place)}
        return old

    def state(self, place: Place) -> State:
        """Merge what is asked of a place."""
        return merged(each.asks() for each in self.places.get(place, {}).values())

    def why(self, place: Place) -> tuple[str, str]:
        """Give reason and rule of the strictest contribution."""
        strictest = max(self._told(place), default=None)
        return ("", "") if strictest is None else (strictest[-1], strictest[-2])

    def killers(self, place: Place) -> frozenset[str]:
        """Give the sources that kill a place."""
        return frozenset(source for source, each in self.places.get(place, {}).items() if each.killed)

    def sources(self, place: Place) -> dict[str, State]:
        """Give what each source asks, neutral ones left out."""
        return {name: each.asks() for name, each in self.places.get(place, {}).items() if each.asks() != NEUTRAL}

    def _told(self, place: Place) -> Iterator[tuple[bool, int, bool, bool, str, str]]:
        for source, each in self.places.get(place, {}).items():
            state = each.asks()
            if state != NEUTRAL:
                said = each.kill_reason if state.kill else each.reason
                reason = BY_OPERATOR if source == OPERATOR else said
                narrowed = state.tools is not None or bool(state.deny)
                yield state.kill, rank(state.level), narrowed, state.throttle is not None, source, reason

    def _with(self, known: Contribution, verdict: Verdict) -> Contribution:
        """Give the contribution with one more verdict: maxima only."""
        generation, reason = verdict.generation, verdict.reason
        if verdict.action == KILL:
            kill, why = max((known.kill, known.kill_reason), (generation, reason))
            return replace(known, kill=kill, kill_reason=why)
        lifted = known.lifted
        if verdict.action == CLEAR and self.rules.lifts(verdict.rule):
            lifted = max(lifted, generation)
        state = asked(verdict, self.rules.throttle)
        if generation < known.generation:
            return replace(known, lifted=lifted)
        if generation == known.generation:
            state, reason = merge(known.state, state), max(known.reason, reason)
        return replace(known, lifted=lifted, generation=generation, state=state, reason=reason)


def _at(contribution: Contribution, up_s: int) -> Contribution:
    return replace(contribution, touched_up_s=max(up_s, contribution.touched_up_s))


def _is_old(each: dict[str, Contribution], before_up_s: int) -> bool:
    return all(contribution.touched_up_s < before_up_s for contribution in each.values())
