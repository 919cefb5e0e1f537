"""Scope: what a state is asked of. Subject: who a call belongs to, one id a level."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from flyball_sdk.checks import a_text, an_object, demand, one_of

RUN: Final = "run"
USER: Final = "user"
AGENT: Final = "agent"
WORKFLOW: Final = "workflow"
TENANT: Final = "tenant"
PRODUCT: Final = "product"
SCOPE_LEVELS: Final = (RUN, USER, AGENT, WORKFLOW, TENANT, PRODUCT)
EVERYTHING: Final = "*"
"""The id of the product."""

LONGEST_NAME: Final = 256
"""Bytes of UTF-8."""

_SHORT: Final = LONGEST_NAME // 4  # characters, of which none has more than four bytes
_MEMBERS: Final = frozenset({"level", "id"})
_RUN_ID: Final = re.compile(r"[0-9a-f]{32}")
_RUN_LENGTH: Final = 32


class Scope(NamedTuple):
    """One run, user, agent, workflow or tenant, or the whole product."""

    level: str
    id: str

    def __str__(self) -> str:
        return f"{self.level}:{self.id}"

    def to_json(self) -> dict[str, object]:
        """Give the object of the contract."""
        return {"level": self.level, "id": self.id}

    @classmethod
    def from_json(cls, value: object, where: str = "scope") -> Scope:
        """Read the object of the contract; raises MalformedError."""
        said = an_object(where, value, _MEMBERS)
        level = one_of(f"{where}.level", said["level"], SCOPE_LEVELS)
        name = a_text(f"{where}.id", said["id"])
        demand(level != PRODUCT or name == EVERYTHING, f"{where}.id", f"{EVERYTHING!r} for the product", name)
        demand(level != RUN or _RUN_ID.fullmatch(name), f"{where}.id", "32 lower-case hex digits for a run", name)
        demand("\n" not in name, f"{where}.id", "one line", name)
        return cls(level, name)


THE_PRODUCT: Final = Scope(PRODUCT, EVERYTHING)


class Subject(NamedTuple):
    """Who a call belongs to; what is not known is None. Every call belongs to the product.

    It comes from the host program or from a verified key, never from a tool's arguments.
    """

    run: str | None = None
    user: str | None = None
    agent: str | None = None
    workflow: str | None = None
    tenant: str | None = None

    @property
    def product(self) -> str:
        """The product's id, of every subject."""
        return EVERYTHING

    def scopes(self) -> list[Scope]:
        """List the scopes a call of this subject is in, the run first, the product last."""
        known = [Scope(level, name) for level, name in zip(SCOPE_LEVELS, self, strict=False) if name is not None]
        return [*known, THE_PRODUCT]

    def narrowed(self, other: Subject) -> Subject:
        """Fill in what is not known here from `other`; what is known here stays."""
        return Subject(*(mine if mine is not None else theirs for mine, theirs in zip(self, other, strict=True)))

    def as_named(self) -> Subject:
        """Give it with names as scopes have them, and the run's id as traces write it."""
        run = self.run
        if isinstance(run, str) and (len(run) != _RUN_LENGTH or run != run.lower()):
            run = as_run(run)
        if not any(isinstance(name, str) and (len(name) > _SHORT or "\n" in name) for name in self[1:]):
            return self if run is self.run else self._replace(run=run)
        return Subject(run, *(as_named(name) if isinstance(name, str) else name for name in self[1:]))


def as_named(name: str) -> str:
    """Give a name as scopes have it: a blank for each line end, no more than 256 bytes of UTF-8, as the flow cuts it.

    Else who has a line end in his name, or a very long one, could not be stopped.
    """
    name = name.replace("\n", " ")
    raw = name.encode("utf-8", "surrogatepass")
    return name if len(raw) <= LONGEST_NAME else raw[:LONGEST_NAME].decode("utf-8", "ignore")


def as_run(text: str) -> str:
    """Give a run's id as traces write it, however it was copied: in upper case, as a UUID, with blanks around.

    What is none stays as it is.
    """
    plain = text.strip().replace("-", "").lower()
    return plain if _RUN_ID.fullmatch(plain) else text


NOBODY: Final = Subject()
"""Of whom nothing is known: what it calls belongs to the product only."""
