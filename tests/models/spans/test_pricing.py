"""Costs of spans: what is reported, what is computed, what stays unpriced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from models.digest import digest_of
from models.spans.batch import Spans
from models.spans.columns import UNKNOWN, Column, Priced, SpanKind
from models.spans.pricing import Prices

if TYPE_CHECKING:
    from collections.abc import Mapping

JULY_2026 = 1_783_000_000
GPT_4O = {"provider": "openai", "model": "gpt-4o"}  # 2.50 USD in, 10 out, 1.25 cached, per million


def spans_of(*rows: Mapping[str, Any]) -> Spans:
    """Make spans of dicts: kind (LLM), provider, model, at (seconds), tokens given/out/read/write, cost."""
    cols = np.zeros((len(Column), len(rows)), np.int64)
    names: dict[int, str] = {}
    numbers = {
        Column.INPUT_TOKENS: "given",
        Column.OUTPUT_TOKENS: "out",
        Column.CACHE_READ: "read",
        Column.CACHE_WRITE: "write",
        Column.COST: "cost",
    }
    for i, row in enumerate(rows):
        cols[Column.KIND, i] = row.get("kind", SpanKind.LLM)
        cols[Column.START, i] = row.get("at", JULY_2026) * 10**9
        for column, key in numbers.items():
            cols[column, i] = row.get(key, UNKNOWN)
        for column, key in ((Column.PROVIDER, "provider"), (Column.MODEL, "model")):
            if text := row.get(key):
                cols[column, i] = digest_of(text)
                names[digest_of(text)] = text
    return Spans(cols, names)


def priced(*rows: Mapping[str, Any], prices: Prices | None = None) -> list[tuple[int, Priced]]:
    """Price rows and give (cost, where it comes from) of each."""
    spans = (prices or Prices()).price(spans_of(*rows))
    pairs = zip(spans[Column.COST].tolist(), spans[Column.PRICED].tolist(), strict=True)
    return [(cost, Priced(source)) for cost, source in pairs]


def test_computes_by_hand() -> None:
    """1000 tokens in and 100 out of gpt-4o cost 2500 + 1000 micro-USD."""
    assert priced({**GPT_4O, "given": 1000, "out": 100}) == [(3_500_000, Priced.COMPUTED)]


def test_cached_tokens_are_part_of_the_input() -> None:
    """800 of 1000 input tokens read from the cache cost half; 200 remain at the full price."""
    assert priced({**GPT_4O, "given": 1000, "out": 0, "read": 800}) == [(500_000 + 1_000_000, Priced.COMPUTED)]


def test_reported_cost_comes_first() -> None:
    """A span that says its cost keeps it, even 0, even with tokens and a known model."""
    rows = [{**GPT_4O, "given": 1000, "out": 1, "cost": cost} for cost in (42, 0)]
    assert priced(*rows) == [(42, Priced.REPORTED), (0, Priced.REPORTED)]


def test_unknown_models_are_unpriced_and_not_free() -> None:
    """Tokens of a model without a price have no cost, not the cost 0."""
    rows: list[dict[str, Any]] = [
        {"provider": "openai", "model": "ft:gpt-4.1-2025-04-14:acme::x", "given": 10, "out": 10},
        {"model": "no-such-model", "given": 10},
        {"provider": "openai", "out": 10},
        {"given": 0, "out": 0},
    ]
    assert priced(*rows) == [(UNKNOWN, Priced.UNPRICED)] * 4


def test_without_tokens_there_is_nothing_to_price() -> None:
    """A known model without usage is not counted as unpriced."""
    assert priced(GPT_4O, {}) == [(UNKNOWN, Priced.NOTHING)] * 2


def test_one_known_count_is_enough() -> None:
    """Where only one of input and output is said, the other counts as 0."""
    assert priced({**GPT_4O, "out": 100}, {**GPT_4O, "given": 1000}) == [
        (1_000_000, Priced.COMPUTED),
        (2_500_000, Priced.COMPUTED),
    ]


def test_more_cached_than_input_never_earns_money() -> None:
    """A source that leaves cached tokens out of its input is priced by the cached ones, not below."""
    assert priced({**GPT_4O, "given": 2, "out": 0, "read": 1000}) == [(1_250_000, Priced.COMPUTED)]


def test_absurd_token_counts_are_unpriced() -> None:
    """A cost beyond a billion USD is a fault of the counts; it must not overflow the sums."""
    assert priced({**GPT_4O, "given": 2**62, "out": 2**62}) == [(UNKNOWN, Priced.UNPRICED)]


def test_run_spans_are_priced_like_calls() -> None:
    """What a run span says comes first; else its model, tokens and those of them that were cached."""
    run = {**GPT_4O, "kind": SpanKind.RUN, "given": 1000, "out": 100, "read": 800}
    assert priced(run, {**run, "cost": 7}, {**run, "model": "no-such-model"}, {**GPT_4O, "kind": SpanKind.RUN}) == [
        (2_500_000, Priced.COMPUTED),
        (7, Priced.REPORTED),
        (UNKNOWN, Priced.UNPRICED),
        (UNKNOWN, Priced.NOTHING),
    ]


def test_the_tokens_of_a_run_are_those_of_many_calls() -> None:
    """A million tokens of claude-sonnet-4-5 in one call cost 6 USD, in the calls of a run 3 USD."""
    call = {"provider": "anthropic", "model": "claude-sonnet-4-5", "given": 1_000_000, "out": 0}
    assert priced(call, {**call, "kind": SpanKind.RUN}) == [
        (6_000_000_000, Priced.COMPUTED),
        (3_000_000_000, Priced.COMPUTED),
    ]


def test_bills_are_priced_like_calls() -> None:
    """Of a bill's two rows one says what was paid, the other costs what its call's span is computed to cost."""
    bought = {**GPT_4O, "kind": SpanKind.BILL, "given": 1000, "out": 100}
    paid = {**GPT_4O, "kind": SpanKind.BILL, "cost": 9}
    assert priced(paid, bought) == [(9, Priced.REPORTED), *priced({**bought, "kind": SpanKind.LLM})]
    assert priced(bought)[0][1] == Priced.COMPUTED


@pytest.mark.parametrize("kind", [k for k in SpanKind if k not in (SpanKind.LLM, SpanKind.RUN, SpanKind.BILL)])
def test_other_kinds_have_no_cost(kind: SpanKind) -> None:
    """Whatever a tool or guard span says about tokens and cost is dropped."""
    assert priced({**GPT_4O, "kind": kind, "given": 5, "cost": 5}) == [(UNKNOWN, Priced.NOTHING)]


def test_pricing_twice_changes_nothing() -> None:
    """A computed cost is not taken for a reported one the second time."""
    prices = Prices()
    spans = spans_of({**GPT_4O, "given": 1000, "out": 100}, {**GPT_4O, "cost": 9}, {"given": 3}, {})
    once = prices.price(spans).cols.copy()
    assert np.array_equal(prices.price(spans).cols, once)


def test_no_rows_no_trouble() -> None:
    """An empty batch is priced to an empty batch."""
    assert len(Prices().price(Spans.empty())) == 0


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o"),
        ("OpenAI", "GPT-4o"),
        ("", "gpt-4o"),
        ("some-gateway", "gpt-4o"),
        ("openai", "gpt-4o-2024-11-20"),
        ("az.ai.openai", "gpt-4o"),
    ],
)
def test_a_provider_nobody_knows_does_not_hide_the_model(provider: str, model: str) -> None:
    """Provider and model are tried together, then the model alone; case does not matter."""
    assert priced({"provider": provider, "model": model, "given": 1000, "out": 100}) == [(3_500_000, Priced.COMPUTED)]


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("aws.bedrock", "anthropic.claude-sonnet-4-20250514-v1:0"),
        ("gcp.vertex.agent", "gemini-2.0-flash"),
        ("anthropic", "claude-sonnet-4-5-20250929"),
        ("gcp.gemini", "gemini-2.5-pro"),
    ],
)
def test_providers_as_frameworks_name_them(provider: str, model: str) -> None:
    """The provider names of OpenTelemetry and of Google's kit find their models."""
    ((cost, source),) = priced({"provider": provider, "model": model, "given": 1000, "out": 100})
    assert source == Priced.COMPUTED
    assert cost > 0


