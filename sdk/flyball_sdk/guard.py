"""Guard: decides each call before it is made, in the agent's process, from what it knows."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from flyball_sdk import reserving
from flyball_sdk.arguments import LARGEST_INPUT, Call, call_of, digest_of
from flyball_sdk.asking import Question
from flyball_sdk.case import Case
from flyball_sdk.clock import steady
from flyball_sdk.context import current
from flyball_sdk.costs import known_cost
from flyball_sdk.counters import RunBook, Usage
from flyball_sdk.decision import (
    ALLOW,
    BLOCK,
    ESCALATE,
    MODIFY,
    THROTTLE,
    Decision,
    Finding,
    Signal,
    decision_of,
    new_id,
    ordered,
    stops,
    strictest,
)
from flyball_sdk.forking import renew_after_fork
from flyball_sdk.limits import AUDIT, ENFORCE
from flyball_sdk.policy import Policy
from flyball_sdk.scope import NOBODY
from flyball_sdk.telling import ALLOWED, BLOCKED, MODIFIED, UNANSWERED, WOULD_BLOCK, Event, is_recorded, tell_by_span
from flyball_sdk.throttling import Throttles
from flyball_sdk.tiers import NORMAL

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from flyball_sdk.asking import RuleSource, SignalSource
    from flyball_sdk.counters import Hit
    from flyball_sdk.loops import Made
    from flyball_sdk.scope import Subject

V = TypeVar("V")
_log: Final = logging.getLogger("flyball_sdk")
_MOST_PENDING: Final = 10_000
_MOST_APPROVED: Final = 1_000
APPROVAL_S: Final = 300.0
"""An approval that is not used for this long is void."""
NOT_RECORDED: Final = object()
"""A result that nobody kept."""


class _Pending(NamedTuple):
    run: str
    made: Made | None
    throttled: tuple[Hashable, ...]
    token: str


class Seen(NamedTuple):
    """A call of the past, as digests (`arguments.call_of`, `arguments.digest_of`)."""

    tool: str
    alike: bytes | None
    ended: bool = False
    result: bytes | None = None
    failed: bool = False


class Guard:
    """Decides each call: kill > block > escalate > throttle > modify > allow.

    Thread-safe. It never waits, unless `reserver` does. `on_event` is told what is not a plain allow; what it raises is
    logged. Plain allows of tools become spans if everything else does, and `policy.tell_allowed`. `now` gives seconds,
    for all that has an age. `throttles` keeps what throttles count by; else they count in this process.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        signals: SignalSource | None = None,
        rules: RuleSource | None = None,
        reserver: reserving.Reserver | None = None,
        on_event: Callable[[Event], None] = tell_by_span,
        now: Callable[[], float] = steady,
        throttles: Throttles | None = None,
    ) -> None:
        self.policy = policy or Policy()
        self.signals = signals
        self.rules = rules
        self.counted: Counter[str] = Counter()
        """What was told, by kind, and `decisions` in all."""
        self._reserver = reserver
        self._on_event = on_event
        self._tells_allowed = self.policy.tell_allowed and on_event is tell_by_span
        self._now = now
        self._runs = RunBook(self.policy.limits)
        self._throttles = throttles or Throttles()
        self._pending: OrderedDict[str, _Pending] = OrderedDict()
        self._approved: OrderedDict[str, float] = OrderedDict()
        self._asked: OrderedDict[str, tuple[tuple[str, Made], ...]] = OrderedDict()
        """Calls that a person was asked about, and their runs, by action."""
        self._lock = threading.Lock()
        renew_after_fork(self)

    def renew(self) -> None:
        """Make new locks: after a fork the old ones may be held by threads that are not there."""
        self._lock = threading.Lock()
        self._runs.renew()
        self._throttles.renew()

    def evaluate(
        self, tool: str, tool_input: Mapping[str, object] | None = None, subject: Subject | None = None
    ) -> Decision:
        """Decide one call of a tool, and count it. Tell `result` what came of it.

        `subject` is whose call it is, where that is not said by `running`. It is never read from `tool_input`. An
        input of None says that the arguments are not known: rules have no answer, and the call is equal to no other.
        """
        begun = time.perf_counter_ns()
        tool = tool if isinstance(tool, str) else str(tool)  # a model may have written anything
        who = self._who(subject)
        case = Case("tool", tool, tool_input, who, self.policy.tiers.tier(tool), _digested(tool, tool_input, who))
        self._part(case, "rules", self._by_rules)
        self._part(case, "signals", self._by_signals)
        self._part(case, "limits", self._by_limits)
        if self.policy.tools is not None and not self.policy.may_use(who.agent, tool):
            case.findings.append(Finding("tool.not_allowed", BLOCK, f"{tool} is not one of this agent's tools."))
        self._lift_approved(case)
        self._settle_changes(case)
        return self._decided(case, begun)

    def evaluate_llm(self, model: str = "llm", subject: Subject | None = None) -> Decision:
        """Decide one call of a model, and count it. Kills, caps and budgets hold for it, rules and levels do not."""
        begun = time.perf_counter_ns()
        who = self._who(subject)
        case = Case("llm", model, {}, who, self.policy.tiers.llm, call_of(model, {}, who))
        self._part(case, "signals", self._by_signals)
        self._part(case, "limits", self._by_llm_limits)
        return self._decided(case, begun)

    async def aevaluate(
        self, tool: str, tool_input: Mapping[str, object] | None = None, subject: Subject | None = None
    ) -> Decision:
        """Decide as `evaluate`, in a thread where that may wait."""
        if self._reserver is None:
            return self.evaluate(tool, tool_input, subject)
        import asyncio  # noqa: PLC0415 -- a third of the time that loading a guard takes

        deciding = asyncio.ensure_future(asyncio.to_thread(self.evaluate, tool, tool_input, subject))
        try:
            return await asyncio.shield(deciding)
        except asyncio.CancelledError:
            deciding.add_done_callback(self._give_back)
            raise

    def _give_back(self, deciding: asyncio.Future[Decision]) -> None:
        """End a call that nobody waits for any more when it is decided: it holds nothing."""
        if not deciding.cancelled() and deciding.exception() is None:
            self.result(deciding.result(), error="cancelled")

    def result(
        self,
        decision: Decision | str,
        result: object = NOT_RECORDED,
        *,
        error: BaseException | str | None = None,
        cost_usd: float | None = None,
    ) -> None:
        """Tell what came of a call that was let through, once. Without it the call counts as running for 10 minutes.

        Results are kept as digests only. One that is not told, or has no structure, tells no polling from a loop. A
        cost that is no number from 0 counts as not known, and is logged.
        """
        name = decision if isinstance(decision, str) else decision.decision_id
        with self._lock:
            pending = self._pending.pop(name, None)
        if pending is None:
            return
        self._throttles.leave(pending.throttled, name)
        cost = known_cost(cost_usd)
        if pending.made is not None and (error is not None or result is not NOT_RECORDED):
            said = result if error is None else _words(error)
            self._runs.outcome(pending.run, pending.made, digest_of(said), failed=error is not None)
        if cost is not None:
            self._runs.spent(pending.run, self._now(), cost_usd=cost)
        if pending.token and self._reserver is not None:
            self._reserver.settle(pending.token, cost)

    def put_off(self, decision: Decision) -> None:
        """End a call that was let through and will be asked for again, as when it waits for a person: it never was."""
        with self._lock:
            pending = self._pending.pop(decision.decision_id, None)
        if pending is None:
            return
        self._throttles.leave(pending.throttled, decision.decision_id)
        if pending.made is not None:
            self._runs.withdraw(pending.run, pending.made)
        if pending.token and self._reserver is not None:
            self._reserver.settle(pending.token, 0.0)

    def spent(
        self, *, tokens: int = 0, cost_usd: float | None = None, steps: int = 0, subject: Subject | None = None
    ) -> None:
        """Add to what the run has used; a cost that is not known is None."""
        self._runs.spent(_run_of(self._who(subject)), self._now(), tokens, cost_usd, steps)

    def usage(self, subject: Subject | None = None) -> Usage:
        """Tell what the run has used."""
        return self._runs.usage(_run_of(self._who(subject)))

    def replay(self, subject: Subject, calls: Iterable[Seen]) -> None:
        """Count calls of the past, where a run goes on in another process; nothing is decided or told."""
        run = _run_of(subject)
        for seen in calls:
            made, _ = self._runs.tool_call(run, seen.tool, seen.alike, self._now(), whole=subject.run is not None)
            if seen.ended:
                self._runs.outcome(run, made, seen.result, failed=seen.failed)

    def forget(self, run: str) -> None:
        """Forget a run that has ended."""
        self._runs.forget(run)

    def approve(self, decision: Decision) -> None:
        """A person has approved just this call: the next with its digest, within 5 minutes, is not asked for again.

        An edited call has another digest. Blocks and kills are not lifted by it. That it was asked for does not count
        as a call: the one that is made does.
        """
        with self._lock:
            _put(self._approved, decision.action_digest, self._now() + APPROVAL_S)
            asked = self._asked.pop(decision.action_digest, ())
        for run, made in asked:
            self._runs.withdraw(run, made)

    def _who(self, subject: Subject | None) -> Subject:
        known = current()
        if subject is not None:
            known = subject if known is NOBODY else subject.narrowed(known)
        known = known if self.policy.subject == NOBODY else known.narrowed(self.policy.subject)
        own = getattr(self.signals, "subject", NOBODY)  # a source of one's own may have none
        return (known if own == NOBODY else known.narrowed(own)).as_named()

    def _part(self, case: Case, name: str, part: Callable[[Case], None]) -> None:
        """Let a part of the guard speak; if it fails it is told, and the tier decides what that means."""
        try:
            part(case)
        except Exception:  # noqa: BLE001 -- logged, told, and the tier decides
            _log.exception("flyball guard: %s had no answer to a call of %s", name, case.tool)
            case.unanswered.append(name)

    def _by_rules(self, case: Case) -> None:
        if self.rules is None:
            return
        rules = self.rules.current
        case.ruleset = rules.digest
        if case.tool_input is None or not 0 <= case.call.size <= LARGEST_INPUT:
            case.unanswered.append("rules")
            return
        case.add_rules(rules.judge(Question(case.tool, case.tool_input, case.subject, self.policy.env)))

    def _by_signals(self, case: Case) -> None:
        if self.signals is not None:
            age = self.signals.age_s()
            case.rung = self.policy.ladder.rung(age)
            case.signal = Signal(*self.signals.position, None if age == math.inf else int(age * 1000))
            case.add_signals(self.signals.of(case.subject), self.policy.tiers.fail[case.tier])

    def _by_limits(self, case: Case) -> None:
        run, whole = _run_of(case.subject), case.subject.run is not None
        case.made, hits = self._runs.tool_call(run, case.tool, case.call.alike, self._now(), whole=whole)
        self._add_hits(case, hits)

    def _by_llm_limits(self, case: Case) -> None:
        whole = case.subject.run is not None
        self._add_hits(case, self._runs.llm_call(_run_of(case.subject), self._now(), whole=whole))

    def _add_hits(self, case: Case, hits: Sequence[Hit]) -> None:
        enforced = self.policy.limits.mode == ENFORCE
        for hit in reversed(hits):
            case.findings.append(Finding(hit.rule, hit.action, hit.says, enforced=enforced, evidence=hit.evidence))

    def _settle_changes(self, case: Case) -> None:
        """Change the input as rules say, and ask the rules once more, of the changed one."""
        if not case.changes or case.tool_input is None or stops(case.enforced(), THROTTLE):
            return
        changes, case.changes = case.changes, []
        changed: Mapping[str, object] = case.tool_input
        try:
            for each in changes:
                assert each.change is not None  # noqa: S101 -- modify has one
                changed = each.change(changed)
            assert self.rules is not None  # noqa: S101 -- they said to change it
            again = self.rules.current.judge(Question(case.tool, changed, case.subject, self.policy.env))
        except Exception:  # noqa: BLE001 -- logged, and the call is blocked
            _log.exception("flyball guard: the input of %s could not be changed", case.tool)
            case.findings.append(Finding("modify.failed", BLOCK, "This call could not be checked, so it was not made."))
            return
        case.modified = dict(changed)
        for fired in again:
            if fired.finding.enforced and fired.finding.effect == MODIFY:
                says = "This call could not be put right, so it was not made."
                case.findings.append(fired.finding._replace(effect=BLOCK, says=says))
            elif case.approved is not None and fired.finding.effect == ESCALATE:
                continue  # a person has seen it
            elif fired.finding.enforced and fired.throttle is None and fired.finding not in case.findings:
                case.findings.append(fired.finding)

    def _decided(self, case: Case, begun: int) -> Decision:
        name = new_id()
        if case.unanswered:
            case.add_unanswered(self.policy.tiers.fail[case.tier])
        token = "" if stops(case.enforced(), THROTTLE) else self._enter(case, name)
        decision = self._written(case, name, begun)
        self._note_asking(case, decision)
        self._remember(case, decision, token)
        self.counted["decisions"] += 1
        kinds = _kinds(case, decision) if case.findings or case.unanswered else []
        if not kinds and self._tells_allowed and case.kind == "tool" and is_recorded():
            kinds = [ALLOWED]
        if kinds:
            self._tell(kinds, case, decision)
        return decision

    def _enter(self, case: Case, name: str) -> str:
        """Let a call that nothing else stops through throttles, then budgets; gives the token of what is reserved."""
        if case.throttles or case.shadow_throttles:
            self._pass_throttles(case, name)
        if self._reserver is None or stops(case.enforced(), THROTTLE):
            return ""
        token = self._reserve(case)
        if "budget" in case.unanswered:
            case.add_unanswered(self.policy.tiers.fail[case.tier])
        return token

    def _pass_throttles(self, case: Case, name: str) -> None:
        for each in case.shadow_throttles:
            assert each.throttle is not None  # noqa: S101 -- that is why it is here
            if self._throttles.enter([each.throttle], name, self._now()) is not None:
                case.findings.append(each.finding)
        refusal = self._throttles.enter(case.throttles, name, self._now())
        if refusal is not None:
            wait = None if refusal.retry_after_s is None else max(1, int(refusal.retry_after_s * 1000))
            says = (
                f"Too many calls. Wait {wait / 1000:.0f} s before the next one." if wait else "Too many calls at once."
            )
            found = Finding(f"throttle.{refusal.what}", THROTTLE, says, retry_after_ms=wait)
            case.findings.append(found)

    def _reserve(self, case: Case) -> str:
        assert self._reserver is not None  # noqa: S101 -- the caller looked
        request = reserving.Request(
            case.kind, case.tool, case.modified or case.tool_input or {}, case.subject, case.call.action
        )
        try:
            answer = self._reserver.reserve(request)
        except Exception as error:  # noqa: BLE001 -- no answer, whatever the reason; told below
            _log.warning("flyball guard: no budget was reserved for %s: %r", case.tool, error)
            case.unanswered.append("budget")
            return ""
        if isinstance(answer, reserving.Reserved):
            return answer.token
        if answer.effect == ESCALATE and case.approved is not None:
            return ""  # the same question, of a guard that has not heard the answer: nothing is reserved for the call
        case.findings.append(Finding(answer.rule, answer.effect, answer.says, severity="high"))
        return ""

    def _lift_approved(self, case: Case) -> None:
        """Take the approval of a call that only a person was asked about, before its changes are settled."""
        worst = case.enforced()
        if not stops(worst, ESCALATE) or stops(worst, BLOCK):
            return
        with self._lock:
            until = self._approved.pop(case.call.action, None)
        if until is not None and self._now() <= until:
            case.approved = until
            case.findings = [finding for finding in case.findings if finding.effect != ESCALATE]

    def _note_asking(self, case: Case, decision: Decision) -> None:
        """Keep an approval that a call had no use for, and note which calls a person is asked about."""
        if decision.allowed:
            return
        with self._lock:
            if case.approved is not None:
                _put(self._approved, case.call.action, case.approved)
            elif decision.decision == ESCALATE and case.made is not None:
                asked = self._asked.get(case.call.action, ())
                _put(self._asked, case.call.action, (*asked, (_run_of(case.subject), case.made)))

    def _written(self, case: Case, name: str, begun: int) -> Decision:
        degraded = "partial" if case.unanswered else "none" if case.rung == NORMAL else "stale"
        took = (time.perf_counter_ns() - begun) // 1000
        if not case.findings:  # the most frequent answer by far, in the order of the fields: by name it takes longer
            level, signal, mode = case.state.level, case.signal, self.policy.mode
            plain = (ALLOW, mode, ALLOW, "", "", (), None, case.call.action, level, None, signal, degraded, name, took)
            return Decision(*plain, case.tool, case.tier, False, case.ruleset)  # noqa: FBT003
        worst = case.enforced()
        verdict = decision_of(worst)
        killed = worst is not None and worst.effect == "kill"
        if self.policy.mode == AUDIT and not case.signal_killed:
            verdict, killed = ALLOW, False
        decided = worst if verdict != ALLOW else None
        wait = None if decided is None else decided.retry_after_ms
        return Decision(
            decision=verdict,
            mode=self.policy.mode,
            would=decision_of(strictest(case.findings)),
            reason_code="" if decided is None else decided.rule,
            message="" if decided is None else decided.says,
            rules=ordered(case.findings),
            modified_input=case.modified if verdict == MODIFY else None,
            action_digest=case.call.action,
            level=case.state.level,
            throttle=None if wait is None else {"retry_after_ms": wait},
            signal=case.signal,
            degraded=degraded,
            decision_id=name,
            eval_us=took,
            tool=case.tool,
            tier=case.tier,
            killed=killed,
            ruleset=case.ruleset,
        )

    def _remember(self, case: Case, decision: Decision, token: str) -> None:
        """Remember a call that may run; one that may not has no result, and holds nothing."""
        keys: tuple[Hashable, ...] = ()
        if case.throttles or case.shadow_throttles:
            entered = [each.throttle for each in case.shadow_throttles if each.throttle is not None]
            keys = tuple(each.key for each in (*case.throttles, *entered))
        if not decision.allowed:
            if keys:
                self._throttles.leave(keys, decision.decision_id)
            return
        with self._lock:
            self._pending[decision.decision_id] = _Pending(_run_of(case.subject), case.made, keys, token)
            if len(self._pending) > _MOST_PENDING:
                self._pending.popitem(last=False)

    def _tell(self, kinds: Sequence[str], case: Case, decision: Decision) -> None:
        for kind in kinds:
            self.counted[kind] += 1
            try:
                self._on_event(Event(kind, decision, case.subject, tuple(case.unanswered)))
            except Exception:  # noqa: BLE001 -- logged; the call is no business of whoever listens
                _log.exception("flyball guard: a decision could not be told")


