"""The console's page in headless Chromium, before a control plane that is told what a flow would tell."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = pytest.mark.slow
RUN = "5b8aa5a2d2c872e8321cf37308d69df2"


def go(page: Any, view: str) -> None:
    """Open a view by its address."""
    page.evaluate(f"location.hash = '#/{view}'")


def test_what_a_rule_in_shadow_would_do_is_not_shown_as_done(page: Any, served: Any, planes: Any) -> None:
    """Its kill is one that would be; where another rule has blocked the run, that is what the list says."""
    shadow = {"count": 6, "limit": 5, "mode": "shadow"}
    only, both = "ab" * 16, RUN
    for run in (only, both):
        served.tell(planes.verdict("kill", scope=("run", run), rule="baseline.cost", evidence=shadow))
    served.tell(planes.verdict("block", scope=("run", both), rule="repeat.identical"))
    served.tell(planes.verdict("warn", scope=("run", both), rule="baseline.tokens", evidence=shadow))
    go(page, "runs")
    page.get_by_role("row").filter(has_text=only[:12]).get_by_text("would kill (shadow)").wait_for()
    page.get_by_role("row").filter(has_text=both[:12]).get_by_text("block").wait_for()
    go(page, f"runs/{only}")
    page.get_by_role("row").get_by_text("verdict: would kill (shadow)").wait_for()
    assert page.locator(".mark.bad").count() == 0


def test_a_budget_that_is_spent_leads_to_an_order_on_its_user(page: Any, served: Any, told: Any) -> None:
    """The dialog asks of the user and tenant that guards know."""
    user = {"class": "spend.budget", "scope": {"level": "user", "id": "acme/ann"}, "tenant": "acme"}
    served.tell(told.incident("user", **user), topic="flyball.incidents")
    go(page, "incidents/user")
    page.get_by_role("button", name="Kill user…").click()
    page.get_by_label("Reason, for people and the audit log").fill("spends too much")
    page.get_by_role("button", name="Kill now").click()
    page.get_by_role("dialog").wait_for(state="detached")
    assert [(*place.scope, place.tenant) for place in served.plane.authority.shown.signals] == [("user", "ann", "acme")]


def test_a_flow_that_is_gone_is_said(page: Any, served: Any, told: Any) -> None:
    """SLOs that are not told any more are of the past, one of them or all; when it is all, the page says it at once."""
    now = datetime.now(UTC)
    served.tell(told.slo("gone", now - timedelta(hours=1), 0.9), topic="flyball.slos")
    page.get_by_text("Nobody watches: the flow has told nothing for 60 min").wait_for()
    page.get_by_role("row").filter(has_text="gone").get_by_text("was: holds").wait_for()
    page.get_by_text("1 not told any more").wait_for()
    served.tell(told.slo("there", now, 0.95, burn={"1h": 0.1}), topic="flyball.slos")
    page.get_by_text("Nobody watches").wait_for(state="detached")
    page.get_by_role("row").filter(has_text="there").get_by_text("● holds").wait_for()
    page.get_by_role("row").filter(has_text="gone").get_by_text("was: holds").wait_for()


def test_a_resume_ends_no_kill_that_nobody_has_seen(page: Any, served: Any) -> None:
    """Who was about to resume a throttled scope is told that somebody has killed it, and decides again."""
    place = {"scope": {"level": "workflow", "id": "air"}}
    slow = {"throttle": {"calls_per_minute": 5, "concurrency": None}, "kill": False, "level": "full", "tools": None}
    assert served.ask("POST", "/v1/set", place | {"state": slow | {"deny": []}}, served.admin)[0] == 200
    go(page, "signals")
    page.get_by_role("row").filter(has_text="air").get_by_role("button", name="Resume").click()
    page.get_by_label("Reason, for people and the audit log").fill("it is calm again")
    page.get_by_text("Already asked:").wait_for()
    assert served.ask("POST", "/v1/kill", place | {"reason": "pays twice"}, served.admin)[0] == 200
    page.get_by_role("button", name="Resume now").click()
    page.get_by_text("workflow:air was killed meanwhile").wait_for()
    assert [each.state.kill for each in served.plane.authority.shown.signals.values()] == [True]
    page.get_by_role("dialog").get_by_text("killed").first.wait_for()
    page.get_by_role("button", name="Resume now").click()
    page.get_by_role("dialog").wait_for(state="detached")
    assert not served.plane.authority.shown.signals


def test_a_key_that_is_over_ends_the_session(page: Any, served: Any) -> None:
    """At once, also where nobody touches the page: what it shows would be older and older."""
    go(page, "incidents")
    page.get_by_text("Nothing is open.").wait_for()
    served.plane.keys.revoke(served.admin.split("_")[1])
    page.get_by_text("This key is over: log in again.").wait_for()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_log_that_is_away_is_no_good_news(page: Any, served: Any) -> None:
    """An empty list that could not be read says so, and a dialog doubts no name for it."""
    served.plane.console.step = lambda: 1 / 0
    page.get_by_text("What is shown may be old").wait_for()
    go(page, "incidents")
    page.get_by_text("the log is not read up now, so one may be open").wait_for()
    go(page, "signals")
    page.get_by_role("button", name="Kill…").first.click()
    page.get_by_label("Name of the workflow").fill("air")
    page.get_by_text("Which of its runs ended of late is not known").wait_for()


def test_a_flow_that_never_was_is_said(page: Any, served: Any, told: Any) -> None:
    """An empty page of a deployment without a flow says so, and how to start one, until the first record comes."""
    for view in ("slos", "incidents"):
        go(page, view)
        page.get_by_text("no flow has told anything into this log").wait_for()
        page.get_by_text("flyball up", exact=True).wait_for()
    go(page, "slos")
    page.get_by_text("No flow has ever told anything.").wait_for()
    served.tell(told.run(1), topic="flyball.runs")
    page.get_by_text("No SLO has been told yet.").wait_for()
    assert page.get_by_text("Nobody watches yet").count() == 0


def test_an_open_run_and_spend_go_on(page: Any, served: Any, told: Any) -> None:
    """Spans that come after somebody looked are shown, and so is what is spent meanwhile."""
    go(page, f"runs/{RUN}")
    page.get_by_text("Nothing of this run is in the log").wait_for()
    now, kind = time.time_ns(), {"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}}
    name = {"key": "gen_ai.tool.name", "value": {"stringValue": "refund"}}
    span = {"traceId": RUN, "spanId": "01" * 8, "name": "execute_tool refund", "attributes": [kind, name]}
    span |= {"startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 10**9)}
    served.tell({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}, topic="otlp_spans")
    page.get_by_role("row").get_by_text("execute_tool refund").wait_for()
    go(page, "spend")
    page.get_by_text("No spend has been told yet").wait_for()
    served.tell(told.spend("u-7", 12.4, 10.0), topic="flyball.spend")
    page.get_by_role("row").filter(has_text="user:u-7").get_by_text("$12.40").wait_for()


def test_a_run_id_is_found_however_it_was_copied(page: Any, served: Any, planes: Any, told: Any) -> None:
    """With blanks and capitals around; what can be no run's is said to be that, and what has ended to have ended."""
    served.tell(told.run(1, run_id=RUN), topic="flyball.runs")
    planes.until(lambda: served.plane.console.runs.get(RUN))
    go(page, "runs")
    page.get_by_label("Run id begins").fill(f" {RUN.upper()} ")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(f"**/#/runs?text={RUN}")
    page.get_by_role("link", name=RUN[:12]).wait_for()
    go(page, "runs/xyz")
    page.get_by_text("expected 32 lower-case hex digits").wait_for()
    page.get_by_text("is not as expected").wait_for()
    go(page, f"runs/{RUN}")
    page.get_by_role("button", name="Kill this run…").click()
    page.get_by_role("dialog").get_by_text("It has ended, at").wait_for()


