"""The guard: order of effects, tiers and old signals, what a failing part means, approvals, identity."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import Any

import pytest
from flyball_sdk import Guard, Limits, Policy, StoppedError, Subject, Tiers, guarded, running, tool
from flyball_sdk.asking import Fired
from flyball_sdk.decision import Finding
from flyball_sdk.reserving import Denied, Reserved
from flyball_sdk.scope import THE_PRODUCT, Scope
from flyball_sdk.signals import Held
from flyball_sdk.state import State, Throttle, merged
from flyball_sdk.tiers import CLOSED, OPEN, Ladder

RUN = "ab" * 16
TIERS = Tiers({"read": 0, "write": 1, "pay": 2, "wipe": 3})
TOOLS = ("read", "write", "pay", "wipe")


class Signals:
    """Signals of an age, as the store gives them."""

    def __init__(self, *states: State, age: float = 0.0) -> None:
        self.held = [Held(THE_PRODUCT, state, "why", "rule") for state in states]
        self.age = age
        self.position = (1, 7)

    def of(self, subject: Subject) -> list[Held]:
        """List what is asked."""
        return self.held

    def state_of(self, subject: Subject) -> State:
        """Merge what is asked."""
        return merged(each.state for each in self.held)

    def age_s(self) -> float:
        """Tell the age."""
        return self.age


class Rules:
    """Rules that answer what they are told to."""

    digest = "d"

    def __init__(self, *fired: Fired) -> None:
        self.fired = list(fired)

    @property
    def current(self) -> Rules:
        """Give themselves."""
        return self

    def judge(self, question: Any) -> list[Fired]:
        """Answer."""
        return self.fired


class Failing(Rules):
    """Rules that break."""

    def judge(self, question: Any) -> list[Fired]:
        """Break."""
        raise RuntimeError("broken")


def says(effect: str, *, enforced: bool = True, **more: Any) -> Fired:
    """Make a rule's answer."""
    return Fired(Finding(f"rule.{effect}", effect, f"because of {effect}", enforced=enforced), **more)


def make(*, signals: Any = None, rules: Any = None, clock: Any = lambda: 0.0, policy: Any = None, **more: Any) -> Any:
    """Make a guard with a list of events."""
    events: list[Any] = []
    guard = Guard(
        policy or Policy(tiers=TIERS), signals=signals, rules=rules, on_event=events.append, now=clock, **more
    )
    return guard, events


def allowed(guard: Any, **more: Any) -> list[str]:
    """List the tools of the four tiers that the guard lets through."""
    return [name for name in TOOLS if guard.evaluate(name, {"n": name}, **more).decision == "allow"]


def test_a_loop_in_the_process_is_blocked_before_its_fifth_call() -> None:
    """The function body of a decorated tool runs four times, however often the agent asks."""
    guard, events = make()
    ran = []

    @tool(guard)
    def search(query: str, limit: int = 3) -> str:
        ran.append((query, limit))
        return "nothing found"

    with running(RUN):
        for _ in range(4):
            search("x")
        for _ in range(20):
            with pytest.raises(StoppedError) as stopped:
                search(query="x", limit=3)
    assert ran == [("x", 3)] * 4
    assert stopped.value.decision.reason_code == "repeat.identical"
    assert stopped.value.decision.killed
    assert [event.name for event in events] == ["guard:blocked:search"] * 20
    with running("cd" * 16):
        assert search("x") == "nothing found"


def test_the_decorator_serves_async_functions_and_methods() -> None:
    """Async tools are guarded alike; the object of a method is no argument; errors are recorded and go on."""
    guard, _ = make()
    ran = []

    class Shop:
        @tool(guard, "shop.buy")
        async def buy(self, item: str) -> None:
            ran.append(item)
            raise KeyError(item)

    async def agent() -> None:
        with running(RUN):
            for _ in range(4):
                with pytest.raises(KeyError):
                    await Shop().buy("x")
            with pytest.raises(StoppedError):
                await Shop().buy("x")

    asyncio.run(agent())
    assert ran == ["x"] * 4


