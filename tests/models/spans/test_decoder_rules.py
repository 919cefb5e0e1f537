"""Rules of the attribute table that depend on more than one attribute, or on what a text looks like."""

from __future__ import annotations

from typing import Any

import pytest

from models.spans.columns import SpanKind, SpanStatus
from models.spans.decoder import Decoder
from models.spans.mapping import Mapping
from tests.helpers.decode_by_hand import Traces, one, row

SERVER, CLIENT, ERROR = 2, 3, {"code": 2}
CALL = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "search"}


_NUMBER = pytest.param(-32602, id="a number")


@pytest.mark.parametrize("code", ["-32700", "-32600", "-32601", "-32602", "-32002", _NUMBER])
@pytest.mark.parametrize("attribute", ["error.type", "rpc.response.status_code"])
def test_what_an_mcp_server_was_asked_wrongly_is_no_error_of_its_tool(attribute: str, code: Any) -> None:
    """JSON-RPC's codes for bad requests leave the server's span without error type and error status."""
    span = one(CALL | {attribute: code}, kind=SERVER, status=ERROR)
    assert (span["KIND"], span["STATUS"], span["ERROR_TYPE"]) == (SpanKind.TOOL, SpanStatus.UNSET, None)


@pytest.mark.parametrize(
    ("attributes", "kind", "error_type"),
    [
        (CALL | {"error.type": "-32602"}, CLIENT, "-32602"),
        (CALL | {"error.type": "-32602"}, 0, "-32602"),
        (CALL | {"error.type": "-32603"}, SERVER, "-32603"),
        (CALL | {"error.type": "tool_error"}, SERVER, "tool_error"),
        ({"gen_ai.tool.name": "search", "error.type": "-32602"}, SERVER, "-32602"),
    ],
)
def test_other_errors_stay(attributes: dict[str, Any], kind: int, error_type: str) -> None:
    """Other codes, other kinds of spans and spans that are not MCP's keep their error."""
    span = one(attributes, kind=kind, status=ERROR)
    assert (span["STATUS"], span["ERROR_TYPE"]) == (SpanStatus.ERROR, error_type)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("99981f6a-abd1-4d09-9fba-00e2ab172193", "next"),
        ("99981F6AABD14D099FBA00E2AB172193", "next"),
        ("99981f6a-abd1-4d09-9fba-00e2ab17219", "99981f6a-abd1-4d09-9fba-00e2ab17219"),
        ("99981f6a0abd1-4d09-9fba-00e2ab172193", "99981f6a0abd1-4d09-9fba-00e2ab172193"),
        ("99981f6a-abd1-4d09-9fba-00e2ab17219g", "99981f6a-abd1-4d09-9fba-00e2ab17219g"),
        ("airline", "airline"),
    ],
)
def test_a_uuid_names_no_agent_and_no_workflow(name: str, expected: str) -> None:
    """Where a name is a UUID, with or without dashes, the next source is asked; whatever else it is, it is the name."""
    assert one({"gen_ai.agent.name": name, "agent.name": "next"})["AGENT"] == expected
    assert one({"gen_ai.workflow.name": name, "traceloop.workflow.name": "next"})["WORKFLOW"] == expected
    assert one({"gen_ai.conversation.id": name})["CONVERSATION"] == name


def test_users_can_say_that_uuids_are_no_names() -> None:
    """A column of the user's own choice refuses UUIDs, on resources too."""
    decoder = Decoder(Mapping.load({"absent": {"TENANT": ["none", {"form": "uuid"}]}}))
    traces = Traces({"tenant.id": "99981f6a-abd1-4d09-9fba-00e2ab172193", "service.namespace": "ns"})
    traces.span()
    traces.span({"flyball.tenant.id": "none"})
    assert [row(traces.decode(decoder).spans, i)["TENANT"] for i in range(2)] == ["ns", "ns"]


def test_users_can_make_a_source_depend_on_what_is_beside_it() -> None:
    """A source that wants an attribute beside it waits for it, in any order; `span_kinds` are OpenTelemetry's."""
    table = [{"attribute": "a", "beside": "b"}, {"attribute": "c", "span_kinds": ["server", "consumer"]}]
    decoder = Decoder(Mapping.load({"columns": {"USER": table}}))
    traces = Traces()
    for attributes, kind in (({"a": "x"}, 0), ({"a": "x", "b": 1}, 0), ({"b": 1, "a": "x"}, 0), ({"c": "y"}, 5)):
        traces.span(attributes, kind=kind)
    traces.span({"c": "y"}, kind=3)
    spans = traces.decode(decoder).spans
    assert [row(spans, i)["USER"] for i in range(5)] == [None, "x", "x", "y", None]