def test_prices_change_with_the_hour() -> None:
    """deepseek-chat costs twice as much from 00:30 to 16:30 UTC, to the minute."""
    midnight = JULY_2026 - JULY_2026 % 86_400
    row = {"provider": "deepseek", "model": "deepseek-chat", "given": 1_000_000, "out": 0}
    at = [midnight + minutes * 60 for minutes in (29, 30, 16 * 60 + 29, 16 * 60 + 30)]
    costs = [cost for cost, _ in priced(*({**row, "at": t} for t in at))]
    assert costs == [135_000_000, 270_000_000, 270_000_000, 135_000_000]


def test_long_prompts_cost_more_per_token() -> None:
    """gemini-2.5-pro doubles its input price above 200000 input tokens, for all of them."""
    row = {"provider": "google", "model": "gemini-2.5-pro", "out": 0}
    costs = [cost for cost, _ in priced({**row, "given": 200_000}, {**row, "given": 200_001})]
    assert costs == [250_000_000, 500_002_500]


def test_own_prices_come_first() -> None:
    """The user's table beats genai-prices; `provider/model` beats `model`; cache prices default to input."""
    prices = Prices(
        {
            "gpt-4o": {"input": 1, "output": 2},
            "Acme/GPT-4o": {"input": 3, "output": 4, "cache_read": 0.5, "cache_write": 5},
        }
    )
    tokens = {"given": 1000, "out": 100, "read": 200, "write": 300}
    openai, acme = priced({**GPT_4O, **tokens}, {"provider": "acme", "model": "gpt-4o", **tokens}, prices=prices)
    assert openai == (1000 * 1000 + 100 * 2000, Priced.COMPUTED)
    assert acme == (500 * 3000 + 100 * 4000 + 200 * 500 + 300 * 5000, Priced.COMPUTED)


