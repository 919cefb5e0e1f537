"""The guards that run here: one a tenant, obeying the authority's signals as they are, with its runs' counters."""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from flyball_sdk.decision import ALLOW
from flyball_sdk.guard import NOT_RECORDED, Guard
from flyball_sdk.limits import NO_LIMITS
from flyball_sdk.policy import Policy
from flyball_sdk.scope import Subject, as_run
from flyball_sdk.throttling import Throttles

from control import masking
from control.http.core import Refused
from control.http.reading import flag, maybe, only, part, text, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyball_sdk.asking import RuleSource
    from flyball_sdk.envelope import Position
    from flyball_sdk.limits import Limits
    from flyball_sdk.reserving import Reserver
    from flyball_sdk.signals import Held, SignalStore

    from control.authority import Authority
    from control.keys import Key
    from control.masking import Masker

ANY_AGENT: Final = "*"
RUN: Final = re.compile(r"[0-9a-f]{32}")
TOOL, LLM = "tool", "llm"
_COUNTED: Final = None
"""In place of a workflow's name."""
_MOST_TENANTS: Final = 10_000
"""Beyond, the counters of the tenant that has asked for nothing for longest begin anew."""
_MOST_NOTES: Final = 100_000
MEMBERS: Final[dict[str, frozenset[str]]] = {
    "the call": frozenset(
        ("schema", "tool", "tool_input", "trace", "subject", "deadline_ms", "min_epoch", "confirmation", "counted")
    ),
    "tool": frozenset(("name", "kind", "schema_version", "server")),
    "trace": frozenset(("run_id", "traceparent", "session_id", "step", "parent_tool", "taint")),
    "subject": frozenset(("user", "agent", "workflow", "tenant", "env")),
}
"""What a call may say, also what no decision needs yet. A run that is told as `subject.run` would be nobody's."""


class Call(NamedTuple):
    """One call as it was asked about."""

    kind: str
    """tool, or llm: then the tool's name is the model's."""
    tool: str
    tool_input: dict[str, object] | None
    subject: Subject
    deadline_ms: int | None
    min_epoch: int
    is_counted: bool = False
    """The guard that asks has counted it: it knows the agent's own limits, and results, which are not told here."""


class HereSignals:
    """The authority's signals of one tenant, for a guard in the same process: never old."""

    def __init__(self, authority: Authority, tenant: str | None) -> None:
        self._authority, self._tenant = authority, tenant

    def of(self, subject: Subject) -> list[Held]:
        """List what is asked of a subject."""
        return self._authority.shown.of(subject, self._tenant)

    def age_s(self) -> float:
        """Say that they are fresh."""
        return 0.0

    @property
    def position(self) -> Position:
        """Give (epoch, seq)."""
        shown = self._authority.shown
        return shown.epoch, shown.seq


