"""Counters of the runs of this process: what each has used, and whether it goes round in circles."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final, NamedTuple

from flyball_sdk.limits import MOST_IN_A_CYCLE, WARN_AT, Limits, Repeats
from flyball_sdk.loops import Made, cycle, rounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WARN: Final = "warn"
BLOCK: Final = "block"
KILL: Final = "kill"

_NANO: Final = 10**9
_MOST_TOOLS: Final = 64
"""Tools of one run whose errors are followed."""
_MOST_KILLED: Final = 100_000


class Hit(NamedTuple):
    """A limit that was reached. `says` is safe for a model; evidence is for people: count, limit and what applies."""

    rule: str
    action: str
    says: str
    evidence: Mapping[str, object]


class Usage(NamedTuple):
    """What a run has used; money in nano-USD, so that sums are exact."""

    steps: int = 0
    llm_calls: int = 0
    tool_calls: int = 0
    tokens: int = 0
    cost: int = 0


class _Stopped(NamedTuple):
    """The call that a cycle ended in when it was stopped, how often it had gone round, and the cycle's tools."""

    made: Made
    rounds: int
    sequence: list[str]


class _Run:
    __slots__ = ("begun", "calls", "cost", "errors", "llm_calls", "recent", "steps", "stopped", "tokens", "tool_calls")

    def __init__(self, now: float, most_calls: int) -> None:
        self.begun = now
        self.steps = self.llm_calls = self.tool_calls = self.tokens = self.cost = 0
        self.calls: deque[Made] = deque(maxlen=most_calls)
        self.recent: dict[bytes, int] = {}  # how often each call is among `calls`
        self.errors: dict[str, tuple[bytes, int]] = {}  # tool -> (digest of the error, times in a row)
        self.stopped: _Stopped | None = None

    def add(self, made: Made) -> int:
        """Add a call, and tell how often it is among the last ones."""
        calls, recent = self.calls, self.recent
        if len(calls) == calls.maxlen and (oldest := calls[0].alike) is not None:
            recent[oldest] -= 1
            if not recent[oldest]:
                del recent[oldest]
        calls.append(made)
        if made.alike is None:
            return 0
        times = recent[made.alike] = recent.get(made.alike, 0) + 1
        return times

    def is_again(self, alike: bytes | None) -> bool:
        """Tell whether a call is the one that was stopped just before for a cycle, asked for once more."""
        before = None if self.stopped is None else self.stopped.made
        if before is None or alike is None or before.alike != alike:
            return False
        return self.calls[-1] is before and before.result is None  # it was not made, and nothing else since

    def remove(self, made: Made) -> bool:
        """Take out a call, if it is among the last ones."""
        kept = [each for each in self.calls if each is not made]
        if len(kept) == len(self.calls):
            return False
        self.calls = deque(kept, self.calls.maxlen)
        if made.alike is not None:
            self.recent[made.alike] -= 1
            if not self.recent[made.alike]:
                del self.recent[made.alike]
        return True


