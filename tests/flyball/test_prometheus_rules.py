"""Prometheus rules: promtool takes them, they fire when they should, and the committed file is what is printed."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import alerts.metrics
import control.metrics as control_metrics
import flows.metrics
from flyball.check import objectives
from flyball.cli import main
from flyball.prometheus_rules import RECORDED, rule_groups, rules_text
from models.slos.spec import Calendar, Unit
from models.slos.table import SloTable, windows_of
from models.slos.words import duration
from tests.conftest import require
from tests.helpers.slo_events import DAY, HOUR, Row, events, rule, slo

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "dashboards" / "prometheus" / "rules.yaml"
SETS = sorted(path.name for path in (ROOT / "slos").iterdir() if path.is_dir())


@pytest.fixture
def promtool(tmp_path: Path) -> Callable[..., str]:
    """Give a function that runs promtool in a folder of its own; it must be content."""
    require(shutil.which("promtool"), "no promtool in PATH: install Debian's prometheus")

    def run(*args: str) -> str:
        line = ["promtool", *args]
        done = subprocess.run(line, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def printed(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """Give what `flyball rules` prints."""
    assert main(["rules", *args]) == 0
    return capsys.readouterr().out


def expressions(slos: Any) -> str:
    """Join the expressions of all rules."""
    return "\n".join(rule["expr"] for group in rule_groups(slos)["groups"] for rule in group["rules"])


def the_rule(slos: Any, name: str, of: str) -> str:
    """Give the expression of the recording or alert of a burn rule."""
    rules = [rule for group in rule_groups(slos)["groups"] for rule in group["rules"]]
    (found,) = [each["expr"] for each in rules if of in each and each["labels"].get("rule") == name]
    return str(found)


@pytest.mark.parametrize("folder", SETS)
def test_promtool_takes_the_rules(
    folder: str, tmp_path: Path, promtool: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of the defaults and of each worked set: no mistake, no duplicate."""
    text = printed(capsys, "--config", str(ROOT / "slos" / folder))
    (tmp_path / "rules.yaml").write_text(text)
    assert f"SUCCESS: {text.count('expr:')} rules found" in promtool("check", "rules", "rules.yaml")


def test_the_committed_file_is_what_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mend it with: flyball rules --to dashboards/prometheus/rules.yaml. With `--to` nothing is printed."""
    monkeypatch.chdir(tmp_path)
    assert printed(capsys) == COMMITTED.read_text()
    assert printed(capsys, "--to", "rules.yaml") == ""
    assert (tmp_path / "rules.yaml").read_text() == COMMITTED.read_text()


def test_a_configuration_with_a_mistake_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is written."""
    (tmp_path / "flyball.yaml").write_text("flwo: {}\n")
    assert main(["rules", "--config", str(tmp_path), "--to", str(tmp_path / "out")]) == 2
    assert "flwo" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_order_of_slos_does_not_matter() -> None:
    """The text is the same."""
    slos = list(objectives(ROOT / "slos" / "refund"))
    text = rules_text(slos)
    random.Random(7).shuffle(slos)  # noqa: S311 -- test data
    assert text == rules_text(slos)


def test_every_burn_rule_has_a_recording_and_an_alert() -> None:
    """Under its name and severity; an SLO without rules has neither."""
    slos = [*objectives(ROOT / "slos" / "coding"), slo("bare")]
    rules = [rule for group in rule_groups(slos)["groups"] for rule in group["rules"]]
    wanted = [(each.name, own.name) for each in slos for own in each.rules]
    for kind in ("record", "alert"):
        found = [(r["labels"]["objective"], r["labels"]["rule"]) for r in rules if kind in r and "rule" in r["labels"]]
        assert sorted(found) == sorted(wanted)
    pages = {(each.name, own.name) for each in slos for own in each.rules if own.page}
    said = {
        (r["labels"]["objective"], r["labels"]["rule"])
        for r in rules
        if r["labels"].get("severity") == "page" and "rule" in r["labels"]
    }
    assert said == pages
    (held,) = [r for r in rules if r["labels"].get("rule") == "budget-runs-out" and "alert" in r]
    assert held["for"] == "1h"
    assert all(r["annotations"]["summary"] and r["annotations"]["runbook"] for r in rules if "alert" in r)


