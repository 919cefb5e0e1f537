"""Incidents in words: the compact form, mappings, and what is said about mistakes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.simulation import Incident, Scenario, incidents_of, parse_incident
from models.simulation.incidents import KINDS, seconds_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("retry_loop@0+90", Incident("retry_loop", 0, 90)),
        ("cycle@1h30m+500ms", Incident("cycle", 5400, 0.5)),
        ("tool_outage@5m+90s:workflow=support,tool=get_order,rate=1", None),
        (
            " injection@1.5m+1d:share=0.5,calls=run_shell ",
            Incident("injection", 90, 86400, "", {"share": 0.5, "calls": "run_shell"}),
        ),
    ],
)
def test_compact_form(text: str, expected: Incident | None) -> None:
    """Kind, times and options are read; options as numbers where numbers belong."""
    outage = Incident("tool_outage", 300, 90, "support", {"tool": "get_order", "rate": 1.0})
    assert parse_incident(text) == (expected or outage)


def test_mappings_say_the_same_as_the_compact_form() -> None:
    """A mapping, as a YAML file gives it, may have numbers or texts."""
    entry = {"kind": "retry_loop", "start": 60, "duration": "2m", "workflow": "support", "count": 30}
    assert incidents_of([entry]) == (parse_incident("retry_loop@1m+2m:workflow=support,count=30"),)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("retry_lop@0+1m", "did you mean 'retry_loop'"),
        ("retry_loop", r"KIND@START\+DURATION"),
        ("retry_loop@0+soon", "duration 'soon'"),
        ("retry_loop@0+0", "above 0"),
        ("retry_loop@0+1m:cout=3", "did you mean 'count'"),
        ("retry_loop@0+1m:count", "key=value"),
        ("retry_loop@0+1m:count=many", "an integer expected"),
        ("retry_loop@0+1m:share=2", "0 to 1"),
        ("retry_loop@0+1m:count=5000", "1 to 200"),
        ("tool_outage@0+1m:error=bang", "timeout or tool_error"),
    ],
)
def test_mistakes_are_explained(text: str, complaint: str) -> None:
    """A wrong incident says what was found and what is expected."""
    with pytest.raises(ValueError, match=complaint):
        parse_incident(text)


def test_wrong_types_in_mappings_are_explained() -> None:
    """A list where a number belongs is refused."""
    entry: dict[str, Any] = {"kind": "retry_loop", "start": 0, "duration": 1, "count": [3]}
    with pytest.raises(TypeError, match="an integer expected"):
        incidents_of([entry])
    with pytest.raises(ValueError, match="'start' is missing"):
        incidents_of([{"kind": "cycle", "duration": 3}])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("retry_loop@0+1m:workflow=suport", "did you mean 'support'"),
        ("tool_outage@0+1m:tool=get_oder", "did you mean 'get_order'"),
        ("cycle@0+1m:tool=get_order,other=run_tests", "tool"),
        ("model_upgrade@0+1m:model=gpt-9", "gpt-9"),
    ],
)
def test_incidents_that_would_touch_nothing_are_refused(text: str, complaint: str) -> None:
    """A workflow, tool or model that the scenario has not is refused by the scenario."""
    with pytest.raises(ValueError, match=complaint):
        Scenario(incidents=(parse_incident(text),))


@pytest.mark.parametrize("start_s", [600.0, 99 * 3600.0])
def test_incidents_after_the_end_are_refused(start_s: float) -> None:
    """An incident after the last run is refused with both times; one that only ends late is not."""
    told = f"incident cycle: start {start_s:g} s found, less than the duration of 600 s expected"
    with pytest.raises(ValueError, match=f"^{told}$"):
        Scenario(duration_s=600.0, incidents=(Incident("cycle", start_s, 60),))
    Scenario(duration_s=600.0, incidents=(Incident("cycle", 599, 3600),))
    Scenario(duration_s=None, incidents=(Incident("cycle", start_s, 60),))


def test_too_many_incidents_are_refused() -> None:
    """There are at most 62."""
    with pytest.raises(ValueError, match="62 at most"):
        Scenario(incidents=(Incident("cycle", 0, 1),) * 63)


@given(
    st.sampled_from(sorted(KINDS)),
    st.integers(0, 10_000),
    st.integers(1, 10_000),
    st.sampled_from(["ms", "s", "m", ""]),
)
def test_times_are_read_in_any_unit(kind: str, start: int, duration: int, unit: str) -> None:
    """Numbers with a unit come out in seconds."""
    factor = {"ms": 0.001, "s": 1, "m": 60, "": 1}[unit]
    found = parse_incident(f"{kind}@{start}{unit}+{duration}{unit}")
    assert found.start_s == pytest.approx(start * factor)
    assert found.duration_s == pytest.approx(duration * factor)


@given(st.text(max_size=12))
def test_durations_are_read_or_refused(text: str) -> None:
    """No text makes the reader of durations fail in another way than ValueError."""
    try:
        assert seconds_of(text) >= 0
    except ValueError as refused:
        assert "expected" in str(refused)  # noqa: PT017 - most texts are refused, some are not


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the reader of incidents fail in another way than ValueError."""
    try:
        parse_incident(text)
    except ValueError as refused:
        assert "expected" in str(refused) or "unknown" in str(refused)  # noqa: PT017 - see above
