"""Run records: what is told of a closed run on the topic of runs, as the contract writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.runs.record import ClosedBy, OutcomeFrom
from models.spans.columns import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_OUTCOMES = {Outcome.UNKNOWN: "unknown", Outcome.SUCCESS: "success", Outcome.FAILURE: "failure"}
_FROM = {source: None if source == OutcomeFrom.NOTHING else source.name.lower() for source in OutcomeFrom}
_CLOSED_BY = {ClosedBy.ROOT: "root", ClosedBy.IDLE: "idle"}
_PRICED = ("unpriced", "reported", "computed", "partial")
_UNPRICED, _REPORTED, _COMPUTED, _PARTIAL = range(4)


def run_records(rows: NDArray[np.void], names: Mapping[int, str]) -> list[dict[str, Any]]:
    """Give one `{"kind": "run", ...}` per RUN row, in their order; `names` holds the text of the names in them.

    Times are RFC 3339 UTC with microseconds, durations seconds, money USD to 1e-9. What is not known is None; the
    workflow never is. Without any LLM span, tokens and cost are what the run span said.
    """
    if not len(rows):
        return []
    text = {0: None, **names}
    said = rows["llm_calls"] == 0
    cost, priced = _costs(rows, said)
    return [
        {
            "kind": "run",
            "run_id": run_id,
            "workflow": text.get(workflow) or "unknown",
            "agent": text.get(agent),
            "version": text.get(version),
            "environment": text.get(environment),
            "tenant": text.get(tenant),
            "user": text.get(user),
            "started_at": started_at,
            "ended_at": ended_at,
            "duration_s": duration,
            "closed_by": _CLOSED_BY[closed_by],
            "outcome": _OUTCOMES[outcome],
            "outcome_from": _FROM[outcome_from],
            "escalated": escalated,
            "llm_calls": llm_calls,
            "tool_calls": tool_calls,
            "tool_errors": tool_errors,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cost_usd": None if priced_as == _UNPRICED else round(nano_usd / 1e9, 9),
            "priced": _PRICED[priced_as],
            "revision": revision,
        }
        for (
            run_id, workflow, agent, version, environment, tenant, user, started_at, ended_at, duration, closed_by,
            outcome, outcome_from, escalated, llm_calls, tool_calls, tool_errors, input_tokens, output_tokens,
            nano_usd, priced_as, revision,
        ) in zip(
            _run_ids(rows),
            *(rows[name].tolist() for name in ("workflow", "agent", "version", "environment", "tenant", "user")),
            _times(rows["started_at"]),
            _times(rows["ended_at"]),
            ((rows["ended_at"] - rows["started_at"]) / 1e9).tolist(),
            *(rows[name].tolist() for name in ("closed_by", "outcome", "outcome_from")),
            (rows["escalated"] != 0).tolist(),
            *(rows[name].tolist() for name in ("llm_calls", "tool_calls", "tool_errors")),
            np.where(said, rows["agent_input_tokens"], rows["input_tokens"]).tolist(),
            np.where(said, rows["agent_output_tokens"], rows["output_tokens"]).tolist(),
            cost.tolist(),
            priced.tolist(),
            rows["revision"].tolist(),
            strict=True,
        )
    ]  # fmt: skip


def _costs(rows: NDArray[np.void], said: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the cost in nano-USD and where it comes from, an index of `_PRICED`.

    Some of its calls priced, some not: partial. Nothing to price (no usage at all): unpriced, the cost is not 0.
    """
    some = (rows["reported"] > 0) | (rows["computed"] > 0)
    priced = np.select(
        [said & (rows["agent_cost"] >= 0), said | ~some, rows["unpriced"] > 0, rows["computed"] > 0],
        [_REPORTED, _UNPRICED, _PARTIAL, _COMPUTED],
        _REPORTED,
    )
    return np.where(said, rows["agent_cost"], rows["cost"]), priced


def _run_ids(rows: NDArray[np.void]) -> list[str]:
    """Give trace ids as 32 lower-case hex digits."""
    ids = np.empty((len(rows), 2), ">u8")
    ids[:, 0], ids[:, 1] = rows["trace_hi"].astype("u8"), rows["trace_lo"].astype("u8")
    digits = ids.tobytes().hex()
    return [digits[at : at + 32] for at in range(0, len(digits), 32)]


def _times(ns: NDArray[np.int64]) -> list[str]:
    """Give RFC 3339 times in UTC, microseconds (cut, not rounded)."""
    return [f"{time}Z" for time in (ns // 1000).astype("datetime64[us]").astype(str).tolist()]
