"""The console's answers: who may ask, what browsers are told, and that nothing raw of a call is ever in them."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from control.console import otlp
from control.console.flight import Bounds, scan
from control.console.timeline import rows
from control.http.app import ENDPOINTS
from control.keys import VIEW
from streams.embedded import EmbeddedLog

CONSOLE = [each.path for each in ENDPOINTS if each.path.startswith("/v1/console/")]
SECRET = "hunter2-card-4111111111111111"  # noqa: S105 -- made up, to be looked for
TRACE = "5b8aa5a2d2c872e8321cf37308d69df2"
SPANS = "otlp_spans"


def spans(trace: str = TRACE, start_ns: int | None = None, error: str = "") -> list[dict[str, Any]]:
    """Make an agent's span with a model's and a tool's below it; every content is the secret."""
    start = start_ns or time.time_ns() - 10**10
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support", "gen_ai.input.messages": SECRET}
    model = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 900,
        "gen_ai.usage.output_tokens": 100,
        "gen_ai.output.messages": SECRET,
        "gen_ai.system_instructions": SECRET,
    }
    tool = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "refund",
        "gen_ai.tool.call.arguments": json.dumps({"card": SECRET}),
        "gen_ai.tool.call.result": SECRET,
    }
    made = []
    for number, (name, parent, attributes) in enumerate(
        [("run", "", agent), ("chat", "01", model), ("call", "01", tool)]
    ):
        made.append(
            {
                "traceId": trace,
                "spanId": f"{number + 1:016x}",
                "parentSpanId": parent and parent.rjust(16, "0"),
                "name": name,
                "startTimeUnixNano": str(start + number * 10**9),
                "endTimeUnixNano": str(start + number * 10**9 + 5 * 10**8),
                "attributes": [{"key": key, "value": _value(value)} for key, value in attributes.items()],
                "status": {"code": 2, "message": SECRET} if error and number == 2 else {},
            }
        )
    return made


def _value(value: Any) -> dict[str, str]:
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


def as_json(made: list[dict[str, Any]]) -> bytes:
    """Write spans as OTLP/JSON."""
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": made}]}]}).encode()


def as_protobuf(made: list[dict[str, Any]]) -> bytes:
    """Write spans as OTLP protobuf."""
    data = TracesData()
    into = data.resource_spans.add().scope_spans.add().spans
    for said in made:
        span = into.add(
            name=said["name"], trace_id=bytes.fromhex(said["traceId"]), span_id=bytes.fromhex(said["spanId"])
        )
        span.parent_span_id = bytes.fromhex(said["parentSpanId"])
        span.start_time_unix_nano, span.end_time_unix_nano = (
            int(said["startTimeUnixNano"]),
            int(said["endTimeUnixNano"]),
        )
        span.status.code = said["status"].get("code", 0)
        span.status.message = said["status"].get("message", "")
        for each in said["attributes"]:
            pair = span.attributes.add(key=each["key"])
            if "intValue" in each["value"]:
                pair.value.int_value = int(each["value"]["intValue"])
            else:
                pair.value.string_value = each["value"]["stringValue"]
    return data.SerializeToString()


@pytest.mark.parametrize("path", CONSOLE)
def test_only_operators_may_ask(served: Any, path: str) -> None:
    """Without a key 401, with an agent's key 403, and every endpoint needs the view role."""
    path = path.replace("{key}", TRACE)
    assert served.ask("GET", path)[0] == 401
    assert served.ask("GET", path, key=served.agent)[0] == 403
    assert {each.needs for each in ENDPOINTS if each.path in CONSOLE} == {VIEW}


@pytest.mark.parametrize("path", ["/console/", "/console/app.js", "/console/console.css", "/console/vendor/uplot.js"])
def test_a_browser_runs_and_asks_nothing_else(served: Any, path: str) -> None:
    """Every file comes with a policy that allows this origin alone, without cookies, and is not sent twice."""
    connection_headers = head(served, path)
    policy = connection_headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert connection_headers["x-content-type-options"] == "nosniff"
    assert connection_headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in connection_headers
    assert "access-control-allow-origin" not in connection_headers
    status, body, _ = served.ask("GET", path, If_None_Match=connection_headers["etag"])
    assert (status, body or None) == (304, None)


