"""Keys and the door: every route refuses every key but the right ones; tenants never see each other."""

from __future__ import annotations

import json
import stat
import time
from typing import Any

import pytest
from flyball_sdk.scope import Subject
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.http.app import ENDPOINTS
from control.http.core import PUBLIC, VIEW_OR_EVALUATE
from control.keys import EVALUATE, ROLES, Keys, KeysError
from control.plane import Plane, PlaneSettings
from control.second import SecondPerson

ROUTES = [pytest.param(each, id=f"{each.method} {each.path}") for each in ENDPOINTS]


@pytest.fixture(scope="module")
def shared(planes: Any, tmp_path_factory: Any) -> Any:
    """Give a control plane that the tests of this module share."""
    with planes.Served(tmp_path_factory.mktemp("door"), rate=1e6) as served:
        yield served


def wrong_keys(served: Any, needs: str) -> dict[str, str | None]:
    """Give keys that must not open a route."""
    keys = served.plane.keys
    over = keys.operator("late", ROLES, expires_ns=1)
    late_agent = keys.agent("t1", "a1", expires_ns=1)
    revoked = keys.agent("t1", "a1")
    keys.revoke(revoked.split("_")[1])
    some = {
        "none": None,
        "empty": "",
        "no key at all": "secret",
        "wrong secret": served.admin[:-1] + ("A" if served.admin[-1] != "A" else "B"),
        "unknown id": f"fbk_{'0' * 12}_{served.admin.split('_', 2)[2]}",
        "expired": over,
        "expired agent": late_agent,
        "revoked": revoked,
    }
    if needs == EVALUATE:
        some["operator"] = served.admin
    elif needs != VIEW_OR_EVALUATE:
        some["agent"] = served.agent
        others = tuple(role for role in ROLES if role != needs)
        some |= {"other roles": keys.operator("low", others)} if needs != "view" else {}
    return some


OPEN = {"/": 307, "/console": 307, "/console/{key}": 404, "/console/vendor/{key}": 404}
"""What routes for anyone answer here, where it is not 200: two lead on, two have no file of the name asked for."""


@pytest.mark.parametrize("endpoint", ROUTES)
def test_every_route_refuses_every_wrong_key(shared: Any, endpoint: Any) -> None:
    """Each route of the table x {none, wrong, expired, revoked, other kind, low role}: denied, its body unread."""
    path = endpoint.path.replace("{key}", "agent.enabled")
    body = b"{" if endpoint.method == "POST" else None
    if endpoint.needs == PUBLIC:
        assert shared.ask(endpoint.method, path)[0] == OPEN.get(endpoint.path, 200)
        return
    for name, key in wrong_keys(shared, endpoint.needs).items():
        status, said, headers = shared.ask(endpoint.method, path, body, key)
        assert (name, status in (401, 403)) == (name, True), said
        assert "access-control-allow-origin" not in headers
        assert set(said) == {"error"}


def test_what_is_not_in_the_table_is_not_served(shared: Any) -> None:
    """Other paths are 404, other methods 405, also OPTIONS of a browser, and forms are 415."""
    for path in (
        "/docs",
        "/console/none.js",
        "/console/vendor/../app.js",
        "/v1",
        "/v1/kill/",
        "/v1/guard/evaluate/x",
        "/ofrep/v1/evaluate/flags/{key}/x",
    ):
        assert shared.ask("GET", path, key=shared.admin)[0] == 404
    status, _, headers = shared.ask("OPTIONS", "/v1/kill", key=shared.admin, Origin="https://evil.example")
    assert (status, headers["allow"]) == (405, "POST")
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert shared.ask("POST", "/v1/kill", b"scope=x", shared.admin, **form)[0] == 415
    assert shared.ask("POST", "/v1/kill", b"x" * 262_145, shared.admin)[0] == 413


