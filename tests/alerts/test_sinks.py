"""Sinks: what each sends, within the limits of its service, and that telling it twice is harmless."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from alerts.cut import MARK, cut
from alerts.grouping import begun, changed, group_of, page_key
from alerts.outcome import Refused, Retry, Sent
from alerts.sinks import TYPES, make
from alerts.sinks.base import SinkSettings
from alerts.sinks.pagerduty import Change
from models.incidents.incident import Severity

ROUTING_KEY = "0123456789abcdef0123456789ABCDEF"
API_KEY, SHARED = "key", "shared"
HUGE = "& <long> " * 3_000


def page_of(incident: Any) -> Any:
    """Give the page that an incident begins."""
    group = group_of(incident, ("class", "rule", "workflow"))
    return replace(begun(incident, group, page_key(incident, again=False)), revision=1)


def ended(page: Any, incidents: Any) -> Any:
    """Give the page when its one incident has ended."""
    return changed(page, incidents.resolved(), new=0, opened=-1)


@pytest.fixture
def page(incidents: Any) -> Any:
    """Give an open page."""
    return page_of(incidents.incident())


@pytest.fixture
def huge(incidents: Any) -> Any:
    """Give a page of which everything is far too long."""
    labels = {f"label{n}": HUGE for n in range(60)}
    told = incidents.incident(
        severity=Severity.SEV_1,
        title=HUGE,
        summary=HUGE,
        rule=HUGE,
        workflow=HUGE,
        tenant=HUGE,
        class_=HUGE,
        labels=labels,
        runbook=HUGE,
        runs=(HUGE,) * 5,
        evidence={"text": HUGE * 30},
    )
    return replace(page_of(told), scopes=({"level": "run", "id": HUGE},) * 10)


def sink_of(kind: str, **said: Any) -> Any:
    """Make a sink."""
    return make(SinkSettings("s", kind, **said))


def sent(service: Any) -> list[tuple[str, str, dict[str, str], Any]]:
    """Give the requests that a service got, with their bodies read."""
    return [(method, path, headers, json.loads(body)) for method, path, headers, body in service.bare]


def test_pagerduty_triggers_and_resolves(pagerduty: Any, page: Any, incidents: Any) -> None:
    """The page is triggered, acknowledged and resolved under its key; the stand-in finds nothing wrong."""
    sink = sink_of(
        "pagerduty", url=pagerduty.url, secret=ROUTING_KEY, runbooks="https://r.example/", console="https://c.example"
    )
    assert isinstance(sink.deliver(page), Sent)
    assert isinstance(sink.deliver(page), Sent)
    assert pagerduty.incidents() == {page.key: "triggered"}
    assert isinstance(sink.acknowledge(page.key), Sent)
    assert pagerduty.incidents() == {page.key: "acknowledged"}
    assert isinstance(sink.deliver(ended(page, incidents)), Sent)
    assert pagerduty.incidents() == {page.key: "resolved"}
    first = pagerduty.events[0]
    assert first["payload"]["severity"] == "error"
    assert first["payload"]["summary"] == "[SEV-2] 15.0 times too many failures for an hour"
    assert first["payload"]["custom_details"]["runs"] == ["a" * 32]
    assert first["links"] == [{"href": "https://r.example/slo.burn.md", "text": "Runbook"}]
    assert page.led_by
    assert first["client_url"] == f"https://c.example/#/incidents/{page.led_by}"
    sink.close()


@pytest.mark.parametrize(("number", "word"), [(1, "critical"), (2, "error"), (3, "warning")])
def test_pagerduty_severities(number: int, word: str, pagerduty: Any, incidents: Any) -> None:
    """SEV-1 is critical, SEV-2 error, SEV-3 warning."""
    sink = sink_of("pagerduty", url=pagerduty.url, secret=ROUTING_KEY)
    assert isinstance(sink.deliver(page_of(incidents.incident(severity=incidents.severity(number)))), Sent)
    assert pagerduty.events[0]["payload"]["severity"] == word


def test_pagerduty_takes_links_images_and_changes(pagerduty: Any, incidents: Any) -> None:
    """Links and images of the evidence are shown where they can be; a change event pages nobody."""
    evidence = {
        "links": [{"href": "https://a.example", "text": "trace"}, {"href": "javascript:x"}, "nonsense", {"text": "x"}],
        "images": [{"src": "https://a.example/i.png", "alt": "burn"}, {"src": "http://a.example/i.png"}],
    }
    sink = sink_of("pagerduty", url=pagerduty.url, secret=ROUTING_KEY)
    assert isinstance(sink.deliver(page_of(incidents.incident(evidence=evidence))), Sent)
    assert pagerduty.events[0]["links"] == [{"href": "https://a.example", "text": "trace"}]
    assert pagerduty.events[0]["images"] == [{"src": "https://a.example/i.png", "alt": "burn"}]
    change = Change(HUGE, "2026-03-02T09:00:00Z", "airline", {"prompt_hash": "p2"}, (("https://a.example", "diff"),))
    assert isinstance(sink.change(change), Sent)
    assert pagerduty.changes[0]["payload"]["custom_details"] == {"prompt_hash": "p2"}
    assert len(pagerduty.changes[0]["payload"]["summary"]) == 1_024
    assert list(pagerduty.incidents().values()) == ["triggered"]


def test_pagerduty_shows_what_was_rolled_out_before(pagerduty: Any, incidents: Any) -> None:
    """The change that began an incident is a change event beside its page, once however often the page is told."""
    sink = sink_of("pagerduty", url=pagerduty.url, secret=ROUTING_KEY)
    change = {"dimension": "version", "value": "v42", "first_seen": "2026-03-02T09:00:00.000Z"}
    page = page_of(incidents.incident(evidence={"change": change}))
    for _ in range(2):
        assert isinstance(sink.deliver(page), Sent)
    (told,) = pagerduty.changes
    assert told["payload"]["summary"] == "airline: version v42 first seen"
    assert told["payload"]["timestamp"] == "2026-03-02T09:00:00.000Z"
    assert told["payload"]["custom_details"] == change
    sink.deliver(page_of(incidents.incident("d", evidence={"change": change})))  # another page of the same rollout
    sink.deliver(page_of(incidents.incident("b", evidence={"change": None})))
    sink.deliver(page_of(incidents.incident("c", evidence={"change": {"value": "v1"}})))
    assert len(pagerduty.changes) == 1


def test_pagerduty_takes_the_longest_page(pagerduty: Any, huge: Any) -> None:
    """A page of 800 kB fits: texts are cut with a mark, the largest parts give way to a note, and it is taken."""
    sink = sink_of("pagerduty", url=pagerduty.url, secret=ROUTING_KEY, runbooks="https://r.example/")
    assert isinstance(sink.deliver(huge), Sent)
    assert pagerduty.refused == []
    payload = pagerduty.events[0]["payload"]
    assert payload["summary"].endswith(MARK)
    assert len(payload["summary"]) == 1_024
    assert payload["custom_details"]["evidence"].startswith("[cut] the event had")
    assert len(pagerduty.bare[0][3]) <= 512_000


def test_what_pagerduty_refuses_is_refused(pagerduty: Any, page: Any) -> None:
    """A key of the wrong length is refused with PagerDuty's own words, which never show the key."""
    outcome = sink_of("pagerduty", url=pagerduty.url, secret="too-" + "short").deliver(page)
    assert isinstance(outcome, Refused)
    assert "HTTP 400" in outcome.reason
    assert "routing_key is not 32 characters" in outcome.reason
    assert "too-short" not in outcome.reason


