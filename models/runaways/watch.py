"""Watch: looks at the open runs of a worker after each batch, and says which of them run away.

Nothing of it need be kept but the nested agents (`Nested`): what else a rule counts follows from the run, and a
verdict's id from rule, run and step, so after a restart it says again, at most, what it had said.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.figures import written
from models.run_id import run_id_of, words_of
from models.runaways.avoided import AVOIDED, avoided_usd
from models.runaways.base import NANO, Call, OpenRun
from models.runaways.baselines import Baselines
from models.runaways.book import Defied
from models.runaways.nested import Nested
from models.runaways.policy import Firsts
from models.runaways.seen import Seen
from models.runaways.sifting import sifted
from models.runaways.suspects import by_pulse, growth_of, late_calls, nested_agents, stood_before, strangers
from models.runs.pulse import NEW_RUN, Pulse
from models.runs.record import Life
from models.runs.state import MAX_TOOLS
from models.spans.columns import Column, SpanKind
from models.times import rfc3339
from models.verdicts import Action, Verdict, mode_words, verdict_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from models.runaways.base import Count, Mode, Point, Rule
    from models.runaways.policy import RunawayPolicy
    from models.runaways.tools import KnownTools
    from models.runaways.touched import Runs, Touched
    from models.runs.changes import Changes
    from models.spans.batch import Spans

    _Texts = Callable[[int], str | None]
    _Due = tuple[Rule, Mode, list[tuple[float, Action]]]

_REMEMBERED = 200_000
"""Runs of which is remembered what was said; of more the oldest may be said again, under the same ids."""
_OPEN, _NEVER = int(Life.OPEN), 2**62
Trace = tuple[int, int]
_LIMIT_PARTS = 1000
"""Limits that differ by less have one generation."""
_LADDER = 8
"""More than a ladder has steps."""
_MOST_GENERATION = 2**53 - 1
_IDLE_NS = 900 * NANO
"""A watch that has looked for so long has seen all runs that are open: others have closed, being idle."""
OBEY_S = 30
"""A killed run may end what it has begun; a call that begins so long after the kill shows that nobody obeys."""


class _Killed(NamedTuple):
    """From when on (Unix ns) a run is to obey, by which rule in force, and of when its newest kill is (event time)."""

    since_ns: int
    rule: str
    decided_ns: int


class Watch:
    """The rules on open `runs`; `tools` is what is known of the tools of workflows."""

    def __init__(self, policy: RunawayPolicy, tools: KnownTools, runs: Runs) -> None:
        self._policy = policy
        self._runs = runs
        self._firsts = Firsts(policy)
        self._tools = tools
        self.baselines = Baselines()
        self._said: OrderedDict[Trace, dict[str, int]] = OrderedDict()
        self.nested = Nested()
        self._killed: OrderedDict[Trace, _Killed] = OrderedDict()
        self._lifts: dict[Trace, int] = {}
        """When (Unix ns) people resumed runs, also in earlier lives."""
        self._began_ns = 0
        """When it looked first, by the clock."""

    def learn(self, changes: Changes) -> None:
        """Learn from runs that closed."""
        if not len(changes.runs):
            return
        self._tools.learn(changes)
        self.baselines.learn(changes)

    def look(self, touched: Touched, now_ns: int = 0) -> list[Verdict]:
        """Judge what a batch changed.

        `now_ns` is the clock, where there is one: a kill that is decided late can only be obeyed from then on.
        """
        pulses, spans, rows = touched
        self._began_ns = self._began_ns or now_ns
        self.baselines.begin(pulses)
        open_ = pulses[pulses[:, Pulse.BEFORE_LIFE] == _OPEN]
        if not len(open_) or not self._firsts.rules:
            return []
        live = self._seen(open_, spans, rows)
        text, names = self._runs.text, spans.names

        def find_text(digest: int) -> str | None:
            return text(digest) or names.get(digest) or self.nested.text(digest)

        suspected = self._suspected(live, find_text)
        out: list[Verdict] = []
        if suspected:
            llm = rows[spans.cols[Column.KIND, rows] == SpanKind.LLM]
            growth = growth_of(live[list(suspected)], spans, llm)
            for (row, due), points in zip(suspected.items(), growth, strict=True):
                begins = self._begins(live[row], now_ns)
                told = list(self._judge(live[row], due, points, find_text))
                self._note_kills(_trace(live[row]), told, now_ns, points[0].at_ns if begins else _NEVER)
                out += told
        out.sort(key=lambda verdict: verdict.at_ns)
        return out

    def _seen(self, pulses: NDArray[np.int64], spans: Spans, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Put behind each pulse what `Seen` names."""
        live = np.zeros((len(pulses), len(Pulse) + len(Seen)), np.int64)
        live[:, : len(Pulse)], live[:, Seen.TIMES_STEPS :] = pulses, self.baselines.times(pulses)
        strange, nested = sifted(spans.cols, rows, self._tools.digests())
        if len(strange) and len(known := self._tools.workflows()):
            live[:, Seen.STRANGE] = strangers(pulses, spans, strange, known)
        if len(nested):
            live[:, Seen.NESTED] = self._nested(pulses, spans, nested)
        return live

    def _suspected(self, live: NDArray[np.int64], find_text: _Texts) -> dict[int, list[_Due]]:
        """Give, by row, the rules that may have come to their next step, rows ascending."""
        first: dict[int, list[Rule]] = {}
        for row, rule in self._firsts.suspects(live):
            first.setdefault(row, []).append(rule)
        found = {row: list(self._due(live[row], rules, find_text)) for row, rules in first.items()}
        return {row: due for row, due in found.items() if due}

    def _due(self, pulse: NDArray[np.int64], rules: list[Rule], find_text: _Texts) -> Iterator[_Due]:
        """Leave out the rules that have said all they can of this run, or are not near the next they could say."""
        workflow = find_text(int(pulse[Pulse.WORKFLOW]))
        said = self._said.get(_trace(pulse), {})
        for rule in rules:
            mode, steps = self._policy.steps_of(rule, workflow)
            done = said.get(rule.id, 0)
            if done < len(steps) and (done == 0 or rule.suspects.have(pulse, steps[done][0] * rule.unit)):
                yield rule, mode, steps

    def resume(self, runs: Iterable[str]) -> None:
        """Hear that people resumed runs: they may go on."""
        for run in runs:
            if (trace := words_of(run)) is not None:
                self._killed.pop(trace, None)

    def forgive(self, lifts: Mapping[str, int]) -> None:
        """Hear when (Unix ns) runs were resumed, all of them: what a rule decided on them before that is over.

        A watch that begins decides it again, of runs that are still open.
        """
        traces = {trace: at_ns for run, at_ns in lifts.items() if (trace := words_of(run)) is not None}
        for trace, at_ns in traces.items():
            known = self._killed.get(trace)
            if known and known.decided_ns <= at_ns:
                del self._killed[trace]
        self._lifts = traces

    def defied(self, spans: Spans, rows: NDArray[np.int64]) -> list[Defied]:
        """Give the calls in a batch that began long after their run was killed, at most one a run; then it is told."""
        out, find_text = [], self._runs.text
        for trace, start, workflow in late_calls(spans, rows, list(self._killed)) if self._killed else ():
            at_ns, rule, _ = self._killed.get(trace, (start, "", 0))
            if start > at_ns + OBEY_S * NANO:
                del self._killed[trace]
                out.append(Defied(run_id_of(*trace), find_text(workflow), rule, at_ns, start))
        return out

    def _nested(self, pulses: NDArray[np.int64], spans: Spans, nested: NDArray[np.int64]) -> NDArray[np.int64]:
        """Remember the nested agents of a batch; count, by pulse, those of the runs that they are of."""
        found = nested_agents(spans, nested)
        self.nested.add(found)
        counts = {agent.lo: self.nested.count(agent[:2]) for agent in found}
        traces = sorted(counts)
        return by_pulse(pulses, np.array(traces, np.int64), np.array([counts[lo] for lo in traces], np.int64))

    def _judge(
        self,
        pulse: NDArray[np.int64],
        due: list[_Due],
        points: list[Point],
        find_text: _Texts,
    ) -> Iterator[Verdict]:
        """Ask the rules."""
        trace = _trace(pulse)
        said = self._said.get(trace, {})
        run = self._run(pulse, trace, points, find_text)
        for rule, mode, steps in due:
            for count in rule.counts(run):
                done = said.get(rule.id, 0)
                while done < len(steps) and count.number >= steps[done][0]:
                    limit, action = steps[done]
                    stops = action is Action.KILL and not self._is_killed(run, said)
                    done += 1
                    said = self._note(trace, rule, done)
                    verdict = _verdict(run, pulse, _Step(rule, mode, action, limit, done), count)
                    if stops:
                        self._add_avoided(run, verdict)
                    yield verdict

    def _is_killed(self, run: OpenRun, said: dict[str, int]) -> bool:
        """Say whether a rule in force has killed the run: what that avoided is not avoided again."""
        settings = ((self._policy.steps_of(rule, run.workflow), said.get(rule.id, 0)) for rule in self._firsts.rules)
        return any(
            mode == "enforce" and any(action is Action.KILL for _, action in steps[:done])
            for (mode, steps), done in settings
        )

    def _add_avoided(self, run: OpenRun, verdict: Verdict) -> None:
        stood, calls = _stood_at(run, verdict.at_ns), verdict.evidence["calls_so_far"]
        avoided = avoided_usd(self._policy, run.workflow, stood, calls)
        if avoided is not None:
            verdict.evidence[AVOIDED] = avoided

    def _begins(self, pulse: NDArray[np.int64], now_ns: int) -> bool:
        """Say whether an earlier life may have judged this run, and this one has not."""
        is_new = pulse[Pulse.BEFORE_BEGAN] == NEW_RUN or _trace(pulse) in self._said
        return now_ns < self._began_ns + _IDLE_NS and not is_new

    def _note_kills(self, trace: Trace, verdicts: list[Verdict], now_ns: int, again_ns: int) -> None:
        """Note what is to be obeyed. From `again_ns` on (event time) it is not known when it was decided first.

        What stood at a cap before comes to it with whatever is read next: people may have ended that long ago.
        """
        for verdict in verdicts:
            decided_ns = 0 if verdict.at_ns >= again_ns else verdict.at_ns
            is_lifted = decided_ns <= self._lifts.get(trace, -1)
            if verdict.action is Action.KILL and verdict.evidence["mode"] == "enforce" and not is_lifted:
                known = self._killed.setdefault(trace, _Killed(max(verdict.at_ns, now_ns), verdict.rule, 0))
                self._killed[trace] = known._replace(decided_ns=max(decided_ns, known.decided_ns))
                _bound(self._killed)

    def _note(self, trace: Trace, rule: Rule, done: int) -> dict[str, int]:
        said = self._said.setdefault(trace, {})
        said[rule.id] = done
        _bound(self._said)
        return said

    def _run(
        self,
        pulse: NDArray[np.int64],
        trace: Trace,
        points: list[Point],
        find_text: _Texts,
    ) -> OpenRun:
        made = self._runs.calls(*trace).tolist() if pulse[Pulse.TOOL_SPANS] else []
        calls = [Call(end, tool, arguments, result, bool(failed)) for end, tool, arguments, result, failed, _ in made]
        workflow = find_text(int(pulse[Pulse.WORKFLOW]))
        known, are_listed = self._tools.of(workflow, int(pulse[Pulse.WORKFLOW]))
        return OpenRun(
            run_id=run_id_of(*trace),
            workflow=workflow,
            began_ns=int(pulse[Pulse.BEGAN]),
            calls=calls,
            growth=points,
            stood=stood_before(pulse),
            baseline=self.baselines.of(int(pulse[Pulse.WORKFLOW])),
            calls_beyond=max(0, int(pulse[Pulse.TOOL_SPANS]) - MAX_TOOLS),
            agents=self.nested.of(trace),
            known_tools=known,
            tools_are_listed=are_listed,
            find_text=find_text,
        )


