"""The limits of the guard that runs in the control plane: what `policy.yaml` says of caps and loops holds there too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyball.config.policy_yaml import runaway_policy

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from flyball_sdk.limits import Limits, Repeats

    from flyball.config.policy import PolicyFile
    from models.runaways.base import Ladder
    from models.runaways.policy import RunawayPolicy

_CAPS: Final = {
    "cap.steps": "steps",
    "cap.llm_calls": "llm_calls",
    "cap.tool_calls": "tool_calls",
    "cap.tokens": "tokens",
    "cap.cost": "cost_usd",
    "cap.wall": "wall_s",
}
_WHOLE: Final = ("steps", "llm_calls", "tool_calls", "tokens")
_REPEATS: Final = {"repeat.identical": "identical", "cycle.sequence": "cycle", "repeat.error": "error"}


def guard_limits(file: PolicyFile) -> tuple[Limits, Mapping[str, Limits]]:
    """Give the limits of all runs, and by workflow those of workflows with rules of their own.

    A rule that the policy does not name is as the guard has it without one; one that is not enforced limits nothing.
    """
    from flyball_sdk.limits import Limits  # noqa: PLC0415 -- only the control plane needs it

    keys = file.runaways
    if not keys.rules and not keys.workflows:
        return Limits(), {}
    policy = runaway_policy(file)
    own = {name: _limits(policy, name, {*keys.rules, *rules}) for name, rules in keys.workflows.items()}
    return _limits(policy, None, keys.rules), own


def _limits(policy: RunawayPolicy, workflow: str | None, named: Collection[str]) -> Limits:
    from flyball_sdk.limits import Limits  # noqa: PLC0415 -- as above

    said: dict[str, Any] = {}
    for rule in policy.known:
        place = _CAPS.get(rule.id) or _REPEATS.get(rule.id)
        if place is None or rule.id not in named:
            continue
        mode, ladder = policy.setting(rule, workflow)
        if mode != "enforce":
            said[place] = None
        elif rule.id in _REPEATS:
            said[place] = _repeats(ladder)
        else:
            said[place] = int(ladder.kill) if ladder.kill is not None and place in _WHOLE else ladder.kill
    return Limits(**said)


def _repeats(ladder: Ladder) -> Repeats | None:
    """Give a ladder as the guard has it: of 2 to 16 times, in order; None where it stops nothing."""
    from flyball_sdk.limits import MOST_REPEATS, Repeats  # noqa: PLC0415 -- as above

    steps = [each for each in (ladder.block, ladder.kill) if each is not None]
    if not steps or min(steps) > MOST_REPEATS:
        return None
    kill = _within(ladder.kill, MOST_REPEATS)
    block = _within(ladder.block, kill)
    return Repeats(_within(ladder.warn, block), block, kill)


def _within(count: float | None, most: int) -> int:
    return most if count is None else max(2, min(int(count), most))
