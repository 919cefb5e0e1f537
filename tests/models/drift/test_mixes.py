"""Mixes: what their baselines are made of, few events, minutes one by one or many at once."""

from __future__ import annotations

import numpy as np
import pytest

from models.drift.categories import MOST, Categories
from models.drift.past import Past
from models.drift.settings import DriftSettings
from models.drift.table import DriftTable
from models.drift.watches.mix import FEWEST_FAILED, _past
from models.slis.closing import Closed
from tests.helpers.drift_runs import alarms_of
from tests.helpers.drift_traffic import START, Minute, Traffic

MIXES = ("tool_mix", "error_mix", "failure_mix", "transition_mix", "stop_mix")


def test_the_past_of_a_mix_is_that_of_its_categories() -> None:
    """From the pasts of kinds that came one after another: sums as reading all minutes gives them, but for the rest."""
    chance = np.random.default_rng(1)
    kinds = chance.multinomial(9, (0.5, 0.3, 0.2), 400).T
    kinds[1, :100] = 0
    events = kinds.sum(axis=0)
    whole = Past.of(events[None, None], events[None])
    parts = [whole, Past.of(kinds[:1, None], events[None]), Past.of(kinds[1:2, None, 100:], events[None, 100:])]
    mix = _past(Past(*(np.concatenate(each, axis=-1) for each in zip(*parts, strict=True))))
    expected = Past.of(np.stack([kinds[0], kinds[1]])[:, None], events[None])
    assert (mix.events, mix.looks) == (expected.events, expected.looks)
    np.testing.assert_allclose(mix.hits[:2], expected.hits)
    np.testing.assert_allclose(mix.squares[:2], expected.squares)
    assert mix.hits[-1, 0] == kinds[2].sum()
    assert mix.dispersion()[-1, 0] == pytest.approx(mix.dispersion()[:2].max())
    assert not mix.hits[2 : MOST - 1].any()


@pytest.mark.parametrize("a_minute", [1, 5])
def test_few_failures_make_no_false_alarms(a_minute: int) -> None:
    """Baselines of the least size, one or five failures a minute, 100 streams of 3,000 minutes: within the run length.

    At c = 3,000 looks 100 alarms are allowed.
    """
    chance, shares = np.random.default_rng(2), np.array([0.6, 0.25, 0.1, 0.05])
    minutes = FEWEST_FAILED // a_minute + 3000
    counts = np.zeros((MOST + 1, 100, minutes), np.int64)
    events = chance.poisson(a_minute, (100, minutes))
    drawn = chance.multinomial(events, shares)
    counts[:3], counts[MOST - 1], counts[MOST] = np.moveaxis(drawn[..., :3], 2, 0), drawn[..., 3], events
    past, now = counts[..., : FEWEST_FAILED // a_minute], counts[..., FEWEST_FAILED // a_minute :]
    assert sum(map(len, alarms_of(Categories(), past, now, 3000))) <= 100


def together(first: Closed, second: Closed) -> Closed:
    """Give the panes of two minutes as one batch."""
    columns = [np.concatenate(pair) for pair in zip(first[3:7], second[3:7], strict=True)]
    bins = np.concatenate([first.bins, second.bins + np.array([len(first.look), 0, 0])])
    return Closed(second.until, first.first, first.labels, *columns, bins)


def test_minutes_one_by_one_or_two_at_a_time() -> None:
    """The evidence of all mixes is the same."""
    settings, single, double = DriftSettings(least_span=240), Traffic(4), Traffic(4)
    one, two = DriftTable(settings), DriftTable(settings)
    how = [Minute(errors=(0.4, 0.5, 0.1)) if at > 262 else Minute() for at in range(272)]
    for at in range(0, 272, 2):
        for minute in (at, at + 1):
            one.look(single.closed(minute, how[minute]))
        two.look(together(double.closed(at, how[at]), double.closed(at + 1, how[at + 1])))
    assert one.until == two.until == START + 272
    for name in MIXES:
        assert one.banks[name].streams == two.banks[name].streams != []
        np.testing.assert_array_equal(one.banks[name].m, two.banks[name].m)
