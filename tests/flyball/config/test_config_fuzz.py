"""Whatever a configuration file holds, it is read or refused with its lines; it never makes the program fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flyball.config.flyball_yaml import problems
from flyball.config.schema import keys_of
from flyball.config.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

SECTIONS = {name: list(keys_of(key.hint)) for name, key in keys_of(Settings).items() if isinstance(key.hint, type)}
KEYS = sorted({key for keys in SECTIONS.values() for key in keys})
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["15m", "16MB", "${ENV:X}", "2026-01-01", "1:30", "0x1f", "oldest", "~", "!!python/name:os"]),
    st.dates(),
    st.binary(max_size=4),
)
TREES = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(VALUES, inner, max_size=3), max_leaves=6
)
FILES = st.dictionaries(
    st.sampled_from([*SECTIONS, "attributes", "prices", "other"]),
    TREES | st.dictionaries(st.sampled_from(KEYS), TREES, max_size=3),
    max_size=4,
)


@given(FILES)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_yaml_is_read_or_refused(tmp_path: Path, content: dict[str, object]) -> None:
    """Any YAML gives settings, or problems that each have a line of the file."""
    text = yaml.dump(content)
    (tmp_path / "flyball.yaml").write_text(text, encoding="utf-8")
    found = problems(tmp_path / "flyball.yaml")
    assert [problem for problem in found if not 1 <= problem.line <= text.count("\n") + 1] == []


@given(st.binary(max_size=60) | st.text("{}[]:,-&*!|>'\"%@`#? \n\tab1", max_size=40).map(str.encode))
@example(b".\n\n!")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    """Any bytes at all give settings or problems, each one line long."""
    (tmp_path / "flyball.yaml").write_bytes(content)
    assert [problem for problem in problems(tmp_path / "flyball.yaml") if "\n" in str(problem)] == []
