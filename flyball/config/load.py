"""Load the configuration directory. An empty one, and none, give the defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from flyball.config.problems import ConfigError, Problem
from flyball.config.reading import is_there, read
from flyball.config.settings import Settings

DEFAULT_DIRECTORY = Path("flyball-config")
FILE = "flyball.yaml"


@dataclass(frozen=True)
class Loaded:
    """Settings, and the line of each dotted key that the file sets (for those who find a mistake in it later)."""

    settings: Settings
    file: Path
    lines: dict[str, int] = field(default_factory=dict)


def load(directory: Path | None = None) -> Settings:
    """Load `flyball.yaml` of the directory; raises ConfigError with every problem found."""
    found = find_directory(directory)
    if found is None or not is_there(found / FILE):
        return Settings()
    return load_file(found / FILE).settings


def load_file(path: Path) -> Loaded:
    """Load one file; raises ConfigError with every problem found."""
    settings, at = read(Settings, path)
    return Loaded(settings, path, at.lines)


def find_directory(directory: Path | None) -> Path | None:
    """Give the directory asked for, which must be there, or the default one if it is there; raises ConfigError."""
    if directory is None:
        return DEFAULT_DIRECTORY if DEFAULT_DIRECTORY.is_dir() else None
    if not directory.is_dir():
        found = "a file" if directory.exists() else "nothing"
        raise ConfigError([Problem(str(directory), 0, "", found, "the configuration directory")])
    return directory
