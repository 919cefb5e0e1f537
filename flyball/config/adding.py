"""Adds an entry to a list in a YAML file as a person would: one line more, all others stay as they are."""

from __future__ import annotations

from typing import Any

import orjson
import yaml


def with_entry(text: str, section: str, name: str, entry: dict[str, str]) -> str:
    """Give the text with `entry` as the last of the list `section.name`, made where it is missing.

    Where the form of the text leaves no line to add to (braces, anchors), it is written anew, without its comments.
    """
    said = yaml.safe_load(text) or {}
    there = said.get(section) or {}
    expected = said | {section: there | {name: [*(there.get(name) or []), entry]}}
    added = _added(text, section, name, orjson.dumps(entry).decode())
    try:
        holds = added is not None and yaml.safe_load(added) == expected
    except yaml.YAMLError:
        holds = False
    return added if holds and added is not None else yaml.safe_dump(expected, sort_keys=False, allow_unicode=True)


def _added(text: str, section: str, name: str, entry: str) -> str | None:
    """Give the text with one entry (JSON, which is YAML) more; None: it has another form than is known here."""
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    root = yaml.compose(text, yaml.SafeLoader)
    if root is None or _value(root, section) is None:
        new = [f"{section}:{end}", f"  {name}:{end}", f"    - {entry}{end}"]
        return _inserted(lines, _after(root) if root else len(lines), new, end)
    found = _value(root, section)
    if not isinstance(found, yaml.MappingNode) or found.flow_style or not found.value:
        return None
    indent = " " * found.start_mark.column
    entries = _value(found, name)
    if entries is None:
        return _inserted(lines, _after(found), [f"{indent}{name}:{end}", f"{indent}  - {entry}{end}"], end)
    if not isinstance(entries, yaml.SequenceNode) or entries.flow_style or not entries.value:
        return None
    return _inserted(lines, _after(entries), [f"{' ' * entries.start_mark.column}- {entry}{end}"], end)


def _value(node: yaml.Node, name: str) -> yaml.Node | None:
    pairs: list[tuple[Any, yaml.Node]] = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for key, value in pairs if key.value == name), None)


def _after(node: yaml.Node) -> int:
    """Give the number of the line after the last one that a node is on; of a block the comments below are not."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    mark = node.end_mark
    return int(mark.line) + (mark.column > 0)


def _inserted(lines: list[str], at: int, new: list[str], end: str) -> str:
    before = lines[:at]
    if before and not before[-1].endswith(("\n", "\r")):
        before[-1] += end
    return "".join([*before, *new, *lines[at:]])
