"""Specimens of `routes.yaml`: each file in good/ is read, each in bad/ is refused with the text beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.routing import Quiet
from alerts.sinks import TYPES
from flyball.check import check
from flyball.config.routes import SinkKeys
from flyball.config.routes_yaml import load_keys, load_routes, problems
from flyball.config.schema import keys_of

HERE = Path(__file__).parent
GOOD = sorted((HERE / "good").glob("*.yaml"))
BAD = sorted((HERE / "bad").glob("*.yaml"))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_file_is_read(path: Path) -> None:
    """Nothing is wrong with it."""
    assert problems(path) == []


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_is_refused(path: Path) -> None:
    """Every mistake is told with its line, what was found and what is expected; never a secret."""
    found = [str(problem).replace(f"{path.parent}/", "") for problem in problems(path)]
    assert found == path.with_suffix(".txt").read_text().splitlines()
    assert found
    assert "0123456789abcdef" not in "".join(found)


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    """The values of a file are there, each with its unit and type, secrets put in."""
    keys = load_keys(HERE / "good" / "everything.yaml")
    assert (keys.group_by, keys.update_every) == (("class", "workflow"), 300 * 10**9)
    assert [sink.name for sink in keys.sinks] == ["on-call", "chat", "am", "genie", "hook"]
    (tmp_path / "routes.yaml").write_bytes((HERE / "good" / "everything.yaml").read_bytes())
    (tmp_path / "secrets").symlink_to(HERE / "good" / "secrets")
    routes = load_routes(tmp_path)
    settings = routes.all_sinks()
    assert settings["on-call"].secret == "0123456789abcdef0123456789ABCDEF"  # noqa: S105 -- of the specimen
    assert settings["on-call"].secret not in repr(settings)
    assert (settings["am"].timeout_s, settings["hook"].rate) == (2.0, 0.5)
    assert settings["am"].runbooks == "https://wiki.example/runbooks/"
    assert routes.routing.steady == {"am"}
    safety, everything, night, rest = routes.routing.routes
    assert (safety.match.class_, safety.goes_on, everything.goes_on) == (("safety.*",), False, True)
    assert night.quiet == (
        Quiet(frozenset({0, 1, 2, 3, 4}), 22 * 60, 7 * 60 + 30, ZoneInfo("Europe/Berlin")),
        Quiet(frozenset({5, 6}), 0, 24 * 60, ZoneInfo("Asia/Kolkata")),
    )
    assert night.match.labels == {"team": "pay*"}
    assert rest.sinks == ("on-call",)


def test_check_takes_the_file(tmp_path: Path) -> None:
    """`flyball check` validates routes.yaml beside flyball.yaml."""
    (tmp_path / "routes.yaml").write_text("routes:\n  - {name: a, sinks: [b]}\n")
    files, found = check(tmp_path)
    assert files == 1
    assert [(problem.line, problem.where, problem.found) for problem in found] == [(2, "routes.0.sinks.0", "'b'")]


def test_without_a_file_there_is_stdout(tmp_path: Path) -> None:
    """No directory, or none with the file, means standard output."""
    for directory in (None, tmp_path):
        routes: Any = load_routes(directory)
        assert list(routes.all_sinks()) == ["stdout"]


def test_every_type_is_explained() -> None:
    """The meaning of `type` names every type of sink that there is."""
    doc = keys_of(SinkKeys)["type"].doc
    assert [name for name in TYPES if name not in doc] == []


@pytest.mark.parametrize("said", ["{role: [cost]}", "{owner: [cost]}", "{owner: [eval], role: [cost]}"])
def test_the_role_is_the_owner(tmp_path: Path, said: str) -> None:
    """Either name will do, both together are one list."""
    (tmp_path / "routes.yaml").write_text(f"routes:\n  - {{name: money, sinks: [stdout], match: {said}}}\n")
    (route,) = load_routes(tmp_path).routing.routes
    assert "cost" in route.match.owner
