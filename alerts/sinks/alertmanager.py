"""Alertmanager API v2: an alert lives as long as it is posted again.

An alert is known by its labels, so these hold identity and never values: the fields of the page's group, its owner and
severity. Everything else is an annotation. When a page gets worse, the alert of the lesser severity ends with the post
that begins the worse one. (https://github.com/prometheus/alertmanager, api/v2/openapi.yaml)
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from typing_extensions import override

from alerts.cut import cut
from alerts.page import RANKS
from alerts.sinks.base import HttpSink
from models.times import rfc3339

if TYPE_CHECKING:
    from alerts.outcome import Outcome
    from alerts.page import Page

_ALIVE_S: Final = 240.0
"""How long an alert lives after a post; it is posted each minute, so three may fail."""
_MAX_ANNOTATION: Final = 8_192
_SECOND: Final = 10**9


class Alertmanager(HttpSink):
    """One Alertmanager; `url` is its root or that of its v2 API, `secret` the value of an Authorization header."""

    NEEDS = {"url": "required", "secret": "optional"}  # noqa: RUF012 -- a ClassVar of the base
    REFRESH_S = 60.0
    IN_TURN = True

    @override
    def deliver(self, page: Page) -> Outcome:
        headers = {"Authorization": self.settings.secret} if self.settings.secret else {}
        return self.http.send_json(self._address(), self._alerts(page), headers)

    def _address(self) -> str:
        root = self.url.rstrip("/")
        return root if root.endswith("/api/v2/alerts") else f"{root.removesuffix('/api/v2')}/api/v2/alerts"

    def _alerts(self, page: Page) -> list[dict[str, Any]]:
        now = self.now_s()
        begun = min(_seconds(page.opened_at), now)  # event time may be ahead of this clock
        ended = page.resolved_at
        ends = max(begun, min(_seconds(ended), now)) if ended else now + _ALIVE_S
        first, last = RANKS[page.first_severity], RANKS[page.severity]
        lesser = [severity for severity, rank in RANKS.items() if last < rank <= first]
        return [
            self._alert(page, page.severity, begun, ends),
            *(self._alert(page, severity, begun, max(begun, now)) for severity in lesser),
        ]

    def _alert(self, page: Page, severity: str, begun: float, ends: float) -> dict[str, Any]:
        said = {
            "labels": _labels(page, severity),
            "annotations": {name: cut(text, _MAX_ANNOTATION) for name, text in self._annotations(page).items() if text},
            "startsAt": rfc3339(int(begun * _SECOND)),
            "endsAt": rfc3339(int(ends * _SECOND)),
        }
        console = self.console(page)
        return said | ({"generatorURL": console} if console else {})

    def _annotations(self, page: Page) -> dict[str, str]:
        return {
            "summary": page.headline,
            "description": page.title,
            "runbook_url": self.runbook(page) or "",
            "runbook": page.runbook,
            "page": page.key,
            "incidents": str(page.count),
            "open": str(page.open),
            "acknowledged_by": page.acknowledged_by or "",
            "runs": " ".join(page.runs),
            "scopes": _json(page.scopes),
            "labels": _json(page.labels),
            "evidence": _json(page.evidence),
        }


def _labels(page: Page, severity: str) -> dict[str, str]:
    named = {name: value for name, value in page.group.items() if name != "class"}
    said = {"alertname": page.group.get("class") or "flyball", **named, "owner": page.owner, "severity": severity}
    return {name: value for name, value in said.items() if value} | {"source": "flyball"}


def _json(value: object) -> str:
    return orjson.dumps(value).decode() if value else ""


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()
