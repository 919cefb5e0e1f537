"""Check: everything in a configuration directory is validated before anything of it is used."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import TYPE_CHECKING

from flyball.config import flyball_yaml
from flyball.config.load import find_directory, load
from flyball.config.problems import ConfigError, Problem, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flyball.config.settings import Settings


def _routes(path: Path) -> list[Problem]:
    from flyball.config.routes_yaml import problems  # noqa: PLC0415 -- loads the sinks only where there are any

    return problems(path)


FILES: dict[str, Callable[[Path], list[Problem]]] = {
    "flyball.yaml": flyball_yaml.problems,
    "routes.yaml": _routes,
}
"""What validates a file, by its name or a pattern of names; the first that fits. A new kind of file is one line."""


def configuration(directory: Path | None) -> Settings:
    """Give the settings of a directory in which all is well; raises ConfigError with every problem found."""
    found = find_directory(directory)
    _, problems = check(found)
    if problems:
        raise ConfigError(problems)
    return load(found)


def check(directory: Path | None) -> tuple[int, list[Problem]]:
    """Validate all YAML files of a directory; gives how many there are, and what is wrong in file and line order."""
    files = sorted(path for path in directory.iterdir() if _is_ours(path)) if directory else []
    return len(files), [problem for path in files for problem in _problems(path)]


def _is_ours(path: Path) -> bool:
    """Tell whether a file is configuration: notes, secrets and hidden files may lie beside it."""
    return path.suffix in (".yaml", ".yml") and not path.name.startswith(".")


def _problems(path: Path) -> list[Problem]:
    validate = next((validate for pattern, validate in FILES.items() if fnmatch(path.name, pattern)), None)
    if validate is None:
        return [Problem(str(path), 0, "", "an unknown file", ", ".join(FILES), suggestion(path.name, FILES))]
    return validate(path)
