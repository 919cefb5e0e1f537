"""YAML as nodes that know their line: what the typed reading of the configuration starts from."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import yaml

from flyball.config.problems import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from yaml.nodes import Node

NULL = "tag:yaml.org,2002:null"
TEXT = "tag:yaml.org,2002:str"
MAX_BYTES = 1_000_000
"""A configuration file larger than this is none."""

_NO_BREAKS = dict.fromkeys(map(ord, "\x85\u2028\u2029"), " ")
"""What ends a line for YAML 1.1, and for no editor: pasted text has it, and every line told below it would be wrong."""


def read_node(path: Path) -> Node | None:
    """Read one YAML document; None when it is empty. Raises ConfigError, for aliases too: they can be endless."""
    with _composing(path) as text:
        return yaml.compose(text, yaml.CSafeLoader)


def read_nodes(path: Path) -> list[Node]:
    """Read all YAML documents of a file but the empty ones. Raises ConfigError, for aliases too."""
    with _composing(path) as text:
        return [node for node in yaml.compose_all(text, yaml.CSafeLoader) if node.tag != NULL]


def line_of(node: Node | yaml.Event) -> int:
    """Give the line that a node starts on, from 1."""
    mark = node.start_mark
    return mark.line + 1 if mark else 0


def is_quoted(node: Node) -> bool:
    """Tell whether a scalar is written in quotes, or as a block of text."""
    return isinstance(node, yaml.ScalarNode) and bool(node.style)


def describe(node: Node) -> str:
    """Say what a node is, as it is written."""
    if isinstance(node, yaml.MappingNode):
        return "a section"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if node.tag == NULL:
        return "nothing"
    text = node.value if len(node.value) <= 60 else node.value[:59] + "…"  # noqa: PLR2004 -- about half a line
    return f"'{text}'" if is_quoted(node) or node.tag == TEXT else text


@contextmanager
def _composing(path: Path) -> Iterator[str]:
    """Give the text of a file that has no alias; what the parser refuses becomes a ConfigError."""
    text = _text(path)
    try:
        for event in yaml.parse(text, yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise _error(path, line_of(event), f"the alias *{event.anchor}", "the value itself, written out")
        yield text
    except yaml.MarkedYAMLError as error:
        raise _error(path, _error_line(error), _not_yaml(error)) from error
    except yaml.reader.ReaderError as error:  # a character that no YAML has
        line = text.count("\n", 0, error.position) + 1
        raise _error(path, line, f"not YAML: {str(error).splitlines()[0]}") from error
    except yaml.YAMLError as error:
        raise _error(path, 0, f"not YAML: {str(error).splitlines()[0]}") from error


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_BYTES:
            raise _error(path, 0, f"{len(raw)} bytes", f"at most {MAX_BYTES}")
        return raw.decode("utf-8-sig").translate(_NO_BREAKS)
    except OSError as error:
        raise _error(path, 0, f"a file that cannot be read ({error.strerror})", "YAML") from error
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _error(path, line, f"byte 0x{raw[error.start]:02x}", "text in UTF-8") from error


def _error_line(error: yaml.MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 0


def _not_yaml(error: yaml.MarkedYAMLError) -> str:
    return " ".join(filter(None, ("not YAML:", error.context, error.problem)))


def _error(path: Path, line: int, found: str, expected: str = "") -> ConfigError:
    return ConfigError([Problem(str(path), line, "", found, expected)])
