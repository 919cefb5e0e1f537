"""Specimens: each file in good/ is read as the text beside it says, each in bad/ is refused with the text beside it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flyball.config.flyball_yaml import problems
from flyball.config.load import load_file
from flyball.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
GOOD = sorted((HERE / "good").glob("*.yaml"))
BAD = sorted((HERE / "bad").glob("*.yaml"))


def said(value: Any, default: Any, path: str = "") -> Iterator[str]:
    """Write the values that differ from the default, one a line."""
    if dataclasses.is_dataclass(value):
        inner = {f.name: (getattr(value, f.name), getattr(default, f.name, None)) for f in dataclasses.fields(value)}
    elif isinstance(value, dict) and any(map(dataclasses.is_dataclass, value.values())):
        inner = {name: (each, None) for name, each in value.items()}
    else:
        if value != default:
            shown = str(value.relative_to(HERE / "good")) if isinstance(value, Path) else value
            yield f"{path} = {shown!r}"
        return
    for name, pair in inner.items():
        yield from said(*pair, f"{path}.{name}" if path else name)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_file_is_read(path: Path) -> None:
    """What the file says is there with its unit and type, and everything else has its default."""
    assert problems(path) == []
    assert list(said(load_file(path).settings, Settings())) == path.with_suffix(".txt").read_text().splitlines()


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_is_refused(path: Path) -> None:
    """Every mistake is told with its line, what was found, what is expected, and what may be meant."""
    found = [str(problem).replace(f"{path.parent}/", "") for problem in problems(path)]
    assert found == path.with_suffix(".txt").read_text().splitlines()
    assert found
