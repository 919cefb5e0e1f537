"""Amending: what was found out about an incident is added to its telling, in the topic that pages are made from.

Under the odd revision after that of the telling (`models.incidents.incident.APART`): a later telling of the flow stands
above it, and whoever reads the topic anew finds what was added.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import orjson

from models.incidents.incident import APART

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.port import Log

EXPLAINED: Final = "explained"
"""Where it is in the evidence."""


def number(incident: Mapping[str, Any]) -> int:
    """Give the number of the telling, whether something was added to it or not."""
    return int(incident["revision"]) // APART


def is_amended(incident: Mapping[str, Any]) -> bool:
    """Say whether something was added to the telling."""
    return int(incident["revision"]) % APART > 0


def added(incident: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give what was added to the telling; None: nothing."""
    evidence = incident["evidence"] if is_amended(incident) else {}
    return evidence.get(EXPLAINED)


def amended(incident: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the telling with what explains it; None where it has that already, or where nothing was found.

    An answer that does not tell the sides apart is not worth telling a page again.
    """
    if is_amended(incident) or not said.get("brief"):
        return None
    return {
        **incident,
        "revision": incident["revision"] + 1,
        "summary": f"{incident['summary']}; {said['brief']}",
        "evidence": {**incident["evidence"], EXPLAINED: dict(said)},
    }


def put(log: Log, topic: str, incident: Mapping[str, Any]) -> None:
    """Tell an incident; it is there when this returns. Raises LogError, and ValueError where it is too large."""
    with closing(log.writer()) as writer:  # one each: there are few
        writer.append(topic, [(incident["key"].encode(), orjson.dumps(incident))])
        writer.flush()