def _words(error: BaseException | str) -> list[str]:
    """Write an error by its class and text; the text may fail by its own code."""
    try:
        return [type(error).__qualname__, str(error)]
    except Exception:  # noqa: BLE001 -- then its class alone says what it is
        return [type(error).__qualname__]


def _put(kept: OrderedDict[str, V], key: str, value: V) -> None:
    kept[key] = value
    if len(kept) > _MOST_APPROVED:
        kept.popitem(last=False)


def _kinds(case: Case, decision: Decision) -> list[str]:
    """Give what is to be told of a call; nothing of one that was let through as it was, perhaps with a warning."""
    kinds = [UNANSWERED] if case.unanswered else []
    if not decision.allowed:
        return [*kinds, BLOCKED]
    kinds += [MODIFIED] if decision.decision == MODIFY else []
    return kinds + ([WOULD_BLOCK] if decision.would in (BLOCK, ESCALATE) else [])


def _run_of(who: Subject) -> str:
    """Give the key a run is counted under; calls of which nobody said the run go by whoever is known."""
    return who.run or f"~{who.user or ''}~{who.agent or ''}"


def _digested(tool: str, tool_input: Mapping[str, object] | None, who: Subject) -> Call:
    try:
        return call_of(tool, tool_input, who)
    except Exception:  # noqa: BLE001 -- an argument whose own code fails has no structure that can be read
        return call_of(tool, None, who)
