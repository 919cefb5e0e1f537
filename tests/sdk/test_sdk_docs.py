"""The page on the guard says what is so: its rule loads, its numbers are the defaults."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from flyball_sdk import Guard, Limits, Tiers
from flyball_sdk.rules import RuleSet
from flyball_sdk.rules.conditions import KINDS
from flyball_sdk.rules.rule import EFFECTS
from flyball_sdk.settings import Settings
from flyball_sdk.tiers import Ladder

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "guard.md").read_text()


def blocks(language: str, text: str = PAGE) -> list[str]:
    """Take out the blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_rule_of_the_page_loads() -> None:
    """The example passes its own specimens."""
    (block,) = blocks("yaml")
    assert len(RuleSet([("guard.md", rule) for rule in yaml.safe_load(block)])) == 1


def test_the_page_names_all_there_is() -> None:
    """Conditions, effects and environment variables are all on the page, and the numbers are the defaults."""
    assert [name for name in (*KINDS, *EFFECTS) if f"`{name}`" not in PAGE] == []
    assert Settings.from_env.__doc__ is not None
    for name in ("URL", "KEY", "KEY_FILE", "SIGNING_KEYS", "SIGNING_KEYS_FILE", "STATE", "TENANT", "CLIENT", "SOCKET"):
        assert f"FLYBALL_{name}`" in PAGE
    limits = Limits()
    assert (limits.tool_calls, limits.llm_calls) == (100, 50)
    assert limits.identical is not None
    assert (limits.identical.warn, limits.identical.block, limits.identical.kill) == (3, 5, 10)
    assert (Ladder().normal_s, Ladder().held_s, Tiers().default) == (5, 60, 2)
    assert Guard().policy.mode == "enforce"


def test_versions_on_the_page_are_those_tested() -> None:
    """The versions in brackets are the pinned ones."""
    pins = (ROOT / "pyproject.toml").read_text()
    for name, title in (
        ("openai-agents", "OpenAI Agents SDK"),
        ("langchain", "LangChain, LangGraph"),
        ("pydantic-ai-slim", "Pydantic AI"),
        ("claude-agent-sdk", "Claude Agent SDK"),
    ):
        version = re.search(rf'"{name}==([0-9.]+)"', pins)
        assert version is not None
        assert f"# {title} ({version[1]})" in PAGE
