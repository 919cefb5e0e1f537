"""The price of LLM and run spans: as reported, else computed from tokens and model, else unpriced - never silently 0.

Without the split of cached tokens in the data, the computed price is an upper bound: every input token then counts as
uncached (1.4 to 3 times too much on cache-heavy runs).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.spans.columns import ABSENT, UNKNOWN, Column, Priced, SpanKind
from models.spans.price_catalog import Catalog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from models.spans.batch import Spans
    from models.spans.price_catalog import Tier

_NANO_PER_S = 10**9
_MAX_REMEMBERED = 65_536
_MAX_COST = 1e18  # a billion USD for one call: no price, but a fault in the token counts
_NEVER = np.iinfo(np.int64).max
_SPREAD = (np.int64(-7046029254386353131), np.int64(-4417276706812531889))  # odd: multiplying loses nothing


class Prices:
    """Fills COST and PRICED of spans; remembers what it looked up, by provider, model and time interval.

    `overrides` are the user's own prices, USD per million tokens, by `model` or `provider/model`:
    `{"my-model": {"input": 1.0, "output": 4.0, "cache_read": 0.1, "cache_write": 1.25}}`. A missing cache price is that
    of input. Overrides come before genai-prices, but not before a cost that the span itself reports.

    Raises:
        ValueError: An entry of `overrides` is wrong; the message names it.
    """

    def __init__(self, overrides: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self._catalog = Catalog(overrides)
        self._known: dict[tuple[int, int, int], tuple[Tier, ...] | None] = {}

    def price(self, spans: Spans) -> Spans:
        """Fill COST (nano-USD) and PRICED of every row in place, and give the same spans back.

        LLM, BILL and RUN rows: a reported cost stays (REPORTED); known tokens of a known model are priced at the time
        the span starts (COMPUTED); other known tokens are UNPRICED; without tokens there is NOTHING. All other costs
        become UNKNOWN. Doing it twice changes nothing.

        The tokens of a RUN row are those of many calls, none of which need be long: they are priced as in short ones.
        """
        cost, priced, kind = spans[Column.COST], spans[Column.PRICED], spans[Column.KIND]
        spending = (kind == SpanKind.LLM) | (kind == SpanKind.BILL) | (kind == SpanKind.RUN)
        reported = spending & (cost >= 0) & (priced != Priced.COMPUTED)
        cost[~reported] = UNKNOWN
        priced[:] = np.where(reported, Priced.REPORTED, Priced.NOTHING)
        tokens = (spans[Column.INPUT_TOKENS] >= 0) | (spans[Column.OUTPUT_TOKENS] >= 0)
        rows = np.flatnonzero(spending & ~reported & tokens)
        if rows.size:
            computed = self._compute(spans, rows)
            cost[rows] = computed
            priced[rows] = np.where(computed == UNKNOWN, Priced.UNPRICED, Priced.COMPUTED)
        return spans

    def _compute(self, spans: Spans, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the cost of each row in nano-USD, UNKNOWN where the model has no known price."""
        tokens = [
            np.maximum(spans[column][rows], 0).astype(np.float64)
            for column in (Column.INPUT_TOKENS, Column.OUTPUT_TOKENS, Column.CACHE_READ, Column.CACHE_WRITE)
        ]
        tiers, which = self._tiers(spans, rows)
        rates = _choose_tier(tiers, which, np.where(spans[Column.KIND][rows] == SpanKind.RUN, 0, tokens[0]))
        cost = _total(rates, *tokens)
        known = cost < _MAX_COST  # False for NaN, which stands for no price
        return np.where(known, np.rint(np.where(known, cost, 0)), UNKNOWN).astype(np.int64)

    def _tiers(self, spans: Spans, rows: NDArray[np.int64]) -> tuple[list[tuple[Tier, ...] | None], NDArray[np.int64]]:
        """Look up the prices of each different (provider, model, interval), and say which of them each row has."""
        provider, model = spans[Column.PROVIDER][rows], spans[Column.MODEL][rows]
        start = spans[Column.START][rows]
        interval = np.where(start > 0, start, spans[Column.END][rows]) // (self._catalog.step_s * _NANO_PER_S)
        mixed = (provider * _SPREAD[0] ^ model) * _SPREAD[1] ^ interval
        _, first, which = np.unique(mixed, return_index=True, return_inverse=True)
        keys = zip(provider[first].tolist(), model[first].tolist(), interval[first].tolist(), strict=True)
        return [self._look_up(key, spans.names) for key in keys], which

    def _look_up(self, key: tuple[int, int, int], names: Mapping[int, str]) -> tuple[Tier, ...] | None:
        if key not in self._known:
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            provider, model, interval = key
            text = names.get(model, "") if model != ABSENT else ""
            at_s = max(0, interval * self._catalog.step_s)
            self._known[key] = self._catalog.tiers(names.get(provider, ""), text, at_s)
        return self._known[key]


def _choose_tier(
    tiers: list[tuple[Tier, ...] | None], which: NDArray[np.int64], input_tokens: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give float64 [5, rows]: uncached, output, cache read, cache write, request; NaN where there is no price."""
    depth = max((len(t) for t in tiers if t), default=1)
    above = np.full((depth, len(tiers)), _NEVER)
    rates = np.full((depth, 5, len(tiers)), np.nan)
    for i, model in enumerate(tiers):
        for j, t in enumerate(model or ()):
            above[j, i] = t.above
            rates[j, :, i] = t.uncached, t.output, t.cache_read, t.cache_write, t.request
    chosen: NDArray[np.float64] = rates[0][:, which]
    for j in range(1, depth):
        chosen = np.where(input_tokens > above[j][which], rates[j][:, which], chosen)
    return chosen


def _total(
    rates: NDArray[np.float64],
    given: NDArray[np.float64],
    output: NDArray[np.float64],
    read: NDArray[np.float64],
    write: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Add up a call. Cached tokens are part of the input; where a source says more of them, no token is negative."""
    uncached = np.maximum(given - read - write, 0)
    total: NDArray[np.float64] = rates[4] + rates[0] * uncached + rates[1] * output + rates[2] * read + rates[3] * write
    return total