def head(served: Any, path: str) -> dict[str, str]:
    """Give the headers of a file, which is no JSON."""
    import http.client  # noqa: PLC0415 -- here only

    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.read()
    connection.close()
    return {name.lower(): value for name, value in answer.getheaders()}


def test_the_page_names_no_other_host() -> None:
    """No file of the console loads anything from elsewhere, and none writes data as markup."""
    folder = Path(otlp.__file__).parent / "static"
    for path in [*folder.glob("*.js"), *folder.glob("*.css"), *folder.glob("*.html")]:
        text = path.read_text()
        assert "https://" not in text, path
        assert "innerHTML" not in text, path
        assert "document.cookie" not in text, path
        assert len(text.splitlines()) <= 500


def test_the_address_leads_to_the_page(served: Any) -> None:
    """`/` and `/console` lead to `/console/`."""
    for path in ("/", "/console"):
        status, _, headers = served.ask("GET", path)
        assert (status, headers["location"]) == (307, "/console/")


@pytest.mark.parametrize("write", [as_json, as_protobuf])
def test_the_timeline_tells_names_and_numbers_and_nothing_raw(served: Any, planes: Any, told: Any, write: Any) -> None:
    """Depth, kinds, tokens so far and errors of a run's spans are told; no argument, result, message or prompt is."""
    start = time.time_ns() - 10**10
    for topic in (SPANS, "flyball.runs"):
        served.log.ensure(topic, 2)
    served.writer.append(SPANS, [(None, write(spans("ff" * 16))), (None, write(spans(start_ns=start, error="E")))])
    ended = datetime.fromtimestamp(start / 1e9, UTC) + timedelta(seconds=3)
    served.tell(told.run(1, ended, run_id=TRACE, duration_s=3.0), topic="flyball.runs")
    said = {"tool": {"name": "refund"}, "trace": {"run_id": TRACE}, "tool_input": {"card": SECRET}}
    served.tell(planes.verdict(scope=("run", TRACE), reason=f"token={SECRET}"))
    planes.until(lambda: served.plane.authority.shown.signals and served.plane.console.runs.count())
    assert served.ask("POST", "/v1/guard/evaluate", said, served.agent)[1]["decision"] == "block"
    served.plane.tick()
    status, found, _ = served.ask("GET", f"/v1/console/runs/{TRACE}", key=served.admin)
    assert status == 200
    shown = [(each["kind"], each["depth"], each["tool"] or each["model"] or each["agent"]) for each in found["spans"]]
    assert shown == [("run", 0, "support"), ("llm", 1, "gpt-4o"), ("tool", 1, "refund")]
    assert [each["tokens_so_far"] for each in found["spans"]] == [0, 1_000, 1_000]
    assert [each["error"] for each in found["spans"]] == [None, None, "error"]
    assert [each["cost_usd_so_far"] for each in found["spans"]] == [None, 0.00325, 0.00325]  # 900 at 2.5, 100 at 10
    assert found["read"]["cut"] is None
    assert [each["action"] for each in found["verdicts"]] == ["kill"]
    assert [(each["decision"], each["tool"]) for each in found["decisions"]] == [("block", "refund")]
    for path in CONSOLE:
        if not path.endswith("events"):
            text = json.dumps(served.ask("GET", path.replace("{key}", TRACE), key=served.admin)[1])
            assert SECRET not in text, path


def test_spans_that_were_sent_long_after_their_run_are_found(served: Any, planes: Any, told: Any) -> None:
    """As of a recording: a run of two hours ago, behind more messages than are read at once."""
    start = time.time_ns() - 7_200 * 10**9
    for topic in (SPANS, "flyball.runs"):
        served.log.ensure(topic, 1)
    others = [(None, as_protobuf(spans(f"{number:032x}"))) for number in range(1, 700)]
    served.writer.append(SPANS, [*others, (None, as_protobuf(spans(start_ns=start)))])
    ended = datetime.fromtimestamp(start / 1e9, UTC) + timedelta(seconds=3)
    record = told.run(1, ended, run_id=TRACE, duration_s=3.0, llm_calls=1, tool_calls=1)
    served.tell(record, topic="flyball.runs")
    planes.until(lambda: served.plane.console.runs.get(TRACE))
    found = served.ask("GET", f"/v1/console/runs/{TRACE}", key=served.admin)[1]
    assert len(found["spans"]) == 3


