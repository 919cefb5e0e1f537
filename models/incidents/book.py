"""The book of incidents: one state machine for whatever can be wrong. Quiet -> open -> resolved, and open again.

Whoever watches something hears itself every time it looks: is it wrong now, how badly. The book decides what a person
is told: when it opens, when it gets worse, again after a long while, and when it has been right for long enough.

A life is one opening of one (class, rule, scope). Its key is a digest of these and the number of the life, so it is the
same under replay and restart; so a life is never forgotten (there are as many as objectives, by what they are split by,
with their rules and steps). Tellings rise in revision; those of a new life of the process begin above all earlier
ones (`generation`), so that what a crash took back is never mistaken for news. They are even: what is found out later
about a telling is added to it under the odd revision after it, by somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from models.incidents.course import UNKNOWN, Course, so_far
from models.incidents.incident import APART, Incident, Severity, Status
from models.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_SECOND_NS = 1_000_000_000
_REVISIONS_A_GENERATION = 1 << 20


class Ident(NamedTuple):
    """What an incident is about. `level` and `scope` are the record's scope; names of users are of a tenant."""

    class_: str
    rule: str
    level: str
    scope: str
    tenant: str | None = None


@dataclass(frozen=True)
class Facts:
    """What a telling says."""

    title: str
    summary: str
    evidence: dict[str, Any]
    runs: tuple[str, ...] = ()
    runbook: str = ""
    owner: str = "on-call"
    workflow: str | None = None
    tenant: str | None = None
    labels: dict[str, str] = field(default_factory=dict)


@dataclass
class _Life:
    """State of one ident; times are Unix seconds of event time, 0: not."""

    number: int
    opened: int
    severity: Severity
    revision: int
    told: int
    quiet_since: int = 0
    resolved: int = 0
    facts: Facts | None = None
    peak: float = 0.0
    """The greatest level that was heard of, and what that is in words."""
    worst: str = ""


@dataclass(frozen=True)
class Patience:
    """How long the book waits, seconds."""

    hold_s: int = 60
    """So long something must be right before it is resolved."""
    renotify_s: int = 4 * 3600
    """An open incident is told again after this."""


