"""Opsgenie Alert API: create, raise the priority, acknowledge, close, all by alias; calling twice is harmless.

Limits: message 130 characters, alias 512, description 15,000, 20 tags of 50, details 8,000
(https://docs.opsgenie.com/docs/alert-api). It answers 202 before it has worked: what it finds wrong later stands in its
own logs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from typing_extensions import override

from alerts.cut import cut
from alerts.outcome import Sent
from alerts.sinks.base import HttpSink
from models.incidents.incident import Severity

if TYPE_CHECKING:
    from alerts.outcome import Outcome
    from alerts.page import Page

MAX_MESSAGE: Final = 130
MAX_DESCRIPTION: Final = 15_000
MAX_USER: Final = 100
MAX_TAGS: Final = 20
MAX_TAG: Final = 50
_MAX_DETAIL: Final = 1_000
_PRIORITIES: Final = {Severity.SEV_1: "P1", Severity.SEV_2: "P2", Severity.SEV_3: "P3"}


class Opsgenie(HttpSink):
    """One integration; `secret` is its API key. In Europe the `url` is https://api.eu.opsgenie.com."""

    NEEDS = {"url": "optional", "secret": "required"}  # noqa: RUF012 -- a ClassVar of the base
    DEFAULT_URL = "https://api.opsgenie.com"
    RATE = 2.0
    BURST = 5
    UPDATES = False

    @override
    def deliver(self, page: Page) -> Outcome:
        if not page.is_open:
            note = {"source": "flyball", "note": cut(f"resolved at {page.resolved_at}", MAX_DESCRIPTION)}
            return self._send(f"/{page.key}/close?identifierType=alias", note)
        created = self._send("", self._alert(page))
        if isinstance(created, Sent) and page.severity != page.first_severity:  # a known alias keeps its old priority
            created = self._send(
                f"/{page.key}/priority?identifierType=alias", {"priority": _PRIORITIES[page.severity]}, "PUT"
            )
        if isinstance(created, Sent) and page.acknowledged_by:
            by = {"user": cut(page.acknowledged_by, MAX_USER), "source": "flyball"}
            return self._send(f"/{page.key}/acknowledge?identifierType=alias", by)
        return created

    @override
    def requests(self, page: Page) -> int:
        if not page.is_open:
            return 1
        return 1 + (page.severity != page.first_severity) + (page.acknowledged_by is not None)

    def _send(self, path: str, said: dict[str, Any], method: str = "POST") -> Outcome:
        headers = {"Authorization": f"GenieKey {self.settings.secret}"}
        return self.http.send_json(f"{self.url.rstrip('/')}/v2/alerts{path}", said, headers, method)

    def _alert(self, page: Page) -> dict[str, Any]:
        details = {
            "class": page.class_,
            "rule": page.rule,
            "workflow": page.workflow,
            "tenant": page.tenant,
            "owner": page.owner,
            "incidents": str(page.count),
            "runs": " ".join(page.runs),
            "runbook": page.advice or self.runbook(page) or page.runbook,
        }
        evidence = orjson.dumps(page.evidence, option=orjson.OPT_INDENT_2).decode()
        tags = ["flyball", page.class_, page.severity, *(f"{name}:{value}" for name, value in page.labels.items())]
        return {
            "message": cut(page.headline, MAX_MESSAGE),
            "alias": page.key,
            "description": cut(f"{page.title}\n{page.summary}\n\n{evidence}", MAX_DESCRIPTION),
            "tags": [cut(tag, MAX_TAG) for tag in tags[:MAX_TAGS]],
            "details": {name: cut(value, _MAX_DETAIL) for name, value in details.items() if value},
            "entity": cut(page.workflow or page.class_, 512),
            "source": "flyball",
            "priority": _PRIORITIES[page.severity],
        }
