"""Generic webhook: the page as JSON, signed.

    X-Flyball-Timestamp   Unix seconds, when it was sent
    X-Flyball-Signature   v1=HEX, HMAC-SHA256 with the shared secret over "TIMESTAMP.BODY" (bytes of the body as sent)
    X-Flyball-Delivery    KEY/STATUS/REVISION, the same whenever this state of the page is sent again

A receiver compares signatures in constant time and refuses timestamps that are more than a few minutes off.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import orjson
from typing_extensions import override

from alerts.sinks.base import HttpSink

if TYPE_CHECKING:
    from alerts.outcome import Outcome
    from alerts.page import Page


class Webhook(HttpSink):
    """One address; `secret` is the shared secret of the signature, without it there is none."""

    NEEDS = {"url": "required", "secret": "optional"}  # noqa: RUF012 -- a ClassVar of the base

    @override
    def deliver(self, page: Page) -> Outcome:
        body = orjson.dumps(page.record() | {"runbook_url": self.runbook(page)})
        timestamp = str(int(self.now_s()))
        headers = {
            "Content-Type": "application/json",
            "X-Flyball-Timestamp": timestamp,
            "X-Flyball-Delivery": f"{page.key}/{page.status}/{page.revision}",
        }
        if self.settings.secret:
            headers["X-Flyball-Signature"] = signature(self.settings.secret, timestamp, body)
        return self.http.send(self.url, body, headers)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Sign a body, as the header says it."""
    return "v1=" + hmac.digest(secret.encode(), timestamp.encode() + b"." + body, "sha256").hex()