class RunBook:
    """Counters of the runs of this process, of at most `most_runs`: the one that was idle longest is forgotten first.

    Thread-safe. `whole` says whether a run is one. Calls of which nobody said the run are counted together: then there
    are no caps and no kills, only what repeats is stopped. A killed run stays killed though its counters are forgotten.
    """

    def __init__(self, limits: Limits, most_runs: int = 10_000) -> None:
        self.limits = limits
        self._caps = _caps_of(limits)
        self._most_runs = most_runs
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        self._killed: OrderedDict[str, Hit] = OrderedDict()
        self._lock = threading.Lock()
        repeats = [r.kill for r in (limits.identical, limits.cycle, limits.error) if r is not None]
        self._most_calls = max([1, *repeats]) * MOST_IN_A_CYCLE

    def renew(self) -> None:
        """Make a new lock: after a fork the old one may be held by a thread that is not there."""
        self._lock = threading.Lock()

    def tool_call(self, run: str, tool: str, alike: bytes | None, now: float, *, whole: bool) -> tuple[Made, list[Hit]]:
        """Count a call that is asked for, whether it will run or not, and give what it reaches, worst last."""
        made = Made(tool, alike)
        with self._lock:
            killed = self._killed.get(run)
            if killed is not None:
                return made, [killed]
            it = self._of(run, now)
            it.steps += 1
            it.tool_calls += 1
            again = it.stopped if it.is_again(alike) else None
            hits = self._repeats(it) if it.add(made) > 1 else []  # what is new repeats nothing
            if again is not None and all(hit.action == WARN for hit in hits):
                it.remove(made)  # in the sequence it stands once, or asking twice would break the cycle
                hits = self._insisted(it, again)
            if it.errors:
                hits += self._same_error(it, tool)
            if whole:
                hits += self._near_caps(it, now)
            elif hits:
                hits = [_softened(hit) for hit in hits]
            return made, self._settled(run, hits, it) if hits else hits

    def withdraw(self, run: str, made: Made) -> None:
        """Take back a call that was asked for and not made."""
        with self._lock:
            it = self._runs.get(run)
            if it is not None and it.remove(made):
                it.steps -= 1
                it.tool_calls -= 1

    def llm_call(self, run: str, now: float, *, whole: bool) -> list[Hit]:
        """Count a call of a model that is asked for, and give what it reaches, worst last."""
        with self._lock:
            killed = self._killed.get(run)
            if killed is not None:
                return [killed]
            it = self._of(run, now)
            it.steps += 1
            it.llm_calls += 1
            return self._settled(run, self._near_caps(it, now) if whole else [], it)

    def spent(self, run: str, now: float, tokens: int = 0, cost_usd: float | None = None, steps: int = 0) -> None:
        """Add what a call has used. An unknown cost is None, and adds nothing; raises ValueError for nonsense."""
        if min(tokens, steps) < 0 or not (cost_usd is None or (math.isfinite(cost_usd) and cost_usd >= 0)):
            msg = f"spent: expected numbers from 0, found tokens={tokens!r}, cost_usd={cost_usd!r}, steps={steps!r}"
            raise ValueError(msg)
        with self._lock:
            it = self._of(run, now)
            it.steps += steps
            it.tokens += tokens
            it.cost += round((cost_usd or 0) * _NANO)

    def outcome(self, run: str, made: Made, result: bytes | None, *, failed: bool) -> None:
        """Record what came of a call; `result` digests the result or the error, None: it cannot be compared."""
        with self._lock:
            made.result, made.error = result, failed
            it = self._runs.get(run)
            if it is None:
                return
            if not failed:
                it.errors.pop(made.tool, None)
            elif result is not None:
                known, times = it.errors.pop(made.tool, (result, 0))
                it.errors[made.tool] = (result, times + 1 if known == result else 1)
                if len(it.errors) > _MOST_TOOLS:
                    del it.errors[next(iter(it.errors))]

    def usage(self, run: str) -> Usage:
        """Tell what a run has used so far."""
        with self._lock:
            it = self._runs.get(run)
            return Usage() if it is None else Usage(it.steps, it.llm_calls, it.tool_calls, it.tokens, it.cost)

    def forget(self, run: str) -> None:
        """Forget a run that has ended."""
        with self._lock:
            self._runs.pop(run, None)
            self._killed.pop(run, None)

    def __len__(self) -> int:
        return len(self._runs)

    def _of(self, run: str, now: float) -> _Run:
        it = self._runs.get(run)
        if it is None:
            it = self._runs[run] = _Run(now, self._most_calls)
            if len(self._runs) > self._most_runs:
                self._runs.popitem(last=False)
        else:
            self._runs.move_to_end(run)
        return it

    def _settled(self, run: str, hits: list[Hit], used: _Run) -> list[Hit]:
        """Sort the hits, worst last; remember a kill, where limits are enforced."""
        if not hits:
            return hits
        so_far = {"calls_so_far": used.tool_calls, "tokens_so_far": used.tokens, "cost_usd_so_far": used.cost / _NANO}
        hits = sorted((h._replace(evidence={**h.evidence, **so_far}) for h in hits), key=lambda h: _WORSE[h.action])
        if hits[-1].action == KILL and self.limits.mode == "enforce":
            self._killed[run] = hits[-1]
            if len(self._killed) > _MOST_KILLED:
                self._killed.popitem(last=False)
        return hits

    def _repeats(self, it: _Run) -> list[Hit]:
        calls, hits = it.calls, list[Hit]()
        limit = self.limits.identical
        if limit is not None and (count := rounds(calls, 1, limit.kill)) and (action := _action(limit, count)):
            says = f"This is call {count} in a row of {calls[-1].tool} with the same arguments and no new result."
            hits.append(Hit("repeat.identical", action, says, _counted(limit, action, count, tool=calls[-1].tool)))
        limit = self.limits.cycle
        if limit is not None:
            length, count = cycle(calls, MOST_IN_A_CYCLE, limit.warn, limit.kill)
            if length and (action := _action(limit, count)):
                sequence = [call.tool for call in list(calls)[-length:]]
                hits.append(_cycle_hit(limit, action, count, sequence))
                it.stopped = None if action == WARN else _Stopped(calls[-1], count, sequence)
        return hits

    def _insisted(self, it: _Run, stopped: _Stopped) -> list[Hit]:
        """Count that the call was asked for again that was stopped for a cycle: it is no way out, and ends the run."""
        assert self.limits.cycle is not None  # noqa: S101 -- it was stopped by it
        count = stopped.rounds + 1
        it.stopped = stopped._replace(rounds=count)
        action = _action(self.limits.cycle, count)
        return [_cycle_hit(self.limits.cycle, action, count, stopped.sequence)] if action else []

    def _same_error(self, it: _Run, tool: str) -> Iterator[Hit]:
        """Count errors there were; calls that were stopped for it count on, so that hammering ends."""
        limit, known = self.limits.error, it.errors.get(tool)
        if limit is None or known is None:
            return
        count = known[1]
        if count >= limit.block:
            it.errors[tool] = (known[0], count + 1)
        if action := _action(limit, count):
            says = f"{tool} has failed {count} times with the same error."
            yield Hit("repeat.error", action, says, _counted(limit, action, count, tool=tool))

    def _near_caps(self, it: _Run, now: float) -> list[Hit]:
        hits = []
        for rule, name, limit, counted in self._caps:
            count = now - it.begun if name == "wall" else getattr(it, name)
            # what is counted includes this call, which may still reach the cap; what is used up leaves nothing for it
            if count >= limit * WARN_AT:
                stops = count > limit if counted else count >= limit
                scale = _NANO if name == "cost" else 1
                says = f"This run {'has reached' if stops else 'is near'} its limit of {_NAMES[name]}."
                hits.append(Hit(rule, KILL if stops else WARN, says, {"count": count / scale, "limit": limit / scale}))
        return hits


