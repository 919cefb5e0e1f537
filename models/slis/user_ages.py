"""User ages: is the user of a run new to its workflow, or was there before? Cells by user in, cells by age out.

All cells of a workflow come to one series shard, so it remembers its users: of each the first day and the last. A user
is new for `days` days (UTC) from that of the first run on, by the run's own time. Whoever came in the first `days` days
of a workflow was there before, as it cannot be told. In those and one more nobody has an age: who seems to come first
on the day after them may have come before, by a run that is late.

Same for any order, batching and number of workers, as long as nothing comes a day later than something that is newer:
only the day of a first run decides, and that is the least of all. Memory: 16 to 64 bytes a user; who was not
seen for KEPT days is forgotten (and new when back), and beyond `most` no more are remembered: those have no age,
counted. Two users of a workflow are taken for one where 63 bits of a digest are equal.
"""
# ruff: noqa: PLR0917  # compiled kernels take arrays one by one

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.digest import digest_of, mix64
from models.kernels import allocating, small
from models.slis.groups import BETWEEN, TASK, USER, USER_AGE
from models.slis.pairs import pairs_of
from models.slis.settings import DAY_MINUTES
from models.slis.user_types import of_type, types_in
from models.sums import sum_by_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

NAMES = {digest_of(text): text for text in ("new", "existing")}
_DIMENSION, _BY_TASK = digest_of(USER_AGE), digest_of(f"{TASK}_{USER_AGE}")
_NEW, _EXISTING = NAMES

KEPT = 90
"""Days after which a user who was not seen is forgotten."""

_ENTRY = np.dtype([("key", np.int64), ("first", np.int32), ("last", np.int32)])
_MINUTE, _COUNT = 4, 6  # rows of cells