def test_evidence_is_read_without_braces(page: Any, served: Any, told: Any) -> None:
    """Numbers have four digits, members stand beside each other, and each of a list has a line."""
    slices = [{"dimension": "version", "value": "v42", "bad": 193}, {"dimension": "tool", "value": "pay", "bad": 9}]
    nested = {"effect": {"interval": [0.341452, 0.5]}, "worse": True, "none": None}
    burn, many = {"5m": 18.43971631205674, "1h": 22.0}, 1_796_045_940
    said = {"burn": burn, "contributors": slices, "nested": nested, "count": many}
    served.tell(told.incident("burn", evidence=said), topic="flyball.incidents")
    go(page, "incidents/burn")
    page.get_by_text("5m 18.44 · 1h 22", exact=True).wait_for()
    page.get_by_text("dimension tool · value pay · bad 9", exact=True).wait_for()
    page.get_by_text("effect (interval 0.3415, 0.5) · worse true", exact=True).wait_for()
    page.get_by_text(str(many), exact=True).wait_for()


def test_evidence_has_names_and_units(page: Any, served: Any, told: Any, planes: Any) -> None:
    """Money, time, shares and moments as pages write them; what count and limit are of is known by the rule."""
    cost = {"count": 21.5, "limit": 20, "cost_usd_so_far": 0.1234567, "tokens_so_far": 1234567}
    at = {"first_at": "2026-08-01T10:02:00.000000Z", "rate": 0.0991, "before": 0.05, "period_s": 7200}
    served.tell(told.incident("dear", rule="cap.cost", evidence=cost | at), topic="flyball.incidents")
    wall = {"count": 14_500, "limit": 14_400, "cost": [{"cost_usd": 2.5}]}
    served.tell(planes.verdict("kill", scope=("run", RUN), rule="cap.wall", evidence=wall))
    go(page, "incidents/dear")
    page.get_by_text("cost so far", exact=True).wait_for()
    told_pairs = page.locator("dl.pairs").nth(1).inner_text().split("\n")
    said = dict(zip(told_pairs[::2], told_pairs[1::2], strict=True))
    assert said == {
        "count": "$21.50",
        "limit": "$20.00",
        "cost so far": "$0.1235",
        "tokens so far": "1 234 567",
        "first at": "2026-08-01 10:02:00 UTC",
        "rate": "9.9 %",
        "before": "5.0 %",
        "period": "2.0 h",
    }
    go(page, f"runs/{RUN}")
    page.get_by_text("cap.wall").last.click()
    page.get_by_text("4.0 h", exact=True).first.wait_for()
    page.get_by_text("cost_usd $2.50", exact=True).wait_for()