def test_a_key_that_is_echoed_is_hidden(pagerduty: Any, page: Any) -> None:
    """A service that repeats the key in its answer does not get it into our reasons and logs."""
    pagerduty.take = lambda path, body: (403, {"message": f"no access with {json.loads(body)['routing_key']}"})
    outcome = sink_of("pagerduty", url=pagerduty.url, secret=ROUTING_KEY).deliver(page)
    assert isinstance(outcome, Refused)
    assert "no access with …" in outcome.reason


@pytest.mark.parametrize("echoed", ["http://HOST/services/T0/B0/hush-hush", "/services/T0/B0/hush-hush", "hush-hush"])
def test_an_address_that_is_echoed_is_hidden(echoed: str, pagerduty: Any, page: Any) -> None:
    """Who has the path of a Slack webhook can post there: a page of an error that names it does not tell it to logs."""
    secret = f"{pagerduty.root}/services/T0/B0/hush-hush"
    said = echoed.replace("http://HOST", pagerduty.root)
    pagerduty.take = lambda path, body: (404, {"message": f"{said} was not found on this server"})
    pagerduty.lenient = True
    outcome = sink_of("slack", secret=secret).deliver(page)
    assert isinstance(outcome, Refused)
    assert "was not found on this server" in outcome.reason
    assert "hush" not in outcome.reason