def test_another_tenants_subject_is_refused(shared: Any) -> None:
    """Identity is the key's: a body that names another tenant or agent is refused, whatever the arguments say."""
    for subject in ({"tenant": "t2"}, {"agent": "a2"}):
        body = {"tool": {"name": "x"}, "tool_input": {"tenant": "t1"}, "subject": subject}
        assert shared.ask("POST", "/v1/guard/evaluate", body, shared.agent)[0] == 403
    assert shared.ask("GET", "/v1/usage?level=tenant&id=t2", key=shared.agent)[0] == 403
    assert shared.ask("GET", "/v1/usage?level=user&id=u&tenant=t2", key=shared.agent)[0] == 403
    assert shared.ask("GET", "/v1/usage?level=product&id=*", key=shared.agent)[0] == 403


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["t1", "t2", None]), st.integers(0, 2), st.booleans()), max_size=5))
def test_tenants_never_see_each_other(planes: Any, tmp_path_factory: Any, commands: list[Any]) -> None:
    """A tenant's view, decisions and heartbeat hold its own signals and everybody's, and no other's."""
    plane = planes.Plane(planes.PlaneSettings(tmp_path_factory.mktemp("tenants")), say=lambda _: None)
    model: dict[tuple[str | None, str], bool] = {}
    scope = planes.scope
    for tenant, user, kills in commands:
        if kills:
            plane.authority.kill(scope("user", f"u{user}"), tenant, "ann", "")
            model[tenant, f"u{user}"] = True
        else:
            plane.authority.resume(scope("user", f"u{user}"), tenant, "ann", "")
            gone = [key for key in model if key[1] == f"u{user}" and tenant in (None, key[0])]
            for key in gone:
                del model[key]
    for mine in ("t1", "t2"):
        expected = {key for key in model if key[0] in (None, mine)}
        snapshot = plane.authority.snapshot(mine)
        assert {(each.tenant, each.scope.id) for each in snapshot.signals} == expected
        store = planes.SignalStore(planes.KeyRing([plane.signing.public()]))
        assert store.replace(json.loads(json.dumps(snapshot.to_json())))
        for user in ("u0", "u1", "u2"):
            dead = any(key[1] == user for key in expected)
            assert any(each.state.kill for each in plane.authority.shown.of(Subject(user=user), mine)) == dead
            assert store.state_of(Subject(user=user)).kill == dead
    plane.stop()


def test_keys_are_kept_hashed_and_rotate_by_overlap(tmp_path: Any, planes: Any) -> None:
    """No secret is in the file, which only its owner reads; two keys hold at once, and one ends when revoked."""
    keys = Keys(tmp_path)
    one, two = keys.agent("t1", "a1"), keys.agent("t1", "a1")
    raw = (tmp_path / "keys.json").read_text()
    assert one.rsplit("_", 1)[1] not in raw
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    other = Keys(tmp_path, planes.Clocks())
    assert other.check(one) is not None
    keys.revoke(one.split("_")[1])
    assert (keys.check(one), keys.check(two) is not None) == (None, True)
    planes.until(lambda: other.check(one) is None, "a revoked key still opens", 5)
    with pytest.raises(KeysError, match="expected some of view"):
        keys.operator("bob", ("root",))


DAMAGED = [b"", b"[", b"{}", b"[1]", b'[{"id": "a"}]', b'[{"id": 1, "hash": 2, "made_at": "", "roles": []}]', None]


@pytest.mark.parametrize("damaged", DAMAGED)
def test_the_last_good_keys_hold(damaged: bytes | None, planes: Any, tmp_path: Any) -> None:
    """A file that is damaged or gone ends no request and no stream; that is said once, and once that it is mended."""
    with planes.Served(tmp_path) as served:
        file = tmp_path / "control" / "keys.json"
        good, said = file.read_bytes(), served.plane._said_of_keys
        assert said is None
        file.unlink()
        if damaged is not None:
            file.write_bytes(damaged)
        planes.until(lambda: served.ask("GET", "/healthz", key=None)[0] == 503, "it says that all is well", 5)
        assert {served.ask("GET", "/v1/status", key=served.admin)[0] for _ in range(40)} == {200}
        assert str(file) in served.ask("GET", "/healthz", key=None)[1]["problem"]
        if damaged is not None:
            with pytest.raises(KeysError, match="cannot be read as keys"):
                served.plane.keys.agent("t1", "a2")
            with pytest.raises(KeysError, match="cannot be read as keys"):
                Keys(file.parent)
        time.sleep(1.2)
        file.write_bytes(good)
        planes.until(lambda: served.ask("GET", "/healthz", key=None)[0] == 200, "it does not see that it is mended", 5)
        assert [line for line in served.said if "keys" in line and "first operator" not in line] == [
            next(line for line in served.said if line.endswith("; the keys of before hold")),
            "the keys can be read again",
        ]