def test_what_is_not_all_is_not_100_percent_and_what_is_little_is_not_nothing(
    page: Any, served: Any, told: Any
) -> None:
    """One bad event of 50 000 is seen, a budget that is just overspent too, a target of five nines, a tiny cost."""
    nearly = {"target": 0.99999, "total": 50_000, "bad": 1, "budget_remaining": -0.0004, "budget_used": 1.0004}
    served.tell(told.slo("nearly", datetime.now(UTC), 0.5) | nearly, topic="flyball.slos")
    served.tell(told.run(1, cost_usd=1.3e-7), told.run(2, cost_usd=0), topic="flyball.runs")
    row = page.get_by_role("row").filter(has_text="nearly")
    go(page, "slos")
    for share in ("99.999 %", "99.998 %", "-0.04 %"):
        row.get_by_text(share, exact=True).wait_for()
    go(page, "runs")
    for cost in ("$0.00000013", "$0.00"):
        page.get_by_role("cell", name=cost, exact=True).wait_for()


def test_an_order_that_is_being_written_stays(page: Any, served: Any, told: Any) -> None:
    """While spend comes in, as it does all the time, the dialog of a row and what was typed into it stand."""
    served.log.ensure("flyball.spend", 1)
    served.tell(told.spend("u-7", 9.9, 10.0), topic="flyball.spend")
    go(page, "spend")
    page.get_by_role("row").filter(has_text="u-7").get_by_role("button", name="Throttle…").click()
    reason = page.get_by_label("Reason, for people and the audit log")
    reason.fill("asks too")
    served.tell(told.spend("u-7", 12.4, 10.0) | {"revision": 2}, topic="flyball.spend")
    page.get_by_text("$12.40").wait_for()
    assert reason.input_value() == "asks too"


