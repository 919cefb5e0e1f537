"""Board: what the flow last told of SLOs, incidents, verdicts and drift; bounded, whatever is told."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, Any, Final

from control.console.shapes import check
from models.times import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_SLOS: Final = 500
_SLACK: Final = 50
"""SLOs, and incidents, above their bound before some are let go, so that this is done seldom."""
MOST_NAMES: Final = 10_000
"""Of SLOs, and of open incidents, that are only counted."""
MOST_POINTS: Final = 240
"""Of an SLO's history: four hours of minutes."""
MOST_INCIDENTS: Final = 500
MOST_DRIFT: Final = 500
MOST_RUNS: Final = 10_000
"""Runs whose verdicts are kept."""
MOST_VERDICTS: Final = 20
"""Of one run."""
OLD_S: Final = 300
"""The flow tells each SLO once a minute, also while nothing comes: what is older is not of now."""
ENFORCE: Final = "enforce"
SHADOW: Final = "shadow"


class Board:
    """Thread-safe. `changes` counts what was told, by kind, for those who wait for news."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slos: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._points: dict[str, deque[tuple[str, float | None, float | None]]] = {}
        self._incidents: dict[str, dict[str, Any]] = {}
        self._drift: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._verdicts: OrderedDict[str, OrderedDict[str, dict[str, Any]]] = OrderedDict()
        self._better: set[str] = set()
        """SLOs that gave way to emptier budgets."""
        self._milder: set[str] = set()
        """Open incidents that gave way to graver or newer ones."""
        self._told_ns = 0
        self.changes: Counter[str] = Counter()
        self.malformed = 0
        """Records that could not be read."""

    def put(self, kind: str, records: Iterable[Mapping[str, Any]]) -> int:
        """Take records of one kind; gives how many could not be read."""
        take = {"slo": self._slo, "incident": self._incident, "drift": self._drifted, "verdict": self._verdict}[kind]
        bad = 0
        with self._lock:
            for record in records:
                try:
                    check(kind, record)
                    take(dict(record))
                except (KeyError, TypeError, ValueError, AttributeError):
                    bad += 1
        return bad

    def slos(self, now_ns: int = 0) -> list[dict[str, Any]]:
        """List the SLOs, the emptiest budget first, each with `history`: [at, budget left, fastest burn], and `old`."""
        with self._lock:
            rows = [
                {**each, "history": list(self._points[name]), "old": _age_s(nanoseconds(each["at"]), now_ns) > OLD_S}
                for name, each in self._slos.items()
            ]
        return sorted(rows, key=_worst_first)[:MOST_SLOS]

    def better(self) -> int:
        """Count the SLOs that are told and not listed: each has more budget left than those that are."""
        with self._lock:
            return len(self._better) + max(0, len(self._slos) - MOST_SLOS)

    def silent_s(self, now_ns: int) -> int | None:
        """Give for how many seconds no SLO was told, where that is too long; None: it is not, or none ever was."""
        age = _age_s(self._told_ns, now_ns)
        return age if self._told_ns and age > OLD_S else None

    def incidents(self) -> list[dict[str, Any]]:
        """List incidents: open ones first, the worst and newest first."""
        with self._lock:
            return _gravest_first(self._incidents.values())[:MOST_INCIDENTS]

    def milder(self) -> int:
        """Count the open incidents that are told and not listed: none is graver than those that are."""
        with self._lock:
            listed = [each for each in self._incidents.values() if each["status"] == "open"]
            return len(self._milder) + max(0, len(listed) - MOST_INCIDENTS)

    def incident(self, key: str) -> dict[str, Any] | None:
        """Give one incident."""
        with self._lock:
            return self._incidents.get(key)

    def drift(self) -> list[dict[str, Any]]:
        """List streams with evidence, alarms first, the newest first."""
        with self._lock:
            rows = sorted(self._drift.values(), key=lambda each: str(each["at"]), reverse=True)
        return sorted(rows, key=lambda each: not each.get("alarm"))

    def verdicts(self, run_id: str) -> list[dict[str, Any]]:
        """List the verdicts about a run, the oldest first."""
        with self._lock:
            found = list(self._verdicts.get(run_id, {}).values())
        return sorted(found, key=lambda each: str(each["at"]))

    def judged(self) -> list[tuple[str, dict[str, Any]]]:
        """List (run, newest verdict; before one of a rule in shadow one in force), the last told first."""
        with self._lock:
            found = [(run, list(reversed(each.values()))) for run, each in reversed(self._verdicts.items())]
        return [(run, next((each for each in said if mode(each) != SHADOW), said[0])) for run, said in found]

    def _slo(self, record: dict[str, Any]) -> None:
        name, at = str(record["slo"]), str(record["at"])
        told_ns = nanoseconds(at)
        left, burn = record["budget_remaining"], [each for each in record["burn"].values() if each is not None]
        known = self._slos.get(name)
        if known is not None and known["at"] > at:
            return
        self._slos[name] = record
        self._told_ns = max(self._told_ns, told_ns)
        points = self._points.setdefault(name, deque(maxlen=MOST_POINTS))
        if points and points[-1][0] == at:
            points.pop()
        points.append((at, left, max(burn, default=None)))
        self._better.discard(name)
        if len(self._slos) > MOST_SLOS + _SLACK:
            self._forget()

    def _forget(self) -> None:
        """Let SLOs go that are not told any more, then those with the most left: one looks for the emptiest budgets."""
        since_ns = self._told_ns - OLD_S * 10**9

        def place(name: str) -> tuple[bool, float, str]:
            return nanoseconds(self._slos[name]["at"]) < since_ns, *_worst_first(self._slos[name])

        for name in sorted(self._slos, key=place)[MOST_SLOS:]:
            del self._slos[name], self._points[name]
            if len(self._better) < MOST_NAMES:
                self._better.add(name)

    def _incident(self, record: dict[str, Any]) -> None:
        key, revision = str(record["key"]), int(record["revision"])
        known = self._incidents.get(key)
        if known is not None and known["revision"] >= revision:
            return
        self._incidents[key] = record
        self._milder.discard(key)
        if len(self._incidents) > MOST_INCIDENTS + _SLACK:
            self._forget_incidents()

    def _forget_incidents(self) -> None:
        """Let resolved ones go first, then the least grave; how many of those are open is still told."""
        for each in _gravest_first(self._incidents.values())[MOST_INCIDENTS:]:
            del self._incidents[each["key"]]
            if each["status"] == "open" and len(self._milder) < MOST_NAMES:
                self._milder.add(each["key"])

    def _drifted(self, record: dict[str, Any]) -> None:
        contrast = record["contrast"]
        watch = record.get("watch", record["detector"])  # of a version that did not name it
        words = (watch, record["sli"], record["workflow"], *map(contrast.get, ("dimension", "from", "to", "tool")))
        key = "\x1f".join(map(str, words))
        known = self._drift.get(key)
        if known is None or str(known["at"]) <= str(record["at"]):
            self._drift[key] = record
            self._drift.move_to_end(key)
            if len(self._drift) > MOST_DRIFT:  # of many streams it is the alarms that count
                calm = (each for each, row in self._drift.items() if not row.get("alarm"))
                del self._drift[next(calm, next(iter(self._drift)))]

    def _verdict(self, record: dict[str, Any]) -> None:
        scope = record["scope"]
        if scope["level"] == "run":
            run = str(scope["id"])
            of_run = self._verdicts.setdefault(run, OrderedDict())
            of_run[record["id"]] = record
            self._verdicts.move_to_end(run)
            if len(of_run) > MOST_VERDICTS:
                del of_run[min(of_run, key=lambda each: _weight(of_run[each]))]
            _beyond(self._verdicts, MOST_RUNS)


def _age_s(then_ns: int, now_ns: int) -> int:
    return (now_ns - then_ns) // 10**9


def mode(verdict: Mapping[str, Any]) -> object:
    """Give the mode of the rule that told a verdict: what one in SHADOW asks nobody obeys."""
    evidence = verdict.get("evidence")
    return evidence.get("mode", ENFORCE) if isinstance(evidence, dict) else ENFORCE


def _weight(verdict: Mapping[str, Any]) -> int:
    """Say how much a verdict of a run matters: what nobody obeys least, what ends the run most."""
    action = verdict["action"]
    return 0 if mode(verdict) == SHADOW else 1 if action == "warn" else 3 if action == "kill" else 2


def _gravest_first(incidents: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    newest = sorted(incidents, key=lambda each: each["opened_at"], reverse=True)
    return sorted(newest, key=lambda each: (each["status"] != "open", each["severity"]))


def _beyond(rows: OrderedDict[str, Any], most: int) -> list[str]:
    """Drop the oldest above `most`; gives their names."""
    return [rows.popitem(last=False)[0] for _ in range(len(rows) - most)]


def _worst_first(row: Mapping[str, Any]) -> tuple[float, str]:
    left = row["budget_remaining"]
    return 2.0 if left is None else float(left), str(row["slo"])
