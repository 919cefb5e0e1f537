"""Wire: a call as the control plane is asked about it, in JSON, whatever runs are called and tools are given."""

from __future__ import annotations

import json
import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from flyball_sdk.arguments import LARGEST_INPUT, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyball_sdk.reserving import Request

_RUN: Final = re.compile(r"[0-9a-f]{32}")


def asked(request: Request, *, names_agent: bool) -> dict[str, object]:
    """Give the members that say what is called, and whose call it is; what is not known is left out.

    The guard that asks has `counted` the call: it knows the agent's own limits, and what came of each call, by which
    polling is told from a loop. The control plane does not.
    """
    who = request.subject
    named = {"user": who.user, "agent": who.agent if names_agent else None, "workflow": who.workflow}
    tool_input, run = input_of(request.tool_input), run_of(who.run)
    said: dict[str, object] = {
        "schema": "1",
        "tool": {"name": request.tool, "kind": request.kind},
        "trace": {} if run is None else {"run_id": run},
        "subject": {level: str(name) for level, name in named.items() if name not in (None, "")},
        "counted": True,
    }
    return said if tool_input is None else said | {"tool_input": tool_input}


def run_of(run: str | None) -> str | None:
    """Give a run's id; one that is no trace id by a digest: its calls are still counted together there."""
    if run in (None, ""):
        return None
    text = str(run)
    if _RUN.fullmatch(text):
        return text
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def input_of(tool_input: Mapping[str, object]) -> object:
    """Give arguments as JSON, what that does not know by its structure.

    None, not known, is said of what has no structure, is beyond what rules look at, or has no form in JSON, as NaN.
    """
    text = text_of(tool_input)
    try:
        if text is None or len(text.encode()) > LARGEST_INPUT:  # half of a surrogate pair cannot be encoded, nor sent
            return None
        said: object = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return said


def _refuse(name: str) -> object:
    msg = f"{name} is no JSON"
    raise ValueError(msg)
