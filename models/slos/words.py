"""Words: what a person is told of an SLO, and its record. Numbers become ratios only here."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from models.figures import percent
from models.incidents.book import Facts
from models.slos.burn import Budget, burn_number, burn_rate, events_left, exhausted_in, limit
from models.slos.contrast import blame_of
from models.slos.dimensions import DIMENSIONS, EVERYTHING
from models.slos.ledger import BAD, TOTAL
from models.slos.period import bounds, period_s
from models.slos.spec import Action, Calendar
from models.times import in_words, rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from models.slos.blame import BadRun, Slice
    from models.slos.contrast import Guilty
    from models.slos.instances import Instance
    from models.slos.ledger import Ledger
    from models.slos.spec import BurnRule, PolicyStep

_EXAMPLES, _CONTRIBUTORS = 5, 6
_UNITS = (("d", 86_400), ("h", 3600), ("m", 60))


class Speaker:
    """Speaks of instances as the ledger stands; `names` gives texts of digests."""

    def __init__(self, ledger: Ledger, names: Mapping[int, str]) -> None:
        self._ledger = ledger
        self._names = names

    def record(self, slot: int, instance: Instance, budget: Budget, reached: Sequence[int]) -> dict[str, Any]:
        """Give the `slo` record. `burn` is null in windows without events, `budget_used` without any in the period."""
        now = self._ledger.now
        return {
            "kind": "slo",
            "slo": instance.name,
            "at": _time(now),
            "target": float(budget.target),
            "total": budget.total,
            "bad": budget.bad,
            "budget_used": _number(budget.used),
            "budget_remaining": _number(budget.remaining),
            "burn": self._burns(slot, instance),
            "exhausts_at": self._exhausts_at(slot, instance, budget),
            "period_s": period_s(instance.slo.window, now),
            "sli": instance.slo.indicator.sli,
            "service": instance.slo.service,
            "workflow": instance.workflow,
            "gate": "frozen" if _is_frozen(instance, reached) else "open",
            "spent_by": self._contributors(_of_period(instance, now)),
        }

    def burning(self, slot: int, instance: Instance, rule: BurnRule, budget: Budget) -> Facts:
        """Say that an instance burns by this rule: how much, who is to blame, and since when there is something new."""
        now, slo = self._ledger.now, instance.slo
        total, bad = self._counts(slot, rule.long_s)
        slices = instance.blame.slices(now, rule.long_s)
        guilty, change = blame_of(slices)
        used = "no" if budget.used is None else f"{percent(float(budget.used), 0)}% of the"
        what = f"{bad} of {total} bad in {duration(rule.long_s)}"
        burn = burn_rate(bad, total, slo.target)
        evidence = {
            "count": bad,
            "limit": float(limit(rule.factor, slo.target) * total),
            "slo": instance.name,
            "sli": slo.indicator.sli,
            "target": float(slo.target),
            "rule": rule.name,
            "factor": float(rule.factor),
            "window": duration(rule.long_s),
            "total": total,
            "burn": self._burns(slot, instance),
            "budget_used": _number(budget.used),
            "budget_remaining": _number(budget.remaining),
            "exhausts_at": self._exhausts_at(slot, instance, budget),
            "guilty": self._guilty(guilty),
            "change": self._change(change),
            "contributors": self._contributors(slices),
        }
        text = f"{instance.name}: {what} ({float(burn or 0):.1f} times too fast), {used} budget used"
        return Facts(
            title=f"{instance.name} burns its error budget {float(burn or 0):.1f} times too fast",
            summary=text + self._blamed(guilty, change),
            evidence=evidence,
            runs=_examples(instance.blame.runs(), guilty),
            runbook=slo.runbook,
            owner=slo.owner,
            workflow=instance.workflow,
            tenant=instance.tenant,
            labels=dict(slo.labels),
        )

    def spent(self, instance: Instance, step: PolicyStep, budget: Budget) -> Facts:
        """Say that a step of the budget policy is reached."""
        slices = _of_period(instance, self._ledger.now)
        guilty, change = blame_of(slices)
        actions = [str(action) for action in step.actions]
        used = f"{percent(float(budget.used or 0), 0)}% of the budget used"
        text = (
            f"{instance.name}: {budget.bad} of {budget.total} bad, {used}; step {step.percent} %: {', '.join(actions)}"
        )
        return Facts(
            title=f"{instance.name} has used {step.percent} % of its error budget",
            summary=text + self._blamed(guilty, change),
            evidence={
                "count": budget.bad,
                "limit": float((1 - budget.target) * budget.total * step.percent / 100),
                "slo": instance.name,
                "percent": step.percent,
                "budget_used": _number(budget.used),
                "actions": actions,
                "guilty": self._guilty(guilty),
                "change": self._change(change),
                "contributors": self._contributors(slices),
            },
            runs=_examples(instance.blame.runs(), guilty),
            runbook=instance.slo.runbook,
            owner=instance.slo.owner,
            workflow=instance.workflow,
            tenant=instance.tenant,
            labels={**instance.slo.labels, **{f"action.{action}": "yes" for action in actions}},
        )

    def burn(self, slot: int, window: int, target: Fraction) -> float:
        """Give how many times too fast a window burns; 0 without events."""
        total, bad = self._counts(slot, window)
        return burn_number(bad, total, target) or 0.0

    def since(self, slot: int, opened: int) -> tuple[str, dict[str, Any]]:
        """Say what was counted since an incident opened, Unix seconds, by whole panes."""
        total, bad = self._ledger.since(slot, opened)
        return f"{bad} of {total} bad since it opened", {"since_opened": {"bad": bad, "total": total}}

    def _counts(self, slot: int, window: int) -> tuple[int, int]:
        counts = self._ledger.read()[self._ledger.windows.index(window), :, slot]
        return int(counts[TOTAL]), int(counts[BAD])

    def _burns(self, slot: int, instance: Instance) -> dict[str, float | None]:
        """Give the burn rate in each window of a rule."""
        target = instance.slo.target
        found = {}
        for window in instance.slo.rule_windows:
            total, bad = self._counts(slot, window)
            found[duration(window)] = burn_number(bad, total, target)
        return found

    def _exhausts_at(self, slot: int, instance: Instance, budget: Budget) -> str | None:
        """Forecast from the longest window of a rule that pages; null when the budget lasts at that rate."""
        pages = [rule.long_s for rule in instance.slo.rules if rule.page]
        if budget.remaining is None or not pages:
            return None
        total, bad = self._counts(slot, max(pages))
        burn = burn_rate(bad, total, instance.slo.target)
        burn = burn or budget.target * 0
        now, lasts = self._ledger.now, period_s(instance.slo.window, self._ledger.now)
        if isinstance(instance.slo.window, Calendar):  # its budget is that of the events so far, and grows
            events, lasts = events_left(budget, burn), bounds(instance.slo.window, now)[1] - now
            left = events * max(pages) / total if events and total else events
        else:
            left = exhausted_in(budget.remaining, burn, lasts)
        return None if left is None or left > lasts else _time(now + int(left))

    def _guilty(self, guilty: Guilty | None) -> dict[str, Any] | None:
        if guilty is None:
            return None
        return self._slice(guilty.slice) | {
            "rest_total": guilty.rest_total,
            "rest_bad": guilty.rest_bad,
            "explains": round(guilty.explains, 4),
        }

    def _change(self, change: Guilty | None) -> dict[str, Any] | None:
        """Tell when what was rolled out and explains it was first seen."""
        if change is None:
            return None
        said = self._slice(change.slice)
        return {"dimension": said["dimension"], "value": said["value"], "first_seen": _time(change.slice.first_s)}

    def _contributors(self, slices: Sequence[Slice]) -> list[dict[str, Any]]:
        return [self._slice(each) for each in contributing(slices)]

    def _slice(self, part: Slice) -> dict[str, Any]:
        name = self._names.get(part.name, f"{part.name % 2**64:016x}")
        return {"dimension": DIMENSIONS[part.dimension], "value": name, "bad": part.bad, "total": part.total}

    def _blamed(self, guilty: Guilty | None, change: Guilty | None) -> str:
        if guilty is None:
            return ""
        text = f"; {percent(guilty.explains, 0)}% explained by {self._named(guilty)}"
        if change is None:
            return text
        if change.slice != guilty.slice:
            text += f", {percent(change.explains, 0)}% by {self._named(change)}"
        return f"{text}, first seen {in_words(_time(change.slice.first_s))}"

    def _named(self, guilty: Guilty) -> str:
        said = self._slice(guilty.slice)
        return f"{said['dimension']} {said['value']}"


def _of_period(instance: Instance, now: int) -> list[Slice]:
    """Give the slices of the budget period so far: one of a calendar is not spent by what was before it began."""
    window = instance.slo.window
    if isinstance(window, Calendar):
        return instance.blame.since(now, bounds(window, now)[0])
    return instance.blame.slices(now, window.seconds)


def contributing(slices: Sequence[Slice]) -> list[Slice]:
    """Give the slices with the most bad events; those that hold all events come last: they tell nothing apart."""
    every = {each.total for each in slices if each.dimension == EVERYTHING}
    found = [each for each in slices if each.dimension != EVERYTHING and each.bad > 0]
    return sorted(found, key=lambda each: each.total in every)[:_CONTRIBUTORS]


def _is_frozen(instance: Instance, reached: Sequence[int]) -> bool:
    return any(Action.FREEZE in step.actions and step.percent in reached for step in instance.slo.policy)


def _examples(runs: Sequence[BadRun], guilty: Guilty | None) -> tuple[str, ...]:
    """Give up to five run ids, those of the guilty slice first, the latest first."""
    ordered = sorted(runs, key=lambda run: guilty is None or run.values[guilty.slice.dimension] != guilty.slice.name)
    return tuple(run.run_id for run in ordered[:_EXAMPLES])


@cache
def duration(seconds: int) -> str:
    """Write a window as people do: 5m, 6h, 3d."""
    return next((f"{seconds // size}{unit}" for unit, size in _UNITS if seconds % size == 0), f"{seconds}s")


def _number(ratio: Fraction | None) -> float | None:
    return None if ratio is None else float(ratio)


def _time(second: int) -> str:
    return rfc3339(second * 1_000_000_000)
