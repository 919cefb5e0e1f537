"""Annotations `flyball.dev/...`: what an SLO for agents needs and OpenSLO v1 has no key for."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

import yaml

from flyball.config.nodes import NULL, describe
from flyball.config.problems import suggestion
from models.slos.spec import CONFIDENCE, DIMENSIONS, Action, PolicyStep
from models.slos.tables import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flyball.openslo.documents import Document
    from flyball.openslo.schema import Metadata
    from flyball.openslo.spot import Spot

PREFIX = "flyball.dev/"

ALLOWED: dict[str, tuple[str, ...]] = {
    "windows": ("SLO",),
    "split": ("SLO",),
    "budget-policy": ("SLO",),
    "runbook": ("SLO",),
    "owner": ("SLO",),
    "confidence": ("SLO",),
    "and-group": ("AlertPolicy", "AlertCondition"),
}
"""Annotation -> the kinds of document that it may stand on."""

OWNERS = ("on-call", "cost", "eval", "quality")
"""Who is told first: the owners of incidents."""

MAX_PERCENT = 1000
_ALIKE = 0.8  # a prefix this near to ours is taken for a slip
_STEP = re.compile(r"([0-9]{1,4}) *: *(\S.*)")
_CONFIDENCE = re.compile(r"0\.[0-9]{1,6}")


class Said(NamedTuple):
    """What the annotations of an SLO say."""

    windows: str | None
    split: str | None
    policy: tuple[PolicyStep, ...]
    runbook: str
    owner: str
    confidence: float


def of_slo(document: Document) -> Said:
    """Read the annotations of an SLO; what is wrong is told and has its default."""
    spot = document.spot.at("metadata")
    found = texts("SLO", document.metadata, spot)

    def choice(name: str, known: Iterable[str]) -> str | None:
        value = found.get(name)
        if value is not None and value not in known:
            _spot(spot, name).wrong(f"'{value}'", f"one of {', '.join(known)}", suggestion(value, known))
            return None
        return value

    return Said(
        windows=choice("windows", tables()),
        split=choice("split", DIMENSIONS),
        policy=_policy(found.get("budget-policy"), _spot(spot, "budget-policy")),
        runbook=found.get("runbook", ""),
        owner=choice("owner", OWNERS) or OWNERS[0],
        confidence=_confidence(found.get("confidence"), _spot(spot, "confidence")),
    )


def texts(kind: str, metadata: Metadata, spot: Spot) -> dict[str, str]:
    """Give our annotations of a document, without their prefix; those of others are left alone."""
    found: dict[str, str] = {}
    for full, node in metadata.annotations.items():
        here = spot.at("annotations", full)
        name = full.removeprefix(PREFIX)
        if name == full:
            _note_near_miss(full, here)
        elif name not in ALLOWED:
            here.wrong(f"the unknown annotation {full}", _listed(kind), _meant(name))
        elif kind not in ALLOWED[name]:
            here.wrong(f"{full} on the kind {kind}", f"it on {' or '.join(ALLOWED[name])}")
        elif not isinstance(node, yaml.ScalarNode) or node.tag == NULL or not node.value.strip():
            here.wrong(describe(node), "a text")
        else:
            found[name] = node.value.strip()
    return found


def _spot(metadata: Spot, name: str) -> Spot:
    return metadata.at("annotations", PREFIX + name)


def _listed(kind: str) -> str:
    names = [PREFIX + name for name, kinds in ALLOWED.items() if kind in kinds]
    return f"one of {', '.join(names)}" if names else f"none on the kind {kind}"


def _meant(name: str) -> str:
    near = suggestion(name, ALLOWED)
    return near.replace("did you mean ", f"did you mean {PREFIX}")


def _note_near_miss(full: str, here: Spot) -> None:
    prefix, slash, _ = full.rpartition("/")
    if slash and SequenceMatcher(None, prefix, PREFIX[:-1]).ratio() >= _ALIKE:
        here.note(f"the annotation {full} is not ours, which begin with {PREFIX}, and is left alone")


def _confidence(text: str | None, spot: Spot) -> float:
    if text is None:
        return CONFIDENCE
    if not _CONFIDENCE.fullmatch(text) or not 0.5 <= float(text) < 1:  # noqa: PLR2004 -- below, a coin knows better
        spot.wrong(f"'{text}'", "a number from 0.5 to below 1, such as 0.999")
        return CONFIDENCE
    return float(text)


def _policy(text: str | None, spot: Spot) -> tuple[PolicyStep, ...]:
    """Read `50: notify, 75: notify freeze`: at 50 % of the budget used notify, at 75 % notify and freeze."""
    steps: dict[int, PolicyStep] = {}
    for part in (text or "").split(",") if text is not None else ():
        step = _step(part.strip(), spot)
        if step and step.percent in steps:
            spot.wrong(f"{step.percent} % again", "each share of the budget once")
        elif step:
            steps[step.percent] = step
    return tuple(step for _, step in sorted(steps.items()))


def _step(text: str, spot: Spot) -> PolicyStep | None:
    read = _STEP.fullmatch(text)
    if not read or not 1 <= int(read[1]) <= MAX_PERCENT:
        spot.wrong(f"'{text}'", f"PERCENT: ACTION ..., such as 75: notify freeze; percent is 1 to {MAX_PERCENT}")
        return None
    words = read[2].split()
    unknown = [word for word in words if word not in _ACTIONS]
    for word in unknown:
        spot.wrong(f"the unknown action {word}", f"one of {', '.join(_ACTIONS)}", suggestion(word, _ACTIONS))
    return None if unknown else PolicyStep(int(read[1]), tuple(dict.fromkeys(_ACTIONS[word] for word in words)))


_ACTIONS: Mapping[str, Action] = {action.value: action for action in Action}
