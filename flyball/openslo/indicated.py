"""Which SLI an SLO, or an objective of it, is about; and the SLOs that are all about what others measure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flyball.openslo.annotations import texts
from flyball.openslo.indicators import Measured, Skipped, measured_of
from flyball.openslo.spot import Told

if TYPE_CHECKING:
    from flyball.openslo.catalogue import Catalogue
    from flyball.openslo.documents import Document
    from flyball.openslo.schema import Objective, SliItem
    from flyball.openslo.spot import Spot


def of_document(document: Document, catalogue: Catalogue) -> Measured | Skipped | None:
    """Give what all objectives measure that say nothing of their own; None when it is wrong, or not said."""
    spec = document.value.spec
    return _indicated(spec.indicator, spec.indicatorRef, document.spot.at("spec"), catalogue)


def of_objective(
    document: Document, objective: Objective, here: Spot, catalogue: Catalogue
) -> Measured | Skipped | None:
    """Give what an objective measures: by its own indicator, else by the document's; tells when there is none."""
    if here.has("indicator") or here.has("indicatorRef"):
        return _indicated(objective.indicator, objective.indicatorRef, here, catalogue)
    outer = document.spot.at("spec")
    if not outer.has("indicator") and not outer.has("indicatorRef"):
        outer.wrong("neither indicator nor indicatorRef", "one of them")
    return of_document(document, catalogue)


def is_for_others(document: Document, catalogue: Catalogue) -> bool:
    """Tell whether all that an SLO is about is measured elsewhere: then its other mistakes are not ours to tell."""
    spec = document.value.spec
    if spec is None or not spec.objectives:
        return False
    quiet = replace(document, spot=replace(document.spot, told=Told()))
    places = [quiet.spot.at("spec", "objectives", i) for i in range(len(spec.objectives))]
    found = (of_objective(quiet, *each, catalogue) for each in zip(spec.objectives, places, strict=True))
    return all(isinstance(each, Skipped) for each in found)


def alerts_of_others(catalogue: Catalogue) -> set[tuple[str, str]]:
    """Give kind and name of the policies that SLOs refer to which others measure, and of the conditions of these."""
    refer = [each for each in catalogue.all("SLO") if each.value.spec and each.value.spec.alertPolicies]
    others = [each.value.spec for each in refer if is_for_others(each, catalogue)]
    names = {item.alertPolicyRef for spec in others for item in spec.alertPolicies}
    policies = [each.value.spec for each in catalogue.all("AlertPolicy") if each.name in names and each.value.spec]
    conditions = {item.conditionRef for spec in policies for item in spec.conditions or ()}
    return {("AlertPolicy", name) for name in names if name} | {("AlertCondition", name) for name in conditions if name}


def _indicated(
    inline: SliItem | None, reference: str | None, here: Spot, catalogue: Catalogue
) -> Measured | Skipped | None:
    if here.has("indicator") and here.has("indicatorRef"):
        here.wrong("both indicator and indicatorRef", "one of them")
    if inline:
        if inline.metadata:
            texts("SLI", inline.metadata, here.at("indicator", "metadata"))
        return measured_of(inline.spec, here.at("indicator", "spec"), catalogue)
    found = catalogue.find("SLI", reference, here.at("indicatorRef")) if reference else None
    return measured_of(found.value.spec, found.spot.at("spec"), catalogue) if found else None
