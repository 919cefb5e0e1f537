"""Classes of incidents: how bad, whose, which runbook, safety or not. The table is data (`classes.yaml`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from models.incidents.incident import Severity

OWNERS = ("on-call", "cost", "eval", "quality")
"""The roles that incidents are assigned to."""

SAFETY = "safety."
"""Every class that begins so is about safety, in the table or not."""


@dataclass(frozen=True)
class IncidentClass:
    """What is known of a class."""

    name: str
    severity: Severity
    owner: str
    runbook: str
    """Name of the file in alerts/runbooks/, without `.md`."""
    safety: bool


@cache
def classes() -> dict[str, IncidentClass]:
    """Read the table: class by name. Raises ValueError where the table is wrong."""
    table = yaml.safe_load(files("models.incidents").joinpath("classes.yaml").read_text(encoding="utf-8"))
    return {name: _read(name, said) for name, said in table.items()}


def is_safety(class_: str) -> bool:
    """Tell whether a class, known or not, is about safety."""
    known = classes().get(class_)
    return class_.startswith(SAFETY) or (known is not None and known.safety)


def _read(name: str, said: dict[str, object]) -> IncidentClass:
    owner = str(said["owner"])
    if owner not in OWNERS:
        msg = f"classes.yaml: {name}: found owner {owner!r}, expected one of {', '.join(OWNERS)}"
        raise ValueError(msg)
    return IncidentClass(name, Severity(str(said["severity"])), owner, str(said["runbook"]), bool(said["safety"]))
