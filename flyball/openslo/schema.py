# ruff: noqa: N815, RUF009, TC001, TC003 -- keys are called what OpenSLO calls them; types are read at run time
"""The documents of OpenSLO v1, key by key (https://github.com/OpenSLO/OpenSLO, version v1.0).

A document may also stand inside another one, as an `...Item`: only its `spec` is then needed, or a reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from flyball.config.schema import Raw, Texts, key, needed
from flyball.openslo.kinds import Decimal, Description, Name, Prose, Shorthand, SliceLength, WallClock

VERSION = "openslo/v1"
Version = Literal["openslo/v1"] | None


@dataclass(frozen=True)
class Metadata:
    """What every document has."""

    name: Name = needed("unique among the documents of a kind")
    displayName: Prose | None = key(None, "for people")
    labels: Mapping[str, Texts] = key({}, "for routing")
    annotations: Mapping[str, Raw] = key({}, "what OpenSLO has no key for")


@dataclass(frozen=True)
class MetricSource:
    """Where a metric is read."""

    metricSourceRef: Name | None = key(None, "name of a DataSource")
    type: Prose | None = key(None, "type of the source; flyball is ours")
    spec: Raw = key(None, "what to read; depends on the type")


@dataclass(frozen=True)
class Metric:
    """A metric."""

    metricSource: MetricSource = needed("where it is read")


@dataclass(frozen=True)
class RatioMetric:
    """Good (or bad) of total, or a ratio as it is."""

    counter: bool | None = key(None, "has no effect: Flyball counts events")
    good: Metric | None = key(None, "numerator")
    bad: Metric | None = key(None, "numerator")
    total: Metric | None = key(None, "denominator")
    rawType: Literal["success", "failure"] | None = key(None, "what `raw` is the share of")
    raw: Metric | None = key(None, "the ratio itself")


@dataclass(frozen=True)
class SliSpec:
    """What is measured: one of the two."""

    description: Description | None = key(None, "for people")
    thresholdMetric: Metric | None = key(None, "values that objectives compare with theirs")
    ratioMetric: RatioMetric | None = key(None, "shares")


@dataclass(frozen=True)
class Sli:
    """An SLI."""

    apiVersion: Version = key(None, "")
    kind: Literal["SLI"] | None = key(None, "")
    metadata: Metadata = needed("")
    spec: SliSpec = needed("")


@dataclass(frozen=True)
class SliItem:
    """An SLI inside of an SLO."""

    apiVersion: Version = key(None, "")
    kind: Literal["SLI"] | None = key(None, "")
    metadata: Metadata | None = key(None, "")
    spec: SliSpec = needed("")


@dataclass(frozen=True)
class DataSourceSpec:
    """A source of metrics."""

    type: Prose = needed("type of the source")
    description: Description | None = key(None, "for people")
    connectionDetails: Raw = key(None, "not looked at")


@dataclass(frozen=True)
class DataSource:
    """A DataSource."""

    apiVersion: Version = key(None, "")
    kind: Literal["DataSource"] | None = key(None, "")
    metadata: Metadata = needed("")
    spec: DataSourceSpec = needed("")


@dataclass(frozen=True)
class ServiceSpec:
    """A service."""

    description: Description | None = key(None, "for people")


@dataclass(frozen=True)
class Service:
    """A Service."""

    apiVersion: Version = key(None, "")
    kind: Literal["Service"] | None = key(None, "")
    metadata: Metadata = needed("")
    spec: ServiceSpec | None = key(None, "")


@dataclass(frozen=True)
class TargetSpec:
    """Who is told."""

    target: Prose = needed("not looked at: routes.yaml says who is told")
    description: Description | None = key(None, "for people")


@dataclass(frozen=True)
class Target:
    """An AlertNotificationTarget."""

    apiVersion: Version = key(None, "")
    kind: Literal["AlertNotificationTarget"] | None = key(None, "")
    metadata: Metadata = needed("")
    spec: TargetSpec = needed("")


@dataclass(frozen=True)
class TargetItem:
    """An AlertNotificationTarget inside of another document, or a reference to one."""

    apiVersion: Version = key(None, "")
    kind: Literal["AlertNotificationTarget"] | None = key(None, "")
    metadata: Metadata | None = key(None, "")
    spec: TargetSpec | None = key(None, "")
    targetRef: Name | None = key(None, "name of an AlertNotificationTarget")


@dataclass(frozen=True)
class BurnRate:
    """When a condition holds: the burn rate over the lookback window exceeds the threshold."""

    threshold: Decimal = needed("burn rate that is exceeded")
    lookbackWindow: Shorthand = needed("window of the burn rate")
    kind: Prose | None = key(None, "burnrate")
    op: Prose | None = key(None, "gt or gte, both mean: exceeds")
    alertAfter: Shorthand | None = key(None, "how long it must hold")


@dataclass(frozen=True)
class ConditionSpec:
    """A condition and how bad it is."""

    severity: Prose = needed("how bad it is")
    condition: BurnRate = needed("when it holds")
    description: Description | None = key(None, "for people")


@dataclass(frozen=True)
class Condition:
    """An AlertCondition."""

    apiVersion: Version = key(None, "")
    kind: Literal["AlertCondition"] | None = key(None, "")
    metadata: Metadata = needed("")
    spec: ConditionSpec = needed("")


@dataclass(frozen=True)
class ConditionItem:
    """An AlertCondition inside of another document, or a reference to one."""

    apiVersion: Version = key(None, "")
    kind: Literal["AlertCondition"] | None = key(None, "")
    metadata: Metadata | None = key(None, "")
    spec: ConditionSpec | None = key(None, "")
    conditionRef: Name | None = key(None, "name of an AlertCondition")


@dataclass(frozen=True)
class PolicySpec:
    """When to alert."""

    conditions: tuple[ConditionItem, ...] = needed("exactly one")
    description: Description | None = key(None, "for people")
    alertWhenBreaching: bool | None = key(None, "false: no alert")
    alertWhenResolved: bool | None = key(None, "has no effect")
    alertWhenNoData: bool | None = key(None, "has no effect")
    notificationTargets: tuple[TargetItem, ...] = key((), "have no effect")


@dataclass(frozen=True)
class Policy:
    """An AlertPolicy."""

    apiVersion: Version = key(None, "")
    kind: Literal["AlertPolicy"] | None = key(None, "")
    metadata: Metadata = needed("")
    spec: PolicySpec = needed("")


@dataclass(frozen=True)
class PolicyItem:
    """An AlertPolicy inside of another document, or a reference to one."""

    apiVersion: Version = key(None, "")
    kind: Literal["AlertPolicy"] | None = key(None, "")
    metadata: Metadata | None = key(None, "")
    spec: PolicySpec | None = key(None, "")
    alertPolicyRef: Name | None = key(None, "name of an AlertPolicy")


@dataclass(frozen=True)
class CalendarSpec:
    """Where a calendar-aligned window begins."""

    startTime: WallClock = needed("beginning of one of the periods")
    timeZone: Prose = needed("IANA name")


@dataclass(frozen=True)
class TimeWindow:
    """The budget period."""

    duration: Shorthand = needed("length")
    isRolling: bool | None = key(None, "true without a calendar, false with one")
    calendar: CalendarSpec | None = key(None, "makes it calendar-aligned")


@dataclass(frozen=True)
class Objective:
    """A target, with a threshold where the metric has one."""

    displayName: Prose | None = key(None, "for people")
    op: Literal["lte", "lt", "gte", "gt"] | None = key(None, "a value is good when it is `op` than `value`")
    value: Decimal | None = key(None, "threshold in the SLI's unit")
    target: Decimal | None = key(None, "share that is to be good, 0 to below 1")
    targetPercent: Decimal | None = key(None, "the same in percent")
    timeSliceTarget: Decimal | None = key(None, "share that makes a slice good")
    timeSliceWindow: SliceLength | None = key(None, "length of a slice")
    indicator: SliItem | None = key(None, "its own SLI")
    indicatorRef: Name | None = key(None, "name of its own SLI")
    compositeWeight: Decimal | None = key(None, "has no effect")


@dataclass(frozen=True)
class SloSpec:
    """Objectives of an SLI over a budget period."""

    service: Name = needed("name of the service")
    timeWindow: tuple[TimeWindow, ...] = needed("exactly one")
    budgetingMethod: Prose = needed("Occurrences or Timeslices")
    objectives: tuple[Objective, ...] = needed("at least one")
    description: Description | None = key(None, "for people")
    indicator: SliItem | None = key(None, "the SLI")
    indicatorRef: Name | None = key(None, "name of the SLI")
    alertPolicies: tuple[PolicyItem, ...] = key((), "without any, a table of burn rate rules holds")


@dataclass(frozen=True)
class Slo:
    """An SLO."""

    apiVersion: Version = key(None, "")
    kind: Literal["SLO"] | None = key(None, "")
    metadata: Metadata = needed("")
    spec: SloSpec = needed("")


KINDS_OF_DOCUMENT: dict[str, type] = {
    "SLO": Slo,
    "SLI": Sli,
    "Service": Service,
    "DataSource": DataSource,
    "AlertPolicy": Policy,
    "AlertCondition": Condition,
    "AlertNotificationTarget": Target,
}