def test_names_stay_in_their_place(page: Any, served: Any, told: Any) -> None:
    """A name that is very long pushes no column away, and one that turns the direction of writing turns only itself."""
    long, turning = "agent " * 50 + "u" * 200, "ann\u202etnanet"
    served.tell(told.run(1, user=long, tenant=long, workflow=long), told.run(2), topic="flyball.runs")
    incident = told.incident("burn", scope={"level": "user", "id": turning}, tenant="acme")
    served.tell(incident, topic="flyball.incidents")
    go(page, "runs")
    page.get_by_role("row").filter(has_text=long[:20]).wait_for()
    cost = page.get_by_role("columnheader", name="Cost").bounding_box()
    assert cost is not None
    assert cost["x"] + cost["width"] < 1360
    go(page, "incidents")
    page.get_by_role("cell", name="user:\u2068ann\ufffdtnanet\u2069 of tenant acme", exact=True).wait_for()


def test_a_key_outlives_a_moment_without_an_answer(page: Any) -> None:
    """Who reloads the page while the control plane does not answer is told so, and need not look for the key again."""
    page.route("**/v1/console/overview", lambda asked: asked.abort(), times=1)
    page.reload()
    page.get_by_text("The control plane does not answer.").wait_for()
    page.get_by_role("button", name="Try again").click()
    page.locator(".who .mark.good").wait_for()


def test_who_ordered_what_holds_and_why_is_beside_it(page: Any, served: Any, planes: Any) -> None:
    """The person and the reason they gave, of the newest order about just this place; of a rule there is none."""
    place = {"scope": {"level": "workflow", "id": "airline"}, "tenant": "acme"}
    assert served.ask("POST", "/v1/kill", place | {"reason": "books twice"}, served.admin)[0] == 200
    assert served.ask("POST", "/v1/kill", place | {"tenant": "globex", "reason": "another"}, served.admin)[0] == 200
    served.tell(planes.verdict("kill", scope=("run", RUN), rule="repeat.identical"))
    go(page, "signals")
    row = page.get_by_role("row").filter(has_text="workflow:airline of tenant acme")
    row.get_by_text("“books twice”").wait_for()
    who = page.locator(".who > span").nth(1).inner_text()
    assert f"operator {who}" in row.inner_text()
    of_rule = page.get_by_role("row").filter(has_text=RUN[:12])
    of_rule.wait_for()
    assert "“" not in of_rule.inner_text()


def test_a_budget_of_yesterday_is_not_over_now(page: Any, served: Any, told: Any) -> None:
    """It reads as what was; and whoever is looked for by a part of the name is found."""
    served.log.ensure("flyball.spend", 1)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    past = told.spend("ann", 30.0, 10.0) | {"start": yesterday}
    served.tell(past, told.spend("bob", 11.0, 10.0), topic="flyball.spend")
    go(page, "spend")
    page.get_by_role("row").filter(has_text="user:ann").get_by_text("was over").wait_for()
    page.get_by_role("row").filter(has_text="user:bob").get_by_text("▲ over").wait_for()
    page.get_by_label("Name has").fill("AN")
    page.get_by_role("row").filter(has_text="user:bob").wait_for(state="detached")
    page.get_by_role("row").filter(has_text="user:ann").wait_for()


def test_who_did_what_is_found_in_the_audit_log(page: Any, served: Any) -> None:
    """By person and scope, by kind down to begin and end, and back through pages; the search is in the address."""
    place = {"scope": {"level": "user", "id": "u-7"}, "tenant": "acme"}
    assert served.ask("POST", "/v1/kill", place | {"reason": "spends too much"}, served.admin)[0] == 200
    with served.plane.authority.changing():
        for _ in range(300):
            served.plane.authority.note("decision", "a1", {"decision": "block", "tool": "pay", "reason_code": "kill"})
    go(page, "audit")
    page.get_by_text("block · pay · kill").first.wait_for()
    assert page.get_by_text("spends too much").count() == 0
    page.get_by_label("About").fill(" user:u-7")
    page.get_by_label("Who").fill("ann")
    page.keyboard.press("Enter")
    page.get_by_text("kill · user:u-7 of tenant acme · “spends too much”").wait_for()
    assert page.locator("tbody tr").count() == 1
    assert page.url.endswith("#/audit?about=user%3Au-7&who=ann")
    page.get_by_role("link", name="Clear").click()
    page.get_by_role("link", name="Older entries").click()
    page.get_by_text("spends too much").wait_for()
    page.get_by_role("link", name="Newest entries").click()
    page.get_by_role("link", name="Newest entries").wait_for(state="detached")
    page.get_by_label("Kind").select_option("start")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("row").filter(has_text="authority").get_by_text("epoch").wait_for()
