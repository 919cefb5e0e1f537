"""Finds the lines that are wrong in the `attributes` section: what they may say is the attribute table's business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.config.problems import Problem
from models.spans.mapping import Mapping, MappingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flyball.config.load import Loaded


def attribute_problems(loaded: Loaded) -> list[Problem]:
    """List what the attribute table refuses, each with its line."""
    table = loaded.settings.attributes
    whole = _refusal(table)
    if whole is None:
        return []
    found = [(where, refusal) for where, piece in _pieces(table) if (refusal := _refusal(piece))]
    return [_problem(loaded, where, refusal) for where, refusal in found or [("attributes", whole)]]


def _refusal(table: dict[str, Any]) -> str | None:
    try:
        Mapping.load(table)
    except MappingError as error:
        return str(error)
    except (AttributeError, TypeError) as error:  # a list where texts belong, and the like
        return f"found something of another form ({error})"
    return None


def _pieces(table: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Cut the table into tables of one entry each, with the place of the entry."""
    for section, content in table.items():
        if section != "columns" or not isinstance(content, dict):
            yield f"attributes.{section}", {section: content}
            continue
        for column, sources in content.items():
            for index, source in enumerate(sources) if isinstance(sources, list) else ():
                yield f"attributes.columns.{column}.{index}", {section: {column: [source]}}
            if not sources or not isinstance(sources, list):
                yield f"attributes.columns.{column}", {section: {column: sources}}


def _problem(loaded: Loaded, where: str, refusal: str) -> Problem:
    return Problem(str(loaded.file), loaded.lines.get(where, 0), where, refusal, "")
