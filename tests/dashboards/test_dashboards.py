"""The committed dashboards: made by the code, readable, and every link leads somewhere."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.kit import DEFAULT_SOURCE, TAG
from dashboards.registry import ALL, FOLDER, files
from dashboards.runbooks import NAMES, link

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
UIDS = [
    "flyball-budget",
    "flyball-drift",
    "flyball-enforcement",
    "flyball-fleet",
    "flyball-pipeline",
    "flyball-runaways",
    "flyball-runbooks",
    "flyball-workflow",
]
"""People have links to these: a uid may come, none may change or go."""
FEW = {"text", "row"}
"""Panels that show no numbers."""


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """List the panels that show something."""
    return [panel for panel in board["panels"] if panel["type"] not in FEW]


@pytest.fixture(params=UIDS)
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Give one committed dashboard after the other."""
    return dict(COMMITTED[request.param])


def test_the_committed_files_are_what_the_code_makes() -> None:
    """Byte for byte, and no others. Mend it with: python -m dashboards."""
    made = files()
    assert {path: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")} == made
    assert files() == made


def test_uids_are_those_that_people_have_links_to() -> None:
    """One a dashboard, unique, and named as its file; so are titles."""
    assert sorted(COMMITTED) == UIDS
    assert sorted(each.UID for each in ALL) == UIDS
    assert [name for name, board in COMMITTED.items() if board["uid"] != name] == []
    assert len({board["title"] for board in COMMITTED.values()}) == len(ALL)


def test_grafanas_own_types_take_it(board: dict[str, Any]) -> None:
    """Read by the SDK and written again it is the same, but for what the SDK does not know of annotations."""
    again = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    for note in board["annotations"]["list"]:
        for extra in ("titleFormat", "textFormat", "step"):
            note.pop(extra, None)
    assert again == board


def test_panels_stand_side_by_side(board: dict[str, Any]) -> None:
    """Each has a number of its own, lies within 24 columns, and covers no other."""
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    places = [(each["gridPos"], each["title"]) for each in board["panels"]]
    assert [title for place, title in places if place["x"] + place["w"] > 24] == []
    both = [(a, b) for (a, _), (b, _) in combinations(places, 2)]
    apart = [
        a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"] or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        for a, b in both
    ]
    assert all(apart)


def test_panels_say_what_they_show(board: dict[str, Any]) -> None:
    """Each has a title that fits a laptop, a sentence, a unit, the datasource that is picked, and queries."""
    for panel in panels(board):
        assert 3 <= len(panel["title"]) <= 50
        assert panel["description"].rstrip().endswith(".")
        if panel["type"] != "table":
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["targets"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_what_is_picked_is_used(board: dict[str, Any]) -> None:
    """Every variable has a default or is asked for, is used by some query, and none is used that is not there."""
    picked = {each["name"] for each in board["templating"]["list"]}
    said = json.dumps([board["panels"], board["links"], [each["query"] for each in board["templating"]["list"]]])
    used = set(re.findall(r"\$\{?(\w+)\}?", said)) - {"__range", "__rate_interval", "__url_time_range", "__data"}
    if panels(board):
        assert picked == used
    (source,) = [each for each in board["templating"]["list"] if each["type"] == "datasource"]
    assert source["current"]["value"] == DEFAULT_SOURCE
    assert board["tags"] == [TAG]


def test_links_lead_somewhere() -> None:
    """To a dashboard that there is, with variables that it has, or to the panel of a runbook that there is."""
    runbooks = {panel["id"]: panel for panel in COMMITTED["flyball-runbooks"]["panels"]}
    read = [panel for panel in runbooks.values() if panel["type"] == "text"]
    assert len(read) == len(NAMES)
    links = re.findall(r"/d/([\w-]+)\?([^)\"\s]+)", json.dumps(list(COMMITTED.values())))
    assert len(links) > 10
    for uid, query in links:
        picked = {each["name"] for each in COMMITTED[uid]["templating"]["list"]}
        assert set(re.findall(r"var-(\w+)=", query)) <= picked
        for number in re.findall(r"viewPanel=(\d+)", query):
            assert runbooks[int(number)]["type"] == "text"
    for name, panel in zip(NAMES, read, strict=True):
        assert panel["options"]["content"].startswith(f"# {name}:")
        assert link(name) == f"/d/flyball-runbooks?viewPanel={panel['id']}"


def test_every_dashboard_is_told_of() -> None:
    """The page of the documentation says when to look at it."""
    page = (ROOT / "docs" / "dashboards.md").read_text()
    assert [each["title"] for each in COMMITTED.values() if f"| {each['title'].split(' / ')[1]} |" not in page] == []


def test_the_page_tells_what_is_spread_and_what_is_estimated() -> None:
    """By the titles of the panels, so that it does not say of something that is there that it is not."""
    page = " ".join((ROOT / "docs" / "dashboards.md").read_text().split())
    every = [panel for board in COMMITTED.values() for panel in panels(board)]
    said = [each["title"] for each in every if each["type"] == "heatmap" or "cost_avoided" in json.dumps(each)]
    assert len(said) == 3
    assert [title for title in said if f"*{title}*" not in page] == []
    assert "not heat maps" not in page


def test_what_spent_a_budget_is_asked_of_its_own_indicator() -> None:
    """The indicator follows from the objective: the first there is of the workflow would be another one's."""
    (picked,) = [each for each in COMMITTED["flyball-budget"]["templating"]["list"] if each["name"] == "sli"]
    assert picked["query"] == 'label_values(flyball_slo_info{slo="$slo"}, sli)'


def test_they_lead_to_the_runs_and_to_the_brakes() -> None:
    """By the console, at the address that compose gives it, which can be typed over; to views that it has."""
    views = set(re.findall(r'^  \["(\w+)",', (ROOT / "control/console/static/app.js").read_text(), re.MULTILINE))
    found = {}
    for uid, board in COMMITTED.items():
        for each in board["links"]:
            if each["type"] == "link":
                found[uid] = each["url"].removeprefix("${console}#/")
                (typed,) = [one for one in board["templating"]["list"] if one["name"] == "console"]
                assert (typed["type"], typed["query"]) == ("textbox", "http://localhost:8088/console/")
    assert sorted(found) == [uid for uid in UIDS if uid not in ("flyball-pipeline", "flyball-runbooks")]
    assert {view.partition("?")[0] for view in found.values()} <= views
    assert found["flyball-workflow"] == "runs?outcome=failure&workflow=${workflow:percentencode}"


def test_provisioning_names_what_there_is() -> None:
    """The datasource that dashboards begin with; a folder that nobody edits; no password."""
    folder = ROOT / "dashboards" / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "flyball.yaml").read_text())["datasources"]
    assert [each["uid"] for each in sources if each["type"] == "prometheus"] == [DEFAULT_SOURCE]
    assert [each["name"] for each in sources if "secureJsonData" in each or each["editable"]] == []
    (provider,) = yaml.safe_load((folder / "dashboards" / "flyball.yaml").read_text())["providers"]
    assert (provider["folderUid"], provider["allowUiUpdates"]) == ("flyball", False)


