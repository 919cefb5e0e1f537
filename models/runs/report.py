"""Run records: what is told of a closed run on the topic of runs, as the contract writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from models.json_lines import UNKNOWN, Kind, Template, cut, write_lines
from models.runs.record import ClosedBy, OutcomeFrom
from models.runs.task_types import tasks_of
from models.spans.columns import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_NAMES = ("workflow", "agent", "version", "environment", "tenant", "user")
_PLACES: dict[str, Kind] = {
    "run_id": Kind.HEX,
    **dict.fromkeys(_NAMES, Kind.TEXT),
    "started_at": Kind.TIME,
    "ended_at": Kind.TIME,
    "duration_s": Kind.BILLIONTHS,
    **dict.fromkeys(("closed_by", "outcome", "outcome_from", "escalated"), Kind.TEXT),
    **dict.fromkeys(("llm_calls", "tool_calls", "tool_errors", "input_tokens", "output_tokens"), Kind.WHOLE),
    "cost_usd": Kind.BILLIONTHS,
    "priced": Kind.TEXT,
    "revision": Kind.WHOLE,
    "tools": Kind.TEXT,
    "task": Kind.TEXT,
}
"""What a record holds, in the order of the contract; what it adds to that comes last."""
_AROUND = {"tools": (b"{", b"}"), **dict.fromkeys(("run_id", "started_at", "ended_at"), (b'"', b'"'))}
"""What the template puts around a value; other texts are JSON as they are."""

_OUTCOMES: dict[int, str | None] = {Outcome.UNKNOWN: "unknown", Outcome.SUCCESS: "success", Outcome.FAILURE: "failure"}
_FROM: dict[int, str | None] = {
    source: None if source == OutcomeFrom.NOTHING else source.name.lower() for source in OutcomeFrom
}
_CLOSED_BY: dict[int, str | None] = {ClosedBy.ROOT: "root", ClosedBy.IDLE: "idle"}
_YES: dict[int, bool] = {0: False, 1: True}
_PRICED: dict[int, str | None] = dict(enumerate(("unpriced", "reported", "computed", "partial")))
_UNPRICED, _REPORTED, _COMPUTED, _PARTIAL = range(4)


def _template() -> Template:
    """Make the template of a run record."""
    pieces, behind = [], b'{"kind":"run"'
    for name in _PLACES:
        before, after = _AROUND.get(name, (b"", b""))
        pieces.append(behind + b',"%b":' % name.encode() + before)
        behind = after
    return Template([*pieces, behind + b"}"], list(_PLACES.values()))


_RECORD = _template()
_ENTRY = Template([b",", b':{"calls":', b',"errors":', b"}"], [Kind.TEXT, Kind.WHOLE, Kind.WHOLE])
"""Calls and errors of one tool."""


def run_records(rows: NDArray[np.void], names: Mapping[int, str], tools: NDArray[np.void]) -> list[dict[str, Any]]:
    """Give one `{"kind": "run", ...}` per RUN row, in their order; for the meaning see `run_lines`."""
    return [orjson.loads(line) for line in run_lines(rows, names, tools)]


def run_lines(rows: NDArray[np.void], names: Mapping[int, str], tools: NDArray[np.void]) -> list[bytes]:
    """Give one `{"kind": "run", ...}` as JSON per RUN row, in their order; `names` holds the text of their names.

    `tools` are the CALL rows of these runs; calls of tools without a name are in the totals alone.

    Times are RFC 3339 UTC with microseconds, durations seconds, money USD to 1e-9. What is not known is null; the
    workflow never is. Without any LLM span, tokens and cost are those of the run span; a bill comes before that.
    """
    if not len(rows):
        return []
    texts = _Texts()
    columns = _columns(rows, names, texts)
    columns["tools"] = _tools(len(rows), names, tools, texts)
    words = np.concatenate([columns[name] for name in _PLACES])
    return cut(*write_lines(_RECORD, words, texts.as_array()))


class _Texts:
    """Texts, one behind the other, and where each lies."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, *texts: bytes) -> NDArray[np.int64]:
        """Take in texts; give where each starts and stops [2, texts]."""
        stops = self._size + np.cumsum([len(text) for text in texts], dtype=np.int64)
        starts = np.concatenate(([self._size], stops[:-1]))
        self._parts += texts
        self._size = int(stops[-1])
        return np.stack((starts, stops))

    def add_names(self, digests: NDArray[np.int64], names: Mapping[int, str], unknown: bytes) -> NDArray[np.int64]:
        """Take in the texts of names [n] as JSON, each once; give where each lies [2, n]."""
        known, which = np.unique(digests, return_inverse=True)
        texts = (names.get(digest) if digest else None for digest in known.tolist())
        return self.add(*(unknown if text is None else orjson.dumps(text) for text in texts))[:, which]

    def add_words(self, words: Mapping[int, str | bool | None], codes: NDArray[Any]) -> NDArray[np.int64]:
        """Take in the word of each code; give where it lies, by row [2, n]. Raises KeyError for a code without one."""
        known, which = np.unique(codes, return_inverse=True)
        return self.add(*(orjson.dumps(words[code]) for code in known.tolist()))[:, which]

    def as_array(self) -> NDArray[np.uint8]:
        """Give all as bytes."""
        return np.frombuffer(b"".join(self._parts), np.uint8)


