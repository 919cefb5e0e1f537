"""Run records: what is told of a closed run on the topic of runs, as the contract writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from models.runs.record import ClosedBy, OutcomeFrom
from models.spans.columns import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_NAMES = ("workflow", "agent", "version", "environment", "tenant", "user")
_BARE = frozenset({"run_id", "started_at", "ended_at"})
"""Columns of plain words, which are quoted by the template."""
_OUTCOMES: dict[int, str | None] = {Outcome.UNKNOWN: "unknown", Outcome.SUCCESS: "success", Outcome.FAILURE: "failure"}
_FROM: dict[int, str | None] = {
    source: None if source == OutcomeFrom.NOTHING else source.name.lower() for source in OutcomeFrom
}
_CLOSED_BY: dict[int, str | None] = {ClosedBy.ROOT: "root", ClosedBy.IDLE: "idle"}
_PRICED: dict[int, str | None] = dict(enumerate(("unpriced", "reported", "computed", "partial")))
_UNPRICED, _REPORTED, _COMPUTED, _PARTIAL = range(4)


def run_records(rows: NDArray[np.void], names: Mapping[int, str], tools: NDArray[np.void]) -> list[dict[str, Any]]:
    """Give one `{"kind": "run", ...}` per RUN row, in their order; for the meaning see `run_lines`."""
    return [orjson.loads(line) for line in run_lines(rows, names, tools)]


def run_lines(rows: NDArray[np.void], names: Mapping[int, str], tools: NDArray[np.void]) -> list[bytes]:
    """Give one `{"kind": "run", ...}` as JSON per RUN row, in their order; `names` holds the text of their names.

    `tools` are the CALL rows of these runs; calls of tools without a name are in the totals alone.

    Times are RFC 3339 UTC with microseconds, durations seconds, money USD to 1e-9. What is not known is null; the
    workflow never is. Without any LLM span, tokens and cost are those of the run span; a bill comes before that.

    Each column becomes JSON, each record one `%` of a template. A Polars frame is as fast from 3,000 records on, but
    however few there are it takes 4 ms; a dict a record takes twice as long.
    """
    if not len(rows):
        return []
    columns = _columns(rows, _Quoted(names))
    columns["tools"] = _tools(len(rows), names, tools)
    places = ('"%s"' if name in _BARE else "%s" for name in columns)
    template = '{"kind":"run",' + ",".join(f'"{name}":{at}' for name, at in zip(columns, places, strict=True)) + "}"
    return [(template % values).encode() for values in zip(*columns.values(), strict=True)]


class _Quoted(dict[int, str]):
    """Name digest -> its text as JSON, null where there is none."""

    def __init__(self, names: Mapping[int, str]) -> None:
        super().__init__({0: "null"})
        self._names = names

    def __missing__(self, digest: int) -> str:
        text = self._names.get(digest)
        quoted = self[digest] = "null" if text is None else orjson.dumps(text).decode()
        return quoted


def _tools(count: int, names: Mapping[int, str], tools: NDArray[np.void]) -> list[str]:
    """Give calls and errors by tool of each run, in the order of their names."""
    said = {tool: text for tool in np.unique(tools["tool"]).tolist() if (text := names.get(tool))}
    by_text = sorted(said, key=said.__getitem__)
    place = {tool: place for place, tool in enumerate(by_text)}
    places = np.array([place.get(tool, -1) for tool in tools["tool"].tolist()], np.int64)
    named, places = tools[places >= 0], places[places >= 0]
    out = ["{}"] * count
    if not len(named):
        return out
    mixed = named["run"] * len(by_text) + places
    order = np.argsort(mixed, kind="stable")
    first = np.flatnonzero(np.diff(mixed[order], prepend=-1))
    calls, errors = (np.add.reduceat(named[name][order], first) for name in ("calls", "errors"))
    words = _entries([orjson.dumps(said[tool]).decode() for tool in by_text], places[order][first], calls, errors)
    runs, starts = np.unique(named["run"][order][first], return_index=True)
    ends = [*starts[1:].tolist(), len(words)]
    for run, start, end in zip(runs.tolist(), starts.tolist(), ends, strict=True):
        out[run] = "{" + ",".join(words[start:end]) + "}"
    return out


def _entries(
    keys: Sequence[str], places: NDArray[np.int64], calls: NDArray[np.int64], errors: NDArray[np.int64]
) -> list[str]:
    """Write calls and errors of one tool of one run each; most are alike, and are written once."""
    codes = (places * (calls.max() + 1) + calls) * (errors.max() + 1) + errors
    _, first, which = np.unique(codes, return_index=True, return_inverse=True)
    found = zip(places[first].tolist(), calls[first].tolist(), errors[first].tolist(), strict=True)
    texts = [f'{keys[at]}:{{"calls":{made},"errors":{failed}}}' for at, made, failed in found]
    return [texts[at] for at in which.tolist()]


def _columns(rows: NDArray[np.void], quoted: _Quoted) -> dict[str, Sequence[object]]:
    """Give the columns in the order of the contract, as JSON or as what `%s` writes so; those of `_BARE` unquoted."""
    said = rows["llm_calls"] == 0
    cost, priced = _costs(rows, said & (rows["reported"] == 0))
    by_name = {name: [quoted[digest] for digest in rows[name].tolist()] for name in _NAMES}
    by_name["workflow"] = [name if name != "null" else '"unknown"' for name in by_name["workflow"]]
    usd = [repr(value) for value in np.round(cost / 1e9, 9).tolist()]
    return {
        "run_id": run_ids(rows),
        **by_name,
        "started_at": _times(rows["started_at"]),
        "ended_at": _times(rows["ended_at"]),
        "duration_s": ((rows["ended_at"] - rows["started_at"]) / 1e9).tolist(),
        "closed_by": _words(_CLOSED_BY, rows["closed_by"]),
        "outcome": _words(_OUTCOMES, rows["outcome"]),
        "outcome_from": _words(_FROM, rows["outcome_from"]),
        "escalated": ["true" if each else "false" for each in rows["escalated"].tolist()],
        **{name: rows[name].tolist() for name in ("llm_calls", "tool_calls", "tool_errors")},
        "input_tokens": np.where(said, rows["agent_input_tokens"], rows["input_tokens"]).tolist(),
        "output_tokens": np.where(said, rows["agent_output_tokens"], rows["output_tokens"]).tolist(),
        "cost_usd": ["null" if code == _UNPRICED else each for each, code in zip(usd, priced.tolist(), strict=True)],
        "priced": _words(_PRICED, priced),
        "revision": rows["revision"].tolist(),
    }


def _words(words: dict[int, str | None], codes: NDArray[Any]) -> list[str]:
    """Give the word of each code; raises KeyError for a code that has none."""
    quoted = {code: "null" if word is None else f'"{word}"' for code, word in words.items()}
    return [quoted[code] for code in codes.tolist()]


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


def _times(ns: NDArray[np.int64]) -> list[str]:
    """Give RFC 3339 times in UTC, microseconds (cut, not rounded)."""
    times: list[str] = np.datetime_as_string((ns // 1000).astype("M8[us]"), unit="us", timezone="UTC").tolist()
    return times
