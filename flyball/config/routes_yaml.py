"""Reads `routes.yaml`: validates it, and gives what delivery takes."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from alerts.delivery import Routes
from alerts.routing import Match, Quiet, Route, Routing
from alerts.sinks import TYPES
from alerts.sinks.base import SinkSettings
from flyball.config.reading import is_there, problems_of, read
from flyball.config.routes import DAYS, MatchKeys, QuietKeys, RouteKeys, RoutesFile, SinkKeys

if TYPE_CHECKING:
    from pathlib import Path

    from flyball.config.problems import Problem

FILE = "routes.yaml"


def problems(path: Path) -> list[Problem]:
    """List everything that is wrong with the file, in line order."""
    return problems_of(load_keys, path)


def load_routes(directory: Path | None) -> Routes:
    """Give the routes of a configuration directory; without the file every page goes to standard output.

    Raises ConfigError with every problem found.
    """
    if directory is None or not is_there(directory / FILE):
        return Routes()
    keys = load_keys(directory / FILE)
    sinks = tuple(_sink(sink, keys) for sink in keys.sinks)
    routing = Routing(
        routes=[_route(route) for route in keys.routes],
        group_by=keys.group_by,
        update_ns=keys.update_every,
        steady=frozenset(sink.name for sink in sinks if TYPES[sink.type].REFRESH_S is not None),
    )
    return Routes(sinks, routing)


def load_keys(path: Path) -> RoutesFile:
    """Load the file as it stands; raises ConfigError with every problem found."""
    return read(RoutesFile, path)[0]


def _sink(keys: SinkKeys, file: RoutesFile) -> SinkSettings:
    return SinkSettings(
        name=keys.name,
        type=keys.type,
        url=keys.url,
        secret=keys.secret,
        ca=keys.ca,
        ca_digest=_digest(keys.ca) if keys.ca else "",
        timeout_s=keys.timeout / 1e9,
        rate=keys.rate,
        runbooks=file.runbooks,
        console=file.console,
    )


def _digest(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:  # gone since it was checked: that is told when it is looked at next
        return ""


def _route(keys: RouteKeys) -> Route:
    return Route(
        keys.name, keys.sinks, _match(keys.match), keys.continue_, tuple(_quiet(quiet) for quiet in keys.quiet)
    )


def _match(keys: MatchKeys) -> Match:
    said = dict(vars(keys))
    role = said.pop("role")
    return Match(**said | {"owner": (*keys.owner, *role)})


def _quiet(keys: QuietKeys) -> Quiet:
    return Quiet(frozenset(map(DAYS.index, keys.days)), keys.from_, keys.to, keys.zone)