def _caps_of(limits: Limits) -> list[tuple[str, str, float, bool]]:
    """List the caps there are: (rule, what it counts, limit, whether the call that is asked for is counted)."""
    cost = None if limits.cost_usd is None else limits.cost_usd * _NANO
    caps = (
        ("cap.steps", "steps", limits.steps, True),
        ("cap.llm_calls", "llm_calls", limits.llm_calls, True),
        ("cap.tool_calls", "tool_calls", limits.tool_calls, True),
        ("cap.tokens", "tokens", limits.tokens, False),
        ("cap.cost", "cost", cost, False),
        ("cap.wall", "wall", limits.wall_s, False),
    )
    return [(rule, name, limit, counted) for rule, name, limit, counted in caps if limit is not None]


_WORSE: Final = {WARN: 0, BLOCK: 1, KILL: 2}
_NAMES: Final = {
    "steps": "steps",
    "llm_calls": "model calls",
    "tool_calls": "tool calls",
    "tokens": "tokens",
    "cost": "cost",
    "wall": "time",
}


def _action(limit: Repeats, count: int) -> str | None:
    if count >= limit.kill:
        return KILL
    if count >= limit.block:
        return BLOCK
    return WARN if count >= limit.warn else None


def _cycle_hit(limit: Repeats, action: str, count: int, sequence: list[str]) -> Hit:
    says = f"The same {len(sequence)} calls have been made {count} times over with no new result."
    return Hit("cycle.sequence", action, says, _counted(limit, action, count, sequence=sequence))


def _softened(hit: Hit) -> Hit:
    """Make of what a run would be stopped for something that strangers in the same process can bear."""
    if hit.rule == "repeat.error":
        return hit._replace(action=WARN)
    return hit._replace(action=BLOCK) if hit.action == KILL else hit


def _counted(limit: Repeats, action: str, count: int, **more: object) -> dict[str, object]:
    return {"count": count, "limit": getattr(limit, action), **more}
