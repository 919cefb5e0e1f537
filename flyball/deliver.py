"""Delivery as a process: metrics on a port of its own, routes read again when they change, SIGTERM ends it well."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from alerts.delivery import FILE, Delivery, DeliverySettings, held, opened, opened_store
from alerts.outbox import Outbox
from alerts.outcome import Sent
from alerts.pager import Pager
from alerts.routing import Routing
from alerts.sinks import make
from alerts.trial import trial_pages
from flows.metrics_server import MetricsServer
from flyball.config.load import find_directory
from flyball.config.problems import suggestion
from flyball.config.routes_yaml import load_routes
from flyball.errors import CommandError
from flyball.opening import open_configured_log
from flyball.reloading import Reloading
from models.plain import plain

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

    from alerts.sinks.base import Sink
    from flyball.config.settings import Settings


_MOST_ROWS = 2**63 - 1
"""The largest number of a row that SQLite gives."""


def run_deliver(settings: Settings, config: Path | None, data: Path) -> int:
    """Run until SIGTERM or Ctrl-C; gives the exit code. SIGHUP reads the routes again at once."""
    directory = find_directory(config)
    folder = outbox_folder(settings, data)
    with held(folder), closing(open_configured_log(settings, data)) as log:
        delivery = Delivery(log, _delivery_settings(settings, folder), load_routes(directory), say=_say)
        reloading = Reloading(directory, delivery, _say)

        def on_signal(number: int, frame: FrameType | None) -> None:
            (reloading.look_now if number == signal.SIGHUP else delivery.stop)()

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, on_signal)
        metrics = settings.deliver.metrics
        with MetricsServer(delivery.metrics, metrics.host, metrics.port, "deliver.metrics.port") as server:
            _say(f"delivers {settings.log.topics.incidents}, metrics on http://{metrics.host}:{server.port}/metrics")
            delivery.run(reloading.look)
    return 0


def test_route(config: Path | None, name: str) -> int:
    """Send a page that begins and ends through every sink of a route, and say what each answered."""
    routes = load_routes(find_directory(config))
    found = {route.name: route for route in routes.routing.routes}
    if name not in found:
        hint = suggestion(name, found)
        msg = f"found no route {name} in routes.yaml, expected one of {', '.join(found) or 'none'}; {hint}".rstrip("; ")
        raise CommandError(msg)
    settings = routes.all_sinks()
    return max(_try(make(settings[sink])) for sink in found[name].sinks)


def list_parked(settings: Settings, data: Path) -> int:
    """Print what is parked, one a line."""
    folder = _existing(settings, data)
    with opened(folder) as outbox:
        parked = outbox.parked()
    for each in parked:
        since = datetime.fromtimestamp(each.parked_ns / 1e9, UTC)
        _tell(f"{each.row}  {each.sink}  {since:%Y-%m-%d %H:%M:%SZ}  {each.page}  {each.headline}  ({each.reason})")
    _tell(f"{len(parked)} parked")
    return 0


def retry(settings: Settings, data: Path, row: int) -> int:
    """Put a parked delivery back in line; a running delivery takes it up within a second."""
    with opened(_existing(settings, data)) as outbox:
        if row > _MOST_ROWS or not outbox.put_back(row, time.time_ns()):
            msg = f"found no parked delivery {row}; `flyball deliver --parked` lists them"
            raise CommandError(msg)
    _tell(f"{row} is in line again")
    return 0


def list_open(settings: Settings, data: Path) -> int:
    """Print the open pages, the worst and oldest first, one a line."""
    with _pager(settings, data) as (pager, db):
        pages = pager.open_pages(db)
    for page in pages:
        in_hand = f"  (in hand of {page.acknowledged_by})" if page.acknowledged_by else ""
        _tell(f"{page.key}  {page.opened_at}  {page.headline}{in_hand}")
    _tell(f"{len(pages)} open")
    return 0


def acknowledge(settings: Settings, config: Path | None, data: Path, key: str, by: str) -> int:
    """Say that somebody has a page in hand; a running delivery tells the sinks within a second."""
    routing = load_routes(find_directory(config)).routing
    with _pager(settings, data, routing) as (pager, db):
        found = pager.acknowledge(db, key, by, time.time_ns())
    if found is None:
        msg = f"found no open page or incident {key}; `flyball deliver --open` lists the pages"
        raise CommandError(msg)
    _tell(f"{found} is in hand of {by}")
    return 0


@contextmanager
def _pager(
    settings: Settings, data: Path, routing: Routing | None = None
) -> Iterator[tuple[Pager, sqlite3.Connection]]:
    """Open the pages beside a delivery that may be running, and hold them for one transaction."""
    with opened_store(_existing(settings, data)) as store, store.transaction() as db:
        yield Pager(Outbox(store, settings.deliver.max_rows), lambda: routing or Routing()), db


def outbox_folder(settings: Settings, data: Path) -> Path:
    """Give the folder of the outbox."""
    return settings.deliver.outbox or data / "deliver"


def _existing(settings: Settings, data: Path) -> Path:
    folder = outbox_folder(settings, data)
    if not (folder / FILE).exists():
        msg = f"found no {folder / FILE}: nothing was ever delivered from there"
        raise CommandError(msg)
    return folder


def _delivery_settings(settings: Settings, folder: Path) -> DeliverySettings:
    log, deliver = settings.log, settings.deliver
    return DeliverySettings(
        folder=folder,
        topic=log.topics.incidents,
        partitions=log.partitions,
        start=log.start,
        on_lost=log.on_lost,
        max_rows=deliver.max_rows,
        give_up_ns=deliver.give_up,
        keep_ns=deliver.keep,
    )


def _try(sink: Sink) -> int:
    """Tell one sink of the beginning and the end of a test; 1 where it did not take both."""
    with closing(sink):
        for page in trial_pages(time.time_ns()):
            outcome = sink.deliver(page)
            said = outcome.note if isinstance(outcome, Sent) else outcome.reason
            word = type(outcome).__name__.lower()
            _tell(f"{sink.settings.name} ({sink.settings.type}) {page.status}: {word}{': ' if said else ''}{said}")
            if not isinstance(outcome, Sent):
                return 1
    return 0


def _tell(text: str) -> None:
    print(plain(text), flush=True)  # noqa: T201 -- what was asked for


def _say(text: str) -> None:
    print(f"flyball: {text}", file=sys.stderr, flush=True)  # noqa: T201 -- for people
