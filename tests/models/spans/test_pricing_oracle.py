"""Computed costs against genai-prices itself, for every model it knows."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from genai_prices import Usage, calc_price
from genai_prices.data import providers

from models.digest import digest_of
from models.spans.batch import Spans
from models.spans.columns import UNKNOWN, Column, Priced, SpanKind
from models.spans.pricing import Prices

if TYPE_CHECKING:
    from decimal import Decimal

    from genai_prices.types import ModelPrice

SEED = 20260801
_FIRST, _LAST = 1_672_531_200, 1_798_761_600  # 2023 to 2026


def _usages(rng: random.Random) -> tuple[int, int, int, int, int]:
    """Draw a time and token counts (input, output, cache read, cache write) on either side of every tier."""
    given = rng.randrange(rng.choice([100, 10_000, 300_000, 2_000_000]))
    read, write = rng.randrange(given // 2 + 1), rng.randrange(given // 2 + 1)
    return rng.randrange(_FIRST, _LAST), given, rng.randrange(20_000), read, write


def _has_token_prices(provider: str, model: str, at: int) -> bool:
    """Say whether any of the four token counts has a price of its own; audio hours and pages are not tokens."""
    found = calc_price(Usage(), model, provider_id=provider, genai_request_timestamp=datetime.fromtimestamp(at, UTC))
    price: ModelPrice = found.model_price
    return any(getattr(price, f"{key}_mtok") is not None for key in ("input", "output", "cache_read", "cache_write"))


def test_every_model_costs_what_genai_prices_says() -> None:
    """Each model at random times and usages: within 1 nano-USD; models without token prices are unpriced, not 0."""
    rng = random.Random(SEED)  # noqa: S311 - reproducible draws, no secrets
    expected: list[tuple[str, str, int, Decimal]] = []
    rows: list[tuple[int, ...]] = []
    names: dict[int, str] = {}
    for provider in providers:
        for model in provider.models:
            at, given, output, read, write = _usages(rng)
            usage = Usage(input_tokens=given, output_tokens=output, cache_read_tokens=read, cache_write_tokens=write)
            when = datetime.fromtimestamp(at, UTC)
            try:
                price = calc_price(usage, model.id, provider_id=provider.id, genai_request_timestamp=when)
            except LookupError:
                continue  # patterns such as `regional.…`, whose id is no name that anything answers to
            names |= {digest_of(provider.id): provider.id, digest_of(model.id): model.id}
            rows.append((digest_of(provider.id), digest_of(model.id), at * 10**9, given, output, read, write))
            expected.append((provider.id, model.id, at, price.total_price))
    cols = np.zeros((len(Column), len(rows)), np.int64)
    cols[Column.KIND], cols[Column.COST] = SpanKind.LLM, UNKNOWN
    tokens = (Column.INPUT_TOKENS, Column.OUTPUT_TOKENS, Column.CACHE_READ, Column.CACHE_WRITE)
    cols[[Column.PROVIDER, Column.MODEL, Column.START, *tokens]] = np.array(rows, np.int64).T
    spans = Prices().price(Spans(cols, names))
    assert len(rows) > 2000
    for i, (provider_id, model_id, at, total) in enumerate(expected):
        cost, source = int(spans[Column.COST][i]), int(spans[Column.PRICED][i])
        if source == Priced.UNPRICED:
            assert not _has_token_prices(provider_id, model_id, at), (provider_id, model_id)
        else:
            assert source == Priced.COMPUTED
            assert abs(total * 10**9 - cost) <= 1, (provider_id, model_id, at, total, cost)
