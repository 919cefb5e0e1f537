"""PagerDuty Events API v2: trigger, acknowledge, resolve, and change events.

Limits: summary 1,024 characters, dedup_key 255, an event 512,000 bytes; 400 is never tried again; the throttle has no
published number, so at most 2 a second go out (developer.pagerduty.com/docs/events-api-v2/overview).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urljoin

import orjson
from typing_extensions import override

from alerts.cut import cut
from alerts.outcome import Sent
from alerts.sinks.base import HttpSink, SinkSettings
from models.incidents.incident import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from alerts.outcome import Outcome
    from alerts.page import Page

MAX_SUMMARY: Final = 1_024
MAX_EVENT: Final = 512_000
_MAX_WORD: Final = 255
_MAX_LINKS: Final = 10
_MAX_TOLD: Final = 10_000
_SEVERITIES: Final = {Severity.SEV_1: "critical", Severity.SEV_2: "error", Severity.SEV_3: "warning"}


class Change(NamedTuple):
    """A change that may explain what follows: a prompt or model rolled out. It pages nobody."""

    summary: str
    timestamp: str
    source: str
    details: dict[str, Any]
    links: tuple[tuple[str, str], ...] = ()
    """(address, text)."""

    @property
    def ident(self) -> str:
        """Tell it from others: what was seen first where, and when."""
        return f"{self.timestamp} {self.source} {self.summary}"


class PagerDuty(HttpSink):
    """One service integration; `secret` is its routing key.

    What was rolled out before an incident (`evidence.change`) goes beside its page as a change event, once a change and
    process, however many pages it has: PagerDuty shows it among the recent changes of the service. It is not tried
    again, the page says it too.
    """

    NEEDS = {"url": "optional", "secret": "required"}  # noqa: RUF012 -- a ClassVar of the base
    DEFAULT_URL = "https://events.pagerduty.com/v2/enqueue"
    RATE = 2.0
    BURST = 5

    def __init__(self, settings: SinkSettings, now_s: Callable[[], float] = time.time) -> None:
        super().__init__(settings, now_s)
        self._told_changes: OrderedDict[str, None] = OrderedDict()

    @override
    def deliver(self, page: Page) -> Outcome:
        if not page.is_open:
            return self._end("resolve", page.key)
        outcome = self._trigger(page)
        change = self._new_change(page)
        if isinstance(outcome, Sent) and change is not None:
            self._told_changes[change.ident] = None
            if len(self._told_changes) > _MAX_TOLD:
                self._told_changes.popitem(last=False)
            self.change(change)
        return self.acknowledge(page.key) if isinstance(outcome, Sent) and page.acknowledged_by is not None else outcome

    @override
    def requests(self, page: Page) -> int:
        if not page.is_open:
            return 1
        return 1 + (self._new_change(page) is not None) + (page.acknowledged_by is not None)

    def acknowledge(self, key: str) -> Outcome:
        """Say that somebody has the page of this key in hand."""
        return self._end("acknowledge", key)

    def change(self, change: Change) -> Outcome:
        """Send a change event, beside `enqueue`: /v2/change/enqueue."""
        said: dict[str, Any] = {
            "routing_key": self.settings.secret,
            "payload": {
                "summary": cut(change.summary, MAX_SUMMARY),
                "timestamp": change.timestamp,
                "source": cut(change.source, _MAX_WORD),
                "custom_details": change.details,
            },
            "links": [{"href": href, "text": text} for href, text in change.links],
        }
        return self.http.send_json(urljoin(self.url, "change/enqueue"), _fitted(said))

    def _new_change(self, page: Page) -> Change | None:
        change = _change_of(page)
        return None if change is None or change.ident in self._told_changes else change

    def _end(self, action: str, key: str) -> Outcome:
        return self.http.send_json(
            self.url, {"routing_key": self.settings.secret, "event_action": action, "dedup_key": key}
        )

    def _trigger(self, page: Page) -> Outcome:
        links, images = _links(page), _images(page)
        runbook = self.runbook(page)
        if runbook:
            links.insert(0, {"href": runbook, "text": "Runbook"})
        said: dict[str, Any] = {
            "routing_key": self.settings.secret,
            "event_action": "trigger",
            "dedup_key": page.key,
            "payload": _payload(page),
            "client": "Flyball",
        }
        console = self.console(page)
        said |= {"client_url": console} if console else {}
        said |= {"links": links[:_MAX_LINKS]} if links else {}
        said |= {"images": images[:_MAX_LINKS]} if images else {}
        return self.http.send_json(self.url, _fitted(said))


def _change_of(page: Page) -> Change | None:
    """Read `evidence.change`: {dimension, value, first_seen}."""
    found = page.evidence.get("change")
    if not isinstance(found, dict) or not {"dimension", "value", "first_seen"} <= set(found):
        return None
    where = page.workflow or page.tenant or "flyball"
    said = f"{where}: {found['dimension']} {found['value']} first seen"
    return Change(said, str(found["first_seen"]), where, found)


def _payload(page: Page) -> dict[str, Any]:
    said: dict[str, Any] = {
        "summary": cut(page.headline, MAX_SUMMARY) or page.class_,
        "source": cut(page.workflow or page.tenant or "flyball", _MAX_WORD) or "flyball",
        "severity": _SEVERITIES[page.severity],
        "timestamp": page.opened_at,
        "class": cut(page.class_, _MAX_WORD),
        "component": cut(page.rule, _MAX_WORD),
        "custom_details": {
            "title": page.title,
            "severity": page.severity,
            "incidents": page.count,
            "open": page.open,
            "owner": page.owner,
            "runbook": page.runbook,
            "scopes": page.scopes,
            "runs": page.runs,
            "labels": page.labels,
            "evidence": page.evidence,
        },
    }
    return said | ({"group": cut(page.workflow, _MAX_WORD)} if page.workflow else {})


def _links(page: Page) -> list[dict[str, str]]:
    """Read `evidence.links`: [{href, text}]."""
    found = page.evidence.get("links")
    kept = [link for link in found if isinstance(link, dict)] if isinstance(found, list) else []
    return [
        {"href": str(link["href"]), "text": str(link.get("text") or link["href"])}
        for link in kept
        if _is_address(link.get("href"))
    ]


def _images(page: Page) -> list[dict[str, str]]:
    """Read `evidence.images`: [{src, href, alt}]; PagerDuty only shows those over https."""
    found = page.evidence.get("images")
    kept = [image for image in found if isinstance(image, dict)] if isinstance(found, list) else []
    return [
        {name: str(image[name]) for name in ("src", "href", "alt") if image.get(name)}
        for image in kept
        if str(image.get("src", "")).startswith("https://")
    ]


def _is_address(href: object) -> bool:
    return isinstance(href, str) and href.startswith(("https://", "http://"))


def _fitted(event: dict[str, Any]) -> dict[str, Any]:
    """Leave out the largest parts, each with a note, until the event is small enough to be taken."""
    for part in ("evidence", "labels", "scopes", "runs"):
        size = len(orjson.dumps(event))
        if size <= MAX_EVENT:
            return event
        details = event["payload"]["custom_details"]
        if part in details:
            note = f"[cut] the event had {size} bytes, PagerDuty takes {MAX_EVENT}"
            event = event | {"payload": event["payload"] | {"custom_details": details | {part: note}}}
    if len(orjson.dumps(event)) > MAX_EVENT:
        event = event | {"payload": event["payload"] | {"custom_details": {"cut": "[cut] too large"}}}
    return event
