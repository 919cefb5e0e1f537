"""Run records: what is told of a closed run on the topic of runs, as the contract writes it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import polars as pl

from models.runs.record import ClosedBy, OutcomeFrom
from models.spans.columns import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_NAMES = ("workflow", "agent", "version", "environment", "tenant", "user")
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

    Written by Polars column by column: a dict per record took five times as long (benchmarks/runs.py).
    """
    if not len(rows):
        return []
    out = io.BytesIO()
    _frame(rows, names).write_ndjson(out)
    lines = out.getvalue().splitlines()
    return [line[:-1] + said for line, said in zip(lines, _tools(len(rows), names, tools), strict=True)]


def _tools(count: int, names: Mapping[int, str], tools: NDArray[np.void]) -> list[bytes]:
    """Give the end of each record: calls and errors by tool, in the order of their names.

    By Polars like the rest: a dict a run took a tenth of the time of all (benchmarks/pipeline.py).
    """
    said = {tool: text for tool in np.unique(tools["tool"]).tolist() if (text := names.get(tool))}
    by_text = sorted(said, key=said.__getitem__)
    frame = pl.DataFrame({name: np.ascontiguousarray(tools[name]) for name in ("run", "tool", "calls", "errors")})
    keys = pl.DataFrame(
        {"tool": by_text, "place": range(len(by_text)), "key": [orjson.dumps(said[tool]).decode() for tool in by_text]},
        schema={"tool": pl.Int64, "place": pl.Int64, "key": pl.String},
    )
    told = (
        frame.lazy()
        .group_by("run", "tool")
        .agg(pl.col("calls", "errors").sum())
        .join(keys.lazy(), on="tool")
        .sort("run", "place")
        .select(
            "run",
            text=pl.concat_str("key", pl.lit(':{"calls":'), "calls", pl.lit(',"errors":'), "errors", pl.lit("}")),
        )
        .group_by("run")
        .agg(pl.col("text").str.join(","))
        .collect()
    )
    ends = [b',"tools":{}}'] * count
    for run, text in told.iter_rows():
        ends[run] = b',"tools":{%b}}' % text.encode()
    return ends


def _frame(rows: NDArray[np.void], names: Mapping[int, str]) -> pl.DataFrame:
    """Give the records as a frame, columns in the order of the contract."""
    said = rows["llm_calls"] == 0
    cost, priced = _costs(rows, said & (rows["reported"] == 0))
    text = {0: None, **names}
    by_name = {name: list(map(text.get, rows[name].tolist())) for name in _NAMES}
    return pl.DataFrame(
        {
            "kind": pl.Series(["run"]).new_from_index(0, len(rows)),
            "run_id": run_ids(rows),
            "workflow": [name or "unknown" for name in by_name.pop("workflow")],
            **{name: pl.Series(texts, dtype=pl.String) for name, texts in by_name.items()},
            "started_at": _times(rows["started_at"]),
            "ended_at": _times(rows["ended_at"]),
            "duration_s": (rows["ended_at"] - rows["started_at"]) / 1e9,
            "closed_by": _words(_CLOSED_BY, rows["closed_by"]),
            "outcome": _words(_OUTCOMES, rows["outcome"]),
            "outcome_from": _words(_FROM, rows["outcome_from"]),
            "escalated": rows["escalated"] != 0,
            **{name: np.ascontiguousarray(rows[name]) for name in ("llm_calls", "tool_calls", "tool_errors")},
            "input_tokens": np.where(said, rows["agent_input_tokens"], rows["input_tokens"]),
            "output_tokens": np.where(said, rows["agent_output_tokens"], rows["output_tokens"]),
            "cost_usd": pl.Series(np.round(cost / 1e9, 9)).set(pl.Series(priced == _UNPRICED), None),
            "priced": _words(_PRICED, priced),
            "revision": np.ascontiguousarray(rows["revision"]),
        }
    )


def _words(words: dict[int, str | None], codes: NDArray[Any]) -> pl.Series:
    """Give the word of each code; raises KeyError for a code that has none."""
    return pl.Series([words[code] for code in codes.tolist()], dtype=pl.String)


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


def _times(ns: NDArray[np.int64]) -> pl.Series:
    """Give RFC 3339 times in UTC, microseconds (cut, not rounded)."""
    return pl.Series(ns // 1000).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
