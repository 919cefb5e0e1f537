"""Telling: one message of the incidents topic, read and bounded, so that nothing after it meets a surprise."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from alerts.cut import cut
from models.incidents.incident import Incident, IncidentError

MAX_KEY = 500
MAX_NAME = 500
MAX_TEXT = 4_000
MAX_EVIDENCE = 32_768
"""Bytes of evidence, as JSON, that a page keeps of an incident; more is replaced by a note."""
_AROUND = 16
"""Levels that pages and sinks put around evidence: JSON of more than 254 can be read, but not written."""
MAX_LABELS = 50
MAX_RUNS = 5
_REVISIONS = 1 << 63

_TEXTS = ("key", "at", "class_", "title", "rule", "summary", "owner", "runbook", "opened_at")
_OPTIONAL = ("workflow", "tenant", "resolved_at")
_TIMES = ("at", "opened_at", "resolved_at")


def read(value: bytes) -> Incident:
    """Read one message. Raises IncidentError: what was found, what was expected."""
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        msg = f"not JSON: {error}"
        raise IncidentError(msg) from error
    if not isinstance(record, dict):
        msg = f"found {type(record).__name__}, expected an incident record"
        raise IncidentError(msg)
    incident = Incident.of(record)
    _check(incident)
    return _bounded(incident)


def _check(incident: Incident) -> None:
    """Raise IncidentError where a field has not the type that the record promises."""
    said: dict[str, Any] = vars(incident)
    for name in _TEXTS:
        _expect(name, said[name], isinstance(said[name], str), "a text")
    for name in _OPTIONAL:
        _expect(name, said[name], said[name] is None or isinstance(said[name], str), "a text or null")
    for name in _TIMES:
        _expect(name, said[name], said[name] is None or _is_time(said[name]), "an RFC 3339 time")
    _expect("key", incident.key, 0 < len(incident.key) <= MAX_KEY, f"1 to {MAX_KEY} characters")
    number = incident.revision
    whole = isinstance(number, int) and not isinstance(number, bool)
    _expect("revision", number, whole and 0 <= number < _REVISIONS, "a whole number from 0")
    for name in ("scope", "labels"):
        _expect(name, said[name], _is_words(said[name]), "texts by name")
    _expect("evidence", incident.evidence, isinstance(incident.evidence, dict), "values by name")
    _expect("runs", incident.runs, all(isinstance(run, str) for run in incident.runs), "run ids")


def _expect(name: str, found: object, holds: bool, expected: str) -> None:  # noqa: FBT001 -- the condition is the point
    if not holds:
        shown = cut(repr(found), 100)
        msg = f"{name.rstrip('_')}: found {shown}, expected {expected}"
        raise IncidentError(msg)


def _is_words(found: object) -> bool:
    return isinstance(found, dict) and all(isinstance(value, str) for value in found.values())


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _bounded(incident: Incident) -> Incident:
    """Cut what a page could not carry; identity (the key) is never cut."""
    size = _size(incident.evidence)
    kept = incident.evidence if size is not None and size <= MAX_EVIDENCE else {"cut": _why(size)}
    labels = dict(list(incident.labels.items())[:MAX_LABELS])
    return replace(
        incident,
        class_=cut(incident.class_, MAX_NAME),
        rule=cut(incident.rule, MAX_NAME),
        owner=cut(incident.owner, MAX_NAME),
        runbook=cut(incident.runbook, MAX_NAME),
        workflow=incident.workflow and cut(incident.workflow, MAX_NAME),
        tenant=incident.tenant and cut(incident.tenant, MAX_NAME),
        title=cut(incident.title, MAX_TEXT),
        summary=cut(incident.summary, MAX_TEXT),
        scope=_cut_words(incident.scope),
        labels=_cut_words(labels),
        runs=tuple(cut(run, MAX_NAME) for run in incident.runs[:MAX_RUNS]),
        evidence=kept,
    )


def _size(evidence: dict[str, Any]) -> int | None:
    """Give its bytes as JSON; None where it is nested so deep that no sink could write it."""
    said: object = evidence
    for _ in range(_AROUND):
        said = [said]
    try:
        return len(orjson.dumps(said)) - 2 * _AROUND
    except orjson.JSONEncodeError:
        return None


def _why(size: int | None) -> str:
    return "evidence nested too deep; see the log" if size is None else f"{size} bytes of evidence; see the log"


def _cut_words(words: dict[str, str]) -> dict[str, str]:
    return {cut(name, MAX_NAME): cut(value, MAX_NAME) for name, value in list(words.items())[:MAX_LABELS]}
