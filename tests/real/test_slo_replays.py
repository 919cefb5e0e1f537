"""Recorded runs against an objective: one model spends its error budget and pages, another one keeps it."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from flows.replay import parsed, replay
from flows.settings import FlowSettings
from models.slos.spec import Action, BurnRule, Indicator, PolicyStep, Rolling, Slo

if TYPE_CHECKING:
    from pathlib import Path

    from flows.items import Outbound

pytestmark = pytest.mark.real

HOUR, DAY = 3600, 86_400
RULES = (
    BurnRule("fast", Fraction("1.2"), HOUR, 300, page=True, confidence=0.95),
    BurnRule("slow", Fraction(1), 6 * HOUR, 1800, page=True, confidence=0.95),
)
POLICY = (
    PolicyStep(50, (Action.NOTIFY,)),
    PolicyStep(100, (Action.NOTIFY, Action.FREEZE)),
)


def objective(**more: Any) -> Slo:
    """Give 70 % task success on airline over 30 days."""
    indicator = Indicator("task_success", (("workflow", ("airline",)),))
    return Slo("airline", "support", indicator, Fraction("0.7"), Rolling(30 * DAY), rules=RULES, policy=POLICY, **more)


def told(folder: Path, name: str, *slos: Slo) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Replay a recording; give the last `slo` record by name, and the incidents."""
    out: list[Outbound] = []
    replay([folder / "tau2" / f"{name}.otlp.jsonl"], FlowSettings(slos=slos), out.extend)
    records = parsed(out)
    last = {str(record["slo"]): record for record in records if record["kind"] == "slo"}
    return last, [record for record in records if record["kind"] == "incident"]


def test_a_model_that_spends_its_budget(shared_data: Path) -> None:
    """27 of 50 failed where 15 may: 180 % used, the gate shut, pages and budget steps told, with runs to look at."""
    slos, incidents = told(shared_data, "airline-gpt-4o", objective())
    record = slos["airline"]
    assert (record["total"], record["bad"], record["gate"]) == (50, 27, "frozen")
    assert record["budget_used"] == pytest.approx(1.8, rel=1e-9)
    assert record["budget_remaining"] == pytest.approx(-0.8, rel=1e-9)
    classes = Counter(each["class"] for each in incidents if each["revision"] == 0)
    assert classes["slo.burn"] >= 1
    assert classes["slo.budget"] == 2
    for each in incidents:
        assert 0 < len(each["runs"]) <= 5
        assert each["workflow"] == "airline"


def test_a_model_that_keeps_it(shared_data: Path) -> None:
    """14 of 50 failed: 93 % used, the gate open, nobody woken."""
    slos, incidents = told(shared_data, "airline-sonnet-4-5", objective())
    record = slos["airline"]
    assert (record["total"], record["bad"]) == (50, 14)
    assert record["budget_used"] == pytest.approx(14 / 15, rel=1e-9)
    assert [each for each in incidents if each["class"] == "slo.burn"] == []


def test_split_by_version_adds_up(shared_data: Path) -> None:
    """Beside the whole, an objective for each workflow counts the same runs."""
    each = Slo("each", "support", Indicator("task_success"), Fraction("0.7"), Rolling(30 * DAY), split="workflow")
    slos, _ = told(shared_data, "airline-gpt-4o", objective(), each)
    assert set(slos) == {"airline", "each:airline"}
    assert [slos["each:airline"][name] for name in ("total", "bad", "budget_used")] == [50, 27, pytest.approx(1.8)]
