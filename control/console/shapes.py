"""Shapes: what a page shows of a record must be of the kind that it is shown as, else one record would break a view.

Members that versions before did not tell, or that later ones may leave out, are checked only where they are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from models.times import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Fits = Callable[[object], bool]


def _text(said: object) -> bool:
    return isinstance(said, str)


def _number(said: object) -> bool:
    return isinstance(said, (int, float)) and not isinstance(said, bool)


def _time(said: object) -> bool:
    """Tell whether it is a time. Raises ValueError."""
    return isinstance(said, str) and nanoseconds(said) is not None


def _object(said: object) -> bool:
    return isinstance(said, dict)


def _list(said: object) -> bool:
    return isinstance(said, list)


def _texts(said: object) -> bool:
    return isinstance(said, list) and all(isinstance(each, str) for each in said)


def _objects(said: object) -> bool:
    return isinstance(said, list) and all(isinstance(each, dict) for each in said)


def _scope(said: object) -> bool:
    return isinstance(said, dict) and isinstance(said.get("level"), str) and isinstance(said.get("id"), str)


def _numbers(said: object) -> bool:
    return isinstance(said, dict) and all(each is None or _number(each) for each in said.values())


_NEEDED: Final[dict[str, dict[str, Fits]]] = {
    "run": {
        "run_id": _text,
        "started_at": _time,
        "ended_at": _time,
        "duration_s": _number,
        "llm_calls": _number,
        "tool_calls": _number,
        "tool_errors": _number,
        "revision": _number,
    },
    "slo": {"slo": _text, "at": _time, "total": _number, "bad": _number, "burn": _numbers},
    "incident": {
        "key": _text,
        "revision": _number,
        "status": _text,
        "severity": _text,
        "title": _text,
        "class": _text,
        "scope": _scope,
        "opened_at": _time,
        "runs": _texts,
    },
    "drift": {"sli": _text, "workflow": _text, "at": _time, "contrast": _object},
    "verdict": {"id": _text, "at": _text, "action": _text, "scope": _scope},
}
_SAID: Final[dict[str, dict[str, Fits]]] = {
    "run": {"outcome": _text, "cost_usd": _number, "input_tokens": _number, "output_tokens": _number},
    "slo": {
        "target": _number,
        "budget_remaining": _number,
        "exhausts_at": _time,
        "spent_by": _objects,
        "workflow": _text,
        "gate": _text,
    },
    "incident": {
        "evidence": _object,
        "tenant": _text,
        "workflow": _text,
        "at": _time,
        "resolved_at": _time,
        "rule": _text,
        "owner": _text,
        "runbook": _text,
        "summary": _text,
    },
    "drift": {
        "summary": _text,
        "since": _time,
        "effect": _object,
        "rolled_out": _list,
        "evidence": _number,
        "threshold": _number,
    },
    "verdict": {"rule": _text, "reason": _text, "evidence": _object},
}


def check(kind: str, record: Mapping[str, Any]) -> None:
    """Raise TypeError or ValueError where a record is not what its kind says."""
    wrong = [name for name, fits in _NEEDED[kind].items() if not fits(record.get(name))]
    wrong += [name for name, fits in _SAID[kind].items() if record.get(name) is not None and not fits(record[name])]
    if wrong:
        msg = f"{kind}: {', '.join(wrong)}"
        raise TypeError(msg)
