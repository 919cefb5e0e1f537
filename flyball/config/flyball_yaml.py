"""Validates `flyball.yaml`: its keys, and what they mean to the models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.config.load import load_file
from flyball.config.problems import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path


def problems(path: Path) -> list[Problem]:
    """List everything that is wrong with the file, in line order."""
    try:
        loaded = load_file(path)
    except ConfigError as error:
        return list(error.problems)
    if not loaded.settings.attributes:
        return []
    from flyball.config.attributes import attribute_problems  # noqa: PLC0415 -- most files say nothing of attributes

    return attribute_problems(loaded)