class UserAges:
    """The users of one series shard: who, the first day and the last, as Unix days. `days` 0: nobody has an age."""

    def __init__(self, days: int, most: int) -> None:
        self._days, self._most = days, most
        self._kept = max(KEPT, 2 * days)
        self._table, self._n = np.zeros(64, _ENTRY), 0
        self.refused = 0
        """Times that somebody was not remembered, beyond the bound."""
        self._today = 0
        self._news: list[NDArray[np.int64]] = []

    def __len__(self) -> int:
        """Count who is remembered, workflows among them."""
        return self._n

    @property
    def memory_bytes(self) -> int:
        """Size of the table."""
        return int(self._table.nbytes)

    def aged(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give cells ([7, n], the values users) as cells of the ages of these users; who has none, has no cells.

        Where they are of a type of task, as cells of ages with types beside them.
        """
        if not self._days or not cells.shape[1]:
            return np.empty((7, 0), np.int64)
        workflow, user, day = cells[0], cells[2], np.maximum(cells[_MINUTE] // DAY_MINUTES, 0)
        starts = _starts(workflow, user, day)  # cells of a run lie side by side
        days = day[starts]
        workflows, users = _keys(workflow[starts], np.zeros_like(starts)), _keys(workflow[starts], user[starts])
        self._meet(np.concatenate([workflows, users]), np.concatenate([days, days]))
        age = _ages(self._table, workflows, users, days, self._days, _NEW, _EXISTING)
        self._forget(int(days.max()))
        return _by_age(cells, np.repeat(age, np.diff(starts, append=len(day))))

    def ages(self, workflow: NDArray[np.int64], user: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the age (digest) on these days (Unix) of users who were met, 0 where it cannot be told."""
        keys = _keys(workflow, np.zeros_like(user)), _keys(workflow, user)
        found: NDArray[np.int64] = _ages(self._table, *keys, day, self._days, _NEW, _EXISTING)
        return found

    def _meet(self, keys: NDArray[np.int64], days: NDArray[np.int64]) -> None:
        news, met, changed = np.empty((2, len(keys)), np.int64), 0, 0
        while met < len(keys):
            if 2 * self._n + 1 >= len(self._table):
                self._refill(self._table[self._table["key"] != 0], 2 * len(self._table))
            met, self._n, refused, changed = _meet(self._table, self._n, keys, days, self._most, news, met, changed)
            self.refused += refused
        self._news.append(news[:, :changed].copy())

    def _refill(self, entries: NDArray[np.void], size: int) -> None:
        self._table = np.zeros(size, _ENTRY)
        _fill(self._table, entries)
        self._n = len(entries)

    def _forget(self, today: int) -> None:
        """Let go, once a day, of those who were not seen for long."""
        if today <= self._today:
            return
        self._today = today
        there = self._table[self._table["key"] != 0]
        stays = there["last"] > today - self._kept
        if not stays.all():
            self._refill(there[stays], len(self._table))

    # what is kept

    def delta(self) -> dict[str, NDArray[Any]]:
        """Give who was met on a day that is news, since the last `clear`."""
        met = np.concatenate([np.empty((2, 0), np.int64), *self._news], axis=1)
        return {"met": met[0], "met_on": met[1].astype(np.int32), "users": self._numbers()}

    def clear(self) -> None:
        """Begin a new delta."""
        self._news.clear()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give everything, to be packed."""
        there = np.sort(self._table[self._table["key"] != 0], order="key")
        return {**{f"user_{name}": there[name] for name in _ENTRY.names or ()}, "users": self._numbers()}

    def fill(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `arrays` or `delta` gave; a state from before there were any has none."""
        if "users" not in arrays:
            return
        if "user_key" in arrays:
            there = np.zeros(len(arrays["user_key"]), _ENTRY)
            for name in _ENTRY.names or ():
                there[name] = arrays[f"user_{name}"]
            self._n = 0
            self._refill(there, 1 << (2 * len(there) + 63).bit_length())
        else:
            self._meet(arrays["met"].copy(), arrays["met_on"].astype(np.int64))
            self.clear()
        self.refused, today = arrays["users"].tolist()
        self._forget(today)

    def _numbers(self) -> NDArray[np.int64]:
        return np.array([self.refused, self._today], np.int64)


def _starts(*columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give where the columns, together, come to something else than the row before."""
    is_start = np.ones(len(columns[0]), np.bool_)
    is_start[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return np.flatnonzero(is_start)


def texts_by_task(cells: NDArray[np.int64], names: Mapping[int, str]) -> dict[int, str]:
    """Name the ages with types that cells by user come to be."""
    types = [task for task in types_in(cells).tolist() if task in names]
    both = np.array([(age, task) for age in NAMES for task in types], np.int64).reshape(-1, 2).T.copy()
    texts = [f"{names[task]}{BETWEEN}{age}" for age in NAMES.values() for task in types]
    return dict(zip(pairs_of(*both).tolist(), texts, strict=True))


def _by_age(cells: NDArray[np.int64], age: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the sums of cells by age instead of user, and of those of a type by age and type; age 0 is left out."""
    known = np.flatnonzero(age)
    if not len(known):
        return np.empty((7, 0), np.int64)
    cells = cells.take(known, axis=1)
    cells[2] = age[known]
    by_type = _summed(cells)
    typed = by_type[:, by_type[1] != USER]
    by_type[1] = _DIMENSION
    if not typed.shape[1]:
        return by_type
    typed[2] = pairs_of(typed[2], of_type(typed[1]))
    typed[1] = _BY_TASK
    return np.concatenate([_summed(by_type), typed], axis=1)


def _summed(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add up cells that are alike."""
    first, sums = sum_by_key(cells[:_COUNT], cells[_COUNT:])
    found = np.vstack([cells[:_COUNT].take(first, axis=1), sums])
    return found[:, found[_COUNT] != 0]


@allocating
def _keys(workflows: Any, users: Any) -> Any:
    """Give a key, never 0, of each user of a workflow; of user 0 that of the workflow itself."""
    out = np.empty(workflows.size, np.int64)
    for i in range(workflows.size):
        out[i] = np.int64(mix64(np.uint64(users[i]) ^ mix64(np.uint64(workflows[i]))) | np.uint64(1))
    return out


@small
def _find(table: Any, key: Any) -> Any:
    """Give the place of a key, or the free place where it belongs."""
    mask = table.size - 1
    at = np.int64(mix64(np.uint64(key))) & mask
    while table[at].key != 0 and table[at].key != key:
        at = (at + 1) & mask
    return at


@allocating
def _meet(table: Any, n: Any, keys: Any, days: Any, most: Any, news: Any, met: Any, changed: Any) -> Any:
    """Note on which days they were met, from number `met` on until the table is half full.

    Gives how many were met, there are, were refused, and `news` (key, day) there were.
    """
    refused = 0
    for i in range(met, keys.size):
        if 2 * n + 1 >= table.size:
            return i, n, refused, changed
        entry = table[_find(table, keys[i])]
        if entry.key == 0:
            if n >= most:
                refused += 1
                continue
            n += 1
            entry.key = keys[i]
            entry.first = entry.last = days[i]
        elif days[i] < entry.first:
            entry.first = days[i]
        elif days[i] > entry.last:
            entry.last = days[i]
        else:
            continue
        news[0, changed], news[1, changed] = keys[i], days[i]
        changed += 1
    return keys.size, n, refused, changed


@allocating
def _ages(table: Any, workflows: Any, users: Any, days: Any, span: Any, new: Any, existing: Any) -> Any:
    """Give the age of each, 0 where it cannot be told."""
    out = np.zeros(users.size, np.int64)
    for i in range(users.size):
        workflow, user = table[_find(table, workflows[i])], table[_find(table, users[i])]
        if workflow.key == 0 or user.key == 0 or days[i] <= workflow.first + span:
            continue
        is_new = user.first >= workflow.first + span and days[i] < user.first + span
        out[i] = new if is_new else existing
    return out


@allocating
def _fill(table: Any, entries: Any) -> None:
    for entry in entries:
        place = table[_find(table, entry.key)]
        place.key, place.first, place.last = entry.key, entry.first, entry.last
