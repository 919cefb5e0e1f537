"""The hub: who does not keep up is cut and loses nothing that a new connection would not give; others do not notice."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
from flyball_sdk.signals import SignalStore
from flyball_sdk.signing import KeyRing, SigningKey

from control.authority import Authority
from control.hub import Hub
from control.pace import Pace
from control.store import Store

KEY = SigningKey.generate()


def events(raw: bytes) -> list[tuple[str, Any]]:
    """Read frames."""
    found = []
    for each in raw.decode().split("\n\n")[:-1]:
        event, data = each.split("\n")
        found.append((event.removeprefix("event: "), orjson.loads(data.removeprefix("data: "))))
    return found


def feed(store: SignalStore, raw: bytes) -> None:
    """Give frames to a guard's store."""
    for event, data in events(raw):
        (store.take if event == "signal" else store.beat)(data)


def test_a_slow_client_is_cut_and_comes_back_whole(tmp_path: Any, planes: Any) -> None:
    """After 256 frames it is cut; the others have all of them, and its next connection begins with the whole view."""

    async def scenario() -> None:
        authority = Authority(Store(tmp_path / "db"), KEY)
        hub = Hub(authority)
        hub.attach(asyncio.get_running_loop())
        slow, other, foreign = hub.subscribe("t1"), hub.subscribe("t1"), hub.subscribe("t2")
        store = SignalStore(KeyRing([KEY.public()]))
        for number in range(300):
            authority.kill(planes.scope("user", f"u{number}"), "t1", "ann", "")
            await asyncio.sleep(0)
            while not other.queue.empty():
                feed(store, other.queue.get_nowait() or b"")
        assert (slow.cut, other.cut, foreign.cut) == (True, False, False)
        assert [slow.queue.get_nowait(), slow.queue.empty()] == [None, True]
        assert foreign.queue.qsize() == 1  # the view it began with
        hub.leave(slow)
        again = hub.subscribe("t1")
        late = SignalStore(KeyRing([KEY.public()]))
        feed(late, again.queue.get_nowait() or b"")
        assert late.view() == store.view() == authority.shown.view("t1")
        hub.beat()
        await asyncio.sleep(0)
        feed(store, other.queue.get_nowait() or b"")
        assert not store.wants_snapshot
        hub.close()
        assert again.queue.get_nowait() is None

    asyncio.run(scenario())


def test_a_storm_of_verdicts_cuts_nobody(tmp_path: Any, planes: Any) -> None:
    """A thousand kills at once are one piece for each client, and all of them arrive; it takes well under 2 s."""

    async def scenario() -> None:
        authority = Authority(Store(tmp_path / "db"), KEY)
        hub = Hub(authority)
        hub.attach(asyncio.get_running_loop())
        client, store = hub.subscribe("t1"), SignalStore(KeyRing([KEY.public()]))
        feed(store, client.queue.get_nowait() or b"")
        verdicts = [orjson.dumps(planes.verdict(scope=("user", f"u{number}"))) for number in range(1_000)]
        begun = time.thread_time()  # its own: others may use the processor meanwhile
        authority.take("v", 0, list(enumerate(verdicts)))
        assert time.thread_time() - begun < 2
        await asyncio.sleep(0)
        feed(store, client.queue.get_nowait() or b"")
        assert (client.queue.empty(), client.cut, store.position) == (True, False, (authority.shown.epoch, 1_000))
        assert store.view() == authority.shown.view("t1")

    asyncio.run(scenario())


def test_what_the_view_has_is_not_told_after_it(tmp_path: Any, planes: Any) -> None:
    """A change that waits for the loop when a guard connects is in its view: its position never goes back."""

    async def scenario() -> None:
        authority = Authority(Store(tmp_path / "db"), KEY)
        hub = Hub(authority)
        hub.attach(asyncio.get_running_loop())
        before = hub.subscribe("t1")
        for number in range(3):
            authority.kill(planes.scope("user", f"u{number}"), "t1", "ann", "")
        client = hub.subscribe("t1")
        authority.kill(planes.scope("user", "u3"), "t1", "ann", "")
        await asyncio.sleep(0)
        told = [events(client.queue.get_nowait() or b"") for _ in range(client.queue.qsize())]
        assert [[(data["seq"], event) for event, data in each] for each in told] == [
            [(1, "signal"), (2, "signal"), (3, "signal"), (3, "heartbeat")],
            [(4, "signal")],
        ]
        assert before.queue.qsize() == 5

    asyncio.run(scenario())


def test_nothing_falls_between_the_view_and_the_changes(tmp_path: Any, planes: Any) -> None:
    """Guards that connect while commands rain end up with the authority's view, with no snapshot."""

    async def scenario() -> None:
        authority = Authority(Store(tmp_path / "db"), KEY)
        hub = Hub(authority)
        hub.attach(asyncio.get_running_loop())

        def rain() -> None:
            for number in range(100):
                (authority.kill if number % 3 else authority.resume)(
                    planes.scope("user", f"u{number % 7}"), None, "ann", ""
                )

        raining = asyncio.ensure_future(asyncio.to_thread(rain))
        guards = []
        while not raining.done():
            guards.append((await asyncio.to_thread(hub.subscribe, None), SignalStore(KeyRing([KEY.public()]))))
            await asyncio.sleep(0.001)
        await raining
        hub.beat()
        await asyncio.sleep(0.01)
        for subscriber, store in guards:
            while not subscriber.queue.empty():
                feed(store, subscriber.queue.get_nowait() or b"")
            assert (store.view(), store.wants_snapshot) == (authority.shown.view(None), False)
        assert guards

    asyncio.run(scenario())


def test_a_bucket_lets_its_rate_through() -> None:
    """Twice the rate at once, then the rate; each name has its own."""
    now = [0.0]
    pace = Pace(10, now=lambda: now[0])
    assert [pace.wait_s("t1") for _ in range(20)] == [0.0] * 20
    assert 0 < pace.wait_s("t1") <= 0.1
    assert pace.wait_s("t2") == 0
    now[0] += 1
    assert [pace.wait_s("t1") for _ in range(10)] == [0.0] * 10
    assert pace.wait_s("t1") > 0