def test_threads_and_tasks_inherit_the_run() -> None:
    """asyncio.to_thread and tasks belong to the run they were started in: a loop spread over them is one."""
    guard, _ = make()

    async def agent() -> list[bool]:
        with running(RUN):
            ask = [asyncio.to_thread(guard.evaluate, "read", {"q": 1}) for _ in range(8)]
            return [decision.allowed for decision in await asyncio.gather(*ask)]

    assert sum(asyncio.run(agent())) == 4


@pytest.mark.parametrize(
    ("effects", "decision", "reason"),
    [
        ([], "allow", ""),
        (["warn"], "allow", ""),
        (["throttled", "modify"], "block", "throttle.calls_per_minute"),
        (["escalate", "throttled", "modify"], "escalate", "rule.escalate"),
        (["block", "escalate", "throttled", "modify"], "block", "rule.block"),
        (["kill", "block", "escalate", "throttled", "modify"], "block", "rule.kill"),
    ],
)
def test_the_order_is_kill_block_escalate_throttle_modify_allow(effects: list[str], decision: str, reason: str) -> None:
    """Whatever comes together, the strictest decides."""
    signals = Signals(State(throttle=Throttle(0, None))) if "throttled" in effects else Signals()
    fired = [says(effect, change=lambda given: {"n": 1}) for effect in reversed(effects) if effect != "throttled"]

    class Once(Rules):
        def judge(self, question: Any) -> list[Fired]:
            return [each for each in fired if not question.tool_input or each.finding.effect != "modify"]

    answer = make(signals=signals, rules=Once())[0].evaluate("read", {})
    assert (answer.decision, answer.reason_code) == (decision, reason)
    assert answer.killed == ("kill" in effects)


@pytest.mark.parametrize(
    ("state", "through", "escalated"),
    [
        (State(), ["read", "write", "pay", "wipe"], []),
        (State(level="bounded"), ["read", "write"], []),
        (State(level="human"), ["read", "write"], ["pay", "wipe"]),
        (State(level="static"), ["read"], []),
        (State(kill=True), [], []),
        (State(deny=frozenset({"read", "pay"})), ["write", "wipe"], []),
        (State(tools=frozenset({"read"})), ["read"], []),
        (State(tools=frozenset()), [], []),
    ],
)
def test_states_are_obeyed(state: State, through: list[str], escalated: list[str]) -> None:
    """Levels, denied and allowed tools and kills mean what the contract says, and the reason is the signal's."""
    guard, _ = make(signals=Signals(state))
    answers = {name: guard.evaluate(name, {}) for name in TOOLS}
    assert [name for name, answer in answers.items() if answer.decision == "allow"] == through
    assert [name for name, answer in answers.items() if answer.decision == "escalate"] == escalated
    assert all(answer.message == "why" for answer in answers.values() if not answer.allowed)
    assert all(answer.signal == (1, 7, 0) for answer in answers.values())


@pytest.mark.parametrize(
    ("age", "state", "through", "degraded"),
    [
        (5.0, State(), ["read", "write", "pay", "wipe"], "none"),
        (5.1, State(), ["read", "write", "pay", "wipe"], "stale"),
        (60.0, State(level="bounded"), ["read", "write"], "stale"),
        (60.1, State(), ["read", "write"], "stale"),
        (60.1, State(deny=frozenset({"read", "write"})), ["read"], "stale"),
        (1e9, State(kill=True), [], "stale"),
        (float("inf"), State(), ["read", "write"], "stale"),
    ],
)
def test_old_signals_close_by_tier(age: float, state: State, through: list[str], degraded: str) -> None:
    """Last known good up to 60 s; beyond, tier 0 open, 1 by last known good, 2 and 3 closed; a kill however old."""
    guard, _ = make(signals=Signals(state, age=age))
    assert allowed(guard) == through
    assert guard.evaluate("read", {"n": 9}).degraded == degraded


def test_how_tiers_fail_can_be_set() -> None:
    """Each tier's fail mode and the ladder are settings."""
    policy = Policy(tiers=Tiers(TIERS.of, fail=(CLOSED, CLOSED, OPEN, OPEN)), ladder=Ladder(1, 2))
    assert allowed(make(signals=Signals(age=2.1), policy=policy)[0]) == ["pay", "wipe"]
    assert allowed(make(signals=Signals(age=2.0), policy=policy)[0]) == list(TOOLS)


