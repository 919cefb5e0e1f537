"""The console's page in headless Chromium as one reads it at night: is it live, what does it say, can one go back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from control.console import events

pytestmark = pytest.mark.slow


def go(page: Any, view: str) -> None:
    """Open a view by its address."""
    page.evaluate(f"location.hash = '#/{view}'")


def test_a_control_plane_that_is_gone_is_said(page: Any, served: Any) -> None:
    """An incident may open while nobody tells the page: "Nothing is open" is of then, and that is said above it."""
    go(page, "incidents")
    page.get_by_text("Nothing is open.").wait_for()
    served.stop()
    alert = page.get_by_role("alert").filter(has_text="Not live:")
    alert.get_by_text("the control plane has told nothing since").wait_for()


def test_a_connection_that_hangs_is_not_live(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop that slept, a proxy that forgot: where even the heartbeat stays out, the page connects anew."""
    monkeypatch.setattr(events, "_BEAT_S", 3600.0)
    page.route("**/v1/console/events", lambda asked: asked.abort())
    page.get_by_text("Not live:").wait_for(timeout=30_000)
    page.unroute("**/v1/console/events")
    page.get_by_text("Not live:").wait_for(state="detached", timeout=30_000)
    page.locator(".who .mark.good").wait_for()


def test_an_order_outlives_a_failed_look(page: Any, served: Any) -> None:
    """What is shown and a dialog that somebody writes in stand while the control plane cannot say what is newer."""
    place = {"scope": {"level": "workflow", "id": "air"}, "reason": "pays twice"}
    assert served.ask("POST", "/v1/kill", place, served.admin)[0] == 200
    go(page, "signals")
    page.get_by_role("row").filter(has_text="workflow:air").get_by_role("button", name="Resume").click()
    reason = page.get_by_label("Reason, for people and the audit log")
    reason.fill("it is mended")
    page.route("**/v1/status", lambda asked: asked.fulfill(status=500, body="Internal Server Error"))
    other = place | {"scope": {"level": "workflow", "id": "rail"}}
    assert served.ask("POST", "/v1/kill", other, served.admin)[0] == 200
    page.get_by_text("The control plane answered 500.").wait_for()
    assert reason.input_value() == "it is mended"
    page.unroute("**/v1/status")
    page.get_by_role("button", name="Resume now").click()
    page.get_by_role("row").filter(has_text="workflow:rail").wait_for()
    page.get_by_text("The control plane answered 500.").wait_for(state="detached")
    assert page.get_by_role("row").filter(has_text="workflow:air").count() == 0


def test_the_form_of_a_search_follows_the_address(page: Any, served: Any, told: Any) -> None:
    """After Back, and by the keys of the view, the fields ask what the list answers."""
    served.tell(told.run(1), told.run(2), topic="flyball.runs")
    go(page, "runs")
    page.get_by_role("row").nth(2).wait_for()
    page.get_by_label("Workflow").fill("retail")
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/runs?workflow=retail")
    page.go_back()
    page.wait_for_url("**/#/runs")
    page.get_by_role("row").nth(2).wait_for()
    assert page.get_by_label("Workflow").input_value() == ""
    page.go_forward()
    page.wait_for_url("**/#/runs?workflow=retail")
    assert page.get_by_label("Workflow").input_value() == "retail"


def test_what_cannot_be_seen_in_a_name_is_seen(page: Any, served: Any, told: Any) -> None:
    """In tables and titles, too: a user who is called almost as another is told from them."""
    served.tell(told.run(1, user="a\u200bnn", workflow="pay\u202etnemt"), told.run(2, user="ann"), topic="flyball.runs")
    served.tell(told.incident("burn", title="budget of pay\u202etnemt burns"), topic="flyball.incidents")
    go(page, "runs")
    page.get_by_role("cell", name="a\ufffdnn", exact=True).wait_for()
    page.get_by_role("cell", name="ann", exact=True).wait_for()
    page.get_by_role("cell", name="pay\ufffdtnemt", exact=True).wait_for()
    go(page, "incidents")
    page.get_by_role("link", name="budget of pay\ufffdtnemt burns", exact=True).wait_for()


def test_an_incident_of_drift_is_read_as_a_table(page: Any, served: Any, told: Any) -> None:
    """What changed, against what, and which way is worse, first; records of another form are still shown."""
    streams = [told.drift(watch=watch, direction="up") for watch in ("objective", "change_rate")]
    incident = told.incident("moved", **{"class": "drift"}, evidence={"contrasts": streams, "alarms": 2})
    odd = told.incident("odd", **{"class": "drift"}, evidence={"contrasts": [{"sli": 7}, None]})
    served.tell(incident, odd, topic="flyball.incidents")
    go(page, "incidents/moved")
    rows = page.get_by_role("region", name="Drift").locator("tbody tr")
    rows.nth(1).get_by_text("tool_success of airline fell from 99 % to 91 % with v42").wait_for()
    rows.nth(0).get_by_text("up, worse").wait_for()
    assert page.get_by_text("kind drift").count() == 0
    go(page, "incidents/odd")
    page.get_by_text("sli 7").wait_for()


def test_a_list_within_a_list_of_a_runbook_is_one(page: Any, served: Any, told: Any) -> None:
    """What to do in each case stands on a line of its own."""
    served.tell(
        told.incident("late", **{"class": "telemetry.lag", "runbook": "telemetry.lag"}), topic="flyball.incidents"
    )
    go(page, "incidents/late")
    page.locator(".runbook li li").filter(has_text="Flyball is too slow or stands still").wait_for()


def test_the_number_beside_slos_is_that_of_the_page(page: Any, served: Any, told: Any) -> None:
    """A budget that was spent when its objective was last told is not among those that are spent now."""
    now = datetime.now(UTC)
    gone = told.slo("gone", now - timedelta(hours=2), -0.5)
    served.tell(gone, told.slo("there", now, -0.1), topic="flyball.slos")
    page.get_by_text("1 spent").wait_for()
    page.get_by_role("navigation").get_by_role("link", name="SLOs 1", exact=True).wait_for()
