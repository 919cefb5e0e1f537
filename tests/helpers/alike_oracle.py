"""What makes arguments alike, spelled out: a text of JSON -> nested tuples, which are compared and digested."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from models.digest import digest_of, mix64

MASK = 2**64 - 1
_TOKEN = re.compile(rb'\s*("(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+)', re.DOTALL)
_DEEPEST = 64


def alike_digest(raw: bytes) -> int:
    """Digest arguments as the decoder should."""
    if raw.lstrip(b" \t\r\n")[:1] not in {b"{", b"["} or not _is_json(raw):
        return digest_of(raw)
    tokens = [found[1] for found in _TOKEN.finditer(raw)]
    value, deepest, _ = _value(tokens, 0, 1)
    return digest_of(raw) if deepest > _DEEPEST else value


def _is_json(raw: bytes) -> bool:
    """Say whether it is JSON, nested at most 100 deep; bytes that are no UTF-8 may stand in texts."""
    text = raw.decode("latin-1")

    def refuse(word: str) -> Any:
        raise ValueError(word)

    try:
        json.loads(text, parse_constant=refuse, parse_int=str, parse_float=str)
    except ValueError:
        return False
    depth = deepest = 0
    for token in _TOKEN.finditer(raw):
        depth += (token[1] in {b"{", b"["}) - (token[1] in {b"}", b"]"})
        deepest = max(deepest, depth)
    return deepest <= 100


def _mixed(word: int) -> int:
    return int(mix64(np.uint64(word & MASK))) & MASK


def _value(tokens: list[bytes], at: int, depth: int) -> tuple[int, int, int]:
    """Give (digest, deepest level, the next token)."""
    opening, at = tokens[at], at + 1
    is_object = opening == b"{"
    kept, deepest = 0x5851F42D4C957F2D if is_object else 0x14057B7EF767814F, depth
    while tokens[at] not in {b"}", b"]"}:
        at += tokens[at] == b","
        key = 0
        if is_object:
            key, at = digest_of(tokens[at]) & MASK, at + 2
        if tokens[at] in {b"{", b"["}:
            said, below, at = _value(tokens, at, depth + 1)
            deepest = max(deepest, below)
        else:
            said, at = digest_of(tokens[at]), at + 1
        member, element = kept + _mixed(_mixed(said) ^ key), _mixed(kept) ^ (said & MASK)
        kept = (member if is_object else element) & MASK
    said = _mixed(kept) | 1
    return said - 2**64 if said >= 2**63 else said, deepest, at + 1