def test_a_key_of_its_own_that_is_damaged_or_gone_is_told(tmp_path: Any) -> None:
    """Damaged: a line, which does not show it, and no new one in its place. Gone: guards that pin it obey nothing."""
    said: list[str] = []
    first = Plane(PlaneSettings(tmp_path), say=said.append)
    first.stop()
    assert not [line for line in said if "was gone" in line]
    for name in ("signing.key", "masking.key"):
        good = (tmp_path / name).read_text()
        for damaged in ("", good[:-9] + "!"):
            (tmp_path / name).write_text(damaged)
            with pytest.raises(KeysError, match=f"{name}: found what is no key") as problem:
                Plane(PlaneSettings(tmp_path), say=said.append)
            assert not damaged or damaged not in str(problem.value)
            assert (tmp_path / name).read_text() == damaged
        (tmp_path / name).write_text(good)
    (tmp_path / "signing.key").unlink()
    Plane(PlaneSettings(tmp_path), say=said.append).stop()
    assert [line.partition(":")[0] for line in said if "was gone" in line] == [f"{tmp_path / 'signing.key'} was gone"]


def test_the_first_key_lies_in_a_private_file(shared: Any) -> None:
    """The first start makes an operator's key, keeps it 0600, and says where, never what."""
    path = shared.folder / "control" / "operator.key"
    token = path.read_text().strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert any(str(path) in line for line in shared.said)
    assert not any(token in line for line in shared.said)
    assert shared.ask("GET", "/v1/status", key=token)[0] == 200


def test_a_tenant_that_asks_too_often_waits(planes: Any, tmp_path: Any) -> None:
    """Beyond its rate a tenant gets 429 with Retry-After; another tenant does not notice."""
    with planes.Served(tmp_path, rate=2.0) as served:
        other = served.plane.keys.agent("t2", "a1")
        asked = [served.ask("GET", "/v1/signals", key=served.agent) for _ in range(6)]
        assert [status for status, _, _ in asked].count(429) >= 1
        assert all(int(headers["retry-after"]) >= 1 for status, _, headers in asked if status == 429)
        assert served.ask("GET", "/v1/signals", key=other)[0] == 200


def test_a_product_wide_kill_needs_two_people_to_end(shared: Any, planes: Any) -> None:
    """One person, with however many keys, does not end it; a second one does."""
    keys = shared.plane.keys
    again, bob = keys.operator("ann", ROLES), keys.operator("bob", ("resume",))
    body = {"scope": planes.PRODUCT}
    assert shared.ask("POST", "/v1/kill", body, shared.admin)[0] == 200
    for key in (shared.admin, shared.admin, again):
        status, said, _ = shared.ask("POST", "/v1/resume", body, key)
        assert (status, said["resumed"]) == (202, False)
    status, said, _ = shared.ask("POST", "/v1/resume", body, bob)
    assert (status, said["resumed"]) == (200, True)
    assert shared.ask("GET", "/v1/status", key=shared.admin)[1]["scopes"] == []


def test_the_second_person_must_come_in_time_and_for_the_same_kill() -> None:
    """Too late, or after a newer kill, the question begins again."""
    second = SecondPerson(within_s=60)
    assert second.ask(None, "ann", (1, 1), 0) == ""
    assert second.ask(None, "bob", (1, 1), 61) == ""
    assert second.ask(None, "ann", (1, 2), 62) == ""
    assert second.ask(None, "ann", (1, 2), 63) == ""
    assert second.ask(None, "bob", (1, 2), 63) == "ann"
    assert second.ask(None, "ann", (1, 2), 64) == ""


@pytest.mark.parametrize(
    ("person", "roles", "said"),
    [
        ("", ("view",), "found no person, expected who holds the key"),
        ("ann", ("admin", "view"), "found the roles 'admin, view', expected some of view, kill, resume, configure"),
        ("ann", (), "found the roles '', expected some of view, kill, resume, configure"),
    ],
)
def test_what_an_operators_key_lacks_is_named(tmp_path: Any, person: str, roles: tuple[str, ...], said: str) -> None:
    """Only what is wrong: good roles are not called wrong where the person is missing."""
    with pytest.raises(KeysError) as raised:
        Keys(tmp_path).operator(person, roles)
    assert str(raised.value) == said


@pytest.mark.parametrize(
    ("tenant", "agent", "said"),
    [
        (None, "", "found no agent, expected its name, or * for any agent of the tenant"),
        ("", "bot", "found an empty name of a tenant, expected its name, or no tenant at all"),
    ],
)
def test_what_an_agents_key_lacks_is_named(tmp_path: Any, tenant: str | None, agent: str, said: str) -> None:
    """A deployment without tenants needs none."""
    with pytest.raises(KeysError) as raised:
        Keys(tmp_path).agent(tenant, agent)
    assert str(raised.value) == said
