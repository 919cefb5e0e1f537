"""What a model's tokens cost at a time: the user's own prices first, else the offline data of genai-prices.

Only the data inside the genai-prices package is read; nothing is ever downloaded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from genai_prices.data import providers
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import ConditionalPrice, ModelPrice, TieredPrices, TimeOfDateConstraint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import time


OVERRIDE_KEYS = ("input", "output", "cache_read", "cache_write")
_DAY_S = 86_400
_NANO_PER_TOKEN = 1_000  # 1 USD per million tokens is 1000 nano-USD a token
_NANO_PER_USD = 10**9
_REQUESTS_PER = 1_000  # genai-prices: `requests_kcount` is USD per thousand requests
_MAX_REMEMBERED = 4_096


@dataclass(frozen=True)
class Tier:
    """Prices that hold while more than `above` input tokens go in; nano-USD per token, `request` per call.

    `uncached` is what input tokens cost that neither come from the cache nor go to it.
    """

    above: int
    uncached: float
    output: float
    cache_read: float
    cache_write: float
    request: float


class Catalog:
    """Looks up price tiers; lowest `above` (-1: always) first."""

    def __init__(self, overrides: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self._overrides = {name.lower(): _override(name, prices) for name, prices in (overrides or {}).items()}
        self._snapshot = DataSnapshot(providers=providers, from_auto_update=False)
        self._asked = 0
        self.step_s = _step_s()
        """Prices are constant within UTC intervals of this many seconds, counted from the epoch."""

    def tiers(self, provider: str, model: str, at_s: int) -> tuple[Tier, ...] | None:
        """Give the prices of a model at a Unix time, None if unknown. `provider` may be empty or a name nobody knows.

        An override is found as `provider/model`, then as `model`; a model of genai-prices at its provider, then alone.
        """
        provider, model = provider.strip().lower(), model.strip().lower()
        mine = self._overrides.get(f"{provider}/{model}") or self._overrides.get(model)
        if mine is not None:
            return mine
        known = self._find(provider, model) or self._find("", model) if model else None
        return None if known is None else _tiers_of(known(datetime.fromtimestamp(at_s, UTC)))

    def _find(self, provider: str, model: str) -> Callable[[datetime], ModelPrice] | None:
        self._asked += 1
        if self._asked % _MAX_REMEMBERED == 0:
            # the snapshot remembers every name it was ever asked for, and names come from outside
            self._snapshot = DataSnapshot(providers=providers, from_auto_update=False)
        try:
            return self._snapshot.find_provider_model(model, None, provider or None, None)[1].get_prices
        except LookupError:
            return None


def _override(name: str, prices: Mapping[str, float]) -> tuple[Tier, ...]:
    """Check one entry of the user's table (USD per million tokens) and make it a tier.

    Raises:
        ValueError: A key is unknown, `input` or `output` is missing, or a price is negative or no finite number.
    """
    if unknown := sorted(set(prices) - set(OVERRIDE_KEYS)):
        msg = f"price of {name!r}: unknown key {unknown[0]!r}, expected {', '.join(OVERRIDE_KEYS)}"
        raise ValueError(msg)
    for key in ("input", "output"):
        if key not in prices:
            msg = f"price of {name!r}: {key!r} is missing (USD per million tokens)"
            raise ValueError(msg)
    for key, price in prices.items():
        if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < math.inf:
            msg = f"price of {name!r}: {key} is {price!r}, expected USD per million tokens, 0 or more"
            raise ValueError(msg)
    nano = {key: float(price) * _NANO_PER_TOKEN for key, price in prices.items()}
    read, write = nano.get("cache_read", nano["input"]), nano.get("cache_write", nano["input"])
    return (Tier(-1, nano["input"], nano["output"], read, write, 0.0),)


def _tiers_of(price: ModelPrice) -> tuple[Tier, ...] | None:
    """Spell out the tiers of a model price, None where tokens have no price at all (pages, hours, characters).

    As genai-prices does it: input tokens include the cached ones, a cached token without a price of its own costs what
    any input token does, and the tier is chosen by the input tokens of the call and holds for all its tokens.
    """
    prices = [price.input_mtok, price.output_mtok, price.cache_read_mtok, price.cache_write_mtok]
    if all(p is None for p in prices):
        return None
    starts = sorted({-1, *(tier.start for p in prices if isinstance(p, TieredPrices) for tier in p.tiers)})
    request = _at(price.requests_kcount, 0) * _NANO_PER_USD / _REQUESTS_PER
    return tuple(_tier(start, prices, float(request)) for start in starts)


def _tier(start: int, prices: list[Decimal | TieredPrices | None], request: float) -> Tier:
    uncached, output, read, write = (float(_at(p, start + 1) * _NANO_PER_TOKEN) for p in prices)
    return Tier(
        above=start,
        uncached=uncached,
        output=output,
        cache_read=uncached if prices[2] is None else read,
        cache_write=uncached if prices[3] is None else write,
        request=request,
    )


def _at(price: Decimal | TieredPrices | None, input_tokens: int) -> Decimal:
    """Give the price that holds for a call of so many input tokens."""
    if price is None:
        return Decimal(0)
    if not isinstance(price, TieredPrices):
        return price
    return next((tier.price for tier in reversed(price.tiers) if input_tokens > tier.start), price.base)


def _step_s() -> int:
    """Give the largest interval within which no price of genai-prices changes; dates change at UTC midnight."""
    return math.gcd(_DAY_S, *(_second_of_day(t) for c in _daily_constraints() for t in (c.start_time, c.end_time)))


def _daily_constraints() -> Iterator[TimeOfDateConstraint]:
    for provider in providers:
        for model in provider.models:
            for price in model.prices if isinstance(model.prices, list) else []:
                if isinstance(price, ConditionalPrice) and isinstance(price.constraint, TimeOfDateConstraint):
                    yield price.constraint


def _second_of_day(at: time) -> int:
    offset = at.utcoffset()
    seconds = at.hour * 3600 + at.minute * 60 + at.second
    return seconds - (int(offset.total_seconds()) if offset else 0)
