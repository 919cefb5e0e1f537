"""Found: what a stream has evidence of, and its record (`{"kind":"drift", ...}`)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.drift.roles import NO_TYPE, UNTYPED, Role
from models.drift.watches.change import rolled_out
from models.slis.groups import BETWEEN, OF_TASK, TASK
from models.times import rfc3339

if TYPE_CHECKING:
    from models.drift.bank import Bank
    from models.drift.shard import Shard
    from models.drift.watches.base import Watch

_MINUTE_NS = 60_000_000_000
_NEAR = 60
"""Minutes before and after a change within which what was rolled out is told beside it."""


class Evidence(NamedTuple):
    """How strong a stream's evidence is now."""

    key: str
    workflow: str
    sli: str
    watch: str
    ratio: float
    """M over the threshold of one false alarm a year: an alarm of its own from 1 on."""
    alarm: int
    """Unix minute since when it is in alarm; 0: it is not."""


class Found(NamedTuple):
    """A stream described. Times are Unix minutes.

    `since` is when it changed, as estimated, by the time of the events; `alarm` and `at` are of looks, which are later.
    """

    key: str
    workflow: str
    sli: str
    detector: str
    dimension: str
    from_: str
    to: str
    direction: str
    is_worse: bool
    numbers: dict[str, Any]
    words: str
    ratio: float
    threshold: int
    alarm: int
    since: int
    at: int
    rolled_out: list[dict[str, str]]
    """What was first seen about then: [{"dimension", "value", "at"}]."""
    tool: str = ""
    """Of a tool within a type of task: that tool, beside the type in `to`."""

    def record(self) -> dict[str, Any]:
        """Give the record; evidence and threshold are decimal logarithms."""
        contrast = {"dimension": self.dimension, "from": self.from_, "to": self.to}
        return {
            "kind": "drift",
            "at": rfc3339(self.at * _MINUTE_NS),
            "watch": self.key.partition("\x1f")[0],
            "detector": self.detector,
            "sli": self.sli,
            "workflow": self.workflow,
            "contrast": contrast | ({"tool": self.tool} if self.tool else {}),
            "direction": self.direction,
            "worse": self.is_worse,
            "effect": self.numbers,
            "evidence": round(math.log10(max(self.ratio * self.threshold, 1e-9)), 2),
            "threshold": round(math.log10(self.threshold), 2),
            "alarm": self.alarm > 0,
            "alarm_at": rfc3339(self.alarm * _MINUTE_NS) if self.alarm else None,
            "since": rfc3339(self.since * _MINUTE_NS),
            "rolled_out": self.rolled_out,
            "summary": self.words,
        }


def evidence_of(shard: Shard, watch: Watch, bank: Bank, place: int) -> Evidence:
    """Give the evidence of the stream at this place of a bank."""
    label = shard.roles.labels[bank.streams[place].series]
    ratio = float(np.float64(bank.m[place]) / bank.threshold)
    workflow, key = label.group["workflow"], _key(shard, watch, bank, place)
    return Evidence(key, workflow, label.sli, watch.name, ratio, int(bank.alarm[place]))


def contrast_of(evidence: Evidence) -> tuple[str, str]:
    """Give (dimension, value) of what a stream is about, as records tell them; two empty ones of a workflow alone.

    Of a tool within a type of task both are the value: "ask, search".
    """
    of_whole = f"{evidence.watch}\x1f{evidence.sli}\x1fworkflow\x1f{evidence.workflow}\x1f"
    _, _, named = evidence.key.partition(of_whole)
    dimension, _, value = named.partition("\x1f")
    if dimension in OF_TASK:
        task, _, other = value.partition(BETWEEN)
        return TASK, f"{task or NO_TYPE}, {other}"
    return dimension, NO_TYPE if dimension == TASK and value == UNTYPED else value


def found_of(shard: Shard, watch: Watch, bank: Bank, place: int) -> Found:
    """Describe the stream at this place of a bank."""
    stream = bank.streams[place]
    label = shard.roles.labels[stream.series]
    since, counts = bank.since(place)
    alone = {name: array[..., [place]] for name, array in bank.state.items()}
    effect = watch.effect(shard, stream, alone, counts)
    contrast, part = effect.contrast, shard.roles.part(stream.series)
    return Found(
        key=_key(shard, watch, bank, place),
        workflow=label.group["workflow"],
        sli=label.sli,
        detector=watch.detector.name,
        dimension=contrast.dimension if part is None else part[0],
        from_=contrast.from_,
        to=contrast.to if part is None else part[1],
        direction=effect.direction,
        is_worse=effect.is_worse,
        numbers=effect.numbers,
        words=effect.words if part is None else f"{part[2]}: {effect.words}",
        ratio=float(np.float64(bank.m[place]) / bank.threshold),
        threshold=bank.threshold,
        alarm=int(bank.alarm[place]),
        since=since - shard.wait(stream.series),
        at=bank.closed_at,
        rolled_out=_rolled_out(shard, stream.series, since),
        tool=shard.roles.tool_of_task(stream.series),
    )


def _key(shard: Shard, watch: Watch, bank: Bank, place: int) -> str:
    label = shard.roles.labels[bank.streams[place].series]
    return "\x1f".join((watch.name, label.sli, *(text for pair in label.group.items() for text in pair)))


def _rolled_out(shard: Shard, series: int, since: int) -> list[dict[str, str]]:
    roles = shard.roles
    learner = shard.learners["values" if roles.is_histogram[series] else "rates"]
    opened = learner.opened
    whole = roles.parent[roles.parent[series]]  # of what is counted by type of task, that of the type's
    siblings = (roles.parent == whole) & (roles.role == Role.CHANGE) & rolled_out(shard, learner)
    near = np.flatnonzero(siblings & (np.abs(opened - since) <= _NEAR))
    wait = shard.wait(series)
    named = [(roles.dimension(each) or ("", ""), int(opened[each]) - wait) for each in near.tolist()]
    return [{"dimension": name, "value": value, "at": rfc3339(at * _MINUTE_NS)} for (name, value), at in named]
