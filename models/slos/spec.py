"""What an SLO is, whatever file it came from: an indicator, a target over a window, what spending its budget does."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

DIMENSIONS = ("workflow", "version", "environment", "tenant", "tier", "tool")
"""What an indicator can be filtered by, beside cohorts (`cohort.NAME`). `tool` filters SLIs of tool calls only."""

CONFIDENCE = 0.999
"""Of rules that say none. A rule is looked at again and again; at 0.95 a workflow of one run an hour that just keeps
its objective would be paged by chance more than once a year (benchmarks/false_pages.py)."""

MAX_WINDOW_S = 90 * 86_400
"""The longest budget period, seconds."""


class Op(StrEnum):
    """How a value is compared with a threshold: it is good when the comparison holds."""

    LTE = "lte"
    LT = "lt"
    GTE = "gte"
    GT = "gt"


@dataclass(frozen=True)
class Threshold:
    """A value of a histogram SLI is good when it is `op` (than) `value`, in the SLI's unit."""

    op: Op
    value: float


@dataclass(frozen=True)
class Indicator:
    """Which events count, and which of them are good.

    `sli` names a measured SLI (`models.slis.ALL`). `where` holds (dimension, accepted values) pairs; all must hold.
    `threshold` makes a histogram SLI a ratio; None there means: good is within the SLI's own cap.
    """

    sli: str
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    threshold: Threshold | None = None


@dataclass(frozen=True)
class Rolling:
    """The last `seconds`, at every moment."""

    seconds: int


class Unit(StrEnum):
    """Calendar units that a period can be counted in."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True)
class Calendar:
    """Periods of `count` units, one after another.

    One begins at `start`: wall clock "YYYY-MM-DD HH:MM:SS" in the time zone `zone` (IANA).
    """

    start: str
    zone: str
    count: int
    unit: Unit


@dataclass(frozen=True)
class Slices:
    """Timeslices budgeting: a slice of `seconds` is good when at least `target` of its events are.

    Slices without events do not count.
    """

    seconds: int
    target: Fraction


@dataclass(frozen=True)
class BurnRule:
    """Active while the burn rate is strictly over `factor` in the long window, and in the short one if there is one.

    Windows are seconds. `page` says that a person is woken. The rule opens only on evidence: an exact one-sided
    binomial bound of this `confidence` must put the true burn rate of the long window over `factor`
    (`models.slos.evidence`).
    """

    name: str
    factor: Fraction
    long_s: int
    short_s: int | None
    page: bool
    after_s: int = 0
    """How long it must hold before it counts."""
    confidence: float = CONFIDENCE
    rescaled: str = ""
    """How windows and factor differ from what the file or table said, and why; empty where they do not."""

    @property
    def haste(self) -> tuple[bool, Fraction, int]:
        """Give what rules are ordered by, the most urgent first: pages, then by how little is spent when one fires.

        Not by factor: where one was rescaled, that of a slower rule may be higher.
        """
        return not self.page, self.factor * self.long_s, self.long_s


class Action(StrEnum):
    """What is done when a share of the budget is spent."""

    NOTIFY = "notify"
    FREEZE = "freeze"
    BOUND = "bound"
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class PolicyStep:
    """At `percent` of the budget used these actions are taken, once a period."""

    percent: int
    actions: tuple[Action, ...]


@dataclass(frozen=True)
class Slo:
    """One objective. `target` is the share of good events, 0 <= target < 1.

    `split` names a dimension: the SLO then holds for each value of it by itself, and an instance is called
    `NAME:VALUE`. Without it there is one instance, called NAME.
    """

    name: str
    service: str
    indicator: Indicator
    target: Fraction
    window: Rolling | Calendar
    slices: Slices | None = None
    rules: tuple[BurnRule, ...] = ()
    policy: tuple[PolicyStep, ...] = ()
    split: str | None = None
    title: str = ""
    runbook: str = ""
    owner: str = "on-call"
    labels: dict[str, str] = field(default_factory=dict)
    source: str = ""
    """File and line it came from, for messages."""

    @cached_property
    def can_bound(self) -> bool:
        """Say whether there is a scope for its agents: those of one workflow or tenant, or all of them."""
        if self.split is not None:
            return self.split in ("workflow", "tenant")
        where = dict(self.indicator.where)
        return not where or any(len(where.get(name, ())) == 1 for name in ("workflow", "tenant"))

    @cached_property
    def rule_windows(self) -> tuple[int, ...]:
        """The windows that its rules look at, seconds, the shortest first."""
        return tuple(sorted({w for rule in self.rules for w in (rule.long_s, rule.short_s) if w}))
