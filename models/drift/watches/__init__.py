"""What is watched, and against what: a watch is a class, and one line here. Each has a bank in every shard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.drift.exceedance import Exceedance
from models.drift.frozen_rate import FrozenRate
from models.drift.hour_of_week import HourOfWeek, HourOfWeekValues
from models.drift.watches.change import ChangeRate, ChangeValues
from models.drift.watches.change_by_task import ChangeRateByTask, ChangeValuesByTask
from models.drift.watches.live import LiveRate, LiveValues
from models.drift.watches.live_by_task import LiveRateByTask, LiveValuesByTask
from models.drift.watches.mix import FEWEST_FAILED, Mix
from models.drift.watches.objective import Objective
from models.drift.watches.own import OwnRate, OwnValues
from models.drift.watches.week import WeekRate, WeekValues

if TYPE_CHECKING:
    from models.drift.watches.base import Watch

WATCHES: tuple[Watch, ...] = (
    Objective(),
    OwnRate("own_rate", 1, "rates"),
    OwnRate("own_rate_hourly", 60, "rates_hourly", FrozenRate(is_slow=True)),
    WeekRate("week_rate", 1),
    WeekRate("week_rate_hourly", 60, HourOfWeek(is_slow=True)),
    OwnValues("own_values", 1, "values"),
    OwnValues("own_values_hourly", 60, "values_hourly", Exceedance(is_slow=True)),
    WeekValues("week_values", 1),
    WeekValues("week_values_hourly", 60, HourOfWeekValues(is_slow=True)),
    Mix("tool_mix", "tool_success", "tool", "tools"),
    Mix("transition_mix", "tool_success", "transition", "steps from tool to tool"),
    Mix("stop_mix", "task_success", "stop_reason", "why the last answer ended"),
    Mix("error_mix", "tool_success", "error", "error types of failed calls", "mix_failed", FEWEST_FAILED, 1),
    Mix("failure_mix", "task_success", "failure", "how tasks fail", "mix_failed", FEWEST_FAILED, 1),
    Mix("task_mix", "task_success", "task", "tasks", "mix_tasks", is_of_agent=False),
    ChangeRate(),
    ChangeValues(),
    LiveRate(),
    LiveValues(),
    ChangeRateByTask(),
    ChangeValuesByTask(),
    LiveRateByTask(),
    LiveValuesByTask(),
)
"""The order is part of the stored state by name only."""

REPLACED = {
    "week_rate": "own_rate",
    "week_rate_hourly": "own_rate_hourly",
    "week_values": "own_values",
    "week_values_hourly": "own_values_hourly",
}
"""A stream of the first watch takes the place of one of the second, of the same series."""
