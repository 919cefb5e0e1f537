"""Every block of Python in the documents runs as it stands, beside what its reader has: the real frameworks, tools."""

from __future__ import annotations

import hmac
import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flyball_sdk import Guard

from alerts.sinks.webhook import signature

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "sdk" / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
BLOCKS = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL), 1)
]
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search", "arguments": {"query": "x"}}}


def search(query: str) -> str:
    """Search for something."""
    return query


def refund(amount: int) -> str:
    """Refund an amount."""
    return f"{amount}"


def openai() -> dict[str, Any]:
    """Give what the OpenAI Agents SDK has."""
    agents = importlib.import_module("agents")
    tools = {"search": agents.function_tool(search), "refund": agents.function_tool(refund)}
    server = importlib.import_module("agents.mcp").MCPServerStdio({"command": "true"})
    return {"Agent": agents.Agent, "servers": [server], **tools}


def langchain() -> dict[str, Any]:
    """Give what LangChain has."""
    models = importlib.import_module("langchain_core.language_models.fake_chat_models")
    agents = importlib.import_module("langchain.agents")
    model = models.FakeListChatModel(responses=["done"])
    return {"create_agent": agents.create_agent, "model": model, "tools": []}


def pydantic_ai() -> dict[str, Any]:
    """Give what Pydantic AI has."""
    ai = importlib.import_module("pydantic_ai")
    model = importlib.import_module("pydantic_ai.models.test").TestModel()
    toolset = importlib.import_module("pydantic_ai.toolsets").FunctionToolset
    return {"Agent": ai.Agent, "FunctionToolset": toolset, "model": model, "search": search, "refund": refund}


def claude() -> dict[str, Any]:
    """Give what the Claude Agent SDK has."""
    return {"ClaudeAgentOptions": importlib.import_module("claude_agent_sdk").ClaudeAgentOptions}


def webhook() -> dict[str, Any]:
    """Give what the receiver of a webhook has."""
    body = b'{"kind":"incident"}'
    signed = signature("s3cret", "1780000000", body)
    return {"hmac": hmac, "secret": b"s3cret", "timestamp": b"1780000000", "body": body, "signature": signed}


SURROUNDINGS: dict[str, Callable[[], dict[str, Any]]] = {
    "adapters.openai_agents": openai,
    "adapters.langchain": langchain,
    "adapters.pydantic_ai": pydantic_ai,
    "adapters.claude_agent": claude,
    "adapters.mcp_proxy": lambda: {"message": CALL},
    "hmac": webhook,
}


@pytest.mark.parametrize("block", BLOCKS)
def test_it_runs(block: str, plane: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a control plane beside it that `connect()` finds by the environment."""
    monkeypatch.setenv("FLYBALL_URL", f"http://127.0.0.1:{plane.port}")
    monkeypatch.setenv("FLYBALL_KEY", "evaluate-me")
    monkeypatch.setenv("FLYBALL_SIGNING_KEYS", plane.signing.public().to_text())
    names: dict[str, Any] = {"guard": Guard(on_event=lambda event: None)}
    for marker, given in SURROUNDINGS.items():
        if marker in block:
            names |= given()
    try:
        exec(compile(block, "the document", "exec"), names)  # noqa: S102 -- what our own documents say
    finally:
        if "client" in names:
            names["client"].close()
    if "hmac" in block:
        assert names["expected"] == names["signature"]


def test_there_are_some() -> None:
    """The pattern still finds them."""
    assert len(BLOCKS) >= 9