@pytest.mark.parametrize("write", [as_json, as_protobuf])
def test_damaged_messages_are_refused_and_nothing_else(write: Any) -> None:
    """Cut or altered anywhere, a message gives spans or is unreadable; it never raises anything else."""
    whole = write(spans(start_ns=1_795_000_000_123_456_789, error="timeout")[2:])
    assert len(list(otlp.spans(whole, bytes.fromhex(TRACE)))) == 1
    for at in range(len(whole)):
        for broken in (whole[:at], *(whole[:at] + bytes([value]) + whole[at + 1 :] for value in range(256))):
            try:
                rows(list(otlp.spans(broken, bytes.fromhex(TRACE))))
            except otlp.UnreadableError:
                continue


def test_a_field_of_another_wire_type_is_unknown() -> None:
    """As to the protobuf library: a start (fixed64) sent as bytes is no start, and its span can be sorted."""
    whole = as_protobuf(spans(start_ns=1_795_000_000_123_456_789))
    start = b"\x39" + (1_795_000_000_123_456_789).to_bytes(8, "little")
    assert start in whole
    broken = whole.replace(start, b"\x3a\x07" + start[2:], 1)
    found = list(otlp.spans(broken, bytes.fromhex(TRACE)))
    assert found[0].start_ns == 0
    assert len(rows(found)) == 3


@pytest.mark.parametrize(
    ("bounds", "cut"),
    [
        (Bounds(messages=100), "100 messages were read"),
        (Bounds(bytes=1 << 20), "1 MB of the log were read"),
        (Bounds(spans=3), "3 spans were found, and a look ends at 3"),
        (Bounds(seconds=0), "it took more than 0 s"),
        (Bounds(), None),
    ],
)
def test_a_look_is_bounded_and_says_so(tmp_path: Path, bounds: Bounds, cut: str | None) -> None:
    """Messages, bytes, spans and seconds are bounded; what was cut is said, what was not is not."""
    log = EmbeddedLog(tmp_path)
    log.ensure("t", 1)
    writer = log.writer()
    writer.append("t", [(None, as_protobuf(spans(f"{number:032x}")) + bytes(0)) for number in range(1, 3_000)])
    writer.append("t", [(None, as_protobuf(spans()))])
    writer.close()
    found = scan(log, {"t": otlp.spans}, f"{1:032x}", (time.time_ns(), None), bounds)
    assert found.cut == cut
    assert len(found.spans) == 3
    assert found.messages <= 3_000


def test_a_search_says_what_is_wrong(served: Any) -> None:
    """A condition that cannot be is a 400 that names it."""
    times = (("since=now", "since"), ("since=2026-02-30T10:00:00Z", "since"), ("until=2026-01-01T25:00:00Z", "until"))
    for query, code in (("text=XYZ", "text"), ("order=up", "order"), *times, ("after=9", "after")):
        status, said, _ = served.ask("GET", f"/v1/console/runs?{query}", key=served.admin)
        assert (status, said["error"]["code"]) == (400, code)


def test_the_preview_says_what_a_signal_would_reach(served: Any, planes: Any, told: Any) -> None:
    """Runs of the scope that ended lately, their users and tenants, the guards that are there, and what is asked."""
    served.log.ensure("flyball.runs", 2)
    old = datetime.now(UTC) - timedelta(hours=1)
    served.tell(*[told.run(number) for number in range(1, 31)], told.run(33, old), topic="flyball.runs")
    served.tell(planes.verdict("throttle", scope=("workflow", "airline")))
    planes.until(lambda: served.plane.console.runs.count() == 31 and served.plane.authority.shown.signals)
    stream = served.stream()
    planes.until(lambda: served.plane.hub.subscribers)
    _, said, _ = served.ask("GET", "/v1/console/preview?level=workflow&id=airline", key=served.admin)
    assert (said["runs"], said["users_count"], said["tenants"], said["guards"]) == (10, 10, ["acme", "globex"], 1)
    assert said["already"][0]["rule"] == "repeat.identical"
    _, said, _ = served.ask("GET", "/v1/console/preview?level=product&id=*&tenant=acme", key=served.admin)
    assert (said["runs"], said["two_people"], said["guards"]) == (15, True, 0)
    stream.close()


