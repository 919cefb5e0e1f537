"""The guard in an agent's process: what one decision costs with 1,000 rules, over mixed calls, some blocked.

Tools as in the recorded runs (search, read, shell, refunds, mail), each with its own rules, 40 rules for all tools, and
signals for 2,000 scopes. One thread, the best of three passes, then four. Times are wall times of `Guard.evaluate`,
garbage collection included.
"""

from __future__ import annotations

import gc
import random
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from flyball_sdk import Guard, Policy, Subject, Tiers
from flyball_sdk.envelope import Envelope, Heartbeat, view_digest
from flyball_sdk.rules import RuleSet
from flyball_sdk.scope import Scope
from flyball_sdk.signals import SignalStore
from flyball_sdk.signing import KeyRing, SigningKey
from flyball_sdk.state import State
from report import Figure, arguments, tell

TOOLS = [
    "search",
    "read_file",
    "shell",
    "refund",
    "send_mail",
    "get_user_details",
    "update_order",
    "query",
    *"abcdefghijkl",
]
RULES = 1000
AT = "2026-01-01T00:00:00.000Z"


def rule(at: int) -> dict[str, Any]:
    """Make the rule of a number; every 25th is for all tools."""
    tool = "*" if at % 25 == 0 else TOOLS[at % len(TOOLS)]
    limit = 1000 + 100 * at
    kinds: list[tuple[Any, Any]] = [
        ({"field": "amount", "not_between": {"max": limit}, "optional": True}, {"amount": limit + 1}),
        ({"field": "id", "in": ["all", "*"] if at % 50 == 1 else [f"all{at}", f"any{at}"]}, {"id": f" ANY{at}"}),
        ({"field": "command", "matches": rf"mkfs\.{at}|>\s*/dev/sd{at}|rm -rf /{at}\b"}, {"command": f"rm -rf /{at}"}),
        (
            {"field": "to", "not_in": ["*@example.com", "*@**" if at % 50 == 3 else "**@**"], "optional": True},
            {"to": "nobody"},
        ),
        (
            {"all": [{"field": "path", "in": [f"/etc/{at}/**"]}, {"not": {"field": "path", "in": ["/etc/ok"]}}]},
            {"path": f"/etc/{at}/x"},
        ),
    ]
    when, bad = kinds[at % len(kinds)]
    if at % 50 == 1:
        bad = {"id": "ALL "}
    return {
        "id": f"rule.{at}",
        "version": 1,
        "match": {"tools": [tool]},
        "when": when,
        "effect": "block",
        "mode": "enforce" if at % 3 else "audit",
        "message": "No.",
        "tests": {"block": [bad], "allow": [{"amount": 1, "to": "a@example.com", "command": "ls", "id": "7"}]},
    }


def calls(count: int, seed: int = 7) -> list[tuple[str, dict[str, Any]]]:
    """Draw calls as agents make them; about one in twenty is of what rules forbid."""
    draw = random.Random(seed)  # noqa: S311
    made = []
    for at in range(count):
        tool = draw.choice(TOOLS[:8])
        said: dict[str, Any] = {
            "id": str(draw.randrange(10**6)),
            "amount": draw.randrange(900),
            "to": f"user{at}@example.com",
            "command": f"grep -rn 'def test_{at}' src/ | head -{draw.randrange(50)}",
            "path": f"src/pkg/module_{draw.randrange(99)}.py",
            "note": "x" * draw.randrange(400),
        }
        wanted = draw.sample(list(said), 3)
        said = {name: value for name, value in said.items() if name in wanted}
        if draw.random() < 0.05:
            said |= draw.choice(
                [{"id": "ALL"}, {"to": "x@evil.org"}, {"amount": 10**6}, {"command": "mkfs.ext4 /dev/sda"}]
            )
        made.append((tool, said))
    return made


def signals(now: Any) -> SignalStore:
    """Make a store that holds 2,000 scopes and is fresh."""
    key = SigningKey.generate("k1")
    store = SignalStore(KeyRing([key.public()]), "t1", now=now)
    made = []
    for at in range(2000):
        scope = Scope("user", f"u{at}")
        envelope = Envelope("s", 1, at + 1, AT, None, scope, State(deny=frozenset({"wipe"})), "", "r").signed(key)
        store.take(envelope.to_json())
        made.append(envelope)
    store.beat(Heartbeat("s", 1, 2000, AT, "t1", view_digest(made)).signed(key).to_json())
    return store


def measure(guard: Guard, made: list[tuple[str, dict[str, Any]]], name: str) -> tuple[list[int], int]:
    """Decide all calls, 40 a run; gives wall times in ns and how many were blocked."""
    times, blocked = [], 0
    for at, (tool, said) in enumerate(made):
        subject = Subject(run=f"{name}{at // 40:030x}", user=f"u{at % 4000}", agent="bench", tenant="t1")
        begun = time.perf_counter_ns()
        decision = guard.evaluate(tool, said, subject)
        times.append(time.perf_counter_ns() - begun)
        blocked += not decision.allowed
        guard.result(decision, "ok")
    return times, blocked


def main() -> None:
    """Measure and tell."""
    said = arguments(__doc__)
    count = 10_000 if said.quick else 100_000
    begun = time.perf_counter()
    rules = RuleSet((f"{at}.yaml", rule(at)) for at in range(RULES))
    compiled = time.perf_counter() - begun

    class Fixed:
        current = rules

    guard = Guard(
        Policy(tiers=Tiers(dict.fromkeys(TOOLS, 1))), rules=Fixed(), signals=signals(lambda: 0.0),
        on_event=lambda event: None, now=time.monotonic,
    )  # fmt: skip
    made = calls(count)
    measure(guard, made[:2000], "aa")
    gc.collect()
    gc.freeze()
    passes = []
    for at in range(3):
        spent = time.thread_time()
        times, blocked = measure(guard, made, f"b{at}")
        passes.append((statistics.quantiles(times, n=1000), (time.thread_time() - spent) / count * 1e6, blocked))
    cuts, cpu_us, blocked = min(passes, key=lambda each: each[0][499])  # the pass that others disturbed least
    results: list[tuple[list[int], int]] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(measure(guard, made[n::4], f"c{n}"))) for n in range(4)
    ]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = count / (time.perf_counter() - begun)
    note = f"{count:,} calls, {blocked / count:.1%} blocked, {RULES:,} rules"
    figures = [
        Figure("p50_us", cuts[499] / 1000, "us", note, "<= 50"),
        Figure("p99_us", cuts[989] / 1000, "us", note, "<= 1000"),
        Figure("p999_us", cuts[998] / 1000, "us", note, "<= 3000"),
        Figure("cpu_us", cpu_us, "us", "CPU time of a decision, and of telling its result, mean"),
        Figure("decisions_per_s_4_threads", rate, "1/s", "one process, the threads share one core"),
        Figure("load_rules_s", compiled, "s", f"{RULES:,} rules with their specimens"),
    ]
    tell("guard", figures, as_json=said.json)


if __name__ == "__main__":
    main()