def test_a_tool_without_a_tier_has_the_default() -> None:
    """A tool nobody named is tier 2: closed when signals are old. Globs name many."""
    guard, _ = make(signals=Signals(age=99), policy=Policy(tiers=Tiers({"get_*": 0})))
    assert guard.evaluate("get_user", {}).allowed
    assert not guard.evaluate("new_tool", {}).allowed


def test_a_part_that_breaks_is_never_silent_and_the_tier_decides() -> None:
    """Rules that raise: tiers 0 and 1 go on, 2 and 3 are closed, and each time it is told and counted."""
    guard, events = make(rules=Failing())
    assert allowed(guard) == ["read", "write"]
    unanswered = [event for event in events if event.kind == "unanswered"]
    assert [event.name for event in unanswered] == [f"guard:unanswered:{name}" for name in TOOLS]
    assert {event.unanswered for event in unanswered} == {("rules",)}
    assert guard.counted["unanswered"] == 4
    blocked = guard.evaluate("pay", {"n": 2})
    assert (blocked.reason_code, blocked.degraded) == ("guard.unanswered", "partial")


def test_what_did_answer_still_holds_where_a_part_broke() -> None:
    """Broken rules open nothing that limits or signals close."""
    guard, _ = make(rules=Failing(), signals=Signals(State(deny=frozenset({"read"}))))
    assert not guard.evaluate("read", {}).allowed
    assert [guard.evaluate("write", {}).allowed for _ in range(5)] == [True] * 4 + [False]


@pytest.mark.parametrize(
    "unreadable", [None, {1: 2, "a": 3}, {"big": "x" * 70_000}, {"odd": object()}], ids=["none", "keys", "large", "odd"]
)
def test_arguments_that_cannot_be_read_are_no_answer(unreadable: Any) -> None:
    """Rules do not look at what is missing, has no structure or is too large: the tier decides, and it is told."""
    guard, events = make(rules=Rules())
    assert guard.evaluate("read", unreadable).degraded == "partial"
    assert not guard.evaluate("pay", unreadable).allowed
    assert {event.kind for event in events} == {"unanswered", "blocked"}


def test_an_argument_that_breaks_on_being_looked_at_breaks_nothing() -> None:
    """Cycles and objects with failing code count as unreadable."""

    class Bomb:
        __slots__ = ()

        def __repr__(self) -> str:
            raise RuntimeError("boom")

    loop: dict[str, Any] = {}
    loop["self"] = loop
    for bad in ({"b": Bomb()}, loop):
        assert make()[0].evaluate("read", bad).allowed
        assert not make(rules=Rules())[0].evaluate("pay", bad).allowed


def test_an_audit_guard_stops_nothing_but_a_kill() -> None:
    """In audit mode the answer is allow, `would` says what it would be; a kill signal is obeyed all the same."""
    policy = Policy(tiers=TIERS, mode="audit")
    guard, events = make(policy=policy, rules=Rules(says("block")))
    answer = guard.evaluate("pay", {})
    assert (answer.decision, answer.would, answer.mode, answer.message) == ("allow", "block", "audit", "")
    assert [event.name for event in events] == ["guard:would-block:pay"]
    assert allowed(make(policy=policy, signals=Signals(State(kill=True)))[0]) == []


def test_an_audited_rule_changes_nothing() -> None:
    """A rule that only audits shows in `would` and as guard:would-block."""
    guard, events = make(rules=Rules(says("block", enforced=False)))
    assert allowed(guard) == list(TOOLS)
    assert guard.evaluate("read", {"n": 5}).would == "block"
    assert {event.kind for event in events} == {"would-block"}


def test_a_modified_input_is_judged_once_more() -> None:
    """What is still wrong after the change is blocked; what is right runs with the change, told as modified."""

    class Clip(Rules):
        def judge(self, question: Any) -> list[Fired]:
            amount = question.tool_input["amount"]
            if amount > 100 and amount < 1000:
                return [says("modify", change=lambda given: {**given, "amount": 50 if given["amount"] < 500 else 2000})]
            return [says("block")] if amount >= 1000 else []

    guard, events = make(rules=Clip())
    given = {"amount": 200, "to": "a"}
    answer = guard.evaluate("pay", given)
    assert (answer.decision, answer.modified_input) == ("modify", {"amount": 50, "to": "a"})
    assert given["amount"] == 200
    assert [event.kind for event in events] == ["modified"]
    assert guard.evaluate("pay", {"amount": 600}).reason_code == "rule.block"


