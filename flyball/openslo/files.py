"""Where SLO files lie: in the configuration directory and in all folders below it; and the default ones."""

from __future__ import annotations

import os
import re
from importlib.resources import files
from pathlib import Path

from flyball.config.nodes import MAX_BYTES

_LOOKS_LIKE = re.compile(rb"\bapiVersion[\"']?\s*:\s*[\"']?openslo")
SUFFIXES = (".yaml", ".yml")
JSON = ".json"
"""Is YAML too; but many are of other tools, so these have to say that they are OpenSLO."""

OTHERS = ("flyball.yaml", "policy.yaml", "routes.yaml")
"""Files of the configuration directory that are no SLO files, whatever they mention."""


def slo_files(directory: Path) -> list[Path]:
    """List the SLO files: every YAML file in folders below, and beside flyball.yaml those that say they are OpenSLO.

    So are files of JSON that say it, wherever they lie. Hidden files and folders are none. Links to folders are
    followed, each folder once.
    """
    top = [path for path in _files(directory) if path.name not in OTHERS and says_openslo(path)]
    below = [path for folder in _folders(directory) for path in _files(folder)]
    return top + [path for path in below if path.suffix != JSON or says_openslo(path)]


def yaml_files(folder: Path) -> list[Path]:
    """List the YAML files that lie in a folder itself."""
    return [path for path in _files(folder) if path.suffix != JSON]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in (*SUFFIXES, JSON) and _is_file(path))


def says_openslo(path: Path) -> bool:
    """Tell whether a file has an OpenSLO document, of any version, well-formed or not."""
    try:
        with path.open("rb") as file:
            return bool(_LOOKS_LIKE.search(file.read(MAX_BYTES)))  # a longer one is refused, or data of something else
    except OSError:
        return False


def shipped_slos() -> Path:
    """Give the folder of the SLOs that come with Flyball: in the package when installed, else in the repository."""
    installed = Path(str(files("flyball"))) / "slos"
    return installed if installed.is_dir() else Path(str(files("flyball"))).parent / "slos"


def _folders(directory: Path) -> list[Path]:
    found, seen = [], {directory.resolve()}
    for place, names, _ in os.walk(directory, followlinks=True):
        names[:] = sorted(name for name in names if not name.startswith(".") and _is_new(Path(place, name), seen))
        found += [Path(place, name) for name in names]
    return found


def _is_new(folder: Path, seen: set[Path]) -> bool:
    true = folder.resolve()
    new = true not in seen
    seen.add(true)
    return new


def _is_file(path: Path) -> bool:
    """Tell whether it is to be read; a link that leads nowhere is, for then it is told."""
    return not path.name.startswith(".") and not path.is_dir()
