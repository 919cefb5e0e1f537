"""What an SLO says in place of a runbook, an address or words, reaches who is paged as what it is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from alerts.grouping import begun, group_of, page_key
from alerts.outcome import Sent
from alerts.sinks import make
from alerts.sinks.base import SinkSettings

ROUTING_KEY = "0123456789abcdef0123456789ABCDEF"
OWN = "https://runbooks.example.org/refund-success"
WORDS = "Call the storage team, then drain the queue."
FOLDER = "https://wiki.example/runbooks/"


def page_of(incidents: Any, runbook: str) -> Any:
    """Give a page of an SLO with this annotation."""
    incident = incidents.incident(runbook=runbook)
    return replace(begun(incident, group_of(incident, ("class",)), page_key(incident, again=False)), revision=1)


def sent(service: Any, page: Any, kind: str, runbooks: str | None, **said: str) -> Any:
    """Give the body that a sink sends of a page."""
    service.lenient = True
    sink = make(SinkSettings("s", kind, runbooks=runbooks, **said))
    assert isinstance(sink.deliver(page), Sent)
    return json.loads(service.bare[-1][3])


@pytest.mark.parametrize(
    ("runbook", "runbooks", "address"),
    [
        (OWN, FOLDER, OWN),
        (OWN, None, OWN),
        (WORDS, FOLDER, "https://wiki.example/runbooks/slo.burn.md"),
        (WORDS, None, None),
        ("slo.burn", FOLDER, "https://wiki.example/runbooks/slo.burn.md"),
        ("slo.burn", None, None),
        (f"{OWN}|x>", FOLDER, "https://wiki.example/runbooks/slo.burn.md"),
        (f"see {OWN}", FOLDER, "https://wiki.example/runbooks/slo.burn.md"),
    ],
)
def test_the_link_is_one(
    runbook: str, runbooks: str | None, address: str | None, pagerduty: Any, incidents: Any
) -> None:
    """An address of its own is the link; words are none, so the one of the class stays."""
    page = page_of(incidents, runbook)
    event = sent(pagerduty, page, "pagerduty", runbooks, url=pagerduty.url, secret=ROUTING_KEY)
    assert [link["href"] for link in event.get("links", ())] == ([address] if address else [])
    assert event["payload"]["custom_details"]["runbook"] == runbook
    assert sent(pagerduty, page, "webhook", runbooks, url=pagerduty.root)["runbook_url"] == address


def test_the_words_are_read(pagerduty: Any, incidents: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """They stand in the message of every sink, beside a link or without one."""
    page = page_of(incidents, WORDS)
    message = sent(pagerduty, page, "slack", FOLDER, secret=f"{pagerduty.root}/hook")
    assert message["blocks"][1]["text"]["text"].endswith(f"Runbook: {WORDS}")
    assert (
        sent(pagerduty, page, "opsgenie", FOLDER, url=pagerduty.root, secret=ROUTING_KEY)["details"]["runbook"] == WORDS
    )
    (alert,) = sent(pagerduty, page, "alertmanager", FOLDER, url=pagerduty.root)
    assert alert["annotations"]["runbook"] == WORDS
    make(SinkSettings("s", "stdout", runbooks=FOLDER)).deliver(page)
    assert WORDS in capsys.readouterr().out
