"""The attribute table: what it refuses, and what users can add."""

from __future__ import annotations

from typing import Any

import pytest

from models.spans.columns import Column, SpanKind
from models.spans.mapping import MAPPED, Mapping, MappingError
from models.spans.tables import compile_tables


def test_every_mapped_column_has_a_source() -> None:
    """The built-in table has a source for every column that attributes can fill, and compiles."""
    mapping = Mapping.load()
    assert [column.name for column in MAPPED if not mapping.columns[column]] == []
    assert len(compile_tables(mapping)) > 0


def test_the_built_in_table_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every decoder asks for it, and a start makes half a dozen: only the first reads the file."""
    first = Mapping.load()
    monkeypatch.setattr("yaml.safe_load", lambda text: pytest.fail("read again"))
    assert Mapping.load() == first
    assert Mapping.load({"columns": {"TENANT": ["customer"]}}) != first
    assert Mapping.load() == first


def test_own_attributes_come_first() -> None:
    """The flyball.* attributes of the design are the first source of their columns."""
    first = {column: sources[0].attribute for column, sources in Mapping.load().columns.items()}
    assert first[Column.WORKFLOW] == "flyball.workflow"
    assert first[Column.TENANT] == "flyball.tenant.id"
    assert first[Column.TIER] == "flyball.user.tier"
    assert first[Column.OUTCOME] == "flyball.outcome"
    assert first[Column.PROMPT] == "flyball.prompt.hash"
    assert first[Column.TOOLSET] == "flyball.tools.hash"


def test_users_sources_come_before_the_built_in_ones() -> None:
    """What a user adds to a column is asked first; what is built in stays behind it."""
    mapping = Mapping.load({"columns": {"TENANT": ["customer", {"attribute": "org", "in": "resource"}]}})
    attributes = [source.attribute for source in mapping.columns[Column.TENANT]]
    assert attributes[:3] == ["customer", "org", "flyball.tenant.id"]


def test_texts_have_their_meaning_in_four_spellings() -> None:
    """The words for a value match as written, in lower, upper and title case."""
    mapping = Mapping.load({"columns": {"KIND": [{"attribute": "my.kind", "values": {"aGent": "run"}}]}})
    values = mapping.columns[Column.KIND][0].values
    assert values == dict.fromkeys(("aGent", "agent", "AGENT", "Agent"), SpanKind.RUN)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"colums": {}}, "found key 'colums', expected one of columns, absent, model_prefixes; nearest is columns"),
        ({"columns": {"WORKFLOWS": []}}, "found column 'WORKFLOWS'.*nearest is WORKFLOW"),
        ({"columns": {"TRACE_HI": []}}, "found column 'TRACE_HI'"),
        ({"columns": []}, "expected keys and values"),
        ({"columns": {"USER": "user.id"}}, "found 'user.id', expected a list of sources"),
        ({"columns": {"USER": [{"in": "span"}]}}, "found no attribute"),
        ({"columns": {"USER": [{"attribute": "u", "kind": "run"}]}}, "found key 'kind'.*nearest is kinds"),
        ({"columns": {"USER": [{"attribute": "u", "in": "spam"}]}}, "found word 'spam'.*nearest is span"),
        ({"columns": {"USER": [{"attribute": "u", "kinds": ["tools"]}]}}, "found word 'tools'.*nearest is tool"),
        ({"columns": {"USER": [{"attribute": "u", "values": {"a": "b"}}]}}, "found value 'b'"),
        ({"columns": {"KIND": ["my.kind"]}}, "expected `values` or `is`"),
        ({"columns": {"KIND": [{"attribute": "k", "values": {"a": "agent"}}]}}, "found value 'agent'"),
        ({"columns": {"KIND": [{"attribute": "k", "is": "run", "kinds": ["run"]}]}}, "cannot depend on `kinds`"),
        ({"columns": {"COST": [{"attribute": "c", "in": "resource"}]}}, "says something of one span"),
        ({"columns": {"USER": [{"attribute": "u", "in": "event"}]}}, "evaluation events give"),
        ({"columns": {"USER": [{"attribute": "u", "in": "resource", "scope": "x"}]}}, "cannot depend on"),
        ({"columns": {"COST": [{"attribute": "c", "as": "digest"}]}}, "for a column of names"),
        ({"columns": {"USER": [{"attribute": "u", "plus": ["v"]}]}}, "`plus` is for numbers"),
        ({"absent": {"MODELS": ["x"]}}, "found column 'MODELS'.*nearest is MODEL"),
        ({"absent": {"USER": [{"form": "uid"}]}}, "expected `form: uuid`, for a column of names"),
        ({"absent": {"COST": [{"form": "uuid"}]}}, "expected `form: uuid`, for a column of names"),
        ({"columns": {"USER": [{"attribute": "u", "path": [5]}]}}, "found path \\[5\\], expected a member's name"),
        ({"columns": {"USER": [{"attribute": "u", "path": ["a"] * 9}]}}, "or at most 8 in a list"),
        ({"columns": {"USER": [{"attribute": "u", "span_kinds": ["clients"]}]}}, "'clients'.*nearest is client"),
        ({"columns": {"USER": [{"attribute": "u", "beside": {"atribute": "b"}}]}}, "nearest is attribute"),
        ({"columns": {"USER": [{"attribute": "u", "in": "resource", "beside": "b"}]}}, "cannot depend on"),
        ({"columns": {"COST": [{"attribute": "c", "plus": ["d"], "within": "e"}]}}, "`within` limits what `plus` adds"),
        ({"columns": {"INPUT_TOKENS": [{"attribute": "c", "within": "e"}]}}, "`within` limits what `plus` adds"),
        ({"columns": {"STATUS": [{"attribute": "s", "in": "resource", "is": "ok"}]}}, "a resource cannot give it"),
        ({"columns": {"KIND": [{"attribute": "k", "in": "log", "is": "bill"}]}}, "expected attribute event.name"),
        ({"columns": {"KIND": [{"attribute": "event.name", "in": "log", "is": "evaluation"}]}}, "by the name gen_ai"),
        ({"columns": {"KIND": [{"attribute": "k", "in": "resource", "is": "run"}]}}, "by spans and logs only"),
    ],
)
def test_mistakes_are_named(extra: dict[str, Any], message: str) -> None:
    """What is wrong in a user's table is refused, with what was found and what is expected."""
    with pytest.raises(MappingError, match=message):
        Mapping.load(extra)


def test_too_much_is_refused() -> None:
    """A table with more than the decoder has room for is refused when it is compiled."""
    many = Mapping.load({"columns": {"USER": [f"user.{i}" for i in range(2000)]}})
    with pytest.raises(MappingError, match="expected 1024, 128 at most"):
        compile_tables(many)
    scopes = Mapping.load({"columns": {"USER": [{"attribute": "u", "scope": f"s{i}"} for i in range(40)]}})
    with pytest.raises(MappingError, match="more than 30 different scopes"):
        compile_tables(scopes)
    added = Mapping.load({"columns": {"COST": [{"attribute": "c", "plus": ["a", "b", "c"]}]}})
    with pytest.raises(MappingError, match="found 3 in `plus`"):
        compile_tables(added)