@pytest.mark.parametrize("secret", ["hush\nhush", "hush\u20ac"])
def test_a_key_that_no_header_can_hold_is_hidden(secret: str, pagerduty: Any, page: Any) -> None:
    """It is refused, and what is said of it, in the log and in the list of what is parked, does not show it."""
    sink = make(SinkSettings("o", "opsgenie", url=pagerduty.root, secret=secret))
    outcome = sink.deliver(page)
    assert isinstance(outcome, Refused)
    assert "hush" not in outcome.reason


def test_slack_within_its_limits(pagerduty: Any, page: Any, huge: Any, incidents: Any) -> None:
    """Blocks, header, section and fields keep Slack's limits, also with text that escaping makes longer."""
    pagerduty.lenient = True
    sink = sink_of("slack", secret=f"{pagerduty.root}/services/T/B/x")
    for each in (page, huge, ended(page, incidents)):
        assert isinstance(sink.deliver(each), Sent)
    messages = [body for _, _, _, body in sent(pagerduty)]
    for message in messages:
        assert len(message["blocks"]) <= 50
        assert len(json.dumps(message)) < 13_200
        for block in message["blocks"]:
            text = block.get("text", {"text": "x"})["text"]
            assert 0 < len(text) <= (150 if block["type"] == "header" else 3_000)
            assert len(block.get("fields", [])) <= 10
            assert all(len(field["text"]) <= 2_000 for field in block.get("fields", []))
            if block["type"] == "section":
                assert "<" not in text
    assert messages[0]["text"] == "[SEV-2] 15.0 times too many failures for an hour"
    assert messages[2]["text"].startswith("Resolved: ")
    fields = [each["text"] for each in messages[2]["blocks"][2]["fields"]]
    assert {"*since*\n2026-05-28 20:26:40Z", "*until*\n2026-05-28 20:26:41Z"} <= set(fields)
    sink.deliver(replace(ended(page, incidents), tenant="acme", acknowledged_by="ann"))
    assert "*runs*" in json.dumps(sent(pagerduty)[-1][3])
    assert (sink.RATE, sink.BURST) == (1.0, 1)


def test_opsgenie_creates_raises_and_closes(pagerduty: Any, page: Any, huge: Any, incidents: Any) -> None:
    """Created and closed by alias, the priority of a worse page is raised, and all texts keep their limits."""
    pagerduty.lenient = True
    sink = sink_of("opsgenie", url=pagerduty.root, secret=API_KEY)
    worse = changed(page, incidents.incident("b", severity=Severity.SEV_1), new=1, opened=1)
    for each in (page, worse, ended(page, incidents), huge):
        assert isinstance(sink.deliver(each), Sent)
    requests = sent(pagerduty)
    assert [(method, path) for method, path, _, _ in requests] == [
        ("POST", "/v2/alerts"),
        ("POST", "/v2/alerts"),
        ("PUT", f"/v2/alerts/{page.key}/priority?identifierType=alias"),
        ("POST", f"/v2/alerts/{page.key}/close?identifierType=alias"),
        ("POST", "/v2/alerts"),
    ]
    assert requests[0][2]["Authorization"] == "GenieKey key"
    assert (requests[0][3]["priority"], requests[2][3]) == ("P2", {"priority": "P1"})
    long = requests[4][3]
    assert len(long["message"]) == 130
    assert len(long["alias"]) <= 250
    assert len(long["description"]) == 15_000
    assert len(long["tags"]) == 20
    assert max(map(len, long["tags"])) == 50
    assert sum(map(len, long["details"].values())) < 8_000


