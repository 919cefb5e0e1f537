"""Spot: a place in a document that has been read, where mistakes and notes about its meaning are told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from flyball.config.build import Place, build
from flyball.config.problems import Problem, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from yaml.nodes import Node

T = TypeVar("T")


@dataclass(frozen=True)
class Note:
    """What is well-formed and yet not as the reader may think: skipped, ignored, changed. `line` from 1, 0: none."""

    file: str
    line: int
    about: str
    text: str

    def __str__(self) -> str:
        """Say it in one line."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(filter(None, (place, self.about, self.text)))


@dataclass
class Told:
    """What has been told so far, each once, however many objectives share the document that it is about."""

    problems: dict[Problem, None] = field(default_factory=dict)
    notes: dict[Note, None] = field(default_factory=dict)

    def problem(self, problem: Problem) -> None:
        """Keep a problem."""
        self.problems[problem] = None

    def in_order(self) -> tuple[tuple[Note, ...], tuple[Problem, ...]]:
        """Give notes and problems by file and line."""
        notes = sorted(self.notes, key=lambda note: (note.file, note.line))
        return tuple(notes), tuple(sorted(self.problems, key=lambda problem: (problem.file, problem.line)))


@dataclass(frozen=True)
class Spot:
    """A dotted place (`place.where`) in a document that is called `about`."""

    place: Place
    told: Told
    about: str

    def at(self, *names: object) -> Spot:
        """Go down."""
        where = ".".join(filter(None, (self.place.where, *map(str, names))))
        return replace(self, place=replace(self.place, where=where))

    def has(self, name: str) -> bool:
        """Tell whether the file says a key here, if only wrongly: that is told already."""
        return self.at(name).is_written

    @property
    def is_written(self) -> bool:
        """Tell whether the file says this key."""
        return self.place.where in self.place.lines

    @property
    def line(self) -> int:
        """Give the line of this place, or of the nearest one around it that is written."""
        where = self.place.where
        while where and where not in self.place.lines:
            where = where.rpartition(".")[0]
        return self.place.lines.get(where, 0)

    @property
    def source(self) -> str:
        """Give file and line."""
        return f"{self.place.file}:{self.line}"

    def wrong(self, found: str, expected: str = "", hint: str = "") -> None:
        """Tell a mistake."""
        self.told.problem(Problem(str(self.place.file), self.line, self.place.where, found, expected, hint))

    def unknown(self, what: str, found: str, known: Iterable[str]) -> None:
        """Tell that a word is none of those known, and which may be meant."""
        names = list(known)
        expected = f"one of {', '.join(names)}" if names else "it to be defined"
        self.wrong(f"the unknown {what} {found}", expected, suggestion(found, names))

    def note(self, text: str, about: str = "") -> None:
        """Tell what is well-formed and yet not as the reader may think; about the document, or a part of it by name."""
        self.told.notes[Note(str(self.place.file), self.line, about or self.about, text)] = None

    def build(self, kind: type[T], node: Node | None) -> T:
        """Read what could not be read before its kind was known."""
        place = replace(self.place, root=kind, problems=[])
        read = build(kind, node, place)
        for problem in place.problems:
            self.told.problem(problem)
        return read
