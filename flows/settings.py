"""Settings of a flow: what the wiring needs to know, with defaults that work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from models.drift.settings import DriftSettings
from models.incidents.book import Patience
from models.incidents.incident import Severity
from models.runaways.policy import RunawayPolicy
from models.runs.policy import RunPolicy
from models.slis.settings import SliSettings
from models.watermark import SECOND

if TYPE_CHECKING:
    from pathlib import Path

    from models.slos.spec import Slo
    from models.spend.budget import Budget


@dataclass(frozen=True)
class Topics:
    """Names of the topics read and written."""

    spans: str = "otlp_spans"
    logs: str = "otlp_logs"
    runs: str = "flyball.runs"
    slis: str = "flyball.slis"
    slos: str = "flyball.slos"
    incidents: str = "flyball.incidents"
    verdicts: str = "flyball.verdicts"
    spend: str = "flyball.spend"
    drift: str = "flyball.drift"
    orders: str = "flyball.orders"
    dead_letters: str = "flyball.dead_letters"


@dataclass(frozen=True)
class FlowSettings:
    """Everything that shapes the dataflow but where it reads and writes."""

    topics: Topics = field(default_factory=Topics)
    runs: RunPolicy = field(default_factory=RunPolicy)
    slis: SliSettings = field(default_factory=SliSettings)
    caps: dict[str, float] = field(default_factory=dict)
    """Name of a histogram SLI -> the value up to which it is good, where it is not the built-in one."""
    attributes: dict[str, Any] | None = None
    """The user's extension of the attribute mapping, as parsed."""
    prices: dict[str, dict[str, float]] | None = None
    """The user's prices: model -> USD per million tokens by kind of token."""
    slos: tuple[Slo, ...] = ()
    runaways: RunawayPolicy = field(default_factory=RunawayPolicy)
    budgets: tuple[Budget, ...] = ()
    watches: bool = True
    """Whether open runs are watched, for runaways and spend; else runs are tracked and counted, no more."""
    drift: DriftSettings = field(default_factory=DriftSettings)
    drift_severity: Severity = Severity.SEV_3
    """Of incidents of drift where no SLO burns."""
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    """In which the days and months of budgets begin."""
    lateness_ns: int = 60 * SECOND
    patience: Patience = field(default_factory=Patience)
    """When incidents are resolved and told again."""
    lag_limit_ns: int = 300 * SECOND
    """How old input may be when it is read; beyond it alerts rest."""
    silent_after_s: int | None = None
    """After so long without the end of a run a workflow is silent; None: that is learnt of each."""
    journal: Path | None = None
    """Folder of the shard journals; None: state lies in the engine's snapshots."""
