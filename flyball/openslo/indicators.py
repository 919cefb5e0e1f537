"""What an SLI document measures: an SLI of ours, or something that is skipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.openslo.sources import TYPE, FlyballSource, Where, read_source, type_of
from models.slis import ALL
from models.slis.base import Histogram, Sli

if TYPE_CHECKING:
    from flyball.openslo.catalogue import Catalogue
    from flyball.openslo.schema import Metric, RatioMetric, SliSpec
    from flyball.openslo.spot import Spot

SLIS = {sli.name: sli for sli in ALL}


@dataclass(frozen=True)
class Measured:
    """An SLI, of which runs; `threshold`: objectives say up to which value it is good."""

    sli: Sli
    where: Where
    threshold: bool


@dataclass(frozen=True)
class Skipped:
    """A well-formed SLI that nothing here can measure."""

    reason: str


Metrics = dict[str, tuple["Metric", "Spot"]]


def measured_of(spec: SliSpec | None, spot: Spot, catalogue: Catalogue) -> Measured | Skipped | None:
    """Read the `spec` of an SLI; None when it is wrong, which is told."""
    if spec is None:
        return None
    forms = [name for name in ("thresholdMetric", "ratioMetric") if spot.has(name)]
    if len(forms) != 1:
        spot.wrong(" and ".join(forms) or "no metric", "one of thresholdMetric, ratioMetric")
        return None
    here = spot.at(forms[0])
    if spec.thresholdMetric:
        metrics: Metrics = {"": (spec.thresholdMetric, here.at("metricSource"))}
    elif spec.ratioMetric and _form_is_right(spec.ratioMetric, here):
        metrics = _metrics(spec.ratioMetric, here)
    else:
        return None
    types = [type_of(metric.metricSource, at, catalogue) for metric, at in metrics.values()]
    if None in types:
        return None
    foreign = sorted({each for each in types if each and each != TYPE})
    if foreign:
        return Skipped(f"its metric source is {' and '.join(foreign)}, only {TYPE} is measured here")
    return _measured(spec, metrics, here)


def _metrics(ratio: RatioMetric, here: Spot) -> Metrics:
    found = ((name, getattr(ratio, name)) for name in ("good", "bad", "total", "raw"))
    return {name: (metric, here.at(name, "metricSource")) for name, metric in found if metric}


def _form_is_right(ratio: RatioMetric, here: Spot) -> bool:
    """Hold a ratio to OpenSLO's forms: good and total, bad and total, or raw with its type."""
    given = [name for name in ("good", "bad", "total", "raw") if here.has(name)]
    if given == ["raw"]:
        if not here.has("rawType"):
            here.wrong("raw and no rawType", "rawType: success")
        return ratio.rawType is not None and ratio.raw is not None
    if given not in (["good", "total"], ["bad", "total"]):
        here.wrong(f"a ratio of {' and '.join(given) or 'nothing'}", "good and total, bad and total, or raw")
        return False
    if here.has("rawType"):
        here.at("rawType").wrong("rawType without raw", "it with raw only")
    return all(getattr(ratio, name) for name in given)


def _measured(spec: SliSpec, metrics: Metrics, here: Spot) -> Measured | None:
    if "bad" in metrics:
        here.at("bad").wrong("bad", "good: Flyball's SLIs count what is good")
        return None
    if spec.ratioMetric and spec.ratioMetric.rawType == "failure":
        here.at("rawType").wrong("failure", "success: Flyball's SLIs count what is good")
        return None
    read = [(read_source(metric.metricSource, at), at.at("spec")) for metric, at in metrics.values()]
    sources = [(source, _sli(source, at, ratio=not spec.thresholdMetric)) for source, at in read if source]
    found = [Measured(sli, source.where, bool(spec.thresholdMetric)) for source, sli in sources if sli]
    if len(found) < len(metrics):
        return None
    if found[-1] != found[0]:
        read[-1][1].wrong("another SLI or other filters than in good", "the same: it counts both good and total")
        return None
    return found[0]


def _sli(source: FlyballSource, at: Spot, *, ratio: bool) -> Sli | None:
    """Give the SLI of a source if it can be used so; tells why not."""
    if not source.sli:
        return None
    sli = SLIS.get(source.sli)
    if sli is None:
        at.at("sli").unknown("SLI", source.sli, SLIS)
        return None
    if source.tool and sli.per != "call":
        calls = ", ".join(name for name, each in SLIS.items() if each.per == "call")
        at.at("tool").wrong(f"tool with {sli.name}, which counts runs", f"it with SLIs of tool calls only: {calls}")
        return None
    wrong = _wrong_use(sli, ratio=ratio)
    if wrong:
        at.at("sli").wrong(*wrong)
        return None
    return sli


def _wrong_use(sli: Sli, *, ratio: bool) -> tuple[str, str] | None:
    if not ratio and not isinstance(sli, Histogram):
        return f"{sli.name} in a thresholdMetric, which is a ratio without values", "ratioMetric"
    if ratio and isinstance(sli, Histogram) and sli.cap is None:
        found = f"{sli.name} in a ratioMetric, which has no cap of its own to be good within"
        return found, f"thresholdMetric, and op and value ({sli.unit}) in the objective"
    return None
