"""Leftovers: steps of budgets that earlier lives of a shard have told, after the last snapshot, and then died.

A step is told once a period and holds until its end, so what was told holds in the next life too: that may read the
spending together with its correction, and never come to the step itself. Then nobody would let go of what it limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from models.spend.words import NANO, ident_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.incidents.book import Facts, Ident
    from models.spend.budget import Budget
    from models.spend.words import Amounts, Key


class Leftover(NamedTuple):
    """The first `done` steps of a budget were told, the last when so much was spent."""

    budget: Budget
    key: Key
    done: int
    spent: Amounts


def leftover(ident: Ident, facts: Facts, budgets: Sequence[Budget]) -> Leftover | None:
    """Read of an open incident which step it is of; None: no budget has that step any more."""
    said, key = facts.evidence, key_of(ident, facts)
    for budget in [each for each in budgets if each.name == said["budget"] and each.level == ident.level]:
        for number, step in enumerate(budget.steps(), 1):
            if ident_of(budget, key, step) == ident and step.nano / NANO == said["limit"]:
                return Leftover(budget, key, number, (round(said["count"] * NANO), said["tokens_so_far"]))
    return None


def key_of(ident: Ident, facts: Facts) -> Key:
    """Give whose spending in which period an incident is about."""
    tenant = facts.tenant if ident.level == "user" else None
    id_ = ident.scope.removeprefix(f"{tenant}/") if tenant else ident.scope
    return ident.level, id_, tenant, facts.evidence["period"], facts.evidence["start"]