def _columns(rows: NDArray[np.void], names: Mapping[int, str], texts: _Texts) -> dict[str, NDArray[np.int64]]:
    """Give the words of each place but that of the tools [words, n]."""
    said = rows["llm_calls"] == 0
    cost, priced = _costs(rows, said & (rows["reported"] == 0))
    started, ended = rows["started_at"], rows["ended_at"]
    return {
        "run_id": np.stack((rows["trace_hi"], rows["trace_lo"])),
        **{name: texts.add_names(rows[name], names, b"null") for name in _NAMES[1:]},
        "workflow": texts.add_names(rows["workflow"], names, b'"unknown"'),
        "started_at": started[None],
        "ended_at": ended[None],
        "duration_s": (ended - started)[None],
        "closed_by": texts.add_words(_CLOSED_BY, rows["closed_by"]),
        "outcome": texts.add_words(_OUTCOMES, rows["outcome"]),
        "outcome_from": texts.add_words(_FROM, rows["outcome_from"]),
        "escalated": texts.add_words(_YES, rows["escalated"]),
        **{name: rows[name].astype(np.int64)[None] for name in ("llm_calls", "tool_calls", "tool_errors", "revision")},
        "input_tokens": np.where(said, rows["agent_input_tokens"], rows["input_tokens"])[None],
        "output_tokens": np.where(said, rows["agent_output_tokens"], rows["output_tokens"])[None],
        "cost_usd": np.where(priced == _UNPRICED, UNKNOWN, cost)[None],
        "priced": texts.add_words(_PRICED, priced),
        "task": texts.add_names(tasks_of(rows), names, b"null"),
    }


def _tools(count: int, names: Mapping[int, str], tools: NDArray[np.void], texts: _Texts) -> NDArray[np.int64]:
    """Take in calls and errors by tool of each run, in the order of their names; give where they lie [2, count]."""
    digests, which = np.unique(tools["tool"], return_inverse=True)
    said = sorted((text, at) for at, digest in enumerate(digests.tolist()) if digest and (text := names.get(digest)))
    if not said:
        return np.zeros((2, count), np.int64)
    ranks = np.full(len(digests), -1)
    ranks[[at for _, at in said]] = np.arange(len(said))
    named = ranks[which] >= 0
    mixed = tools["run"][named] * len(said) + ranks[which][named]
    order = np.argsort(mixed, kind="stable")
    first = np.flatnonzero(np.diff(mixed[order], prepend=-1))
    runs, rank = np.divmod(mixed[order][first], len(said))
    calls, errors = (np.add.reduceat(tools[name][named][order], first) for name in ("calls", "errors"))
    keys = _Texts()
    key = keys.add(*(orjson.dumps(text) for text, _ in said))[:, rank]
    entries, bounds = write_lines(_ENTRY, np.stack((*key, calls, errors)), keys.as_array())
    start = texts.add(entries)[0]
    begins, ends = (np.searchsorted(runs, np.arange(count), side=side) for side in ("left", "right"))
    return np.where(begins < ends, start + np.stack((bounds[begins] + 1, bounds[ends])), 0)  # no comma before the first


def _costs(rows: NDArray[np.void], said: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the cost in nano-USD and where it comes from, an index of `_PRICED`.

    Some of its calls priced, some not: partial. Nothing to price (no usage at all): unpriced, the cost is not 0.
    """
    some = np.where(said, rows["agent_cost"] >= 0, (rows["reported"] > 0) | (rows["computed"] > 0))
    priced = np.select(
        [~some, ~said & (rows["unpriced"] > 0), rows["computed"] > 0], [_UNPRICED, _PARTIAL, _COMPUTED], _REPORTED
    )
    return np.where(said, rows["agent_cost"], rows["cost"]), priced


def run_ids(rows: NDArray[np.void]) -> list[str]:
    """Give trace ids as 32 lower-case hex digits."""
    ids = np.empty((len(rows), 2), ">u8")
    ids[:, 0], ids[:, 1] = rows["trace_hi"].astype("u8"), rows["trace_lo"].astype("u8")
    digits = ids.tobytes().hex()
    return [digits[at : at + 32] for at in range(0, len(digits), 32)]