def test_a_change_that_never_settles_is_blocked() -> None:
    """A rule that wants to change what it has changed itself, or fails at it, lets nothing through."""
    for change in (lambda given: {**given, "n": 1}, lambda given: given["missing"]):
        answer = make(rules=Rules(says("modify", change=change)))[0].evaluate("read", {"n": 0})
        assert answer.decision == "block"


def test_throttles_hold_in_every_minute() -> None:
    """30 calls a minute: of calls at any times, no window of 60 s has more; the answer says how long to wait."""
    now = [0.0]
    guard, _ = make(signals=Signals(State(throttle=Throttle(30, None))), clock=lambda: now[0])
    passed = []
    for at in range(4000):
        now[0] = at * 0.1
        answer = guard.evaluate("read", {"n": at})
        if answer.allowed:
            passed.append(now[0])
        else:
            assert answer.throttle["retry_after_ms"] <= 60_000
    assert all(later - earlier >= 60 - 1e-6 for earlier, later in zip(passed, passed[30:], strict=False))
    assert len(passed) == 30 * 7


def test_concurrency_is_held_and_given_back() -> None:
    """Two at a time, of calls from many threads; an end that nobody tells counts for 10 minutes."""
    now = [0.0]
    guard, _ = make(signals=Signals(State(throttle=Throttle(None, 2))), clock=lambda: now[0])
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda at=at: answers.append(guard.evaluate("read", {"n": at}))) for at in range(32)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    running_now = [answer for answer in answers if answer.allowed]
    assert len(running_now) == 2
    guard.result(running_now[0], "done")
    guard.result(running_now[0], "done")
    assert [guard.evaluate("read", {"m": at}).allowed for at in range(2)] == [True, False]
    now[0] = 601.0
    assert guard.evaluate("read", {"m": 9}).allowed


def test_an_approval_is_for_one_action_once() -> None:
    """It lets just the approved call through, once, for 5 minutes; an edited one, and one by another, ask again."""
    now = [0.0]
    guard, _ = make(rules=Rules(says("escalate")), clock=lambda: now[0])
    asked = guard.evaluate("pay", {"amount": 5})
    guard.approve(asked)
    assert guard.evaluate("pay", {"amount": 6}).decision == "escalate"
    assert guard.evaluate("wipe", {"amount": 5}).decision == "escalate"
    assert guard.evaluate("pay", {"amount": 5}, Subject(user="other")).decision == "escalate"
    assert guard.evaluate("pay", {"amount": 5}).decision == "allow"
    assert guard.evaluate("pay", {"amount": 5}).decision == "escalate"
    guard.approve(asked)
    now[0] = 301.0
    assert guard.evaluate("pay", {"amount": 5.0}).decision == "escalate"


def test_an_approval_lifts_no_block() -> None:
    """Deny overrides ask: what a person approved is blocked all the same where a rule blocks."""
    rules = Rules(says("escalate"))
    guard, _ = make(rules=rules)
    asked = guard.evaluate("pay", {})
    guard.approve(asked)
    rules.fired.append(says("block"))
    assert guard.evaluate("pay", {}).decision == "block"


def test_identity_never_comes_from_an_argument() -> None:
    """Arguments that claim to be somebody change nothing: the user who is stopped stays stopped."""

    class Stopped(Signals):
        def of(self, subject: Subject) -> list[Held]:
            return [Held(Scope("user", "u"), State(kill=True), "stopped", "r")] if subject.user == "u" else []

    guard, _ = make(signals=Stopped())
    with running(RUN, user="u"):
        for claim in ({"user": "v"}, {"subject": {"user": "v"}}, {"run": "x", "tenant": "t"}):
            assert not guard.evaluate("read", claim).allowed


