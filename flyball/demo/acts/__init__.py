"""Acts: one incident a file, with its line here, in the order in which they are played."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flyball.demo.acts import cost, loop, page, upgrade

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyball.demo.scene import Outcome, Scene


class Act(NamedTuple):
    """One incident; `play` returns when it is caught, or when that has taken too long."""

    name: str
    title: str
    play: Callable[[Scene], Outcome]


ACTS = (
    Act("loop", "An agent makes the same call over and over", loop.play),
    Act("cost", "An agent spends without measure", cost.play),
    Act("upgrade", "A model upgrade hurts", upgrade.play),
    Act("page", "Somebody is paged", page.play),
)
