# ruff: noqa: RUF009, TC003 -- keys are called what users write; types are read at run time
"""The metric source `type: flyball`: which SLI, of which runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.config.problems import suggestion
from flyball.config.schema import Texts, key, needed
from models.slos.spec import DIMENSIONS

if TYPE_CHECKING:
    from flyball.openslo.catalogue import Catalogue
    from flyball.openslo.schema import MetricSource
    from flyball.openslo.spot import Spot

TYPE = "flyball"
_ALIKE = 0.75  # a type this near to ours is taken for a slip
Where = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class FlyballSource:
    """`spec` of the source: the SLI, and of which runs; several values of one key: any of them."""

    sli: str = needed("a measured SLI")
    workflow: Texts = key(Texts(()), "of these workflows")
    version: Texts = key(Texts(()), "of these versions")
    environment: Texts = key(Texts(()), "in these environments")
    tenant: Texts = key(Texts(()), "of these tenants")
    tier: Texts = key(Texts(()), "of users of these tiers")
    tool: Texts = key(Texts(()), "calls of these tools; SLIs of tool calls only")
    cohort: Mapping[str, Texts] = key({}, "in these cohorts, by name")

    @property
    def where(self) -> Where:
        """Give what is filtered by, in one order whatever the order in the file."""
        found = [(name, getattr(self, name)) for name in DIMENSIONS]
        found += [(f"cohort.{name}", values) for name, values in sorted(self.cohort.items())]
        return tuple((name, tuple(sorted(set(values)))) for name, values in found if values)


def type_of(source: MetricSource | None, spot: Spot, catalogue: Catalogue) -> str | None:
    """Give the type of a source, its own or that of the DataSource it names; None when it is wrong, which is told."""
    if source is None:
        return None
    others = source.type not in (None, TYPE) and not catalogue.has("DataSource", source.metricSourceRef or "")
    referred = _referred_type(source, spot, catalogue) if source.metricSourceRef and not others else None
    if not source.type and not referred:
        if not spot.has("type") and not spot.has("metricSourceRef"):
            spot.wrong("neither type nor metricSourceRef", f"one of them; type: {TYPE} is what is measured here")
        return None
    if source.type and referred and source.type != referred and TYPE in (source.type, referred):
        spot.at("type").wrong(f"'{source.type}'", f"{referred}, the type of the DataSource {source.metricSourceRef}")
        return None
    found = source.type or referred or ""
    if found != TYPE and suggestion(found.casefold(), [TYPE], _ALIKE):
        spot.at("type").wrong(f"'{found}'", "the type of a source", f"did you mean {TYPE}?")
        return None
    return found


def _referred_type(source: MetricSource, spot: Spot, catalogue: Catalogue) -> str | None:
    found = catalogue.find("DataSource", str(source.metricSourceRef), spot.at("metricSourceRef"))
    spec: Any = found.value.spec if found else None
    return spec.type if spec else None


def read_source(source: MetricSource, spot: Spot) -> FlyballSource | None:
    """Read the `spec` of a source of our type; None when there is none, which is told."""
    if source.spec is None:
        if not spot.has("spec"):
            spot.wrong("no key spec", "it, with the sli")
        return None
    return spot.at("spec").build(FlyballSource, source.spec)
