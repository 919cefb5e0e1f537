"""Check: everything in a configuration directory is validated before anything of it is used."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.config import flyball_yaml, policy_yaml
from flyball.config.load import find_directory, load
from flyball.config.problems import ConfigError, Problem, suggestion
from flyball.openslo.files import slo_files, yaml_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyball.config.policy import PolicyFile
    from flyball.config.settings import Settings
    from flyball.openslo import Loaded
    from flyball.openslo.spot import Note
    from models.slos.spec import Slo


def _routes(path: Path) -> list[Problem]:
    from flyball.config.routes_yaml import problems  # noqa: PLC0415 -- loads the sinks only where there are any

    return problems(path)


FILES: dict[str, Callable[[Path], list[Problem]]] = {
    "flyball.yaml": flyball_yaml.problems,
    "routes.yaml": _routes,
    "policy.yaml": policy_yaml.problems,
}
"""What validates a file, by its name or a pattern of names; the first that fits. A new kind of file is one line.

SLO files are told by what is in them, and checked together: one may refer to another.
"""


def configuration(directory: Path | None, *, pages: bool = False) -> Settings:
    """Give the settings of a directory in which all is well; raises ConfigError with every problem found.

    `pages`: whether this command delivers them. Others do not look at `routes.yaml`: where they run, its secrets need
    not be.
    """
    found = find_directory(directory)
    problems = [each for each in check(found)[1] if pages or Path(each.file).name != "routes.yaml"]
    if problems:
        raise ConfigError(problems)
    return load(found)


def check(directory: Path | None) -> tuple[int, list[Problem]]:
    """Validate all YAML files of a directory; gives how many there are, and what is wrong in file and line order.

    SLO files may lie anywhere below it; other files only in the directory itself.
    """
    if directory is None:
        return 0, []
    slos = slo_files(directory)
    others = [path for path in yaml_files(directory) if path not in slos]
    problems = [problem for path in others for problem in _problems(path)] + _slo_problems(slos)
    return len(slos) + len(others), sorted(problems, key=lambda problem: (problem.file, problem.line))


def policy(directory: Path | None) -> PolicyFile:
    """Give what agents may do, of a directory in which all is well."""
    return policy_yaml.load_policy(find_directory(directory))


def objectives(directory: Path | None) -> tuple[Slo, ...]:
    """Give what is to be judged: the SLOs of a directory in which all is well, else the default ones."""
    from flyball.openslo import slos_of  # noqa: PLC0415 -- the SLIs take a second to load

    found: Loaded = slos_of(find_directory(directory))
    return found.slos


def slos(directory: Path | None) -> Loaded | None:
    """Give the SLOs of a directory's own files and the notes about them; None when it has no such file."""
    if directory is None or not slo_files(directory):
        return None
    from flyball.openslo import slos_of  # noqa: PLC0415 -- the SLIs take a second to load

    return slos_of(directory)


def route_notes(directory: Path | None, found: Loaded | None) -> list[Note]:
    """List what is odd about the routes of a directory, and about them and its own SLOs."""
    if directory is None:
        return []
    from flyball.config import route_notes as routes  # noqa: PLC0415 -- loads the sinks only where there are any

    return routes.route_notes(directory, found.slos if found else ())


def _slo_problems(paths: list[Path]) -> list[Problem]:
    if not paths:
        return []
    from flyball.openslo.load import slos_in  # noqa: PLC0415 -- the SLIs take a second to load

    return list(slos_in(paths).problems)


def _problems(path: Path) -> list[Problem]:
    validate = next((validate for pattern, validate in FILES.items() if fnmatch(path.name, pattern)), None)
    if validate is None:
        expected = f"{', '.join(FILES)} or an OpenSLO file (apiVersion: openslo/v1)"
        return [Problem(str(path), 0, "", "an unknown file", expected, suggestion(path.name, FILES))]
    return validate(path)