def test_an_agent_is_held_to_its_tools() -> None:
    """Named agents have their own list, others that of '*'; who is not named and has no list is not held."""
    policy = Policy(tools={"support": ["read", "wri*"], "*": ["read"]})
    guard, _ = make(policy=policy)
    assert allowed(guard, subject=Subject(agent="support")) == ["read", "write"]
    assert allowed(guard, subject=Subject(agent="x")) == allowed(guard) == ["read"]
    assert allowed(make(policy=Policy(tools={"support": []}))[0], subject=Subject(agent="x")) == list(TOOLS)


class Budget:
    """A reserver that gives what it is told, and remembers."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.settled: list[Any] = []

    def reserve(self, request: Any) -> Any:
        """Answer or raise."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def settle(self, token: str, cost_usd: float | None) -> None:
        """Remember."""
        self.settled.append((token, cost_usd))


def test_budgets_are_reserved_and_settled() -> None:
    """A reservation is settled with the cost once; a budget that is used up stops the call with its reason."""
    budget = Budget(Reserved("t1"))
    guard, _ = make(reserver=budget)
    answer = guard.evaluate("pay", {})
    for _ in range(2):
        guard.result(answer, "ok", cost_usd=0.5)
    assert budget.settled == [("t1", 0.5)]
    assert guard.usage().cost == 500_000_000
    budget.answer = Denied("spend.user", "block", "Today's budget is used up.")
    answer = guard.evaluate_llm("m")
    assert (answer.decision, answer.message) == ("block", "Today's budget is used up.")


def test_a_budget_without_an_answer_fails_by_tier() -> None:
    """Who keeps budgets is away: tiers 0 and 1 go on, 2 and 3 do not, and it is told."""
    guard, events = make(reserver=Budget(TimeoutError()))
    assert allowed(guard) == ["read", "write"]
    assert sum(event.kind == "unanswered" for event in events) == 4


def test_a_listener_that_raises_stops_nothing() -> None:
    """Who is told cannot make a blocked call run or an allowed one fail."""

    def bad(event: object) -> None:
        raise RuntimeError("no")

    guard = Guard(Policy(tiers=TIERS), rules=Rules(says("block")), on_event=bad)
    assert guard.evaluate("read", {}).decision == "block"


def test_a_limit_warns_in_the_answer() -> None:
    """From the third identical call on, the rules of the answer say so, and the call still runs."""
    guard, _ = make()
    answers = [guard.evaluate("read", {"q": 1}) for _ in range(3)]
    assert answers[2].allowed
    assert [(finding.rule, finding.effect) for finding in answers[2].rules] == [("repeat.identical", "warn")]


def test_the_answer_is_json_of_the_contract() -> None:
    """to_json gives the members of guard.md's response."""
    said = make(signals=Signals(State(throttle=Throttle(0, None))))[0].evaluate("read", {}).to_json()
    assert said["decision"] == "block"
    assert said["signal"] == {"epoch": 1, "seq": 7, "age_ms": 0}
    assert said["rules"] == [
        {"id": "throttle.calls_per_minute", "version": 0, "effect": "throttle", "severity": "medium"}
    ]


def test_pending_calls_are_bounded() -> None:
    """Results that are never told do not fill the memory."""
    guard, _ = make(policy=Policy(limits=Limits(identical=None, cycle=None)))
    for at in range(10_050):
        guard.evaluate("read", {"n": at})
    assert len(guard._pending) == 10_000


def test_a_child_of_a_busy_process_is_not_locked() -> None:
    """A fork at a moment when other threads hold the guard's locks leaves a child that decides."""
    guard, _ = make(signals=Signals(State(throttle=Throttle(1000, 1000))))
    with guard._lock, guard._runs._lock, guard._throttles._lock:
        child = os.fork()
        if child == 0:
            signal.alarm(10)  # ends the child if it hangs
            os._exit(0 if guard.evaluate("read", {}).allowed else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_guarded_gives_what_to_call_with() -> None:
    """The context manager gives the input, changed where a rule changes it, and records the result."""
    guard, _ = make()
    with guarded(guard, "read", {"q": 1}) as call:
        assert call.tool_input == {"q": 1}
        call.result = "found"
    with pytest.raises(ZeroDivisionError), guarded(guard, "read", {"q": 1}):
        _ = 1 // 0
