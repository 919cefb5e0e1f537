"""SpendTable: the state of one spend shard. Spend rows in; records, verdicts and incidents out.

Sums are integers, so any order of rows gives the same. A step of a budget is told once a period: what was told is kept
with the sums, and its id follows from budget, scope, period and step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from models.incidents.book import IncidentBook
from models.incidents.course import Course
from models.incidents.incident import Severity
from models.spend.budget import PERIODS, following
from models.spend.leftovers import key_of, leftover
from models.spend.pace_rows import Pace
from models.spend.paces import DAYS, LEAST_DAYS, SPEND_DAY, Found, Paces
from models.spend.places import Places
from models.spend.rows import QUARTER_S, Spend
from models.spend.sums import CHANGED, TOUCHED, UNTOLD, Sums
from models.spend.words import Taken, cleared, facts_of, ident_of, period_of, severity_of, verdict_of
from models.times import rfc3339
from models.verdicts import Action

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from models.incidents.book import Ident, Patience
    from models.incidents.incident import Incident
    from models.spend.budget import Budget, Calendar, PeriodKind, Step
    from models.spend.leftovers import Leftover
    from models.spend.sums import Sum
    from models.spend.words import Amounts, Key
    from models.verdicts import Verdict

NANO = 1_000_000_000
TELL_S, TELL_FREE_S = 30, 300
"""Seconds between two records of a scope; of a user whom no budget can limit, as there may be very many of them."""
MAX_SCOPES = 200_000
"""Scopes kept a shard; beyond it periods that are over go, those that ended longest ago first, counted."""
_KEPT_DAYS = 62
"""A period is kept so long after it began: last month can be looked up, and late costs find their place."""
_SHOWN = ("product", "workflow")
_VERSION = 2
"""Of the state."""
_NONE = Taken(0, 0)
_LIMITED, _FREE, _DAYS = 1, 2, 4
"""Kinds of sums: there may be a budget for it; a user's for whom there can be none; a workflow's day."""


@dataclass
class Spent:
    """What a look gave, in order."""

    records: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)


class SpendTable:
    """The budgets of one shard. `generation` numbers the lives of the shard; records of a later one are newer.

    `is_live`: by a clock, so that what a period still costs when it is over limits nobody. In a replay that may only be
    read late: many days may come at once, and what would have been done is what one wants to know.
    """

    def __init__(
        self,
        budgets: Sequence[Budget],
        calendar: Calendar,
        generation: int = 0,
        patience: Patience | None = None,
        paces: Paces | None = None,
        *,
        is_live: bool = True,
    ) -> None:
        self.paces = paces
        self._is_live = is_live
        self._read_s = 0
        """Unix second of the newest call that was paid for."""
        self._said: list[Verdict] = []
        self._budgets = tuple(budgets)
        self._calendar = calendar
        self._floor = generation << 20
        self.book = IncidentBook(generation, patience)
        self._shown: dict[Key, None] = {}
        """Those that metrics show."""
        self._versions = {budget.version for budget in budgets}
        self._watched = {(budget.level, budget.period) for budget in budgets}
        self._sums = Sums(self._kind)
        self._places = Places(self._sums, calendar)
        self._told_s = self._told_free_s = 0
        self._spent: dict[tuple[str, Key], None] = {}
        """Budgets that limit someone now: (version, key)."""
        self._newest = ""
        """First day of the newest period when it was last forgotten."""
        self.forgotten = 0
        self._is_restored = False
        """Not looked at since it was restored: its budgets may be others."""

    def apply(self, rows: NDArray[Any], names: Mapping[int, str]) -> None:
        """Add spend rows [row, Spend]; `names` has the text of their names."""
        slots, opened = self._places.find(rows, names)
        self._shown |= {kept.key: None for kept in opened if kept.key[0] in _SHOWN}
        for of_period in slots.T:
            self._sums.add(of_period, rows[:, Spend.COST :])
            self._sums.say_tiers(of_period, rows[:, Spend.TIER], names.get)

    @property
    def sums(self) -> Mapping[Key, Sum]:
        """What was spent."""
        return self._sums.by_key

    def _kind(self, key: Key) -> int:
        level, period = key[0], key[3]
        limited = (level, period) in self._watched
        is_day = level == "workflow" and period == "day"
        return _LIMITED * limited | _FREE * (level == "user" and not limited) | _DAYS * is_day

    def pace(self, rows: NDArray[Any], names: Mapping[int, str]) -> None:
        """Take in pace rows [row, Pace]."""
        self._read_s = max(self._read_s, int(rows[:, Pace.AT].max(initial=0)) // NANO)
        if self.paces:
            self._said += self.paces.apply(rows, names)

    def look(self, now_s: int, *, is_last: bool = False) -> Spent:
        """Judge what changed, and let go of what a period that has ended held; `is_last`: tell all there is to tell."""
        if not self._is_live:  # the watermark is behind what was read: nothing is told before what it is of
            now_s = max(now_s, self._read_s)
        out = Spent()
        for kept in self._limited():
            for budget in self._fitting(kept):
                self._climb(budget, kept, now_s, out)
        if self._is_restored:
            self._end_unreached(now_s, out)
        if self.paces:
            out.verdicts += self._said
            out.verdicts += [told for kept in self._sums.marked(TOUCHED, _DAYS) for told in self._day(kept, now_s)]
            out.verdicts += self.paces.limits.ended(now_s)
            self._said = []
        self._let_go(now_s, out)
        if self._is_restored:
            self._begin_anew(now_s)
            self._is_restored = False
        self._sums.unmark(TOUCHED)
        out.records = self._told(now_s, is_last=is_last)
        return out

    def _told(self, now_s: int, *, is_last: bool) -> list[dict[str, Any]]:
        """Give the records that are due."""
        # by a clock that was ahead nothing would be told until then
        self._told_s, self._told_free_s = (min(at or now_s, now_s) for at in (self._told_s, self._told_free_s))
        due: list[Sum] = []
        if is_last or now_s >= self._told_s + TELL_S:
            due += self._sums.take(UNTOLD, but=_FREE)
            self._told_s = now_s
        if is_last or now_s >= self._told_free_s + TELL_FREE_S:
            due += self._sums.take(UNTOLD, _FREE)
            self._told_free_s = now_s
        at = rfc3339(now_s * NANO)
        return [self._record(kept, now_s, at) for kept in due]

    def _limited(self) -> list[Sum]:
        """Give the touched sums that there may be budgets for, in an order that is always the same."""
        return sorted(self._sums.marked(TOUCHED, _LIMITED), key=lambda kept: str(kept.key))

    def _day(self, kept: Sum, now_s: int) -> Sequence[Verdict]:
        """Compare the day of a workflow with the days before."""
        level, id_, tenant, period, start = kept.key
        if self.paces is None:
            return ()
        day = date.fromisoformat(start)
        days = [(day - timedelta(days=back)).isoformat() for back in range(1, DAYS + 1)]
        before = [past.cost for each in days if (past := self.sums.get((level, id_, tenant, period, each)))]
        if len(before) < LEAST_DAYS:
            return ()
        usual, (since, end) = sum(before) / len(before), map(int, self._calendar.span_s(period, day))
        found = Found(level, id_, tenant, kept.cost / NANO, usual / NANO, since * NANO, now_s * NANO)
        told = list(self.paces.judge(SPEND_DAY, found, start))
        self.paces.limits.note(told, end)
        return told

    def _span_s(self, key: Key) -> tuple[float, float]:
        """Give begin and end of a sum's period, Unix seconds."""
        return self._calendar.span_s(key[3], date.fromisoformat(key[4]))

    def _fitting(self, kept: Sum) -> list[Budget]:
        level, id_, tenant, period, _ = kept.key
        return [each for each in self._budgets if each.period == period and each.fits(level, id_, tenant, kept.tier)]

    def _climb(self, budget: Budget, kept: Sum, now_s: int, out: Spent) -> None:
        """Take the steps that were reached and not told; a correction downwards takes none back in its period."""
        key, steps = kept.key, budget.steps()
        taken = kept.taken(budget.version)  # another limit is another budget
        while taken.steps < len(steps) and kept.cost >= steps[taken.steps].nano:
            spent = kept.cost, kept.tokens
            step = self._take_step(budget, kept, spent, now_s, out)
            told = self.book.wrong(
                ident_of(budget, key, step), severity_of(step), now_s, partial(facts_of, budget, key, spent, step)
            )
            out.incidents += [told] if told else []
            taken = kept.taken(budget.version)

    def _take_step(self, budget: Budget, kept: Sum, spent: Amounts, now_s: int, out: Spent) -> Step:
        """Take the next step; gives it as it is meant: when its period is over it limits nobody any more."""
        taken = kept.taken(budget.version)
        step = budget.steps()[taken.steps]
        if self._is_live and now_s >= self._span_s(kept.key)[1]:
            step = step._replace(action=Action.WARN)
        out.verdicts.append(verdict_of(budget, kept.key, spent, step, now_s, taken))
        if step.action is not Action.WARN:
            self._spent[budget.version, kept.key] = None
        kept.take(budget.version, taken._replace(steps=taken.steps + 1))
        return step

    def _let_go(self, now_s: int, out: Spent) -> None:
        """Clear what was limited in a period that is over, or by a budget that is no more what it was.

        The new period is told at once, though nothing was spent in it: who reserves by the newest period may go on.
        """
        for name, key in list(self._spent):
            is_over = now_s >= self._span_s(key)[1]
            if is_over or not self._still_limits(name, key):
                del self._spent[name, key]
                taken = self.sums[key].taken(name) if key in self.sums else _NONE
                out.verdicts.append(cleared(name, key, now_s, taken, is_over=is_over))
            if is_over:
                new = (*key[:4], following(key[3], date.fromisoformat(key[4])).isoformat())
                is_new = new not in self.sums
                begun = self._sums.of(new)
                if is_new and key in self.sums:
                    begun.tier = self.sums[key].tier
                    self._sums.change(begun)
                self._sums.touch(begun)
        for ident in self.book.open_idents():
            if now_s >= self._calendar.span_s(*period_of(ident))[1]:
                told = self.book.right(ident, now_s, at_once=True, course=Course(so_far=partial(self._in_all, ident)))
                out.incidents += [told] if told else []

    def _in_all(self, ident: Ident, _: int) -> tuple[str, dict[str, Any]]:
        """Say what was spent in the whole period of an incident."""
        facts = self.book.facts(ident)
        kept = self.sums.get(key_of(ident, facts)) if facts else None
        if kept is None:
            return "", {}
        return f"{kept.cost / NANO:.2f} USD in all", {"in_all": {"cost_usd": kept.cost / NANO, "tokens": kept.tokens}}

    def _still_limits(self, version: str, key: Key) -> bool:
        """Say whether a budget is what it was, and of whom it was; that it may not be a restart brings."""
        kept = self.sums.get(key)
        if kept is None or not self._is_restored:
            return version in self._versions
        return version in {budget.version for budget in self._fitting(kept)}

    def _end_unreached(self, now_s: int, out: Spent) -> None:
        """End incidents of steps that no budget has any more, or that by its new limit were not reached.

        Those of a step that is there were told by an earlier life: they hold.
        """
        reached = {
            ident_of(budget, kept.key, step)
            for kept in self._limited()
            for budget in self._fitting(kept)
            for step in budget.steps()[: kept.taken(budget.version).steps]
        }
        for ident in [each for each in self.book.open_idents() if each not in reached]:
            facts = self.book.facts(ident)
            before = leftover(ident, facts, self._budgets) if facts else None
            if before:
                self._take_over(before, now_s, out)
                continue
            told = self.book.right(ident, now_s, at_once=True)
            out.incidents += [told] if told else []
            if told and facts and told.severity is Severity.SEV_2:
                self._free(key_of(ident, facts), facts.evidence, now_s, out)

    def _take_over(self, before: Leftover, now_s: int, out: Spent) -> None:
        """Let hold what an earlier life told; its verdicts, which may not have reached the log, are told again."""
        budget, key, done, spent = before
        kept = self._sums.of(key)
        for step in budget.steps()[kept.taken(budget.version).steps : done]:
            self._take_step(budget, kept, spent, now_s, out)
            if step.action is not Action.WARN:
                self._spent[budget.version, key] = None  # also of a period that is over by now: it is to be let go of

    def _free(self, key: Key, said: Mapping[str, Any], now_s: int, out: Spent) -> None:
        """Clear what a budget limited that is no more what it was, where only its incident tells that it did."""
        name = said["budget"]
        if not any(key == limited and version.startswith(f"{name}\x1f") for version, limited in self._spent):
            out.verdicts.append(cleared(f"{name}\x1f{said['limit']}", key, now_s, _NONE, is_over=False))

    def _begin_anew(self, now_s: int) -> None:
        """Have the steps of budgets that are no more of whom they were, or are no more, told again if they come back.

        In periods under way; whom they limited was let go of (`_let_go`).
        """
        for kept in [kept for kept in self.sums.values() if kept.told and now_s < self._span_s(kept.key)[1]]:
            fitting = {budget.version for budget in self._fitting(kept)}
            for version in sorted((kept.told or {}).keys() - fitting):
                taken = kept.taken(version)
                if taken.steps:
                    kept.take(version, Taken(taken.turn + 1, 0))

    def _record(self, kept: Sum, now_s: int, at: str) -> dict[str, Any]:
        """Give the `spend` record; the limit is the tightest of those that fit."""
        key = kept.key
        is_limited = key[::3] in self._watched
        limit = min((budget.limit for budget in self._fitting(kept)), default=None) if is_limited else None
        revision = self._sums.revisions[kept.at] = max(kept.revision + 1, self._floor)
        return {
            "kind": "spend",
            "at": at,
            "scope": {"level": key[0], "id": key[1]},
            "tenant": key[2],
            "period": key[3],
            "start": key[4],
            "cost_usd": _known_usd(kept),
            "tokens": kept.tokens,
            "runs": kept.runs,
            "limit_usd": None if limit is None else limit / NANO,
            "used": None if not limit else round(kept.cost / limit, 6),
            "exhausts_at": self._exhausts(kept, limit, now_s) if limit else None,
            "revision": int(revision),
        }

    def _exhausts(self, kept: Sum, limit: int, now_s: int) -> str | None:
        """Say when the limit is reached if the rest of the period is as it was so far; None: not within it."""
        if kept.cost <= 0:
            return None
        begin, end = self._span_s(kept.key)
        if now_s <= begin:
            return None
        at = begin + (now_s - begin) * limit / kept.cost
        return rfc3339(int(at * NANO)) if at < end else None

    def elapsed(self, now_s: int) -> dict[PeriodKind, float]:
        """Give the share of the day and month that it is that has gone by, in the zone of the budgets."""
        return self._calendar.elapsed(now_s)

    def newest(self, now_s: int | None = None) -> dict[tuple[str, str, str], float]:
        """Give USD by (level, id, period) of the product and of workflows, each in its newest period.

        With `now_s` (Unix) in the period that it is then: what was spent yesterday is nothing of today's. Of whom
        nothing has a price there is none: that is not 0, as in the records.
        """
        starts = ("", "") if now_s is None else self._calendar.starts(now_s // QUARTER_S)
        begun: dict[str, str] = dict(zip(PERIODS, starts, strict=True))
        found: dict[tuple[str, str, str], tuple[str, float | None]] = {}
        for level, id_, _, period, start in list(self._shown):
            kept = self.sums.get((level, id_, None, period, start))
            if kept and start >= found.get((level, id_, period), ("", 0.0))[0]:
                found[level, id_, period] = start, _known_usd(kept)
        now = {key: usd if start >= begun[key[2]] else 0.0 for key, (start, usd) in found.items()}
        return {key: usd for key, usd in now.items() if usd is not None}

    # what is kept

    def take_delta(self) -> bytes:
        """Give what changed since the last call."""
        gone, sums = self._forget(), self._sums
        opened, reworded = sums.take_opened(), sums.take_reworded()
        return self._pack(opened, sums.take_slots(CHANGED), reworded, gone, self.book.take_changed())

    def dump(self) -> bytes:
        """Give everything."""
        self._forget()
        kept = [*self.sums.values()]
        said = [of for of in kept if of.told or of.tier is not None]
        return self._pack(kept, np.array([of.at for of in kept], np.int64), said, (), self.book.state())

    def _pack(
        self, opened: list[Sum], changed: NDArray[np.int64], reworded: list[Sum], gone: Sequence[Key], lives: Any
    ) -> bytes:
        """Write numbers by slot, and a key only once: with their keys, all that was touched is five times as long."""
        said = {
            "version": _VERSION,
            "gone": gone,
            "opened": [[of.at, *of.key] for of in opened],
            "changed": changed,
            "amounts": np.ascontiguousarray(self._sums.amounts[:, changed]),
            "revisions": self._sums.revisions[changed],
            "said": [[of.at, of.told, of.tier] for of in reworded],
            "lives": lives,
            "limited": [[name, *key] for name, key in self._spent],
            "paced": self.paces.limits.state() if self.paces else [],
            "forgotten": self.forgotten,
        }
        return orjson.dumps(said, option=orjson.OPT_SERIALIZE_NUMPY)

    @staticmethod
    def load(table: SpendTable, base: bytes | None, deltas: Sequence[bytes]) -> SpendTable:
        """Restore an empty `table` from a dump and the deltas taken after it. Raises ValueError for other versions."""
        by_slot: dict[int, Sum] = {}
        for raw in ([base] if base else []) + list(deltas):
            part = orjson.loads(raw)
            if part.get("version") != _VERSION:
                msg = f"state of spend: version {part.get('version')}, expected {_VERSION}"
                raise ValueError(msg)
            table._absorb(part, by_slot)
        table._sums.touch_all()  # what was not looked at before is now
        table._is_restored = True
        table._shown = {key: None for key in table.sums if key[0] in _SHOWN}
        return table

    def _absorb(self, part: dict[str, Any], by_slot: dict[int, Sum]) -> None:
        """Take in a dump or a delta. `by_slot`: the sums by the slots of the life that wrote it."""
        sums = self._sums
        sums.drop(map(tuple, part["gone"]))
        by_slot |= {at: sums.of(tuple(key)) for at, *key in part["opened"]}
        mine = np.array([by_slot[at].at for at in part["changed"]], np.int64)
        sums.amounts[:, mine], sums.revisions[mine] = np.array(part["amounts"]).reshape(3, -1), part["revisions"]
        for at, told, tier in part["said"]:
            by_slot[at].told, by_slot[at].tier = told, tier
        self.book.adopt(part["lives"], newer=True)
        self._spent = {(name, tuple(key)): None for name, *key in part["limited"]}
        if self.paces:
            self.paces.limits.restore(part.get("paced", ()))  # of a state from before they were kept: none
        self.forgotten = part["forgotten"]

    def _forget(self) -> list[Key]:
        """Forget periods that began long before the newest, then the oldest beyond what is kept."""
        newest = max((kept.key[4] for kept in self._sums.marked(CHANGED)), default=None)
        if newest is None or not (len(self.sums) > MAX_SCOPES or newest != self._newest):
            return []
        self._newest = newest
        limit = date.fromordinal(date.fromisoformat(newest).toordinal() - _KEPT_DAYS).isoformat()
        gone = [key for key in self.sums if key[4] < limit]
        excess = len(self.sums) - len(gone) - MAX_SCOPES
        if excess > 0:
            day = self._calendar.span_s("day", date.fromisoformat(newest))[0]
            ends = {key: self._span_s(key)[1] for key in self.sums}
            over = [key for key, end in ends.items() if key[4] >= limit and end <= day and not self.sums[key].told]
            over.sort(key=ends.__getitem__)
            gone += over[:excess]
            self.forgotten += min(excess, len(over))
        self._sums.drop(gone)
        self._shown = {key: None for key in self._shown if key in self.sums}
        self._places.clear()
        return gone


def _known_usd(kept: Sum) -> float | None:
    """Give what is known of the cost: nothing priced is not nothing spent."""
    return None if not kept.cost and kept.tokens else kept.cost / NANO
