"""Reading one YAML file of the configuration into its settings class: all that is wrong is told at once, by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from flyball.config.build import Place, build
from flyball.config.nodes import read_node
from flyball.config.problems import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from flyball.config.problems import Problem

T = TypeVar("T")


def read(kind: type[T], path: Path, more: Callable[[T, Place], Iterable[Problem]] = lambda *_: ()) -> tuple[T, Place]:
    """Give what the file says, and where it says it; `more` finds what else is wrong. Raises ConfigError."""
    at = Place(path, kind)
    found = build(kind, read_node(path), at)
    problems = [*at.problems, *more(found, at)]
    if problems:
        raise ConfigError(sorted(problems, key=lambda problem: problem.line))
    return found, at


def is_there(path: Path) -> bool:
    """Tell whether a file is to be read; one that cannot be, as a link that leads nowhere, is: then it is told."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        pass
    return True


def problems_of(load: Callable[[Path], object], path: Path) -> list[Problem]:
    """List everything that is wrong with a file, in line order."""
    try:
        load(path)
    except ConfigError as error:
        return list(error.problems)
    return []
