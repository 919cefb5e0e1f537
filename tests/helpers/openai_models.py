"""A model of the OpenAI Agents SDK that calls tools as told; ids of calls begin anew with each, as some models' do."""

from __future__ import annotations

import importlib
import json
from typing import Any

agents = importlib.import_module("agents")
items = importlib.import_module("openai.types.responses")


def openai_model(calls: list[tuple[str, dict[str, Any]]]) -> Any:
    """Make a model that calls tools as told, one a turn, and then says done; `seen` is what it was asked last."""
    todo = list(enumerate(calls))

    class Fake(agents.Model):  # type: ignore[misc, name-defined]
        seen: list[Any]

        async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: A002
            self.seen = input
            if todo:
                at, (name, said) = todo.pop(0)
                output: Any = items.ResponseFunctionToolCall(
                    type="function_call", call_id=f"call_{at}", id="i", name=name, arguments=json.dumps(said)
                )
            else:
                text = items.ResponseOutputText(type="output_text", text="done", annotations=[])
                output = items.ResponseOutputMessage(
                    id="m", type="message", role="assistant", status="completed", content=[text]
                )
            return agents.ModelResponse(output=[output], usage=agents.Usage(), response_id=None)

        def stream_response(self, *args: Any, **kwargs: Any) -> Any:
            raise NotImplementedError

    return Fake()