def test_what_is_counted_once_in_a_while_is_counted_from_the_first() -> None:
    """Counters whose series come up with what they count are asked by `rise`; alone `increase` says 0 of the first."""
    seldom = (
        "verdicts|cost_avoided_usd|dead_letters|mended|pages|deliveries|delivery_retries|signals|verdicts_taken"
        "|guard_decisions|control_refused|commands"
    )
    asked = [
        target["expr"]
        for board in COMMITTED.values()
        for panel in panels(board)
        for target in panel["targets"]
        if re.search(rf"flyball_(?:{seldom})_total", target["expr"])
    ]
    assert len(asked) >= 17
    assert [expr for expr in asked if re.search(r"\brate\(", expr)] == []
    assert [expr for expr in asked if expr.count("increase(") != expr.count(" unless last_over_time(")] == []


def test_no_number_is_made_up_where_nobody_counts() -> None:
    """A bare 0 where a part is away reads as all well, and of evidence as an alarm; `or_zero` asks who counts."""
    asked = [t["expr"] for board in COMMITTED.values() for panel in panels(board) for t in panel["targets"]]
    assert [expr for expr in asked if "vector(0)" in expr] == []
    (nearest,) = [each for each in panels(COMMITTED["flyball-drift"]) if each["title"] == "Nearest to an alarm"]
    assert " or " not in nearest["targets"][0]["expr"]


def test_what_may_be_empty_while_all_is_well_says_what_that_means() -> None:
    """Panels of what happens seldom have words of their own for it, as "No data" looks like a fault."""
    seldom = ("verdicts", "signals", "dead_letters", "guard_decisions", "control_refused")
    silent = [
        panel["title"]
        for board in COMMITTED.values()
        for panel in panels(board)
        if panel["type"] in ("timeseries", "table")
        and re.search(rf"flyball_(?:{'|'.join(seldom)})_(?:taken_)?(?:total|active)", panel["targets"][0]["expr"])
        and not panel["fieldConfig"]["defaults"].get("noValue")
    ]
    assert silent == []
