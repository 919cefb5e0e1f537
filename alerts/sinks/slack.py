"""Slack incoming webhook: one message a begin, a worse severity, and an end; there are no threads or updates.

Limits: 1 message a second, header 150 characters, section 3,000, 10 fields of 2,000, 50 blocks
(https://docs.slack.dev/reference/block-kit/blocks, https://docs.slack.dev/apis/web-api/rate-limits).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from alerts.cut import cut
from alerts.sinks.base import HttpSink
from models.plain import plain
from models.times import in_words

if TYPE_CHECKING:
    from alerts.outcome import Outcome
    from alerts.page import Page

MAX_HEADER: Final = 150
MAX_SECTION: Final = 3_000
MAX_FIELDS: Final = 10
_MAX_MESSAGE: Final = 3_000
_FIELD: Final = 400
"""Ten of these and a section stay below the 13,200 characters that a message may have in practice."""
_ADVICE: Final = 1_200
"""Beside half a section of names; links make it longer by a fifth at most."""
_ADDRESS: Final = re.compile(r"https?://[^\s<>|]+")
_ESCAPES: Final = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


class Slack(HttpSink):
    """One webhook; its address is the `secret`."""

    NEEDS = {"secret": "required"}  # noqa: RUF012 -- a ClassVar of the base
    RATE = 1.0
    UPDATES = False

    @override
    def deliver(self, page: Page) -> Outcome:
        return self.http.send_json(self.settings.secret or "", self._message(page))

    def _message(self, page: Page) -> dict[str, Any]:
        in_hand = f"In hand: {page.headline}" if page.acknowledged_by else page.headline
        head = in_hand if page.is_open else f"Resolved: {page.headline}"
        blocks: list[dict[str, Any]] = [
            {"type": "header", "text": {"type": "plain_text", "text": cut(head, MAX_HEADER)}},
            {"type": "section", "text": _words(page)},
            {"type": "section", "fields": _fields(page)},
        ]
        links = [f"<{url}|{text}>" for url, text in self._links(page) if url]
        if links:
            blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": " · ".join(links)}]})
        return {"text": _markdown(head, _MAX_MESSAGE)["text"], "blocks": blocks}

    def _links(self, page: Page) -> list[tuple[str | None, str]]:
        return [(self.runbook(page), "runbook"), (self.console(page), "console")]


def _words(page: Page) -> dict[str, Any]:
    """Say what is wrong, in names that agents chose, and what the SLO's author says is to be done."""
    said = "\n".join(plain(each) for each in (page.title, page.summary) if each)
    if not page.advice:
        return _names(said, MAX_SECTION)
    advice = _markdown(f"Runbook: {page.advice}", _ADVICE)["text"]
    names = _names(said, MAX_SECTION // 2)
    linked = _ADDRESS.sub(r"<\g<0>>", advice)
    return names | {"text": f"{names['text']}\n{linked}"}


def _fields(page: Page) -> list[dict[str, str]]:
    said = {
        "class": page.class_,
        "rule": page.rule,
        "workflow": page.workflow,
        "tenant": page.tenant,
        "since": in_words(page.opened_at, seconds=True),
        "until": page.resolved_at and in_words(page.resolved_at, seconds=True),
        "in hand of": page.acknowledged_by,
        "incidents": f"{page.count}, {page.open} open",
        "scopes": ", ".join(" ".join(scope.values()) for scope in page.scopes),
        "runs": ", ".join(page.runs),
        "owner": page.owner,  # last: of a tenant's page that was in hand and has ended there are eleven
    }
    shown = [_names(f"*{name}*\n{plain(value)}", _FIELD) for name, value in said.items() if value]
    return shown[:MAX_FIELDS]


def _names(text: str, limit: int) -> dict[str, Any]:
    """Write what agents have named: an address or @here in a name is no link, and calls nobody."""
    return _markdown(text, limit) | {"verbatim": True}


def _markdown(text: str, limit: int) -> dict[str, str]:
    """Escape what Slack reads as markup; what escaping makes longer is counted."""
    text = cut(text, limit)
    escaped = text.translate(_ESCAPES)
    while len(escaped) > limit:
        text = cut(text, max(len(text) * limit // len(escaped) - 1, 20))
        escaped = text.translate(_ESCAPES)
    return {"type": "mrkdwn", "text": escaped}
