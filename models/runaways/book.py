"""RunawayBook: the incidents of runaways, by workflow and rule, and of kills that were not obeyed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from models.incidents.book import Facts, Ident, IncidentBook
from models.incidents.incident import Severity
from models.runaways.heard import Heard
from models.times import rfc3339
from models.verdicts import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.incidents.book import Patience
    from models.incidents.incident import Incident
    from models.orders.order import Place
    from models.verdicts import Verdict

RUNAWAY, STOP_FAILED = "runaway", "stop.failed"
QUIET_S = 600
"""Seconds without another run until an incident may be resolved: loops come in bursts."""
_AHEAD_S = 60
"""What came so much later than now came by a clock that was ahead."""
_RUNS = 5
"""Example runs of a telling."""
_REMEMBERED = 1000
"""Runs of a burst that are not counted again when they are told again, as after a restart."""
_NANO = 1_000_000_000
_LIMITS = (Action.BLOCK, Action.KILL)


class Defied(NamedTuple):
    """A call (Unix ns of its start) of a run that had been killed some time before.

    `place` is what was killed, where that is more than this run, or a person killed it; `by` is who did.
    """

    run_id: str
    workflow: str | None
    rule: str
    killed_ns: int
    call_ns: int
    place: Place | None = None
    by: str = ""

    @property
    def ident(self) -> Ident:
        """What the incident is about: a place, else the workflow of the run."""
        level, scope, tenant = self.place or ("workflow", self.workflow or "unknown", None)
        return Ident(STOP_FAILED, self.rule, level, scope, tenant)


@dataclass
class _Burst:
    """Runs since the incident opened: how many, the newest, when the newest came (Unix seconds), what it showed."""

    count: int = 0
    runs: list[str] = field(default_factory=list)
    last_s: int = 0
    evidence: dict[str, Any] = field(default_factory=dict)
    reason: str = ""

    def add(self, run: str, at_s: int, reason: str, evidence: dict[str, Any]) -> None:
        """Add a run; one that is there already is only seen again."""
        if run not in self.runs:
            self.count += 1
            self.runs = [run, *self.runs][:_REMEMBERED]
        self.last_s, self.reason, self.evidence = max(self.last_s, at_s), reason, evidence


class RunawayBook:
    """The state of one shard of workflows."""

    def __init__(self, generation: int = 0, patience: Patience | None = None) -> None:
        self.book = IncidentBook(generation, patience)
        self._bursts: dict[Ident, _Burst] = {}
        self._changed: set[Ident] = set()
        self._heard, self._others = Heard(), Heard()
        """Verdicts that stop or block, and others, which may be very many."""

    def hear(self, verdicts: Sequence[Verdict], defied: Sequence[Defied], now_s: int = 0) -> list[Verdict]:
        """Take in what rules decided on runs, and calls after a kill; gives the verdicts that are news.

        `now_s` is the clock, 0 where there is none: what comes late is news all the same.
        """
        news = [verdict for verdict in verdicts if (self._heard if _limits(verdict) else self._others).is_news(verdict)]
        for verdict in news:
            if _limits(verdict):
                ident = Ident(RUNAWAY, verdict.rule, "workflow", verdict.evidence.get("workflow") or "unknown")
                self._add(ident, verdict.scope, max(verdict.at_ns // _NANO, now_s), verdict.reason, verdict.evidence)
        for call in defied:
            seconds = (call.call_ns - call.killed_ns) // _NANO
            said: dict[str, Any] = {"count": seconds, "limit": 0, "unit": "s"}
            if call.place:
                said |= {"killed_by": call.by, "killed_at": rfc3339(call.killed_ns), "tenant": call.place.tenant}
            reason = f"a call began {seconds} s after the kill{f' by {call.by}' if call.by else ''}"
            self._add(call.ident, call.run_id, max(call.call_ns // _NANO, now_s), reason, said)
        return news

    def look(self, now_s: int) -> list[Incident]:
        """Give what people are told by now."""
        out: list[Incident | None] = []
        for ident, burst in self._bursts.items():
            if now_s - burst.last_s < QUIET_S:
                severity = Severity.SEV_1 if ident.class_ == STOP_FAILED else Severity.SEV_2
                at_s = max(now_s, burst.last_s)  # a replay looks at what lies ahead of its watermark
                out.append(self.book.wrong(ident, severity, at_s, partial(_facts, ident, burst)))
        for ident in [ident for ident, burst in self._bursts.items() if now_s - burst.last_s >= QUIET_S]:
            if not self.book.is_open(ident):  # a replay may come by it so
                del self._bursts[ident]
                self._changed.add(ident)
        for ident in self.book.open_idents():
            known = self._bursts.get(ident)
            if known is None or now_s - known.last_s >= QUIET_S:
                facts = partial(_facts, ident, known) if known else None
                out.append(self.book.right(ident, now_s, facts=facts))
                if not self.book.is_open(ident):
                    self._bursts.pop(ident, None)
                    self._changed.add(ident)
        return [told for told in out if told]

    def set_back(self, now_s: int) -> None:
        """Let no run have come later than `now_s`, Unix seconds: the clock was ahead."""
        for ident, burst in self._bursts.items():
            if burst.last_s > now_s + _AHEAD_S:
                burst.last_s = now_s
                self._changed.add(ident)

    def _add(self, ident: Ident, run: str, at_s: int, reason: str, evidence: dict[str, Any]) -> None:
        self._bursts.setdefault(ident, _Burst()).add(run, at_s, reason, evidence)
        self._changed.add(ident)

    # what is kept

    def take_delta(self) -> bytes:
        """Give what changed since the last call."""
        changed, self._changed = self._changed, set()
        bursts = [[*ident, vars(self._bursts[ident])] for ident in changed if ident in self._bursts]
        gone = [list(ident) for ident in changed if ident not in self._bursts]
        heard = {"heard": self._heard.take_new(), "others": self._others.take_new()}
        return orjson.dumps({"bursts": bursts, "gone": gone, "lives": self.book.take_changed()} | heard)

    def dump(self) -> bytes:
        """Give everything."""
        bursts = [[*ident, vars(burst)] for ident, burst in self._bursts.items()]
        heard = {"heard": self._heard.all(), "others": self._others.all()}
        return orjson.dumps({"bursts": bursts, "gone": [], "lives": self.book.state()} | heard)

    @staticmethod
    def load(
        base: bytes | None, deltas: Sequence[bytes], generation: int = 0, patience: Patience | None = None
    ) -> RunawayBook:
        """Restore from a dump and the deltas taken after it."""
        found = RunawayBook(generation, patience)
        for raw in ([base] if base else []) + list(deltas):
            part = orjson.loads(raw)
            found._bursts |= {Ident(*ident): _Burst(**said) for *ident, said in part["bursts"]}
            found._heard.remember(part.get("heard", ()))  # of a state from before they were kept: none
            found._others.remember(part.get("others", ()))
            for ident in part["gone"]:
                found._bursts.pop(Ident(*ident), None)
            found.book.adopt(part["lives"], newer=True)
        return found


def _limits(verdict: Verdict) -> bool:
    return verdict.action in _LIMITS and verdict.evidence.get("mode") == "enforce"


def _facts(ident: Ident, burst: _Burst) -> Facts:
    runs = f"{burst.count} run{'s' if burst.count > 1 else ''}"
    workflow = ident.scope if ident.level == "workflow" else None
    if killer := burst.evidence.get("killed_by"):
        title = f"{ident.level} {ident.scope}: calls go on after it was killed by {killer}"
    elif ident.class_ == STOP_FAILED:
        title = f"{ident.scope}: {runs} went on after a kill"
    else:
        title = f"{ident.scope}: {runs} stopped or blocked by {ident.rule}"
    text = f"{title}; newest: {burst.reason}"
    evidence = {**burst.evidence, "runs": burst.count}
    return Facts(title, text, evidence, runs=tuple(burst.runs[:_RUNS]), workflow=workflow, tenant=ident.tenant)
