"""Orders: what the stream hears of kills is what is in force, whatever crashes, is told again or is cut off."""

from __future__ import annotations

from contextlib import closing
from shutil import copytree
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from flyball_sdk.scope import Scope
from flyball_sdk.signing import SigningKey
from hypothesis import given, settings
from hypothesis import strategies as st

from control.authority import Authority
from control.contributions import Rules
from control.outlet import Outlet
from control.store import Store
from models.orders.book import OrderBook
from models.orders.order import Acceptance, Kill, Lift, Place, Round, read
from streams.embedded import EmbeddedLog
from streams.port import UndeliveredError

if TYPE_CHECKING:
    from pathlib import Path

    from models.orders.order import Order

KEY = SigningKey.generate()
TOPIC = "flyball.orders"
USER, RUN = Scope("user", "u1"), Scope("run", "ab" * 16)
AT = 1_767_225_600 * 10**9
"""When the turned clocks begin."""


class Life:
    """One life of an authority, with the log that its orders go to."""

    def __init__(self, folder: Path, planes: Any, later_s: int = 0) -> None:
        self.turned = planes.Turned()
        self.turned.pass_s(later_s)
        self.store = Store(folder / "db")
        self.authority = Authority(self.store, KEY, Rules(frozenset({"spend.*"})), self.turned.clocks, lambda _: None)
        self.log = EmbeddedLog(folder / "log")
        self.outlet = Outlet(self.store, self.log, TOPIC)
        self.offset = 0

    def verdict(self, planes: Any, *args: Any, **said: Any) -> None:
        """Take a verdict."""
        self.offset += 1
        self.authority.take("v", 0, [(self.offset, orjson.dumps(planes.verdict(*args, **said)))])

    def told(self) -> list[Order]:
        """Put what waits, and read all of the topic."""
        while self.outlet.step():
            pass
        return orders(self.log)

    def die(self) -> None:
        """End as by a SIGKILL: nothing is said or written."""
        self.store.close()
        self.log.close()


def orders(log: Any) -> list[Order]:
    """Read the topic, which has all of it in one partition."""
    found = []
    for partition in range(log.partitions(TOPIC)):
        with closing(log.reader(TOPIC, partition, None)) as reader:
            values = [message.value for message in reader.poll(10_000, 1 << 24)]
            assert not (found and values)
            found += [read(value) for value in values]
    return found


def test_a_kill_its_killer_and_its_end(tmp_path: Path, planes: Any) -> None:
    """Since when and by whom; who takes it over changes the name and not the time; then the end."""
    one = Life(tmp_path, planes)
    one.verdict(planes, scope=USER, rule="spend.user.day", evidence={"tenant": "acme"})
    one.turned.pass_s(60)
    one.authority.kill(USER, "acme", "ann", "too much")
    one.authority.kill(USER, "acme", "bob", "really")
    one.turned.pass_s(60)
    one.verdict(planes, "clear", scope=USER, rule="spend.user.day", evidence={"tenant": "acme"}, generation=2)
    one.authority.resume(USER, None, "ann", "")
    place = Place("user", "u1", "acme")
    assert [order.what for order in one.told()] == [
        Kill(place, AT, "spend.user.day", "spend.user.day"),
        Kill(place, AT, "operator", "ann"),
        Lift(place),
    ]


def test_what_rules_stop_of_a_run_is_watched_by_the_stream_itself(tmp_path: Path, planes: Any) -> None:
    """Only what people kill of runs is told; a set, a block and a bound are no kills."""
    one = Life(tmp_path, planes)
    one.verdict(planes)
    one.verdict(planes, "block", scope=USER)
    assert one.told() == []
    one.turned.pass_s(10)
    one.authority.kill(Scope("run", planes.RUN), None, "ann", "")
    (order,) = one.told()
    assert order.what == Kill(Place("run", planes.RUN, None), AT + 10 * 10**9, "operator", "ann")


def test_a_run_that_a_rule_stopped_and_a_person_resumed_is_told(tmp_path: Path, planes: Any) -> None:
    """Else the stream would tell people that a run goes on which they let go on. Once; what was no kill is not told."""
    one = Life(tmp_path, planes)
    one.verdict(planes)
    one.verdict(planes, "block", scope=USER)
    for scope in (RUN, USER, Scope("run", planes.RUN), Scope("run", planes.RUN)):
        one.authority.resume(scope, None, "ann", "")
    assert [order.what for order in one.told()] == [Lift(Place("run", planes.RUN, None))]


def test_a_crash_before_and_after_it_is_put(tmp_path: Path, planes: Any) -> None:
    """Written and not put: the next life puts it. Put and not noted: it is put again, under the same id."""
    one = Life(tmp_path, planes)
    one.authority.kill(USER, None, "ann", "")
    assert not one.log.partitions(TOPIC)
    one.die()
    two = Life(tmp_path, planes)
    two.store.forget_orders = lambda _: two.die()  # type: ignore[method-assign]
    two.outlet.step()
    three = Life(tmp_path, planes)
    told = three.told()
    assert [order.what for order in told] == [Kill(Place("user", "u1", None), AT, "operator", "ann")] * 2
    assert len({order.record()["id"] for order in told}) == 1
    assert three.store.orders(-1, 10) == []


def test_a_log_that_does_not_take_it_is_asked_again(tmp_path: Path, planes: Any, monkeypatch: Any) -> None:
    """Nothing is forgotten that the log did not take."""
    one = Life(tmp_path, planes)
    one.authority.kill(USER, None, "ann", "")

    def refuse() -> Any:
        raise UndeliveredError

    with monkeypatch.context() as patch:
        patch.setattr(one.log, "writer", refuse)
        with pytest.raises(UndeliveredError):
            one.outlet.step()
    assert len(one.told()) == 1