def test_a_page_in_hand_is_acknowledged(pagerduty: Any, page: Any) -> None:
    """In the service that pages, so that it stops escalating; elsewhere it says who."""
    held = replace(page, acknowledged_by="ann", acknowledged_in=2, revision=2)
    pager = sink_of("pagerduty", url=pagerduty.url, secret=ROUTING_KEY)
    assert isinstance(pager.deliver(held), Sent)
    assert isinstance(pager.deliver(held), Sent)
    assert pagerduty.incidents() == {page.key: "acknowledged"}
    pagerduty.lenient = True
    before = len(sent(pagerduty))
    assert isinstance(sink_of("opsgenie", url=pagerduty.root, secret=API_KEY).deliver(held), Sent)
    assert isinstance(sink_of("slack", secret=f"{pagerduty.root}/hook").deliver(held), Sent)
    assert isinstance(sink_of("alertmanager", url=pagerduty.root).deliver(held), Sent)
    create, acknowledge, chat, alerts = sent(pagerduty)[before:]
    assert create[1] == "/v2/alerts"
    assert acknowledge[1] == f"/v2/alerts/{page.key}/acknowledge?identifierType=alias"
    assert acknowledge[3] == {"user": "ann", "source": "flyball"}
    assert chat[3]["blocks"][0]["text"]["text"].startswith("In hand: ")
    assert alerts[3][0]["annotations"]["acknowledged_by"] == "ann"


