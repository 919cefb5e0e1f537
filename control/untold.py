"""Untold: the budgets of whom no spend record told of yet, as the policy gives them: nothing spent, the whole limit.

Records come up to 30 s after what they tell of. A user who was never seen would have no limit until then, whatever was
reserved. The plan of such a user is not known: the budgets of all plans hold, those of one do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from control.usage import DAY, MONTH, Spend, begin_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball_sdk.scope import Scope

    from models.spend.budget import Budget


class Untold:
    """What `budgets` give to scopes that records do not tell of; `today` is an ISO date where budgets begin."""

    def __init__(self, budgets: Sequence[Budget]) -> None:
        self._budgets: dict[str, list[Budget]] = {}
        """By level: calls of levels without budgets are many."""
        for budget in budgets:
            self._budgets.setdefault(budget.level, []).append(budget)

    def of(self, scope: Scope, tenant: str | None, told: Sequence[Spend], today: str) -> list[Spend]:
        """Give the periods with a limit that are not among those that were told."""
        known = {each.key[3] for each in told}
        return [
            Spend((*scope, tenant or "", period, begin_of(period, today)), 0, 0, 0, 0, limit, b"")
            for period in (DAY, MONTH)
            if period not in known and (limit := self._limit(scope, tenant, period)) is not None
        ]

    def _limit(self, scope: Scope, tenant: str | None, period: str) -> int | None:
        budgets = self._budgets.get(scope.level, ())
        fitting = [each for each in budgets if each.period == period and each.fits(*scope, tenant, None)]
        return min((each.limit for each in fitting), default=None)
