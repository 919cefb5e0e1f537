"""A shard of drift: each kind of change is found, dated and named; nothing else is; cut anywhere it goes on alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.drift.settings import Accepted, DriftSettings
from models.drift.table import DriftTable
from models.slis.closing import Closed
from tests.helpers.drift_traffic import LABELS, START, Minute, Traffic

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.drift.found import Found
    from models.drift.table import Looked

SETTINGS = DriftSettings(least_span=240, objectives={("support", "task_success"): 0.9})
CHANGE = 300
MIXES = {"tool_mix", "error_mix", "failure_mix", "transition_mix", "stop_mix"}


class Heard:
    """All alarms, by the key of the stream: minute (from the first) of the alarm, and its description then."""

    def __init__(self) -> None:
        self.alarms: dict[str, tuple[int, Found]] = {}
        self.ended: dict[str, int] = {}

    def hear(self, looked: Looked) -> None:
        """Take note."""
        described = {found.key: found for found in looked.found}
        lasting = {each.key for each in looked.evidence if each.alarm}
        for key in lasting - set(self.alarms):
            self.alarms[key] = looked.until - START, described[key]
        for key in set(self.alarms) - lasting - set(self.ended):
            self.ended[key] = looked.until - START

    def named(self, *words: str) -> tuple[int, Found]:
        """Give the alarm whose key has all these words."""
        (found,) = [alarm for key, alarm in self.alarms.items() if all(word in key.split("\x1f") for word in words)]
        return found


def watched(
    how: Callable[[int], Minute], minutes: int = 360, settings: DriftSettings = SETTINGS, seed: int = 1
) -> Heard:
    """Watch that many minutes."""
    table, traffic, heard = DriftTable(settings), Traffic(seed), Heard()
    for at in range(minutes):
        heard.hear(table.look(traffic.closed(at, how(at))))
    return heard


def changed(**what: object) -> Callable[[int], Minute]:
    """Change something at CHANGE."""
    return lambda at: Minute(**(what if at >= CHANGE else {}))  # type: ignore[arg-type]


def test_nothing_is_told_when_nothing_changes() -> None:
    """700 minutes, about 15 streams."""
    assert watched(lambda _: Minute(), 700).alarms == {}


def test_a_rate_that_doubles() -> None:
    """Success against its own past, within 25 minutes; dated within 10; the objective of 90 % is not missed by 10 %."""
    heard = watched(changed(bad=0.1, bad_free=0.1))
    at, found = heard.named("own_rate", "task_success")
    assert at <= CHANGE + 25
    assert abs(found.since - START - CHANGE) <= 10
    assert (found.direction, found.is_worse, found.dimension) == ("up", True, "time")
    low, high = found.numbers["interval"]
    assert low <= 0.1 <= high
    assert not [key for key in heard.alarms if key.startswith(("objective", "live_rate"))]


def test_a_rate_that_doubles_after_a_clock_was_ahead() -> None:
    """Five hours, for a moment: found as soon, and dated as right, as without it; also over a restart."""
    table, traffic, heard = DriftTable(SETTINGS), Traffic(1), Heard()
    for at in range(360):
        if at == CHANGE - 20:
            ahead = traffic.closed(at, Minute())
            table.look(ahead._replace(until=START + at + 300, look=ahead.look + 299))
            table = DriftTable.load(SETTINGS, table.dump(), [])
        heard.hear(table.look(traffic.closed(at, Minute(bad=0.1, bad_free=0.1) if at >= CHANGE else Minute())))
    at, found = heard.named("own_rate", "task_success")
    assert CHANGE < at <= CHANGE + 25
    assert abs(found.since - START - CHANGE) <= 10


def test_an_objective_that_is_missed() -> None:
    """20 % bad against an SLO of 90 %."""
    at, found = watched(changed(bad=0.2, bad_free=0.2)).named("objective")
    assert at <= CHANGE + 30
    assert found.numbers["allowed"] == pytest.approx(0.1)


def test_a_cohort_that_gets_worse() -> None:
    """The free tier (a fifth of the tasks) fails three times as often; the rest is as it was."""
    heard = watched(changed(bad_free=0.15))
    at, found = heard.named("live_rate", "tier", "free")
    assert at <= CHANGE + 40
    assert (found.dimension, found.from_, found.to, found.direction) == ("tier", "the rest", "free", "up")


def test_a_cohort_that_was_always_worse_is_no_drift() -> None:
    """Twice as many failures from the beginning: the odds ratio is the usual one."""
    assert watched(lambda _: Minute(bad_free=0.1), 500).alarms == {}


def test_an_incident_that_hits_all_is_no_drift_of_a_cohort() -> None:
    """Everything fails three times as often for a quarter of an hour: the cohorts are as they were to each other."""
    heard = watched(lambda at: Minute(bad=0.15, bad_free=0.15) if 300 <= at < 315 else Minute(), 480)
    assert {key.split("\x1f")[0] for key in heard.alarms} <= {"own_rate", "objective", "change_rate"}


def test_cost_that_rises_by_half() -> None:
    """Heavy-tailed cost x 1.5, within 15 minutes."""
    at, found = watched(changed(cost=1.5)).named("own_values", "cost_per_task")
    assert at <= CHANGE + 15
    assert found.is_worse
    assert found.numbers["rate"] > found.numbers["before"]


def test_a_mix_of_tools_that_moves() -> None:
    """Tool c from 10 to 20 % of the calls."""
    at, found = watched(changed(shares=(0.5, 0.3, 0.2))).named("tool_mix")
    assert at <= CHANGE + 15
    assert {each["name"] for each in found.numbers["movers"]} >= {"a", "c"}
    assert 0.05 < found.numbers["distance"] < 0.2


def test_a_mix_of_errors_that_moves() -> None:
    """As many calls fail as before, three of them a minute of another type than usual: what moved is named."""
    heard = watched(changed(errors=(0.3, 0.6, 0.1)))
    at, found = heard.named("error_mix")
    assert at <= CHANGE + 15
    assert abs(found.since - START - CHANGE) <= 10
    assert [each["name"] for each in found.numbers["movers"][:2]] == ["Timeout", "Refused"]
    assert found.words.startswith("the mix of error types of failed calls moved: ")
    assert [key.split("\x1f")[0] for key in heard.alarms] == ["error_mix"]


def test_tasks_that_fail_in_another_way() -> None:
    """As many tasks fail as before, but they crash: five failures a minute are enough."""
    heard = watched(changed(failures=(0.9, 0.05, 0.05)))
    at, found = heard.named("failure_mix")
    assert at <= CHANGE + 25
    assert {each["name"] for each in found.numbers["movers"][:2]} == {"crashed", "judged"}
    assert [key.split("\x1f")[0] for key in heard.alarms] == ["failure_mix"]


def test_steps_in_another_order() -> None:
    """The same calls of the same tools, but a after b more often than before: nothing else is named."""
    heard = watched(changed(steps=(0.3, 0.6, 0.1)))
    at, found = heard.named("transition_mix")
    assert at <= CHANGE + 15
    assert {each["name"] for each in found.numbers["movers"][:2]} == {"a > b", "b > a"}
    assert found.words.startswith("the mix of steps from tool to tool moved: ")
    assert [key.split("\x1f")[0] for key in heard.alarms] == ["transition_mix"]


def test_answers_that_are_cut() -> None:
    """A fifth of all runs ends with an answer cut at its length, as many succeed as before."""
    heard = watched(changed(stops=(0.75, 0.2, 0.05)))
    at, found = heard.named("stop_mix")
    assert at <= CHANGE + 15
    assert found.words.startswith("the mix of why the last answer ended moved: ")
    assert {each["name"] for each in found.numbers["movers"][:2]} == {"stop", "length"}
    assert [key.split("\x1f")[0] for key in heard.alarms] == ["stop_mix"]


def test_a_way_to_fail_that_was_never_seen() -> None:
    """An error type that no baseline has moves the share of the others."""
    at, found = watched(changed(errors=(0.4, 0.1, 0.5))).named("error_mix")
    assert at <= CHANGE + 10
    assert "others" in [each["name"] for each in found.numbers["movers"]]


def test_more_failures_of_the_usual_kinds_are_no_drift_of_their_mix() -> None:
    """Three times as many: the rates alarm, the mixes do not."""
    heard = watched(changed(bad=0.15, bad_free=0.15, bad_tool=0.1))
    assert heard.alarms
    assert not [key for key in heard.alarms if "mix" in key]


def test_a_mix_of_few_failures_waits() -> None:
    """Three hundred minutes of two tasks: no stream on a handful of failures."""
    table, traffic = DriftTable(SETTINGS), Traffic(1)
    for at in range(300):
        table.look(traffic.closed(at, Minute(tasks=10)))
    assert len(table.banks["own_rate"]) > 0
    assert len(table.banks["error_mix"]) == len(table.banks["failure_mix"]) == 0


def test_a_tool_that_fails() -> None:
    """Tool a fails in 10 % instead of 3 %; the tool is named."""
    at, found = watched(changed(bad_tool=0.1)).named("own_rate", "tool", "a")
    assert at <= CHANGE + 15
    assert (found.dimension, found.to) == ("tool", "a")


def test_what_was_there_from_the_beginning_was_not_rolled_out() -> None:
    """Version 2 is first seen five minutes after version 1, fails three times as often, and always did."""
    heard = watched(lambda at: Minute(new=0.3 if at >= 5 else 0.0, bad_new=0.15), 600)
    assert not [key for key in heard.alarms if key.startswith(("change_rate", "live_rate"))]


def test_an_upgrade_that_hurts() -> None:
    """Version 2 replaces version 1 and fails three times as often: against version 1, the roll-out beside it."""
    heard = watched(changed(new=1.0, bad_new=0.15))
    at, found = heard.named("change_rate", "version", "2")
    assert at <= CHANGE + 15
    assert (found.dimension, found.from_, found.to) == ("version", "1", "2")
    assert {"dimension": "version", "value": "2"}.items() <= found.rolled_out[0].items()


def test_a_canary_that_hurts() -> None:
    """A fifth of the tasks goes to version 2, which fails four times as often: live against the rest."""
    at, found = watched(changed(new=0.2, bad_new=0.2)).named("live_rate", "version", "2")
    assert at <= CHANGE + 30
    assert found.numbers["odds_ratio"] > 1.5


def test_an_alarm_ends_when_all_is_well_again() -> None:
    """Half an hour of trouble: the alarm ends by itself, an hour after, at most two hours after."""
    heard = watched(lambda at: Minute(bad=0.15, bad_free=0.15) if 300 <= at < 330 else Minute(), 520)
    key = next(key for key in heard.alarms if key.startswith("own_rate") and "task_success" in key)
    assert 330 < heard.ended[key] <= 330 + 120


def test_an_alarm_of_what_was_rolled_back_ends() -> None:
    """Version 2 hurts and is rolled back: an hour without it, while the workflow goes on, ends its alarms."""
    heard = watched(lambda at: Minute(new=0.3, bad_new=0.3) if 300 <= at < 340 else Minute(), 440)
    of_2 = [key for key in heard.alarms if key.endswith("version\x1f2")]
    assert of_2
    assert {heard.ended[key] for key in of_2} <= set(range(395, 405))


def test_one_good_event_is_no_recovery() -> None:
    """A workflow that nearly stops after its alarm has too few events to end it."""
    heard = watched(
        lambda at: Minute(bad=0.2, bad_free=0.2) if 300 <= at < 320 else Minute(tasks=100 if at < 320 else 0), 420
    )
    key = next(key for key in heard.alarms if key.startswith("own_rate") and "task_success" in key)
    assert key not in heard.ended


def test_an_objective_that_changed_is_tested_anew() -> None:
    """After a restart with another target the stream has the new one; without an SLO it is gone."""
    table, traffic = DriftTable(SETTINGS), Traffic(1)
    for at in range(5):
        table.look(traffic.closed(at, Minute()))
    nulls = []
    for objectives in ({("support", "task_success"): 0.8}, {}):
        again = DriftTable.load(DriftSettings(least_span=240, objectives=objectives), table.dump(), [])
        again.look(traffic.closed(5, Minute()))
        nulls.append(again.banks["objective"].state["null"].tolist())
    assert nulls == [[pytest.approx(0.2)], []]


def test_what_a_person_accepts_is_the_new_normal() -> None:
    """After the change is accepted the alarm ends, and the new baseline holds."""
    accepted = DriftSettings(least_span=240, accepted=(Accepted("support", START + 400, "task_success"),))
    heard = watched(changed(bad=0.15, bad_free=0.15), 900, accepted)
    (key,) = heard.alarms
    assert heard.ended[key] == 401


def test_what_is_accepted_after_the_journal_was_written_anew_counts() -> None:
    """A line that comes into policy.yaml later than the last dump is taken at the next start, and only once."""
    table, traffic, heard = DriftTable(SETTINGS), Traffic(1), Heard()
    how, accepted = changed(bad=0.15, bad_free=0.15), Accepted("support", START + 350, "task_success")
    for at in range(360):
        heard.hear(table.look(traffic.closed(at, how(at))))
    for at in range(360, 700):
        if at in (360, 365):
            settings = DriftSettings(least_span=240, objectives=SETTINGS.objectives, accepted=(accepted,))
            table = DriftTable.load(settings, table.dump(), [])
        heard.hear(table.look(traffic.closed(at, how(at))))
    (own,) = [key for key in heard.alarms if key.startswith("own_rate\x1f") and "task_success" in key]
    assert heard.ended[own] == 361


def test_a_workflow_that_has_gone_quiet_is_accepted_too() -> None:
    """Its alarm ends with the minute, though nothing comes any more."""
    table, traffic, how, looked = DriftTable(SETTINGS), Traffic(1), changed(bad=0.15, bad_free=0.15), None
    for at in range(350):
        looked = table.look(traffic.closed(at, how(at)))
    assert looked is not None
    assert any(each.alarm for each in looked.evidence)
    table.accept([Accepted("support", START + 352, None)])
    none = np.empty(0, np.int64)
    for until, alarms in ((START + 352, True), (START + 353, False)):
        quiet = Closed(until, len(LABELS), [], none, none, none, none, np.empty((0, 3), np.int64))
        assert any(each.alarm for each in table.look(quiet).evidence) == alarms


def test_what_is_accepted_while_it_runs() -> None:
    """From the next minute on, though its time has been looked at; told again, also by policy.yaml, it counts once."""
    how, accepted = changed(bad=0.15, bad_free=0.15), Accepted("support", START + 330, None)
    table, traffic, heard = DriftTable(SETTINGS), Traffic(1), Heard()
    for at in range(600):
        if at == 350:
            table.accept([accepted, Accepted("another", START, None)])
        if at == 360:
            table.accept([accepted])
        if at == 370:
            kept = DriftSettings(least_span=240, objectives=SETTINGS.objectives, accepted=(accepted,))
            table = DriftTable.load(kept, table.dump(), [])
        heard.hear(table.look(traffic.closed(at, how(at))))
    own = next(key for key in heard.alarms if key.startswith("own_rate\x1f") and "task_success" in key)
    assert heard.ended[own] == 351
    assert table.dump() == DriftTable.load(SETTINGS, table.dump(), []).dump()


@pytest.mark.parametrize("cuts", [[250], [82, 100, 305, 330], [307, 310, 311, 312, 326]])
def test_cut_anywhere_it_goes_on_alike(cuts: list[int]) -> None:
    """Restored from a dump and deltas: the same evidence, alarms and descriptions, bit for bit."""
    how = changed(bad=0.1, bad_free=0.15, cost=1.3, new=0.3, errors=(0.4, 0.5, 0.1), failures=(0.2, 0.7, 0.1))
    orders = {80: ("cost_per_task", 85), 306: ("task_success", 320), 325: (None, 2)}
    most, mixes = 0, set()
    whole, cut, traffic = DriftTable(SETTINGS), DriftTable(SETTINGS), Traffic(2)
    base: bytes | None = None
    deltas: list[bytes] = []
    for at in range(345):
        closed = traffic.closed(at, how(at))
        if at in orders:
            for table in (whole, cut):
                table.accept([Accepted("support", START + orders[at][1], orders[at][0])])
        assert whole.look(closed) == cut.look(closed)
        most = max(most, whole.streams)
        mixes |= {name for name, bank in whole.banks.items() if "mix" in name and len(bank) == 1}
        deltas.append(cut.take_delta())
        if at == 90:
            base, deltas = cut.dump(), []
        if at in cuts:
            cut = DriftTable.load(SETTINGS, base, deltas)
    assert whole.dump() == cut.dump()
    assert most > 10 > whole.streams
    assert mixes == MIXES


def test_deltas_that_nobody_takes_do_not_pile_up() -> None:
    """Then the next one is the whole state, which replaces what was before it."""
    table, traffic = DriftTable(SETTINGS), Traffic(3)
    for at in range(250):
        table.look(traffic.closed(at, Minute()))
    late, closed = table.take_delta(), traffic.closed(250, Minute())
    table.look(closed)
    again = DriftTable.load(SETTINGS, None, [b"", late, table.take_delta()])
    assert again.dump() == table.dump()


def test_streams_are_bounded() -> None:
    """Beyond the bound no stream is opened, and that is counted."""
    table, traffic = DriftTable(DriftSettings(least_span=240, most_streams=3)), Traffic(1)
    for at in range(260):
        table.look(traffic.closed(at, Minute()))
    assert table.streams == 3
    assert table.refused > 0
