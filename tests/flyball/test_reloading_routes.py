"""Routes that are looked at while delivery runs: what cannot be read is refused once, whatever stands in its place."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from alerts.metrics import Metrics
from flyball.config.routes_yaml import load_routes
from flyball.reloading import Reloading

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from alerts.delivery import Routes

GOOD = "sinks: [{name: hook, type: webhook, url: 'http://127.0.0.1:9/x'}]\nroutes: [{name: all, sinks: [hook]}]\n"


class Taken:
    """Stands in for a delivery: keeps the routes that it was told to take."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.routes: list[Routes] = []

    def reroute(self, routes: Routes) -> None:
        """Take routes."""
        self.routes.append(routes)


def leads_nowhere(folder: Path) -> None:
    """Have the file be a link whose end is gone, as in the middle of a roll-out."""
    (folder / "routes.yaml").unlink()
    (folder / "routes.yaml").symlink_to("..data/routes.yaml")


def leads_to_itself(folder: Path) -> None:
    """Have the file be a link in a circle."""
    (folder / "routes.yaml").unlink()
    (folder / "routes.yaml").symlink_to("routes.yaml")


def is_a_folder(folder: Path) -> None:
    """Have a folder stand in its place, as a mount of Docker makes one where there is no file."""
    (folder / "routes.yaml").unlink()
    (folder / "routes.yaml").mkdir()


def is_gone_with_its_folder(folder: Path) -> None:
    """Have the whole directory be away."""
    shutil.rmtree(folder)


@pytest.mark.parametrize("spoil", [leads_nowhere, leads_to_itself, is_a_folder, is_gone_with_its_folder])
def test_what_cannot_be_read_is_refused_once(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    """The last good routes stay: a page that comes meanwhile goes to its sinks, not to standard output."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "routes.yaml").write_text(GOOD)
    delivery, said = Taken(), list[str]()
    reloading = Reloading(folder, delivery, said.append, lambda: 0.0)  # type: ignore[arg-type] -- all that it asks for
    spoil(folder)
    for _ in range(3):
        reloading.look_now()
        reloading.look()
    assert delivery.routes == []
    assert [line.endswith("routes.yaml is refused, the last good one stays") for line in said] == [True]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "routes.yaml").write_text(GOOD)
    reloading.look_now()
    reloading.look()
    assert delivery.routes == [load_routes(folder)]
    assert said[-1] == "routes.yaml is read again: 1 sinks, 1 routes"


def test_a_file_that_is_deleted_is_none(tmp_path: Path) -> None:
    """Without the file every page goes to standard output; that is said."""
    (tmp_path / "routes.yaml").write_text(GOOD)
    delivery, said = Taken(), list[str]()
    reloading = Reloading(tmp_path, delivery, said.append, lambda: 0.0)  # type: ignore[arg-type] -- as above
    (tmp_path / "routes.yaml").unlink()
    reloading.look_now()
    reloading.look()
    assert (len(delivery.routes), said) == (1, ["routes.yaml is read again: 0 sinks, 0 routes"])
