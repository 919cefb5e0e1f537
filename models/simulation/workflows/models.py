"""Models by their real names, with list prices in USD for a million tokens (the providers' price pages, early 2026)."""

from __future__ import annotations

from models.simulation.workflow import Model

GPT_4O = Model("gpt-4o-2024-11-20", "openai", 2.50, 1.25, 10.00, 90)
GPT_41 = Model("gpt-4.1-2025-04-14", "openai", 2.00, 0.50, 8.00, 100)
GPT_41_MINI = Model("gpt-4.1-mini", "openai", 0.40, 0.10, 1.60, 120)
CLAUDE_SONNET_45 = Model("claude-sonnet-4-5", "anthropic", 3.00, 0.30, 15.00, 70)
CLAUDE_HAIKU_45 = Model("claude-haiku-4-5", "anthropic", 1.00, 0.10, 5.00, 140)

ALL = (GPT_4O, GPT_41, GPT_41_MINI, CLAUDE_SONNET_45, CLAUDE_HAIKU_45)