def test_an_slo_that_is_split_is_met_by_its_instances() -> None:
    """One that is not, by its name alone; a rule without a short window looks at one."""
    rules = (rule("2", HOUR, 300), rule("3", HOUR, None))
    assert 'slo=~"s:.+",window=~"1h|5m"' in the_rule([slo(rules=rules, split="workflow")], "2x", "record")
    assert 'slo="s",window=~"1h|5m"' in the_rule([slo(rules=rules)], "2x", "record")
    assert 'slo="s",window="1h"' in the_rule([slo(rules=rules)], "3x", "record")
    assert "count" not in the_rule([slo(rules=rules)], "3x", "record")


@pytest.mark.parametrize(
    ("target", "factor", "confidence", "least"),
    [
        ("0.9", "5", 0.95, 5),  # 0.5^4 = 0.0625, 0.5^5 = 0.03125
        ("0.9", "5", 0.999, 10),  # 0.5^9 = 0.00195, 0.5^10 = 0.00098
        ("0.99", "5", 0.95, 2),  # 0.05^1 is exactly what is allowed: not less
        ("0.99", "1", 0.95, None),
    ],
)
def test_so_many_bad_events_as_evidence_takes(target: str, factor: str, confidence: float, least: int | None) -> None:
    """The fewest that are evidence if all events were bad; where one is enough, nothing is asked."""
    rules = (rule(factor, HOUR, 300, name="r", confidence=confidence),)
    expr = the_rule([slo(target=target, rules=rules)], "r", "alert")
    assert (re.findall(r">= (\d+)", expr) or [None]) == [None if least is None else str(least)]
    calendar = Calendar("2026-01-01 00:00:00", "UTC", 1, Unit.MONTH)
    assert ">=" not in the_rule([slo(target=target, rules=rules, window=calendar)], "r", "alert")


def test_what_people_wrote_is_no_template() -> None:
    """Braces in a title or a runbook stay what they are."""
    text = rules_text([slo(rules=(rule("2", HOUR, 300),), title="a {{ b", runbook="{{ c }}")])
    assert 'a {{ "{{" }} b' in text
    assert '{{ "{{" }} c }}' in text


def exported(registry: CollectorRegistry) -> set[str]:
    """Name the series of a registry, as Prometheus stores them; families that are empty yet count."""
    return {f"{f.name}_total" if f.type == "counter" else f.name for f in registry.collect()}


def test_only_what_is_exported_is_read() -> None:
    """Every series in an expression is one of a flow or of delivery, or recorded here; every window is a window."""
    table = SloTable([slo()])
    table.apply(events([Row("s", 20_000 * DAY)]))
    table.look(20_000 * DAY + 20)
    flow, delivery = flows.metrics.Metrics(), alerts.metrics.Metrics()
    flow.watch_slos("0", table)
    delivery.watch(dict, dict)
    control = control_metrics.Metrics()
    control.watch(lambda: control_metrics.Look({}, 0, 0, 0, 0, 0, 0, healthy=True, read_age_s=0.0, lags={}))
    registries = (flow.registry, delivery.registry, control.registry)
    known = set().union(*map(exported, registries)) | {
        RECORDED,
        "flyball_event_time_lag_seconds",
    }  # of a flow with runs
    assert {"flyball_slo_burn_rate_ratio", "flyball_delivery_parked"} <= known
    for folder in SETS:
        slos = objectives(ROOT / "slos" / folder)
        text = expressions(slos)
        assert set(re.findall(r"\bflyball[_:][a-z_:]+", text)) <= known
        windows = {window for said in re.findall(r'window=~?"([^"]+)"', text) for window in said.split("|")}
        assert windows <= {duration(window) for window in windows_of(slos)}


OBJECTIVE = slo(
    "ok", "0.9", split="workflow", title="Works", rules=(rule("3", HOUR, 300, name="page", confidence=0.95),)
)


@pytest.mark.parametrize("unit", ["slo", "itself"])
def test_alerts_fire_when_they_should(unit: str, tmp_path: Path, promtool: Callable[..., str]) -> None:
    """As promtool runs them over made-up series: what burns and nothing else; what ails Flyball and nothing else."""
    shutil.copy(Path(__file__).with_name("prometheus") / f"{unit}.yaml", tmp_path / "unit.yaml")
    (tmp_path / "rules.yaml").write_text(rules_text([OBJECTIVE]))
    assert "SUCCESS" in promtool("test", "rules", "unit.yaml")
