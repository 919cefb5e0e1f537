"""The reference page is what the settings say, and what it shows can be used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.config.flyball_yaml import problems
from flyball.config.reference import INTRODUCTION, reference
from flyball.config.schema import is_section, keys_of
from flyball.config.settings import Price, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).resolve().parents[3] / "docs" / "configuration.md"


def test_the_page_is_up_to_date() -> None:
    """The page is made by `python -m flyball.config.reference > docs/configuration.md`."""
    assert PAGE.read_text() == reference()


def test_the_example_is_good(tmp_path: Path) -> None:
    """The example of the page is a configuration without a mistake."""
    (example,) = re.findall(r"```yaml\n(.*?)```", INTRODUCTION, re.DOTALL)
    (tmp_path / "flyball.yaml").write_text(example)
    assert problems(tmp_path / "flyball.yaml") == []


def test_every_key_is_explained() -> None:
    """Every key says what it means, every section what it is about."""
    keys = [*all_keys(Settings), *all_keys(Price)]
    assert [key for key, doc in keys if not doc] == []
    assert [key for key, _ in keys if f"{key}`" not in reference()] == []


def all_keys(kind: type) -> Iterator[tuple[str, str]]:
    """List the keys of a section and of the sections in it, with what they mean."""
    for key in keys_of(kind).values():
        yield (key.name, key.hint.__doc__) if is_section(key.hint) else (key.name, key.doc)
        yield from all_keys(key.hint) if is_section(key.hint) else ()