def test_the_preview_says_that_a_run_has_ended(served: Any, told: Any) -> None:
    """However long ago: who would kill it learns that nothing of it may be left; of one that goes on nothing."""
    ended = datetime.now(UTC) - timedelta(hours=3)
    served.plane.console.runs.put([told.run(1, ended, run_id=TRACE)])
    asked = f"/v1/console/preview?level=run&id={TRACE}"
    assert served.ask("GET", asked, key=served.admin)[1]["ended_at"] == told.stamp(ended)
    assert served.ask("GET", asked[:-1], key=served.admin)[1]["ended_at"] is None


def test_the_preview_says_what_people_have_asked(served: Any, planes: Any) -> None:
    """Of just this scope and tenant, without what rules ask, and without a kill: what the next order replaces."""
    nothing = {"kill": False, "level": "full", "tools": None, "deny": [], "throttle": None}
    bound = nothing | {"level": "static", "deny": ["pay"]}
    slow = nothing | {"throttle": {"calls_per_minute": 10, "concurrency": None}}
    scope = {"level": "workflow", "id": "air"}

    def people(more: str = "") -> Any:
        return served.ask("GET", f"/v1/console/preview?level=workflow&id=air{more}", key=served.admin)[1]["people"]

    assert people() == nothing
    served.tell(planes.verdict("throttle", scope=("workflow", "air")))
    planes.until(lambda: served.plane.authority.shown.signals)
    assert people() == nothing
    for body in ({"state": bound}, {"state": slow, "tenant": "t1"}):
        assert served.ask("POST", "/v1/set", {"scope": scope, **body}, served.admin)[0] == 200
    served.ask("POST", "/v1/kill", {"scope": scope}, served.admin)
    assert (people(), people("&tenant=t1"), people("&tenant=t2")) == (bound, slow, nothing)


@pytest.mark.parametrize("own", ["https://runbooks.example.org/refund", "Call the storage team."])
def test_an_objective_has_its_own_runbook(own: str, served: Any, planes: Any, told: Any) -> None:
    """Its address or words are shown, and the runbook of the class beside it, which is shipped."""
    served.log.ensure("flyball.incidents", 1)
    served.tell(told.incident("own", runbook=own), told.incident("burn"), topic="flyball.incidents")
    planes.until(lambda: len(served.plane.console.board.incidents()) == 2)
    _, found, _ = served.ask("GET", "/v1/console/incidents/own", key=served.admin)
    assert found["own_runbook"] == own
    assert found["runbook"].startswith("# slo.burn: ")
    _, usual, _ = served.ask("GET", "/v1/console/incidents/burn", key=served.admin)
    assert "own_runbook" not in usual
    assert usual["runbook"] == found["runbook"]


def test_an_incident_names_the_place_of_an_order(served: Any, planes: Any, told: Any) -> None:
    """Of a user's budget the user, as guards know them; of Flyball itself nothing, for no agent is in it."""
    served.log.ensure("flyball.incidents", 1)
    user = {"class": "spend.budget", "scope": {"level": "user", "id": "acme/ann"}, "tenant": "acme"}
    lag = {"class": "telemetry.lag", "scope": {"level": "product", "id": "flyball"}}
    airline = {"scope": {"level": "workflow", "id": "airline"}, "tenant": None}
    wanted = {"user": {"scope": {"level": "user", "id": "ann"}, "tenant": "acme"}, "lag": None, "burn": airline}
    said = [told.incident("user", **user), told.incident("lag", **lag), told.incident("burn")]
    served.tell(*said, topic="flyball.incidents")
    planes.until(lambda: len(served.plane.console.board.incidents()) == 3)
    _, found, _ = served.ask("GET", "/v1/console/incidents", key=served.admin)
    assert {each["key"]: each["place"] for each in found["incidents"]} == wanted
    for key, place in wanted.items():
        _, one, _ = served.ask("GET", f"/v1/console/incidents/{key}", key=served.admin)
        assert one["incident"]["place"] == place
        if place is not None:
            assert served.ask("POST", "/v1/kill", {**place, "reason": "a test"}, served.admin)[0] == 200