def test_a_free_model_of_ones_own_is_free() -> None:
    """A price of 0 that somebody wrote down is a price."""
    prices = Prices({"local": {"input": 0, "output": 0}})
    assert priced({"model": "local", "given": 5}, prices=prices) == [(0, Priced.COMPUTED)]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"input": 1}, "price of 'm': 'output' is missing"),
        ({"input": 1, "output": 1, "ouput": 1}, "price of 'm': unknown key 'ouput'"),
        ({"input": -1, "output": 1}, "price of 'm': input is -1"),
        ({"input": 1, "output": "2"}, "price of 'm': output is '2'"),
        ({"input": float("nan"), "output": 1}, "price of 'm': input is nan"),
    ],
)
def test_wrong_entries_are_named(entry: Any, reason: str) -> None:
    """A wrong price table says which model and key is wrong, at once."""
    with pytest.raises(ValueError, match=reason):
        Prices({"m": entry})


def test_lookups_are_remembered_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hostile streams of new model names do not grow the memory, and prices stay right."""
    monkeypatch.setattr("models.spans.pricing._MAX_REMEMBERED", 50)
    monkeypatch.setattr("models.spans.price_catalog._MAX_REMEMBERED", 50)
    prices = Prices()
    priced(*({"model": f"m{i}", "given": 1} for i in range(200)), prices=prices)
    assert len(prices._known) <= 50
    assert priced({**GPT_4O, "given": 1000}, prices=prices) == [(2_500_000, Priced.COMPUTED)]
