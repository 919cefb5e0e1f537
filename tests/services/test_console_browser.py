"""The console in real headless Chromium, before a whole `flyball up`: a person stops an agent, and looks things up.

Screenshots are kept in tests/artefacts/console/.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import orjson
import pytest
from flyball_sdk.client import Client
from flyball_sdk.guard import Guard
from flyball_sdk.limits import Limits
from flyball_sdk.policy import Policy
from flyball_sdk.scope import Subject
from flyball_sdk.settings import Settings
from flyball_sdk.signing import KeyRing
from loopback import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
RUNS = 10_000
SECRET = "4111-1111-1111-1111"  # noqa: S105 -- made up, to be looked for
pytestmark = pytest.mark.slow


class Place:
    """`flyball up` with a past in its log, and what an agent needs to be governed by it."""

    def __init__(self, live: Any, told: Any, folder: Path) -> None:
        self.live, self.told = live, told
        self.deployment = live.Deployment(folder, ensure=False)
        self.otlp, self.control = free_ports(2)
        self.deployment.configure(otlp={"port": self.otlp}, control={"port": self.control})
        self.url = f"http://127.0.0.1:{self.control}"
        self._past()
        self.deployment.command("up")
        self.deployment.wait(lambda: live.get(f"http://127.0.0.1:{self.otlp}/healthz")[0] == 200)
        self.deployment.wait(lambda: live.get(f"{self.url}/healthz")[0] == 200)
        self.key = (self.deployment.data / "control" / "operator.key").read_text().strip()
        self.deployment.wait(lambda: self.ask("/v1/console/overview")["runs"] >= RUNS)

    def _past(self) -> None:
        """Write runs, SLOs, an incident and drift as the flow would have."""
        told, now = self.told, datetime.now(UTC)
        topics = self.deployment.topics
        history = [(now - timedelta(minutes=60 - m), m) for m in range(60)]
        written = {
            topics["runs"]: [told.run(number) for number in range(1, RUNS + 1)],
            "flyball.slos": [told.slo("task-success:airline", at, 0.9 - 0.014 * m) for at, m in history]
            + [told.slo("tool-success:retail", at, 0.97) for at, _ in history]
            + [told.slo("latency:telecom", at, 0.3 - 0.01 * m, gate="frozen") for at, m in history],
            "flyball.incidents": told.incidents(told.run(3)["run_id"], now - timedelta(seconds=RUNS // 2)),
            "flyball.drift": [told.drift()],
            "flyball.spend": [told.spend("u-7", 12.4, 10.0), told.spend("u-9", 8.1, 10.0)],
        }
        for topic, records in written.items():
            self.deployment.log.ensure(topic, 4)
            writer = self.deployment.log.writer()
            writer.append(topic, [(None, orjson.dumps(record)) for record in records])
            writer.close()

    def order(self, name: str, workflow: str, **said: Any) -> Any:
        """Order something of a workflow, as another operator does."""
        scope = {"level": "workflow", "id": workflow}
        return self.ask(f"/v1/{name}", body={"scope": scope, "reason": "a test", **said})

    def people(self, workflow: str) -> Any:
        """Give what people ask of a workflow."""
        scopes = {each["scope"]["id"]: each for each in self.ask("/v1/status")["scopes"]}
        return scopes[workflow]["sources"]["operator"]

    def ask(self, path: str, key: str | None = None, body: Any = None) -> Any:
        """Ask the control plane; None where it does not answer with 200."""
        headers = {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"}
        asked = Request(self.url + path, None if body is None else orjson.dumps(body), headers)  # noqa: S310 -- our own
        try:
            with urlopen(asked, timeout=30) as answer:  # noqa: S310 -- our own
                return orjson.loads(answer.read())
        except HTTPError:
            return None


class Agent:
    """A simulated agent in a thread: it asks a real guard before each call, and calls as long as it may."""

    def __init__(self, place: Place, workflow: str) -> None:
        self.run_id, self.workflow = uuid.uuid4().hex, workflow
        self._place = place
        said = place.deployment.run("control", "--new-key", "agent", "--tenant", "acme", "--agent", "support")
        key = said.split()[-1]
        place.deployment.wait(lambda: place.ask("/v1/signals", key))
        keys = "\n".join(place.ask("/v1/keys/signing")["keys"].values())
        self._client = Client(Settings(place.url, key, KeyRing.from_text(keys), client="agent")).start()
        alone = Limits(llm_calls=None, tool_calls=None, identical=None, cycle=None, error=None)
        self._guard = Guard(Policy(limits=alone), signals=self._client.store)
        self.calls = 0
        self.allowed = False
        self.killed = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._ended.wait(0.02):
            subject = Subject(run=self.run_id, workflow=self.workflow, tenant="acme")
            decision = self._guard.evaluate("search", {"n": self.calls, "card": SECRET}, subject)
            self.allowed, self.killed = decision.allowed, decision.killed
            self.calls += decision.allowed

    def end(self) -> None:
        """Stop working."""
        self._ended.set()
        self._thread.join(10)
        self._client.close()


@pytest.fixture(scope="module")
def place(live: Any, told: Any, need_chromium: None, tmp_path_factory: Any) -> Iterator[Place]:
    """Give a running deployment, one for all tests of this module."""
    found = Place(live, told, tmp_path_factory.mktemp("console"))
    with found.deployment:
        yield found


@pytest.fixture(scope="module")
def chromium(told: Any, need_chromium: None) -> Iterator[Any]:
    """Give a running Chromium."""
    with told.browser() as browser:
        yield browser


@pytest.fixture
def agent(place: Place) -> Iterator[Agent]:
    """Give an agent at work."""
    found = Agent(place, f"flow-{uuid.uuid4().hex[:6]}")
    place.deployment.wait(lambda: found.calls > 2)
    yield found
    found.end()


@pytest.fixture
def page(chromium: Any, place: Place) -> Iterator[Any]:
    """Give a page that is logged in; nothing on it may fail."""
    yield from logged_in(chromium, place, viewport={"width": 1360, "height": 850})


def logged_in(chromium: Any, place: Place, **context: Any) -> Iterator[Any]:
    """Give a page that is logged in, and look afterwards that no script failed."""
    opened = chromium.new_context(**context)
    page = opened.new_page()
    page.set_default_timeout(15_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{place.url}/")
    page.get_by_label("Operator's key").fill(place.key)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("table").first.wait_for()
    yield page
    assert SECRET not in page.content()
    assert opened.cookies() == []
    opened.close()
    assert faults == []


def shot(told: Any, page: Any, name: str) -> None:
    """Keep a screenshot."""
    told.ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=told.ARTEFACTS / f"{name}.png")


def go(page: Any, view: str) -> None:
    """Open a view by its link."""
    page.evaluate(f"location.hash = {json.dumps('#/' + view)}")
    page.get_by_role("heading", level=1).first.wait_for()


def test_a_wrong_key_is_refused_and_a_right_one_shows_the_slos(chromium: Any, place: Place, told: Any) -> None:
    """What is wrong is said beside the field; with the right key every SLO is there, the worst first."""
    page = chromium.new_page()
    page.goto(f"{place.url}/")
    shot(told, page, "login")
    page.get_by_label("Operator's key").fill("fbk_wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("This key is not valid.").wait_for()
    agents = place.deployment.run("control", "--new-key", "agent", "--tenant", "acme", "--agent", "a").split()[-1]
    place.deployment.wait(lambda: place.ask("/v1/signals", agents))
    page.get_by_label("Operator's key").fill(agents)
    page.keyboard.press("Enter")
    page.get_by_text("agent's key").wait_for()
    page.get_by_label("Operator's key").fill(place.key)
    page.keyboard.press("Enter")
    page.locator(".who .mark.good").wait_for()
    rows = page.locator("tbody tr")
    assert "latency:telecom" in rows.first.inner_text()
    assert "budget spent" in rows.first.inner_text()
    page.get_by_role("button", name="task-success:airline").click()
    page.locator(".chart canvas").first.wait_for()
    page.wait_for_timeout(200)
    shot(told, page, "slos")
    page.context.close()


def test_an_agent_is_killed_and_resumed_from_the_page(page: Any, place: Place, told: Any, agent: Agent) -> None:
    """A kill stops the agent before its next call, the page says who applied it; a resume lets it go on."""
    go(page, "signals")
    page.get_by_role("button", name="Kill…").click()
    page.get_by_label("Name of the workflow").fill(agent.workflow)
    page.get_by_label("Reason, for people and the audit log").fill("pays the same invoice again and again")
    page.get_by_text("guard that are connected").or_(page.get_by_text("guards that are connected")).wait_for()
    shot(told, page, "kill")
    began = time.monotonic()
    page.get_by_role("button", name="Kill now").click()
    place.deployment.wait(lambda: agent.killed)
    print(f"killed {(time.monotonic() - began) * 1e3:.0f} ms after the click")
    calls = agent.calls
    row = page.get_by_role("row").filter(has_text=agent.workflow)
    row.get_by_text("killed").wait_for()
    row.get_by_text("applied by 1 of 1").wait_for()
    shot(told, page, "killed")
    assert agent.calls == calls
    row.get_by_role("button", name="Resume").click()
    page.get_by_label("Reason, for people and the audit log").fill("the invoice is fixed")
    page.get_by_role("button", name="Resume now").click()
    place.deployment.wait(lambda: agent.allowed and agent.calls > calls)
    row.wait_for(state="detached")
    go(page, "audit")
    page.get_by_text("pays the same invoice").wait_for()
    shot(told, page, "audit")


def test_orders_of_people_add_up(page: Any, place: Place, told: Any) -> None:
    """A throttle keeps the bound that another operator asked for, and a bound the throttle; what is kept is said."""
    workflow = f"flow-{uuid.uuid4().hex[:6]}"
    state = {"kill": False, "level": "static", "tools": ["read"], "deny": ["pay"], "throttle": None}
    place.order("set", workflow, state=state | {"throttle": {"calls_per_minute": 7, "concurrency": 2}})
    go(page, "signals")
    opened(page, "Throttle…", workflow)
    page.get_by_text("Keeps what people have asked: static · only read · without pay · 2 at once.").wait_for()
    page.get_by_text("Replaces what people have asked: 7 calls/min.").wait_for()
    assert page.get_by_label("Tool calls a minute").input_value() == "7"
    page.get_by_label("Tool calls a minute").fill("5")
    shot(told, page, "throttle")
    page.get_by_role("button", name="Throttle now").click()
    page.get_by_role("dialog").wait_for(state="detached")
    state["throttle"] = {"calls_per_minute": 5, "concurrency": 2}
    assert place.people(workflow) == state
    opened(page, "Bound…", workflow)
    page.get_by_text("Keeps what people have asked: only read · without pay · 5 calls/min, 2 at once.").wait_for()
    assert page.get_by_label("Autonomy").input_value() == "static"
    page.get_by_label("Autonomy").select_option("human")
    page.get_by_role("button", name="Bound now").click()
    page.get_by_role("dialog").wait_for(state="detached")
    assert place.people(workflow) == state | {"level": "human"}


def test_an_order_waits_for_who_looks_at_what_it_keeps(page: Any, place: Place) -> None:
    """What another operator asked since the dialog was filled in is shown before the order is given, and then kept."""
    workflow = f"flow-{uuid.uuid4().hex[:6]}"
    state = {"kill": False, "level": "static", "tools": None, "deny": [], "throttle": None}
    go(page, "signals")
    opened(page, "Throttle…", workflow)
    page.get_by_text("is the name right?").wait_for()

    def another(route: Any) -> None:
        place.order("set", workflow, state=state)
        route.continue_()

    page.route("**/v1/console/preview?*", another, times=1)
    page.get_by_role("button", name="Throttle now").click()
    page.get_by_text("Not given yet: people have asked of it: static.").wait_for()
    assert place.people(workflow) == state
    page.get_by_text("Keeps what people have asked: static.").wait_for()
    page.get_by_role("button", name="Throttle now").click()
    page.get_by_role("dialog").wait_for(state="detached")
    assert place.people(workflow) == state | {"throttle": {"calls_per_minute": 30, "concurrency": None}}


def opened(page: Any, button: str, workflow: str) -> None:
    """Open the dialog of an order, and fill in all but what it asks."""
    page.get_by_role("button", name=button).click()
    page.get_by_label("Name of the workflow").fill(workflow)
    page.get_by_label("Reason, for people and the audit log").fill("it asks too often")


def test_a_run_is_searched_and_its_timeline_read(page: Any, place: Place, told: Any) -> None:
    """A run is found by its user and tool; its spans are told in time, without any argument."""
    run_id, now = uuid.uuid4().hex, time.time_ns()
    tell_run(place, run_id, now - 8 * 10**9)
    place.deployment.wait(lambda: place.ask(f"/v1/console/runs?text={run_id}")["runs"])
    go(page, "slos")
    page.keyboard.press("/")
    page.locator("[data-search]:focus").wait_for()
    page.get_by_label("User").fill("u-browser")
    page.keyboard.press("Enter")
    page.get_by_role("link", name=run_id[:12]).wait_for()
    assert page.locator("table[class], table").last.locator("tbody tr").count() == 1
    shot(told, page, "search")
    page.get_by_role("link", name=run_id[:12]).click()
    page.get_by_role("heading", name="Timeline").wait_for()
    page.get_by_text("refund", exact=True).first.wait_for()
    text = page.get_by_role("region", name="Timeline").inner_text()
    assert [word for word in ("support", "gpt-4o", "refund", "timeout") if word not in text] == []
    assert "1 200" in text
    shot(told, page, "timeline")


def tell_run(place: Place, run_id: str, start: int) -> None:
    """Send the spans of one closed run as an agent does."""
    common = {"flyball.workflow": "browser", "flyball.tenant.id": "acme", "user.id": "u-browser"}
    agent: dict[str, Any] = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support"}
    model: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
    tool: dict[str, Any] = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "refund"}
    usage = {"gen_ai.usage.input_tokens": 1_100, "gen_ai.usage.output_tokens": 100}
    card = {"error.type": "timeout", "gen_ai.tool.call.arguments": json.dumps({"card": SECRET})}
    said = [("01", "", agent | {"flyball.outcome": "success"}), ("02", "01", model | usage), ("03", "01", tool | card)]
    spans = []
    for number, (name, parent, attributes) in enumerate(said):
        begin = start + number * 10**9
        spans.append(
            {
                "traceId": run_id,
                "spanId": name.rjust(16, "0"),
                "parentSpanId": parent and parent.rjust(16, "0"),
                "name": str(attributes["gen_ai.operation.name"]),
                "startTimeUnixNano": str(begin),
                "endTimeUnixNano": str(start + 6 * 10**9 if not parent else begin + 9 * 10**8),
                "status": {"code": 2} if "error.type" in attributes else {},
                "attributes": [{"key": key, "value": value(each)} for key, each in {**common, **attributes}.items()],
            }
        )
    place.deployment.append([("spans", json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode())])


def value(said: Any) -> dict[str, str]:
    """Write a value of an attribute as OTLP does."""
    return {"intValue": str(said)} if isinstance(said, int) else {"stringValue": said}


def test_pages_of_runs_join_whatever_comes_meanwhile(page: Any, place: Place) -> None:
    """Two pages are shown, then three pages of newer runs and late ones come: the list goes on without a gap."""
    go(page, "runs")
    shown = page.get_by_role("region", name="Runs", exact=True).locator("tbody a.id")
    shown.nth(49).wait_for()
    page.get_by_role("button", name="Older runs").click()
    shown.nth(99).wait_for()
    before, now = ids(shown), datetime.now(UTC)
    beside = place.ask(f"/v1/console/runs?text={before[70]}")["runs"][0]
    late = place.told.run(2 * RUNS, datetime.fromisoformat(beside["ended_at"]))
    new = [place.told.run(2 * RUNS + number, now - timedelta(milliseconds=number)) for number in range(1, 151)]
    writer = place.deployment.log.writer()
    writer.append(place.deployment.topics["runs"], [(None, orjson.dumps(record)) for record in [*new, late]])
    writer.close()
    at = 70 if late["run_id"] > before[70] else 71  # of one moment, the greater id is first
    expected = [each["run_id"] for each in new] + before[:at] + [late["run_id"]] + before[at:]
    shown.nth(len(expected) - 1).wait_for()
    assert ids(shown)[: len(expected)] == expected


def ids(links: Any) -> list[str]:
    """List the runs that links lead to."""
    return list(links.evaluate_all("(all) => all.map((each) => each.title)"))


def test_an_incident_has_its_evidence_and_runbook(page: Any, told: Any) -> None:
    """An open incident leads to evidence, runs and what to do; drift and spend are shown beside."""
    go(page, "incidents")
    page.get_by_role("link", name="task-success of airline").first.click()
    page.get_by_text("First five minutes").wait_for()
    page.get_by_role("link", name=told.run(3)["run_id"][:12]).wait_for()
    shot(told, page, "incident")
    go(page, "incidents/moved")
    page.get_by_role("cell", name="input tokens").wait_for(timeout=90_000)
    shot(told, page, "incident-drift")
    go(page, "drift")
    page.get_by_text("fell from 99 % to 91 %").wait_for()
    shot(told, page, "drift")
    go(page, "spend")
    page.get_by_text("user:u-7").wait_for()
    shot(told, page, "spend")


@pytest.mark.parametrize("address", ["incidents/%E0%A4%A", "runs/%", "nowhere/%zz"])
def test_an_address_that_cannot_be_read_is_unknown(page: Any, address: str) -> None:
    """On load and later the page says so, and leads on; no script fails."""
    for leave in (page.reload, page.get_by_role("main").get_by_role("link", name="SLOs").click):
        go(page, address)
        page.get_by_role("heading", name="Unknown", level=1).wait_for()
        leave()
    page.get_by_role("heading", name="SLOs", level=1).wait_for()


VIEWS = ("slos", "incidents", "incidents/burn", "signals", "runs", "spend", "drift", "audit")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_and_dark(chromium: Any, place: Place, told: Any, scheme: str) -> None:
    """At 390 pixels nothing is wider than the screen, and both colour schemes have readable contrast."""
    context = {"viewport": {"width": 390, "height": 844}, "color_scheme": scheme}
    for page in logged_in(chromium, place, **context):
        for view in (*VIEWS, f"runs/{told.run(3)['run_id']}"):
            go(page, view)
            page.wait_for_timeout(300)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390, (view, wide)
            shot(told, page, f"narrow-{scheme}-{view.split('/')[0]}{'-one' if '/' in view else ''}")
        assert contrast(page) >= 4.5


def contrast(page: Any) -> float:
    """Give the least contrast of the colours of text on both grounds, by WCAG 2.2."""
    return float(
        page.evaluate("""() => {
      const style = getComputedStyle(document.documentElement);
      const light = (name) => {
        const hex = style.getPropertyValue(name).trim().slice(1, 7);
        const parts = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);
        const [r, g, b] = parts.map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      const inks = ["--ink", "--quiet", "--accent", "--bad", "--warn", "--good", "--info"].map(light);
      return Math.min(...["--back", "--sheet"].map(light).flatMap((back) => inks.map((ink) => ratio(ink, back))));
    }""")
    )


def test_everything_works_by_keyboard(page: Any, place: Place, agent: Agent, told: Any) -> None:
    """Without a mouse: keys move between views and list themselves; an agent is killed and resumed."""
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    shot(told, page, "keys")
    page.keyboard.press("Escape")
    for key, title in (("i", "Incidents"), ("r", "Runs"), ("s", "SLOs"), ("k", "Signals")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.get_by_role("heading", name=title, level=1, exact=True).wait_for()
    for words, button in (("Kill…", "Kill"), ("Resume", "Resume")):
        place_focus(page, words, agent.workflow)
        page.keyboard.press("Enter")
        page.get_by_role("dialog").wait_for()
        if button == "Kill":
            tab_to(page, "Name of the workflow")
            page.keyboard.type(agent.workflow)
        tab_to(page, "Reason, for people and the audit log")
        page.keyboard.type("by keyboard")
        page.keyboard.press("Enter")
        page.get_by_role("dialog").wait_for(state="detached")
        place.deployment.wait(lambda button=button: agent.killed if button == "Kill" else agent.allowed)


def place_focus(page: Any, words: str, workflow: str) -> None:
    """Press Tab until a button is focused; of buttons in a table, that of the workflow."""
    if words == "Resume":
        page.locator("tr").filter(has_text=workflow).wait_for()
    for _ in range(80):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "[document.activeElement.innerText, document.activeElement.closest('tr')?.innerText || '']"
        )
        if found[0] == words and (words != "Resume" or workflow in found[1]):
            return
    raise AssertionError(words)


def tab_to(page: Any, label: str) -> None:
    """Press Tab until the field of a label is focused."""
    for _ in range(30):
        if page.evaluate("document.activeElement.closest('label')?.innerText.split('\\n')[0]") == label:
            return
        page.keyboard.press("Tab")
    raise AssertionError(label)


def test_ten_thousand_runs_are_there_within_a_second(chromium: Any, place: Place) -> None:
    """From the address to a table of runs: measured, told, and held with room for a busy machine."""
    times = []
    for _ in range(3):
        opened = chromium.new_context()
        opened.add_init_script(f"sessionStorage.setItem('flyball.key', {json.dumps(place.key)})")
        page = opened.new_page()
        began = time.monotonic()
        page.goto(f"{place.url}/console/#/runs", wait_until="commit")
        page.get_by_role("region", name="Runs", exact=True).locator("tbody tr").nth(49).wait_for()
        times.append(time.monotonic() - began)
        opened.close()
    print(f"{RUNS} runs: first useful render after {', '.join(f'{each:.2f}' for each in times)} s")
    assert min(times) < 3