def test_an_order_names_its_scope_in_full_or_nothing(served: Any, told: Any) -> None:
    """A user who is a digest can be killed from the incident; a name that is a secret is not shown, nor sent to."""
    user, key = "9f" * 32, "sk-proj-abcdefghijklmnop"
    board = served.plane.console.board
    board.put(
        "incident", [told.incident(each, scope={"level": "user", "id": each}, tenant="acme") for each in (user, key)]
    )
    _, found, _ = served.ask("GET", "/v1/console/incidents", key=served.admin)
    places = {each["scope"]["id"]: each["place"] for each in found["incidents"]}
    assert places == {user: {"scope": {"level": "user", "id": user}, "tenant": "acme"}, "[masked]": None}


def test_long_names_of_tools_are_shown() -> None:
    """The timeline names the tool that was called, however long its name."""
    tool = "mcp__google_calendar__find_available_time_slots"
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
    (row,) = rows([otlp.Raw("01", "", f"execute_tool {tool}", 1, 2, 1, 0, "", attributes)])
    assert (row["tool"], row["name"]) == (tool, f"execute_tool {tool}")


def test_spend_of_now_comes_first_and_can_be_narrowed(served: Any, planes: Any, told: Any) -> None:
    """A budget that was spent yesterday is not over today; a tenant is found behind more users than are listed."""
    served.log.ensure("flyball.spend", 1)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    users = [told.spend(f"u-{number}", 9.0, 10.0) for number in range(520)]
    past = told.spend("ann", 30.0, 10.0) | {"start": yesterday}
    served.tell(past, *users, told.spend("acme", 5.0, None, "tenant"), topic="flyball.spend")
    planes.until(lambda: len(served.plane.spend.newest("")) == 522)

    def listed(query: str = "") -> list[tuple[str, bool]]:
        status, said, _ = served.ask("GET", f"/v1/console/spend{query}", key=served.admin)
        assert status == 200
        return [(each["id"], each["is_now"]) for each in said["spend"]]

    assert {now for _, now in listed()} == {True}
    assert listed("?level=tenant") == [("acme", True)]
    assert listed("?name=ANN&level=user") == [("ann", False)]
    assert served.ask("GET", "/v1/console/spend?level=team", key=served.admin)[0] == 400


def test_events_say_what_has_changed(served: Any) -> None:
    """A kill is told as a change of signals and of the audit log; a revoked key hears no more."""
    stream = served.stream(served.admin, "/v1/console/events")
    heard = iter(stream)
    assert next(heard)[0] == "heartbeat"
    body = {"scope": {"level": "workflow", "id": "air"}, "reason": "a test"}
    assert served.ask("POST", "/v1/kill", body, served.admin)[0] == 200
    event, said = next(heard)
    assert event == "changed"
    assert {"signals", "audit"} <= set(said["what"])
    served.plane.keys.revoke(served.admin.split("_")[1])
    assert [event for event, _ in heard if event != "changed"] in ([], ["heartbeat"])
    stream.close()


def test_what_got_better_is_no_trouble(served: Any, told: Any) -> None:
    """The number beside Drift is of alarms about what got worse; improvements are in the list alone."""
    better = told.drift(workflow="coding", direction="up", worse=False)
    over = told.drift(workflow="research", alarm=False)
    served.plane.console.board.put("drift", [told.drift(), better, over])
    _, said, _ = served.ask("GET", "/v1/console/overview", key=served.admin)
    assert said["drift"] == 1
    _, listed, _ = served.ask("GET", "/v1/console/drift", key=served.admin)
    assert len(listed["drift"]) == 3
