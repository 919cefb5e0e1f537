"""Values for the decoder's oracle: numbers, and members of objects, JSON by Python's own parser or kvlists."""

from __future__ import annotations

import json
import math
import re
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_JSON_DEPTH = 100
_NUMBER = re.compile(rb" *([+-]?)(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *")


def members_of(choice: str, value: Any, pairs: Callable[[bytes], Any]) -> list[Any] | None:
    """Give key, value as an attribute has it, and a way to the members inside, of each member; None: not an object."""
    if choice == "kvlist_value":
        found = [(p.key, p.value.WhichOneof("value"), p.value) for p in pairs(value)]
        return [(key, (kind, getattr(v, kind) if kind else None), _inside(kind, v, pairs)) for key, kind, v in found]
    if choice != "string_value":
        return None
    text = value.decode("latin-1")  # bytes as characters: what is no UTF-8 is none of JSON's business here
    try:
        if _depth(text) > MAX_JSON_DEPTH or not isinstance(json.loads(text, parse_constant=_refuse), dict):
            return None
    except ValueError:
        return None
    return _json_members(text)


def _inside(kind: str | None, value: Any, pairs: Callable[[bytes], Any]) -> Any:
    return partial(members_of, kind, value.kvlist_value, pairs) if kind == "kvlist_value" else None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _depth(text: str) -> int:
    depth = deepest = 0
    for token in re.findall(r'"(?:\\.|[^"\\])*"|[\[{]|[\]}]', text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token, 0)
        deepest = max(deepest, depth)
    return deepest


def _json_members(text: str) -> list[Any]:
    """Give the members of an object that is JSON, as it is written."""
    reader, members = json.JSONDecoder(), []
    at = _behind_space(text, text.index("{") + 1)
    while text[at] != "}":
        _, stop = reader.raw_decode(text, at)
        key = text[at + 1 : stop - 1].encode("latin-1")
        at = _behind_space(text, _behind_space(text, stop) + 1)
        value, stop = reader.raw_decode(text, at)
        raw = text[at:stop].encode("latin-1")
        inside = partial(_json_members, raw.decode("latin-1")) if raw[:1] == b"{" else None
        members.append((key, _json_value(value, raw), inside))
        at = _behind_space(text, stop)
        at = _behind_space(text, at + 1) if text[at] == "," else at
    return members


def _behind_space(text: str, at: int) -> int:
    while text[at : at + 1] in set(" \t\r\n"):
        at += 1
    return at


def _json_value(value: Any, raw: bytes) -> tuple[str | None, Any]:
    if isinstance(value, str):
        return ("bytes_value" if b"\\" in raw else "string_value"), raw[1:-1]
    if value is None or isinstance(value, bool):
        return (None if value is None else "bool_value"), value
    kinds = {dict: "kvlist_value", list: "array_value"}
    return kinds.get(type(value), "string_value"), raw


def scaled(choice: str, value: Any, scale: int, *, signed: bool) -> int | None:
    """Give a value as a number times 10**scale, rounded half away from zero; None: it is none."""
    if choice == "double_value":
        size = abs(value) * 10.0**scale
        if not size < 9e18:
            return None
        whole = math.floor(size + 0.5)
        return -whole if value < 0 else whole
    if choice == "int_value" or (choice == "bool_value" and signed):
        value = str(int(value)).encode()
    elif choice != "string_value":
        return None
    match = _NUMBER.fullmatch(value)
    if not match:
        return None
    whole, _, fraction = match[2].partition(b".")
    exponent = max(-9999, min(9999, int(match[3][1:]))) if match[3] else 0
    exponent += scale - len(fraction)
    digits = int(whole + fraction)
    size = digits * 10**exponent if exponent >= 0 else (2 * digits + 10**-exponent) // (2 * 10**-exponent)
    if size > 9 * 10**18:
        return None
    return -size if match[1] == b"-" else size
