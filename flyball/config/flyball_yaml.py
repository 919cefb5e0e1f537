"""Validates `flyball.yaml`: its keys, and what they mean to the models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.config.load import Loaded
from flyball.config.reading import problems_of, read
from flyball.config.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from flyball.config.build import Place
    from flyball.config.problems import Problem


def problems(path: Path) -> list[Problem]:
    """List everything that is wrong with the file, in line order."""
    return problems_of(lambda file: read(Settings, file, _of_attributes), path)


def _of_attributes(settings: Settings, at: Place) -> list[Problem]:
    if not settings.attributes:
        return []
    from flyball.config.attributes import attribute_problems  # noqa: PLC0415 -- most files say nothing of attributes

    return attribute_problems(Loaded(settings, at.file, at.lines))
