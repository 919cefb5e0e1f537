"""Course: how an incident goes on after it was opened. Later tellings and its end say how bad it was, and how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Course(NamedTuple):
    """What is known of it now. `level` is how bad it is, in any unit: the greatest is remembered, with its `words`.

    `so_far` gives, from when it opened on (Unix seconds), what is said of all of it: words, and evidence.
    """

    level: float = 0.0
    words: str = ""
    so_far: Callable[[int], tuple[str, dict[str, Any]]] | None = None


UNKNOWN = Course()


def so_far(course: Course, opened: int, peak: float, worst: str) -> tuple[str, dict[str, Any]]:
    """Say how it has gone on since it opened (Unix seconds): in all, and at worst; and the evidence of that."""
    words, evidence = course.so_far(opened) if course.so_far else ("", {})
    said = [each for each in (words, f"at worst {worst}" if worst else "") if each]
    return ", ".join(said), {**evidence, **({"peak": peak} if worst else {})}