def test_kills_of_an_older_version_are_told(tmp_path: Path, planes: Any) -> None:
    """A file of before there were orders is taken over; its kills are in force since they were signed."""
    one = Life(tmp_path, planes)
    one.authority.kill(USER, None, "ann", "")
    tables = ("orders", "in_force", "reserved")
    for statement in (*[f"DROP TABLE {table}" for table in tables], "DELETE FROM meta WHERE name='orders'"):
        one.store._db.execute(statement)
    one.store._db.execute("PRAGMA user_version=1")
    one.die()
    two = Life(tmp_path, planes)
    assert [order.what for order in two.told()] == [Kill(Place("user", "u1", None), AT, "operator", "operator")]


def test_all_that_is_in_force_is_told_again_now_and_then(tmp_path: Path, planes: Any) -> None:
    """With the word that it is all; where nothing was ever ordered, nothing is said."""
    one = Life(tmp_path, planes)
    one.authority.tell_all()
    assert one.told() == []
    for scope in (USER, RUN):
        one.authority.kill(scope, None, "ann", "")
    one.authority.resume(RUN, None, "ann", "")
    one.authority.tell_all()
    kill, last = one.told()[-2:]
    assert (kill.what, last.what) == (Kill(Place("user", "u1", None), AT, "operator", "ann"), Round(kill.n))


_ACTS = st.lists(
    st.tuples(
        st.sampled_from(["kill", "resume", "rule", "clear", "round", "put", "crash"]),
        st.sampled_from([USER, RUN, Scope("product", "*")]),
        st.sampled_from([None, "acme"]),
    ),
    max_size=15,
)


@settings(deadline=None, max_examples=30)
@given(acts=_ACTS)
def test_who_hears_the_topic_knows_what_is_in_force(acts: Any, planes: Any, tmp_path_factory: Any) -> None:
    """Whatever is ordered, crashes and is put when: the book of the stream has exactly the kills that are signed."""
    folder = tmp_path_factory.mktemp("orders")
    one = Life(folder, planes)
    for generation, (act, scope, tenant) in enumerate(acts):
        said = {"scope": scope, "rule": "spend.x", "generation": generation}
        said |= {"evidence": {"tenant": tenant}} if tenant else {}
        if act == "kill":
            one.authority.kill(scope, tenant, "ann", "")
        elif act == "resume":
            one.authority.resume(scope, tenant, "ann", "")
        elif act in ("rule", "clear"):
            one.verdict(planes, "kill" if act == "rule" else "clear", **said)
        elif act == "round":
            one.authority.tell_all()
        elif act == "put":
            one.outlet.step()
        else:
            offset = one.offset
            one.die()
            one = Life(folder, planes)
            one.offset = offset
    book = OrderBook()
    book.take(one.told() if one.log.partitions(TOPIC) or one.store.orders(-1, 1) else [])
    asked = one.authority.asked()
    killed = {
        Place(*place.scope, place.tenant)
        for place, sources in asked.items()
        for source, state in sources.items()
        if state.kill and (source == "operator" or place.scope.level != "run")
    }
    assert {kill.place for kill in book.kills()} == killed
    one.die()


def test_accepted_drift_is_told_once_and_no_kill(tmp_path: Path, planes: Any) -> None:
    """After a crash too; a round does not tell it again: who heard it keeps it."""
    one = Life(tmp_path, planes)
    said = Acceptance("air", "task_success", AT - 10**9, "ann")
    one.authority.accept(said, "new prices")
    one.die()
    two = Life(tmp_path, planes)
    two.authority.tell_all()
    accepted, last = two.told()
    assert (accepted.what, last.what) == (said, Round(last.n))


def test_orders_of_a_file_that_was_put_back_are_news(tmp_path: Path, planes: Any) -> None:
    """They are numbered above those of lives that the copy knows nothing of: a resume ends what those had told."""
    one = Life(tmp_path, planes)
    one.authority.kill(RUN, None, "ann", "")
    one.die()
    copytree(tmp_path, tmp_path.with_name("copy"))
    two = Life(tmp_path, planes)
    for _ in range(5):
        two.authority.kill(USER, None, "ann", "")
        two.authority.resume(USER, None, "ann", "")
    two.authority.kill(USER, None, "ann", "")
    book = OrderBook()
    book.take(two.told())
    assert {kill.place.level for kill in book.kills()} == {"run", "user"}
    two.die()
    put_back = Life(tmp_path.with_name("copy"), planes, later_s=60)
    put_back.authority.resume(RUN, None, "ann", "")
    book.take(put_back.told())
    assert {kill.place.level for kill in book.kills()} == {"user"}
    put_back.authority.tell_all()
    book.take(put_back.told())
    assert book.kills() == []
    put_back.die()


def test_a_served_plane_puts_its_orders(served: Any, planes: Any) -> None:
    """A kill over HTTP is in the topic, with the person whose key it was; so is its end."""
    body = {"scope": {"level": "workflow", "id": "air"}, "reason": "loops"}
    assert served.ask("POST", "/v1/kill", body, served.admin)[0] == 200
    assert served.ask("POST", "/v1/resume", body, served.admin)[0] == 200
    planes.until(lambda: served.log.partitions(TOPIC) and len(orders(served.log)) >= 2)
    kill, lift = (order.what for order in orders(served.log)[:2])
    assert (kill.place, kill.by, lift) == (Place("workflow", "air", None), "ann", Lift(Place("workflow", "air", None)))