class Guards:
    """All guards. `evaluate` and `result` may be called from any thread."""

    def __init__(
        self,
        authority: Authority,
        masker: Masker,
        policy: Policy | None = None,
        rules: RuleSource | None = None,
        reserver: Reserver | None = None,
        limits: Mapping[str, Limits] | None = None,
    ) -> None:
        self._authority, self._masker = authority, masker
        self._rules, self._reserver = rules, reserver
        policy = policy or Policy()
        self._policies: dict[str | None, Policy] = {"": policy, _COUNTED: replace(policy, limits=NO_LIMITS)}
        """By workflow, "" of all others; `_COUNTED`: of calls that are counted by who asks."""
        self._policies |= {workflow: replace(policy, limits=each) for workflow, each in (limits or {}).items()}
        self._guards: OrderedDict[str | None, dict[str | None, Guard]] = OrderedDict()
        """By tenant, the one that asked last at the end; one a policy."""
        self._notes: deque[tuple[str, dict[str, Any], str | None]] = deque()

    def read(self, key: Key, said: dict[str, Any]) -> Call:
        """Read a call; who it is of comes from the key, and the body can only narrow it. Raises Refused."""
        subject, trace, tool = part(said, "subject"), part(said, "trace"), part(said, "tool")
        for where, of in (("the call", said), ("tool", tool), ("trace", trace), ("subject", subject)):
            only(of, MEMBERS[where], where)
        agent, tenant = maybe(subject, "agent"), maybe(subject, "tenant")
        if tenant not in (None, key.tenant) or (agent not in (None, key.agent) and key.agent != ANY_AGENT):
            raise Refused(403, "identity", "the subject is another tenant or agent than the key's")
        tool_input = said.get("tool_input")
        if tool_input is not None and not isinstance(tool_input, dict):
            raise Refused(400, "tool_input", "expected tool_input to be an object")
        who = Subject(
            run=_run(trace),
            user=maybe(subject, "user"),
            agent=agent if key.agent == ANY_AGENT else key.agent,
            workflow=maybe(subject, "workflow"),
            tenant=key.tenant,
        )
        min_epoch = whole(said, "min_epoch", 0) or 0
        kind = maybe(tool, "kind") or TOOL
        if kind not in (TOOL, LLM):
            raise Refused(400, "kind", f"expected kind to be {TOOL} or {LLM}")
        counted = flag(said, "counted")
        return Call(kind, text(tool, "name"), tool_input, who, whole(said, "deadline_ms", None), min_epoch, counted)

    def evaluate(self, key: Key, call: Call) -> dict[str, Any]:
        """Decide; what is not a plain allow is noted for the audit log."""
        workflow = call.subject.workflow or ""
        policy = _COUNTED if call.is_counted else workflow if workflow in self._policies else ""
        guard = self._of(key.tenant)[policy]
        if call.kind == LLM:
            decision = guard.evaluate_llm(call.tool, call.subject)
        else:
            decision = guard.evaluate(call.tool, call.tool_input, call.subject)
        said = decision.to_json()
        said["ruleset"] = {"digest": decision.ruleset, "epoch": self._authority.shown.epoch}
        if self._authority.problem is not None:
            said["degraded"] = "partial"
        if decision.decision != ALLOW or decision.would != ALLOW:
            self._note(key, call, said)
        return said

    def result(self, key: Key, name: str, said: dict[str, Any], error: str | None, cost: float | None) -> None:
        """Take what came of a call of the key's tenant; of others nothing is known here."""
        for guard in self._of(key.tenant).values():  # one of them has let it through
            guard.result(name, said.get("result", NOT_RECORDED), error=error, cost_usd=cost)

    def drain(self) -> None:
        """Put what was noted into the audit log; the caller holds the authority."""
        for _ in range(len(self._notes)):
            actor, what, tenant = self._notes.popleft()
            self._authority.note("decision", actor, what, tenant)

    def _note(self, key: Key, call: Call, said: dict[str, Any]) -> None:
        if len(self._notes) >= _MOST_NOTES:
            self._authority.uncounted += 1
            return
        kept = ("decision_id", "decision", "would", "mode", "reason_code", "level", "killed", "degraded", "signal")
        what = {name: said[name] for name in kept}
        what["tool"] = masking.name(call.tool)
        subject = call.subject._asdict().items()
        what["subject"] = {level: masking.name(value) for level, value in subject if value is not None}
        what["arguments"] = self._masker.arguments(key.tenant, call.tool_input)
        self._notes.append((key.name, what, key.tenant))

    def _of(self, tenant: str | None) -> dict[str | None, Guard]:
        guards = self._guards.get(tenant)
        if guards is None:
            # it asks the store for these three things only
            signals = cast("SignalStore", HereSignals(self._authority, tenant))
            made = partial(
                Guard,
                signals=signals,
                rules=self._rules,
                reserver=self._reserver,
                on_event=lambda _: None,  # the agent's side tells by spans; here the audit log does
                throttles=Throttles(),  # of all together
            )
            guards = self._guards.setdefault(tenant, {name: made(each) for name, each in self._policies.items()})
            if len(self._guards) > _MOST_TENANTS:
                self._guards.popitem(last=False)
        else:
            with suppress(KeyError):  # another thread has just let it go
                self._guards.move_to_end(tenant)
        return guards


def _run(trace: dict[str, Any]) -> str | None:
    """Give the run: `run_id`, or the trace id of `traceparent`."""
    run = maybe(trace, "run_id")
    if run is None and (parent := maybe(trace, "traceparent")) is not None:
        pieces = parent.split("-")
        run = pieces[1] if len(pieces) > 1 else parent
    run = None if run is None else as_run(run)
    if run is not None and not RUN.fullmatch(run):
        raise Refused(400, "run_id", "expected 32 lower-case hex digits for a run")
    return run
