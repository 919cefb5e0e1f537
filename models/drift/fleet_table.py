"""FleetTable: the evidence of all shards together: who is told, and the incidents. One for a whole deployment.

A stream's own alarm (one false one a stream and year) opens an incident of its workflow and SLI; whether the fleet as
a whole vouches for it (e-d-BH, `models.drift.fleet`) is said in its label `fleet`, by which routes page. Contrasts of
one workflow and SLI are one incident: the whole first, its parts as what explains it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from models.drift.examples import Examples
from models.drift.fleet import told
from models.drift.found import Evidence, Found
from models.incidents.book import Facts, Ident, IncidentBook
from models.incidents.incident import Severity
from models.times import in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from models.drift.table import Looked
    from models.incidents.book import Patience
    from models.incidents.incident import Incident

CLASS = "drift"
_OBJECTIVE = "objective"
"""The watch that holds a rate against its SLO."""
_EXPLAINED_BY = 5


@dataclass
class _Heard:
    """The newest of one shard."""

    until: int = 0
    streams: int = 0
    evidence: list[Evidence] = field(default_factory=list)


@dataclass
class Told:
    """What a look gave."""

    incidents: list[Incident] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)

    def add(self, later: Told) -> None:
        """Take in what a later look gave."""
        self.incidents += later.incidents
        self.records += later.records


class FleetTable:
    """`generation` numbers the lives of the shard; `severity` is that of drift where no SLO burns."""

    def __init__(
        self, severity: Severity = Severity.SEV_3, generation: int = 0, patience: Patience | None = None
    ) -> None:
        self.book = IncidentBook(generation, patience)
        self.examples = Examples()
        self._severity = severity
        self._heard: dict[str, _Heard] = {}
        self._described: dict[str, Found] = {}
        self._new: list[Found] = []
        self._changed = False

    def take(self, shard: str, looked: Looked) -> None:
        """Hear the newest of a shard. An alarm that is over is told of once more, as one that is none."""
        before = self._heard.get(shard, _Heard()).evidence
        self._heard[shard] = _Heard(looked.until, looked.streams, looked.evidence)
        self.examples.take(looked.examples)
        self._described |= {found.key: found for found in looked.found}
        now = {each.key: each for each in looked.evidence}
        over = [each.key for each in before if each.alarm and not (each.key in now and now[each.key].alarm)]
        for key in [key for key in over if key in self._described]:
            ratio = now[key].ratio if key in now else 0.0
            self._described[key] = self._described[key]._replace(alarm=0, ratio=ratio, at=looked.until)
            self._new.append(self._described[key])
        self._new += looked.found
        self._changed = True

    def look(self, now_s: int) -> Told:
        """Judge all that was heard, as of `now_s` (Unix seconds)."""
        out = Told(records=[found.record() for found in self._new])
        self._new = []
        alarms = [each for each in self.evidence() if each.alarm and each.key in self._described]
        vouched = told([each.ratio for each in alarms], self.streams).tolist()
        causes: dict[Ident, list[tuple[Evidence, bool]]] = {}
        for each, is_vouched in zip(alarms, vouched, strict=True):
            ident = Ident(CLASS, f"{CLASS}.{each.sli}", "workflow", each.workflow)
            causes.setdefault(ident, []).append((each, is_vouched))
        worse = {i for i, of in causes.items() if any(self._described[each.key].is_worse for each, _ in of)}
        for ident in sorted(worse):
            self._wrong(ident, causes[ident], now_s, out)
        for ident in self.book.open_idents():
            if ident not in worse and (ended := self.book.right(ident, now_s)):
                out.incidents.append(ended)
        self._forget()
        self._changed |= bool(out.records or out.incidents)
        return out

    def evidence(self) -> list[Evidence]:
        """Give all evidence heard, the strongest first."""
        found = [each for heard in self._heard.values() for each in heard.evidence]
        return sorted(found, key=lambda each: (-each.ratio, each.key))

    @property
    def streams(self) -> int:
        """Count the streams of all shards."""
        return sum(heard.streams for heard in self._heard.values())

    def _wrong(self, ident: Ident, causes: list[tuple[Evidence, bool]], now_s: int, out: Told) -> None:
        burns = any(each.watch == _OBJECTIVE for each, _ in causes)
        severity = min(self._severity, Severity.SEV_2) if burns else self._severity
        is_vouched = any(vouched for _, vouched in causes)
        found = sorted((self._described[each.key] for each, _ in causes), key=_order)
        incident = self.book.wrong(
            ident, severity, now_s, partial(_facts, ident, found, self.examples, is_vouched=is_vouched)
        )
        out.incidents += [incident] if incident else []

    def _forget(self) -> None:
        """Let go of descriptions of streams that nobody tells of any more."""
        if len(self._described) > 2 * sum(len(heard.evidence) for heard in self._heard.values()) + 100:
            alive = {each.key for each in self.evidence()}
            self._described = {key: found for key, found in self._described.items() if key in alive}

    # what is kept

    def take_delta(self) -> bytes:
        """Give the state when it changed, else nothing: it is small."""
        changed, self._changed = bool(self.book.take_changed()) or self._changed, False
        return self.dump() if changed else b""

    def dump(self) -> bytes:
        """Give everything."""
        heard = {key: [each.until, each.streams, [*map(list, each.evidence)]] for key, each in self._heard.items()}
        described, new = ([*map(list, rows)] for rows in (self._described.values(), self._new))
        return orjson.dumps({"heard": heard, "described": described, "new": new, "lives": self.book.state()})

    def fill(self, parts: Iterable[bytes]) -> FleetTable:
        """Take over the newest of the dumps and deltas."""
        for raw in [raw for raw in parts if raw][-1:]:
            kept: Mapping[str, Any] = orjson.loads(raw)
            self._heard = {
                key: _Heard(until, streams, [Evidence(*each) for each in evidence])
                for key, (until, streams, evidence) in kept["heard"].items()
            }
            self._described = {row[0]: Found(*row) for row in kept["described"]}
            self._new = [Found(*row) for row in kept["new"]]
            self.book.adopt(kept["lives"], newer=True)
        return self


def _order(found: Found) -> tuple[bool, int, float]:
    """Sort what is worse first, then the workflow as a whole before its parts, then by evidence."""
    return not found.is_worse, 0 if found.dimension in {"time", "objective"} else 1, -found.ratio


def _facts(ident: Ident, found: Sequence[Found], examples: Examples, *, is_vouched: bool) -> Facts:
    first = found[0]
    part = "" if first.dimension in {"time", "objective"} else f", {first.dimension} {first.to}"
    records = [each.record() for each in found[:_EXPLAINED_BY]]
    before, after = examples.beside(first)
    evidence = {
        "contrasts": records,
        "alarms": len(found),
        "fleet": is_vouched,
        "since": records[0]["since"],
        "examples": {"before": before, "after": after},
    }
    title = f"Drift of {first.sli} in {ident.scope}{part}"
    return Facts(
        title=title,
        summary=f"{title}: {first.words}, since about {in_words(records[0]['since'])}" + _beside(first),
        evidence=evidence,
        runs=(*after, *before),
        workflow=ident.scope,
        owner="quality",
        labels={"fleet": "true" if is_vouched else "false"},
    )


def _beside(found: Found) -> str:
    rolled_out = [f"{each['dimension']} {each['value']} at {in_words(each['at'])}" for each in found.rolled_out[:3]]
    return f"; rolled out about then: {', '.join(rolled_out)}" if rolled_out else ""
