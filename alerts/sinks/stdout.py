"""Standard output: one line a begin, a worse severity, and an end. What everybody has before anything is set up."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from typing_extensions import override

from alerts.outcome import Retry, Sent
from alerts.sinks.base import Sink
from models.plain import plain

if TYPE_CHECKING:
    from alerts.outcome import Outcome
    from alerts.page import Page


class Stdout(Sink):
    """Prints."""

    UPDATES = False

    @override
    def deliver(self, page: Page) -> Outcome:
        what = "PAGE" if page.is_open else "RESOLVED"
        known = "" if page.advice else self.runbook(page)
        runbook = known or (f"runbook {page.runbook}" if page.runbook else "")
        line = "  ".join(filter(None, (page.resolved_at or page.at, what, page.headline, page.class_, runbook)))
        try:
            sys.stdout.write(plain(line) + "\n")
            sys.stdout.flush()
        except (OSError, ValueError) as error:  # nobody reads any more
            return Retry(None, f"standard output: {error}")
        return Sent()
