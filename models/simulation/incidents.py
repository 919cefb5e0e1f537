"""Incident: what goes wrong at a known time; written in short as KIND@START+DURATION[:key=value,...]."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from models.simulation.workflow import Workflow

KINDS: dict[str, dict[str, Any]] = {
    "retry_loop": {"share": 0.1, "count": 40, "tool": ""},
    "cycle": {"share": 0.1, "count": 20, "tool": "", "other": ""},
    "cost_blowup": {"share": 0.5, "factor": 20.0},
    "model_upgrade": {"share": 1.0, "drop": 0.25, "version": "next", "model": ""},
    "slow_decline": {"share": 1.0, "drop": 0.3},
    "tool_outage": {"rate": 0.9, "tool": "", "error": "timeout"},
    "hallucinated_tool": {"share": 0.2, "tool": "issue_compensation"},
    "injection": {"share": 0.1, "tool": "", "calls": "send_email"},
}
"""The parameters of each kind beside `workflow` (default: all), with their defaults. `share`: of the runs that start in
the time of the incident; `tool` "": the first tool of the workflow."""

_MOST = 200
"""For counts and factors; the rows a run may need are reserved for it (`models.simulation.walk`)."""
_OWN_TOOL = {"retry_loop": ("tool",), "cycle": ("tool", "other"), "tool_outage": ("tool",), "injection": ("tool",)}
_WORDS = {int: "an integer", float: "a number", str: "a text"}
_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|)")
_COMPACT = re.compile(r"(?P<kind>[^@:]*)@(?P<start>[^+:]*)\+(?P<duration>[^:]*)(?::(?P<rest>.*))?", re.DOTALL)


@dataclass(frozen=True)
class Incident:
    """`start_s` counts from the start of the scenario; `options` holds what differs from the defaults in `KINDS`."""

    kind: str
    start_s: float
    duration_s: float
    workflow: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no simulation could do."""
        if self.kind not in KINDS:
            msg = f"incident: {_not_one_of(self.kind, KINDS)}"
            raise ValueError(msg)
        if self.start_s < 0 or self.duration_s <= 0:
            found = f"start {self.start_s:g} s, duration {self.duration_s:g} s"
            msg = f"incident {self.kind}: {found} found, a duration above 0 s expected"
            raise ValueError(msg)
        for key, value in self.options.items():
            if key not in KINDS[self.kind]:
                msg = f"incident {self.kind}: {_not_one_of(key, [*KINDS[self.kind], 'workflow'])}"
                raise ValueError(msg)
            self._check_value(key, value)

    def _check_value(self, key: str, value: Any) -> None:
        expected = type(KINDS[self.kind][key])
        if expected is float and isinstance(value, int) and not isinstance(value, bool):
            expected = int
        if not isinstance(value, expected) or isinstance(value, bool):
            msg = f"incident {self.kind}: {key}={value!r} found, {_WORDS[expected]} expected"
            raise TypeError(msg)
        if key in ("share", "drop", "rate") and not 0 <= value <= 1:
            msg = f"incident {self.kind}: {key}={value!r} found, 0 to 1 expected"
            raise ValueError(msg)
        if key in ("count", "factor") and not 1 <= value <= _MOST:
            msg = f"incident {self.kind}: {key}={value!r} found, 1 to {_MOST} expected"
            raise ValueError(msg)
        if key == "error" and value not in ("timeout", "tool_error"):
            msg = f"incident {self.kind}: error={value!r} found, timeout or tool_error expected"
            raise ValueError(msg)

    def __getitem__(self, option: str) -> Any:
        """Give an option, or its default."""
        return self.options.get(option, KINDS[self.kind][option])

    def concerns(self, workflow: Workflow) -> bool:
        """Tell whether runs of this workflow can be touched."""
        if self.workflow not in ("", workflow.name):
            return False
        own = {tool.name for tool in workflow.tools}
        return all(not self[key] or self[key] in own for key in _OWN_TOOL.get(self.kind, ()))

    def check(self, workflows: Sequence[Workflow]) -> None:
        """Refuse an incident that would touch nothing; raises ValueError with what there is to choose from."""
        if self.workflow and self.workflow not in [workflow.name for workflow in workflows]:
            msg = f"incident {self.kind}: workflow {_not_one_of(self.workflow, [w.name for w in workflows])}"
            raise ValueError(msg)
        concerned = [workflow for workflow in workflows if self.concerns(workflow)]
        if not concerned:
            tools = [tool.name for w in workflows if self.workflow in ("", w.name) for tool in w.tools]
            msg = f"incident {self.kind}: tool {_not_one_of(self['tool'], tools)}"
            raise ValueError(msg)
        if self.kind == "model_upgrade" and self["model"]:
            models = [model.name for w in concerned for model, _ in w.models]
            if self["model"] not in models:
                msg = f"incident {self.kind}: model {_not_one_of(self['model'], models)}"
                raise ValueError(msg)


def parse_incident(text: str) -> Incident:
    """Read the compact form, as in `tool_outage@5m+90s:workflow=support,tool=get_order`; raises ValueError."""
    found = _COMPACT.fullmatch(text.strip())
    if not found:
        msg = f"incident {text!r}: KIND@START+DURATION[:key=value,...] expected, as in retry_loop@5m+2m"
        raise ValueError(msg)
    options: dict[str, Any] = {}
    for part in filter(None, (found["rest"] or "").split(",")):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            msg = f"incident {text!r}: {part!r} found, key=value expected"
            raise ValueError(msg)
        options[key] = value
    return incident_of(
        {"kind": found["kind"].strip(), "start": found["start"], "duration": found["duration"]} | options
    )


def incidents_of(entries: Iterable[Mapping[str, Any]]) -> tuple[Incident, ...]:
    """Read a list of mappings, as a YAML file gives it."""
    return tuple(incident_of(entry) for entry in entries)


def incident_of(entry: Mapping[str, Any]) -> Incident:
    """Read one mapping of `kind`, `start`, `duration`, `workflow` and options; texts are read as numbers where due."""
    entry = dict(entry)
    try:
        kind, start, duration = (str(entry.pop(key)) for key in ("kind", "start", "duration"))
    except KeyError as missing:
        msg = f"incident {entry}: {missing} is missing"
        raise ValueError(msg) from None
    workflow = str(entry.pop("workflow", ""))
    defaults = KINDS.get(kind, {})
    options = {key: _typed(kind, key, value, defaults.get(key, "")) for key, value in entry.items()}
    return Incident(kind, seconds_of(start), seconds_of(duration), workflow, options)


def seconds_of(text: str) -> float:
    """Read a duration such as 90, 90s, 1.5m, 1h30m; raises ValueError."""
    text = text.strip()
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        msg = f"duration {text!r}: a number with ms, s, m, h or d expected, as in 90s or 1h30m"
        raise ValueError(msg)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _typed(kind: str, key: str, value: object, default: object) -> object:
    if not isinstance(value, str) or isinstance(default, str):
        return value
    try:
        return type(default)(value)  # type: ignore[call-arg]
    except ValueError:
        expected = _WORDS[type(default)]
        msg = f"incident {kind}: {key}={value!r} found, {expected} expected"
        raise ValueError(msg) from None


def _not_one_of(found: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(found, known, 1)
    return f"{found!r} is unknown; " + (f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}")