def _trace(pulse: NDArray[np.int64]) -> Trace:
    return int(pulse[Pulse.TRACE_HI]), int(pulse[Pulse.TRACE_LO])


def _bound(table: OrderedDict[Trace, Any]) -> None:
    while len(table) > _REMEMBERED:
        table.popitem(last=False)


class _Step(NamedTuple):
    """A step of a ladder that was reached, the `number`th."""

    rule: Rule
    mode: Mode
    action: Action
    limit: float
    number: int

    def words(self) -> tuple[str, ...]:
        """Tell it from all others of its rule: a limit that was raised is another, also of a run that was stopped."""
        return str(self.action), str(self.number), str(float(self.limit))

    @property
    def generation(self) -> int:
        """Give a number that rises with the limit: a resume ends what was said before, but not what a raised cap says.

        A limit that was lowered since does not stop again whom people resumed.
        """
        return min(round(self.limit * _LIMIT_PARTS) * _LADDER + self.number, _MOST_GENERATION)


def _verdict(run: OpenRun, pulse: NDArray[np.int64], step: _Step, count: Count) -> Verdict:
    told = dict(count.evidence)
    first_ns = told.pop("first_ns", run.began_ns)
    stood = _stood_at(run, count.at_ns)
    evidence = {
        "count": _number(count.number),
        "limit": _number(step.limit),
        **told,
        "calls_so_far": sum(call.at_ns <= count.at_ns for call in run.calls),
        "tokens_so_far": stood.tokens,
        "cost_usd_so_far": round(stood.cost / NANO, 9) or None,
        "first_at": rfc3339(first_ns),
        "mode": step.mode,
        "workflow": run.workflow,
        "tenant": run.find_text(int(pulse[Pulse.TENANT])),
        "user": run.find_text(int(pulse[Pulse.USER])),
    }
    words = {**told, "count": count.number, "limit": step.limit}
    if "sequence" in words:
        words["sequence"] = " → ".join(words["sequence"])
    return Verdict(
        id=verdict_id(step.rule.id, "run", run.run_id, *step.words(), *mode_words(step.mode)),
        at_ns=count.at_ns,
        level="run",
        scope=run.run_id,
        action=step.action,
        rule=step.rule.id,
        reason=written(step.rule.reason, words),
        evidence={name: value for name, value in evidence.items() if value is not None},
        generation=step.generation,
    )


def _stood_at(run: OpenRun, at_ns: int) -> Point:
    return [run.stood, *[point for point in run.growth if point.at_ns <= at_ns]][-1]


def _number(value: float) -> float | int:
    return int(value) if float(value).is_integer() else round(value, 9)
