"""Sinks: one file each. The registry is the table below; a new sink is one line in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alerts.sinks.alertmanager import Alertmanager
from alerts.sinks.opsgenie import Opsgenie
from alerts.sinks.pagerduty import PagerDuty
from alerts.sinks.slack import Slack
from alerts.sinks.stdout import Stdout
from alerts.sinks.webhook import Webhook

if TYPE_CHECKING:
    from alerts.sinks.base import Sink, SinkSettings

TYPES: dict[str, type[Sink]] = {
    "pagerduty": PagerDuty,
    "alertmanager": Alertmanager,
    "slack": Slack,
    "opsgenie": Opsgenie,
    "webhook": Webhook,
    "stdout": Stdout,
}
"""What `type` in routes.yaml names."""


def make(settings: SinkSettings) -> Sink:
    """Make the sink that the settings describe; KeyError for an unknown type."""
    return TYPES[settings.type](settings)
