"""`policy.yaml`: each file in good/ is read, each in bad/ is refused with the text beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyball.config.policy_yaml import budgets, load_policy, problems, runaway_policy
from models.runaways import RULES
from models.runaways.base import Ladder, cap
from models.spend.budget import Budget, Step
from models.verdicts import Action

HERE = Path(__file__).parent
GOOD = sorted((HERE / "good").glob("*.yaml"))
BAD = sorted((HERE / "bad").glob("*.yaml"))
NANO = 1_000_000_000


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_file_has_no_problems(path: Path) -> None:
    """It is read."""
    assert problems(path) == []


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_is_explained(path: Path) -> None:
    """Every mistake has its line, what was found and what is expected."""
    told = "\n".join(str(problem).replace(f"{path.parent}/", "") for problem in problems(path))
    assert told == path.with_suffix(".txt").read_text().strip()


def test_what_it_says_is_what_holds(tmp_path: Path) -> None:
    """Hand-read from good/everything.yaml."""
    (tmp_path / "policy.yaml").write_text((HERE / "good" / "everything.yaml").read_text())
    file = load_policy(tmp_path)
    policy, rules = runaway_policy(file), {rule.id: rule for rule in RULES}
    assert policy.setting(rules["cap.llm_calls"], "air") == ("enforce", cap(80))
    assert policy.setting(rules["repeat.error"], "air") == ("enforce", Ladder(warn=3, block=6))
    assert policy.setting(rules["cap.cost"], "refund") == ("enforce", Ladder(warn=1.5, kill=2))
    assert policy.setting(rules["cap.cost"], "air") == ("shadow", cap(20))
    free, acme = budgets(file)
    assert free == Budget("free", "user", "day", NANO // 2, NANO, tier="free")
    assert free.steps() == [
        Step(NANO // 4, 50, Action.WARN),
        Step(NANO * 3 // 8, 75, Action.WARN),
        Step(NANO // 2, 100, Action.THROTTLE),
        Step(NANO, 200, Action.KILL),
    ]
    assert (acme.id, acme.period, acme.hard) == ("acme", "month", None)
    assert str(file.spend.time_zone) == "Europe/Berlin"


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    """An empty folder, and none."""
    assert load_policy(tmp_path) == load_policy(None)
    assert budgets(load_policy(None)) == ()
