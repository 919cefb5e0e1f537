"""Sink: what delivers pages to one service. A new one is a file here, and a line in `alerts.sinks`."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from alerts.http import Http

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from alerts.outcome import Outcome
    from alerts.page import Page

Need = Literal["required", "optional"]


@dataclass(frozen=True)
class SinkSettings:
    """What `routes.yaml` says of one sink."""

    name: str
    type: str
    url: str | None = None
    secret: str | None = field(default=None, repr=False)
    ca: Path | None = None
    ca_digest: str = ""
    """Of what the file holds: with other certificates it is another sink."""
    timeout_s: float = 10.0
    rate: float | None = None
    """Deliveries a second; None: the sink's own."""
    runbooks: str | None = None
    """Where runbooks are read: a runbook is at `{runbooks}/{name}.md`."""
    console: str | None = None


class Sink:
    """Base of all sinks. `deliver` is called by one thread; it never raises for what a service or network does."""

    NEEDS: ClassVar[Mapping[str, Need]] = {}
    """Whether `url` and `secret` are required or optional; what is not named cannot be given."""
    DEFAULT_URL: ClassVar[str] = ""
    RATE: ClassVar[float | None] = None
    """Deliveries a second that the service takes; None: any."""
    BURST: ClassVar[int] = 1
    UPDATES: ClassVar[bool] = True
    """A page that only got more incidents is worth telling again; False: begin, a worse severity, in hand, end."""
    IN_TURN: ClassVar[bool] = False
    """The service knows all pages of a group by one name: told too late, the end of one would end the next."""
    REFRESH_S: ClassVar[float | None] = None
    """An open page is told again this often, for the service would forget it."""

    def __init__(self, settings: SinkSettings, now_s: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.now_s = now_s

    def deliver(self, page: Page) -> Outcome:
        """Tell the service of a page as it is now; told twice it must know it once, by the page's key."""
        raise NotImplementedError

    def requests(self, page: Page) -> int:
        """Count the requests that `deliver` makes of a page, each a token of its pace."""
        return 1

    def close(self) -> None:
        """Release connections."""

    def runbook(self, page: Page) -> str | None:
        """Give the address of the page's runbook, where one is known: its own, else that in the folder of them."""
        base = self.settings.runbooks
        if page.runbook_address or not base or not page.runbook:
            return page.runbook_address
        return f"{base.rstrip('/')}/{page.runbook_name}.md"

    def console(self, page: Page) -> str | None:
        """Give the address of the page's leading incident in the console, where one is known."""
        base = self.settings.console
        return f"{base.rstrip('/')}/#/incidents/{page.led_by}" if base and page.led_by else base


class HttpSink(Sink):
    """A sink over HTTP."""

    def __init__(self, settings: SinkSettings, now_s: Callable[[], float] = time.time) -> None:
        super().__init__(settings, now_s)
        self.url = settings.url or self.DEFAULT_URL
        self.http = Http(settings.timeout_s, settings.ca, (settings.secret or "",), now_s)

    def close(self) -> None:
        """Release connections."""
        self.http.close()
