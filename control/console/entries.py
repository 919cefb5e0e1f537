"""What the console's page of the audit log looks for: a kind, a person, what it is about; a page at a time, back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

if TYPE_CHECKING:
    from control.audit import Entry
    from control.store import Store

PAGE: Final = 200
"""Entries of a page."""
FAR: Final = 50_000
"""Entries that one request looks through; where it finds too little, the next goes on from there."""
_STEP: Final = 2_000
"""Entries looked through at once: the file is held meanwhile, and signals must be written to it."""

_SAID: Final = "CAST(body AS TEXT)"
_SCOPE: Final = f"json_extract({_SAID}, '$.what.scope.level') || ':' || json_extract({_SAID}, '$.what.scope.id')"
_PLACE: Final = f"coalesce({_SCOPE}, '') || ' ' || coalesce(json_extract({_SAID}, '$.tenant'), '')"
_KIND: Final = f"json_extract({_SAID}, '$.kind') = ?"
_WHO: Final = f"instr(lower(json_extract({_SAID}, '$.actor')), lower(?))"
_ABOUT: Final = f"(instr(lower({_PLACE}), lower(?)) OR instr(lower(json_extract({_SAID}, '$.what')), lower(?)))"


class Wanted(NamedTuple):
    """A search; what is empty leaves nothing out."""

    kind: str = ""
    who: str = ""
    """Part of who did it: a person, a rule, an agent."""
    about: str = ""
    """Part of a scope as the page writes it (`user:ann`), of a tenant, or of what else an entry says."""
    before: int = 0
    """Entries from this number on are left out; 0: none is."""


def search(store: Store, wanted: Wanted) -> tuple[list[Entry], int]:
    """Give the newest entries that fit, and before which number to go on: 0: there is none."""
    condition, values = _condition(wanted)
    end = store.height() + 1
    end = min(end, wanted.before) if wanted.before else end
    last = max(1, end - FAR)
    found: list[Entry] = []
    while end > last:
        begin = max(last, end - _STEP)
        found += store.fitting(begin, end, condition, values, PAGE - len(found))
        if len(found) == PAGE:
            end = found[-1].n
            break
        end = begin
    return found, end if end > 1 else 0


def _condition(wanted: Wanted) -> tuple[str, tuple[str, ...]]:
    """Give what SQL asks, and the texts for it."""
    quoted = orjson.dumps(wanted.about).decode()[1:-1]  # as it stands within JSON
    asked = ((_KIND, (wanted.kind,)), (_WHO, (wanted.who,)), (_ABOUT, (wanted.about, quoted)))
    said = [(condition, texts) for condition, texts in asked if texts[0]]
    return " AND ".join(condition for condition, _ in said) or "1", tuple(each for _, texts in said for each in texts)
