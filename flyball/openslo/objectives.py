"""The SLOs of an SLO document: one for each of its objectives."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from unicodedata import normalize

from flyball.config.problems import suggestion
from flyball.openslo.alerts import own_rules
from flyball.openslo.annotations import PREFIX, Said, of_slo
from flyball.openslo.indicated import is_for_others, of_document, of_objective
from flyball.openslo.indicators import Measured, Skipped
from flyball.openslo.kinds import MAX_NAME
from flyball.openslo.spot import Told
from flyball.openslo.targets import indicator_of, slices_of, target_of
from flyball.openslo.windows import window_of
from models.slos.rules import fit, from_table, nominal_s, table_for
from models.slos.spec import Action, Calendar, Indicator, Rolling, Slo
from models.slos.tables import tables

if TYPE_CHECKING:
    from flyball.openslo.catalogue import Catalogue
    from flyball.openslo.documents import Document
    from flyball.openslo.schema import Objective, SloSpec
    from flyball.openslo.spot import Spot
    from models.slos.spec import BurnRule


@dataclass(frozen=True)
class _Common:
    """What all objectives of a document share; `timeslices` None: wrong, and told."""

    document: Document
    spec: SloSpec
    said: Said
    window: Rolling | Calendar | None
    timeslices: bool | None
    own: list[BurnRule]
    catalogue: Catalogue


def slos_of_document(document: Document, catalogue: Catalogue) -> list[Slo]:
    """Give the SLOs of a document. What is wrong is told, and so is what is skipped; neither is among them."""
    spec: SloSpec | None = document.value.spec
    said = of_slo(document)
    if is_for_others(document, catalogue):
        _note_skipped(document, catalogue)
        return []
    for problem in document.unread:
        document.spot.told.problem(problem)
    if spec is None:
        return []
    here = document.spot.at("spec")
    own = own_rules(spec.alertPolicies, here.at("alertPolicies"), catalogue, said.confidence)
    window = window_of(spec.timeWindow, here.at("timeWindow"))
    of_document(document, catalogue)
    common = _Common(document, spec, said, window, _is_timeslices(spec, here), own, catalogue)
    _note_service(spec, here, catalogue)
    if said.windows and spec.alertPolicies:
        here.at("alertPolicies").note(f"alertPolicies have no effect beside the annotation windows: {said.windows}")
    if spec.objectives is None:
        return []
    if not spec.objectives:
        here.at("objectives").wrong("no objective", "at least one")
    found = [_slo(common, i, here.at("objectives", i)) for i in range(len(spec.objectives))]
    return _unlike([slo for slo in found if slo], here)


def _note_skipped(document: Document, catalogue: Catalogue) -> None:
    """Note what is skipped of an SLO that others measure: nothing else of it is looked at."""
    spec, here = document.value.spec, document.spot.at("spec")
    _note_service(spec, here, catalogue)
    for i, objective in enumerate(spec.objectives):
        at = here.at("objectives", i)
        name = _name(document, objective, i, replace(at, told=Told()))
        _note_skip(of_objective(document, objective, at, catalogue), at, name)


def _note_skip(measured: Measured | Skipped | None, here: Spot, name: str | None) -> None:
    if isinstance(measured, Skipped):
        here.note(f"skipped: {measured.reason}", name or "")


def _note_service(spec: SloSpec, here: Spot, catalogue: Catalogue) -> None:
    """Note a service that is not among the Service documents, where there are any: it may be defined elsewhere."""
    known = [service.name for service in catalogue.all("Service")]
    if spec.service and known and spec.service not in known:
        hint = suggestion(spec.service, known)
        here.at("service").note(f"no Service is named {spec.service}" + (f"; {hint}" if hint else ""))


def _is_timeslices(spec: SloSpec, here: Spot) -> bool | None:
    if spec.budgetingMethod is None:
        return None
    word = re.sub(r"[^a-z]", "", spec.budgetingMethod.casefold())
    if word in ("occurrences", "timeslices"):
        return word == "timeslices"
    why = "it is a mean of ratios, in which a slice of one event weighs as much as one of thousands"
    hint = why if word == "ratiotimeslices" else ""
    here.at("budgetingMethod").wrong(f"'{spec.budgetingMethod}'", "Occurrences or Timeslices", hint)
    return None


def _slo(common: _Common, index: int, here: Spot) -> Slo | None:
    """Read everything of an objective, so that all that is wrong is told; None when anything is, or is skipped."""
    objective = common.spec.objectives[index]
    name = _name(common.document, objective, index, here)
    target = target_of(objective, here)
    slices = slices_of(objective, here, timeslices=common.timeslices)
    indicator = _measurable(common, objective, name, here)
    if objective.compositeWeight is not None:
        here.at("compositeWeight").note("compositeWeight has no effect: each objective is an SLO of its own")
    whole = common.timeslices is not None and (slices is not None or not common.timeslices)
    if name is None or target is None or indicator is None or common.window is None:
        return None
    if not whole or common.spec.service is None:
        return None
    if slices and slices.seconds > nominal_s(common.window):
        here.at("timeSliceWindow").wrong("slices longer than the period", "several slices in a period")
        return None
    slo = _with_words(common, Slo(name, common.spec.service, indicator, target, common.window, slices), objective, here)
    if not slo.can_bound and any(Action.BOUND in step.actions for step in slo.policy):
        here.note(
            "bound has no effect: no signal reaches just what it is about, as it would one workflow or tenant", name
        )
    return _with_rules(common, slo, here)


def _measurable(common: _Common, objective: Objective, name: str | None, here: Spot) -> Indicator | None:
    measured = of_objective(common.document, objective, here, common.catalogue)
    _note_skip(measured, here, name)
    if measured is None or isinstance(measured, Skipped):
        return None
    if common.said.split == "tool" and measured.sli.per != "call":
        at = common.document.spot.at("metadata", "annotations", f"{PREFIX}split")
        at.wrong(f"a split by tool of {measured.sli.name}, which counts runs", "it with SLIs of tool calls only")
    return indicator_of(measured, objective, here)


def _with_words(common: _Common, slo: Slo, objective: Objective, here: Spot) -> Slo:
    said, metadata = common.said, common.document.metadata
    several = len(common.spec.objectives) > 1
    titles = (metadata.displayName, objective.displayName if several else None)
    return replace(
        slo,
        policy=said.policy,
        split=said.split,
        title=": ".join(filter(None, titles)),
        runbook=said.runbook,
        owner=said.owner,
        labels={label: ",".join(values) for label, values in metadata.labels.items()},
        source=here.source if several else common.document.spot.source,
    )


def _with_rules(common: _Common, slo: Slo, here: Spot) -> Slo:
    """Give the SLO with the rules that it is to have: by annotation, else its own policies, else the fitting table."""
    period_s = nominal_s(slo.window)
    if common.spec.alertPolicies and not common.said.windows:
        wanted = tuple(common.own)
    else:
        table = tables()[common.said.windows] if common.said.windows else table_for(period_s)
        wanted = from_table(table, period_s, common.said.confidence)
    fitted = fit(wanted, slo.target, period_s, slo.slices.seconds if slo.slices else 0)
    for text in fitted.dropped:
        here.note(text, slo.name)
    for rule in fitted.rules:
        if rule.rescaled:
            here.note(f"the rule {rule.name} is changed: {rule.rescaled}", slo.name)
    if not fitted.rules:
        here.note("no rule could alert", slo.name)
    return replace(slo, rules=fitted.rules)


def _name(document: Document, objective: Objective, index: int, here: Spot) -> str | None:
    """Name an objective: the document's name, and where there are several, the objective's title or number."""
    base = document.name
    if not base or len(document.value.spec.objectives) == 1:
        return base or None
    ascii_title = normalize("NFKD", objective.displayName or "").encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_title.lower()).strip("-")
    name = f"{base}-{slug or index + 1}"
    if len(name) > MAX_NAME:
        at = here.at("displayName") if slug else here
        at.wrong(f"the name {name} of {len(name)} characters", f"at most {MAX_NAME} with the objective's part")
        return None
    return name


def _unlike(slos: list[Slo], here: Spot) -> list[Slo]:
    """Tell objectives whose names are alike; the first one holds."""
    found: dict[str, Slo] = {}
    for slo in slos:
        if found.setdefault(slo.name, slo) is not slo:
            here.at("objectives").wrong(f"two objectives called {slo.name}", "displayNames that differ")
    return list(found.values())