class IncidentBook:
    """The incidents of one shard."""

    def __init__(self, generation: int = 0, patience: Patience | None = None) -> None:
        self._floor = generation * _REVISIONS_A_GENERATION
        self._patience = patience or Patience()
        self._lives: dict[Ident, _Life] = {}
        self._changed: set[Ident] = set()
        self._told: set[Ident] = set()

    def is_open(self, ident: Ident) -> bool:
        """Say whether it is open."""
        life = self._lives.get(ident)
        return life is not None and not life.resolved

    def is_quiet(self, ident: Ident) -> bool:
        """Say whether it is open, and has been right since it was last heard."""
        life = self._lives.get(ident)
        return life is not None and not life.resolved and life.quiet_since > 0

    def facts(self, ident: Ident) -> Facts | None:
        """Give what was last told of it."""
        life = self._lives.get(ident)
        return life.facts if life else None

    def number(self, ident: Ident) -> int:
        """Number its openings, from 0: the same under replay and restart."""
        life = self._lives.get(ident)
        return life.number if life else 0

    def open_idents(self) -> list[Ident]:
        """Give all that are open."""
        return [ident for ident, life in self._lives.items() if not life.resolved]

    def wrong(
        self, ident: Ident, severity: Severity, now_s: int, facts: Callable[[], Facts], course: Course = UNKNOWN
    ) -> Incident | None:
        """Hear that it is wrong; gives what a person is told, None: nothing new. `facts` is asked only then."""
        life = self._lives.get(ident)
        if life is None or life.resolved:
            number = life.number + 1 if life else 0
            life = self._lives[ident] = _Life(number, now_s, severity, self._floor - 1, now_s)
            life.peak, life.worst = course.level, course.words
            return self._tell(ident, life, now_s, facts())
        self.follow(ident, course)
        if life.quiet_since:
            life.quiet_since = 0
            self._changed.add(ident)
        life.told = min(life.told, now_s)  # the clock may have been ahead
        worse = severity < life.severity  # SEV-1 sorts before SEV-2
        if not worse and now_s - life.told < self._patience.renotify_s:
            return None
        life.severity = min(severity, life.severity)
        return self._tell(ident, life, now_s, facts(), course)

    def follow(self, ident: Ident, course: Course) -> None:
        """Hear how bad it is now, where it is open, without a word of whether it is to be told."""
        life = self._lives.get(ident)
        if life is not None and not life.resolved and course.level > life.peak:
            life.peak, life.worst = course.level, course.words
            self._changed.add(ident)

    def right(
        self,
        ident: Ident,
        now_s: int,
        *,
        at_once: bool = False,
        is_sure: bool = True,
        why: str = "",
        facts: Callable[[], Facts] | None = None,
        course: Course = UNKNOWN,
    ) -> Incident | None:
        """Hear that it is right; gives the resolution once it has been for `hold_s`, or at once, if sure.

        `why` is added to what is told, where it ends for another reason than that things are right. `facts` is asked
        what is known of it in the end; without, it is told as it was last.
        """
        life = self._lives.get(ident)
        if life is None or life.resolved:
            return None
        if not life.quiet_since or life.quiet_since > now_s:  # the clock may have been ahead
            life.quiet_since = now_s
            self._changed.add(ident)
        if not is_sure or (not at_once and now_s - life.quiet_since < self._patience.hold_s):
            return None
        life.resolved = now_s
        return self._tell(ident, life, now_s, facts() if facts else life.facts, course, why)

    def _tell(
        self, ident: Ident, life: _Life, now_s: int, facts: Facts | None, course: Course | None = None, why: str = ""
    ) -> Incident:
        """Tell; `course`: not for the first time."""
        life.revision = max((life.revision // APART + 1) * APART, self._floor)
        life.told = now_s
        self._changed.add(ident)
        self._told.add(ident)
        life.facts = facts = facts or Facts(ident.rule, ident.rule, {})
        if course is not None:
            words, evidence = so_far(course, life.opened, life.peak, life.worst)
            summary = "; ".join(each for each in (facts.summary, words, why) if each)
            facts = replace(facts, summary=summary, evidence={**facts.evidence, **evidence})
        return Incident(
            key=incident_key(ident, life.number),
            at=_time(now_s),
            status=Status.RESOLVED if life.resolved else Status.OPEN,
            severity=life.severity,
            class_=ident.class_,
            title=facts.title,
            scope={"level": ident.level, "id": ident.scope},
            evidence=facts.evidence,
            runbook=facts.runbook or ident.class_,
            runs=facts.runs,
            revision=life.revision,
            opened_at=_time(life.opened),
            rule=ident.rule,
            summary=facts.summary,
            owner=facts.owner,
            resolved_at=_time(life.resolved) if life.resolved else None,
            workflow=facts.workflow,
            tenant=facts.tenant,
            labels=facts.labels,
        )

    # what is kept

    def state(self, idents: Iterable[Ident] | None = None) -> list[dict[str, Any]]:
        """Give lives as plain types: all, or those of some idents."""
        chosen = self._lives if idents is None else {i: self._lives[i] for i in idents if i in self._lives}
        return [{"ident": list(ident), **_plain(life)} for ident, life in chosen.items()]

    def take_told(self) -> list[dict[str, Any]]:
        """Give the lives that were told of since the last call."""
        told, self._told = self._told, set()
        return self.state(told)

    def take_changed(self) -> list[dict[str, Any]]:
        """Give the lives that changed since the last call."""
        changed, self._changed = self._changed, set()
        return self.state(changed)

    def adopt(self, state: Iterable[Mapping[str, Any]], *, newer: bool = False) -> None:
        """Take lives as they were, also those that were told after the last snapshot: what was told is true.

        `newer`: of two states of one telling this is the later one. (That it is quiet now, say, changes its state.)
        """
        for kept in state:
            known = self._lives.get(Ident(*kept["ident"]))
            if known and (known.number, known.revision, not newer) > (kept["number"], kept["revision"], False):
                continue
            facts = Facts(**kept["facts"] | {"runs": tuple(kept["facts"]["runs"])}) if kept["facts"] else None
            said = {name: value for name, value in kept.items() if name not in ("ident", "facts", "severity")}
            self._lives[Ident(*kept["ident"])] = _Life(**said, severity=Severity(kept["severity"]), facts=facts)

    def wait_anew(self) -> None:
        """Let the hold of all that is open begin again, for a process that has just started.

        It may not have read again yet what the one before had told of, so that all is right in its first moments; added
        up over several starts that are cut short, these would be a resolution of what is still wrong.
        """
        for life in self._lives.values():
            if not life.resolved:
                life.quiet_since = 0


def incident_key(ident: Ident, life: int) -> str:
    """Give the key: 32 hex digits, the same for the same incident whatever is replayed or restarted."""
    words = [word for word in ident if word is not None]
    return sha256("\x1f".join([*words, str(life)]).encode()).hexdigest()[:32]


def _plain(life: _Life) -> dict[str, Any]:
    facts = vars(life.facts) | {"runs": list(life.facts.runs)} if life.facts else None
    return vars(life) | {"facts": facts, "severity": str(life.severity)}


def _time(second: int) -> str:
    return rfc3339(second * _SECOND_NS)
