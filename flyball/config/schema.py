"""What a settings dataclass says about its keys: type, default, meaning.

Adding a key is one line in a dataclass: `port: Port = key(4318, "port to listen on")`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, NamedTuple, NewType, TypeVar, get_type_hints

T = TypeVar("T")

Tree = NewType("Tree", dict[str, Any])
"""YAML as it stands, checked by whoever uses it."""

Raw = Annotated[Any, "a YAML node"]
"""The YAML node itself (`yaml.nodes.Node`), not looked into."""

Texts = NewType("Texts", tuple[str, ...])
"""One text, or a list of at least one."""


@dataclass(frozen=True)
class Between:
    """Bounds of a number, a duration (nanoseconds) or a size (bytes), both included; `most` None: no upper bound."""

    least: float
    most: float | None = None

    def holds(self, value: float) -> bool:
        """Tell whether a value lies between."""
        return self.least <= value and (self.most is None or value <= self.most)

    def say(self, show: Callable[[Any], str]) -> str:
        """Say the bounds."""
        return f"at least {show(self.least)}" if self.most is None else f"{show(self.least)} to {show(self.most)}"


Port = Annotated[int, Between(0, 65_535)]
Count = Annotated[int, Between(1)]
Dollars = Annotated[float, Between(0)]


class Wrong(NamedTuple):
    """What a section finds wrong between its own keys; its `wrong()` method yields these."""

    key: str
    found: str
    expected: str


class Key(NamedTuple):
    """One key of a section."""

    name: str
    hint: Any  # resolved type, Annotated kept
    default: Any
    doc: str
    field: str
    """Of the dataclass: the name, with a `_` after it where the name is a word of Python."""
    needed: bool = False


def key(default: T, doc: str) -> T:
    """Declare a key: its default and what it means, in a few words."""
    value = {"default_factory": dict} if isinstance(default, Mapping) else {"default": default}
    field: Any = dataclasses.field(**value, metadata={"doc": doc})
    return field  # type: ignore[no-any-return]


def required(doc: str) -> Any:
    """Declare a key that has no default."""
    return dataclasses.field(metadata={"doc": doc})


def needed(doc: str) -> Any:
    """Declare a key that must be there; None where it is not or is wrong, so that the other keys can be checked."""
    return dataclasses.field(default=None, metadata={"doc": doc, "needed": True})


def section(kind: type[T]) -> T:
    """Declare a section whose keys all have defaults."""
    field: Any = dataclasses.field(default_factory=kind)
    return field  # type: ignore[no-any-return]


@cache
def keys_of(kind: type) -> dict[str, Key]:
    """List the keys of a settings dataclass, in order."""
    hints = get_type_hints(kind, include_extras=True)
    fields = dataclasses.fields(kind)
    keys = (_key(f, hints[f.name]) for f in fields)
    return {key.name: key for key in keys}


def _key(field: dataclasses.Field[Any], hint: Any) -> Key:
    told = field.metadata
    name, needed = field.name.rstrip("_"), told.get("needed", False)
    return Key(name, hint, _default(field), told.get("doc", ""), field.name, needed)


def is_section(hint: Any) -> bool:
    """Tell whether a type is a settings dataclass."""
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


@cache
def paths_of(kind: type) -> dict[str, list[str]]:
    """Map each key name to the dotted places where it may stand."""
    places: dict[str, list[str]] = {}
    for name, found in keys_of(kind).items():
        places.setdefault(name, []).append(name)
        for inner, paths in (paths_of(found.hint) if is_section(found.hint) else {}).items():
            places.setdefault(inner, []).extend(f"{name}.{path}" for path in paths)
    return places


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else dataclasses.MISSING
