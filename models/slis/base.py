"""What an SLI is: a name and Polars expressions over the frame of change rows.

Run rows (`per="run"`) have the scalar fields of `models.runs.record.RUN`; `workflow` is what the run counts for.
Call rows (`per="call"`) have the fields of `models.runs.changes.CALL` and the names (version, tenant ...) of their run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from models.digest import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

Per = Literal["run", "call"]


class DuplicateSliError(ValueError):
    """Two SLIs have the same name."""


@dataclass(frozen=True, eq=False)
class Ratio:
    """Good of total. Both expressions give whole numbers, 0 <= good <= total, and are multiplied by the row's weight.

    (Call rows come already multiplied: there both may be negative.) A row whose total is 0 or null does not count.
    """

    name: str
    total: pl.Expr
    good: pl.Expr
    good_means: str
    per: Per = "run"
    waits: bool = False
    """A run may count only when its evaluation comes, up to the grace later."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """The distribution of one value per run, in log bins 2 % wide (`models.slis.bins`).

    A row whose `value` is null or for which `where` does not hold does not count. `good` counts the values within `cap`
    (all of them when there is none), exactly: the cap need not lie on a bin's edge. `whole` says that values are whole
    numbers, so that quantiles are told as such. With a `scale` the value is a whole number of so many parts of the
    unit: Polars may be an ulp beside the quotient, and then a value at a threshold would lie beyond it.
    """

    name: str
    value: pl.Expr
    unit: str
    cap: float | None = None
    whole: bool = False
    per: Per = "run"
    where: pl.Expr | None = None
    scale: int = 1


Sli = Ratio | Histogram


def by_digest(slis: Iterable[Sli]) -> dict[int, Sli]:
    """Index SLIs by the digest of their name, which stands for them in cells and state; raises DuplicateSliError."""
    found: dict[int, Sli] = {}
    for sli in slis:
        digest = digest_of(sli.name)
        if digest in found:
            msg = f"two SLIs are named {sli.name!r}; a name must be unique"
            raise DuplicateSliError(msg)
        found[digest] = sli
    return found
