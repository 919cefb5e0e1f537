"""What is odd about routes, though each is well-formed: one that is never reached, a rollback that reaches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.config.problems import ConfigError
from flyball.config.reading import is_there, read
from flyball.config.routes import MatchKeys, RoutesFile
from flyball.config.routes_yaml import FILE
from flyball.openslo.spot import Note
from models.slos.spec import Action

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from flyball.config.routes import RouteKeys
    from models.slos.spec import Slo

_DEPLOYER = "webhook"
"""The type of sink that a deployer is: all others tell people."""


def route_notes(directory: Path, slos: Iterable[Slo]) -> list[Note]:
    """List the notes about `routes.yaml` and these SLOs; none where the file is wrong, which is told elsewhere."""
    path = directory / FILE
    if not is_there(path):
        return list(_idle_rollbacks(slos, RoutesFile(), ()))
    try:
        keys, at = read(RoutesFile, path)
    except ConfigError:
        return []
    reached = _reached(keys.routes)
    unreached = [
        Note(str(path), at.lines[f"routes.{i}"], route.name, f"never reached: {reached[-1].name} takes every page")
        for i, route in enumerate(keys.routes)
        if i >= len(reached)
    ]
    return [*unreached, *_idle_rollbacks(slos, keys, reached)]


def _reached(routes: tuple[RouteKeys, ...]) -> tuple[RouteKeys, ...]:
    """Give the routes up to the first one that takes all and is the last to be tried."""
    last = next(
        (i for i, route in enumerate(routes) if route.match == MatchKeys() and not route.continue_), len(routes)
    )
    return routes[: last + 1]


def _idle_rollbacks(slos: Iterable[Slo], keys: RoutesFile, reached: Iterable[RouteKeys]) -> Iterator[Note]:
    deployers = {sink.name for sink in keys.sinks if sink.type == _DEPLOYER}
    if any(deployers & set(route.sinks) for route in reached):
        return
    for slo in slos:
        if any(Action.ROLLBACK in step.actions for step in slo.policy):
            file, _, line = slo.source.rpartition(":")
            text = f"rollback reaches nothing that deploys: no route of {FILE} that is ever taken leads to a webhook"
            yield Note(file, int(line), slo.name, text)