def test_the_webhook_is_signed(pagerduty: Any, page: Any) -> None:
    """The signature is HMAC-SHA256 over time, a dot, and the body as it came; the delivery id is the same twice."""
    pagerduty.lenient = True
    sink = sink_of("webhook", url=f"{pagerduty.root}/hook", secret=SHARED)
    assert isinstance(sink.deliver(page), Sent)
    assert isinstance(sink.deliver(page), Sent)
    _, path, headers, body = pagerduty.bare[0]
    expected = hmac.new(b"shared", headers["X-Flyball-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["X-Flyball-Signature"] == f"v1={expected}"
    assert headers["X-Flyball-Delivery"] == pagerduty.bare[1][2]["X-Flyball-Delivery"] == f"{page.key}/open/1"
    record = json.loads(body)
    assert (path, record["kind"], record["class"], record["count"]) == ("/hook", "page", "slo.burn", 1)


def test_stdout_is_one_line(page: Any, incidents: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A begin and an end are one line each, whatever the text holds."""
    sink = sink_of("stdout")
    hostile = replace(page, summary="two\nlines \x1b[2J and a bell \a")
    assert isinstance(sink.deliver(hostile), Sent)
    assert isinstance(sink.deliver(ended(page, incidents)), Sent)
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        "2026-05-28T20:26:40.000000Z  PAGE  [SEV-2] two lines  [2J and a bell    slo.burn  runbook slo.burn"
    )
    assert second.startswith("2026-05-28T20:26:41.000000Z  RESOLVED  [SEV-2] 15.0 times")


def test_alertmanager_labels_are_identity_alone(pagerduty: Any, page: Any, incidents: Any) -> None:
    """Labels are the same for the life of a page; numbers are annotations; a worse page ends its lesser alert."""
    pagerduty.lenient = True
    now = datetime.fromisoformat(page.opened_at).timestamp() + 100.0
    sink = TYPES["alertmanager"](SinkSettings("s", "alertmanager", url=f"{pagerduty.root}/"), lambda: now)
    more = changed(page, incidents.incident("b"), new=1, opened=1)
    worse = changed(page, incidents.incident("c", severity=Severity.SEV_1), new=1, opened=1)
    for each in (page, more, worse, ended(page, incidents)):
        assert isinstance(sink.deliver(each), Sent)
    posts = [body for _, path, _, body in sent(pagerduty) if path == "/api/v2/alerts"]
    identity = {
        "alertname": "slo.burn",
        "rule": "task-success",
        "workflow": "airline",
        "owner": "on-call",
        "severity": "SEV-2",
        "source": "flyball",
    }
    assert [[alert["labels"] for alert in post] for post in posts] == [
        [identity],
        [identity],
        [identity | {"severity": "SEV-1"}, identity],
        [identity],
    ]
    times = [[(seconds(alert["startsAt"]) - now, seconds(alert["endsAt"]) - now) for alert in post] for post in posts]
    assert times == [[(-100, 240)], [(-100, 240)], [(-100, 240), (-100, 0)], [(-100, -99)]]
    assert posts[1][0]["annotations"]["incidents"] == "2"


def seconds(text: str) -> float:
    """Read a time."""
    return datetime.fromisoformat(text).timestamp()


def test_alertmanager_never_ends_before_it_starts(pagerduty: Any, page: Any, incidents: Any) -> None:
    """Event time that is ahead of this clock gives no alert that Alertmanager would refuse."""
    pagerduty.lenient = True
    now = datetime.fromisoformat(page.opened_at).timestamp() - 500.0
    sink = TYPES["alertmanager"](SinkSettings("s", "alertmanager", url=pagerduty.root), lambda: now)
    for each in (page, ended(page, incidents)):
        assert isinstance(sink.deliver(each), Sent)
    for _, _, _, (alert,) in sent(pagerduty):
        assert alert["startsAt"] <= alert["endsAt"]


def test_a_cut_is_seen() -> None:
    """A text that is too long has exactly the limit, with a mark at its end; one that fits is left alone."""
    assert cut("x" * 10, 10) == "x" * 10
    assert cut("x" * 11, 10) == "xxx" + MARK
    assert len(cut("x" * 11, 10)) == 10


@pytest.mark.parametrize("kind", sorted(set(TYPES) - {"stdout"}))
def test_every_sink_over_http_obeys_one_rule(kind: str, pagerduty: Any, page: Any, pagerduty_tool: Any) -> None:
    """2xx is sent; 429 waits as long as it is told; 5xx and 408 wait; a redirect and any other 4xx are refused."""
    pagerduty.lenient = True
    url = pagerduty.root + ("/v2/enqueue" if kind == "pagerduty" else "")
    secret = pagerduty.root if kind == "slack" else ROUTING_KEY
    sink = sink_of(kind, secret=secret, **({} if kind == "slack" else {"url": url}))
    rules: list[tuple[int, dict[str, str], Any]] = [
        (200, {}, Sent),
        (202, {}, Sent),
        (429, {"Retry-After": "17"}, 17.0),
        (429, {}, None),
        (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        (503, {"Retry-After": "nonsense"}, None),
        (503, {"Retry-After": "99999999"}, 3_600.0),
        (500, {}, None),
        (408, {}, None),
        (302, {"Location": "http://127.0.0.1:1/"}, Refused),
        (400, {}, Refused),
        (404, {}, Refused),
    ]
    for status, headers, expected in rules:
        pagerduty.trouble = lambda status=status, headers=headers: pagerduty_tool.Answer(status, headers)
        outcome = sink.deliver(page)
        if expected in (Sent, Refused):
            assert isinstance(outcome, expected), (status, outcome)
        else:
            assert isinstance(outcome, Retry)
            assert outcome.after_s == expected
    sink.close()


def test_names_call_nobody_and_begin_no_line(pagerduty: Any, page: Any) -> None:
    """A workflow is named by what agents send: in Slack it is no link, no mention and no line of its own."""
    name = "air <!channel> @here\n*Runbook*: https://evil.example\x1b[2J"
    said = {"title": f"{name} burns", "summary": f"{name} burns fast", "workflow": name}
    pagerduty.lenient = True
    sink = sink_of("slack", secret=f"{pagerduty.root}/services/T/B/x")
    sink.deliver(replace(page, **said, runbook="see https://a.b/c"))
    message = sent(pagerduty)[-1][3]
    head, words, fields = message["blocks"][:3]
    assert head["text"]["type"] == "plain_text"
    assert "\n" not in head["text"]["text"] + message["text"]
    title, summary, advice = words["text"]["text"].split("\n")
    assert advice == "Runbook: see <https://a.b/c>"
    shown = [words["text"], *fields["fields"]]
    assert all(each["verbatim"] for each in shown)
    assert not any("<!" in each["text"] or "\x1b" in each["text"] for each in shown)
    assert all(each["text"].count("\n") == 1 for each in fields["fields"])
    assert "evil.example" in title + summary
