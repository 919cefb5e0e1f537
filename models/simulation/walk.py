"""Walk: whole runs as rows, from the guard at their start to the feedback after their end. Compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.kernels import allocating
from models.simulation.draws import next_bits, next_spread, next_unit
from models.simulation.rows import Row
from models.simulation.runs import Ending, Line
from models.simulation.steps import (
    CACHED_TOKENS,
    CLOCK,
    CONTEXT_TOKENS,
    PARENT,
    ROWS,
    call,
    call_ending,
    chat,
    emit,
    id_of,
    nanoseconds,
    step,
)

RETRIED = 0.5
"""Share of failed calls that are made again with the same arguments."""
RETRIES = 2
"""Times a failed call is made again at most."""
SPANS_BESIDE_ROUNDS = 900
"""More rows than a run has beside its rounds: a loop of 2 x 200 calls with a model call each, and its start and end."""
ROWS_A_ROUND = 16
"""More rows than a round has: a model call, a nested agent, two calls with approval and retries."""

_CONTEXT, _NUMBER = int(Row.CONTEXT), int(Row.NUMBER)
_OK, _ERROR, _REJECTED = int(Ending.OK), int(Ending.ERROR), int(Ending.REJECTED)
_GUARD_ALLOWS, _GUARD_BLOCKS, _NESTED = int(Line.GUARD_ALLOWS), int(Line.GUARD_BLOCKS), int(Line.NESTED)
_PASS, _FAIL, _THUMB_UP, _THUMB_DOWN = int(Line.PASS), int(Line.FAIL), int(Line.THUMB_UP), int(Line.THUMB_DOWN)
_ROOT_ID = 1 << 20
_NESTED_ID = 1 << 21


@allocating
def walk(world: Any, runs: Any, first: Any) -> Any:
    """Write runs first ... of RUN records as rows until they are done or the rows could run out.

    Fills in what came of each run. Gives (the run to go on with, rows written).
    """
    cursor = np.zeros(5, np.int64)
    state = np.zeros(1, np.uint64)
    most = world.settings[0].max_rounds * ROWS_A_ROUND + SPANS_BESIDE_ROUNDS
    for i in range(first, len(runs)):
        if cursor[ROWS] + most > world.rows.shape[1]:
            return i, cursor[ROWS]
        _run(world, cursor, state, runs[i])
    return len(runs), cursor[ROWS]


@allocating
def _run(world: Any, cursor: Any, state: Any, run: Any) -> None:
    state[0] = run.key
    root = id_of(run.key, _ROOT_ID)
    cursor[CLOCK] = run.start + nanoseconds(0.005)
    cursor[PARENT] = root
    cursor[CONTEXT_TOKENS] = 0
    cursor[CACHED_TOKENS] = 0
    if run.guarded:
        step(world, cursor, run, world.lines[_GUARD_BLOCKS if run.blocked else _GUARD_ALLOWS], 0.06)
    if not run.blocked:
        _work(world, cursor, state, run)
    run.end = cursor[CLOCK] + nanoseconds(0.002)
    run.spans += 1
    emit(world, cursor, run, run.root, root, 0, run.start, run.end)
    _aftermath(world, cursor, state, run, root)


@allocating
def _work(world: Any, cursor: Any, state: Any, run: Any) -> None:
    settings = world.settings[0]
    drawn: Any = np.int64(round(next_spread(state, settings.rounds, settings.rounds_spread)))
    rounds = min(max(drawn, 1), settings.max_rounds)
    for i in range(rounds - 1):
        if i == rounds // 2 and _trouble(world, cursor, run):
            return
        _round(world, cursor, state, run)
        cursor[CLOCK] += nanoseconds(next_spread(state, settings.pause, 0.8))
    if rounds // 2 >= rounds - 1 and _trouble(world, cursor, run):
        return
    chat(world, cursor, state, run)
    if run.escalated:
        call(world, cursor, state, run, settings.transfer, _number(state))


@allocating
def _round(world: Any, cursor: Any, state: Any, run: Any) -> None:
    """Do one model call and the tool calls it asks for, perhaps inside a nested agent."""
    parent, start = cursor[PARENT], cursor[CLOCK]
    nested = next_unit(state) < world.settings[0].subagent
    if nested:
        cursor[PARENT] = id_of(run.key, _NESTED_ID + run.spans)
        cursor[CLOCK] += nanoseconds(0.001)
    chat(world, cursor, state, run)
    begun = cursor[CLOCK]
    _use_tool(world, cursor, state, run)
    if next_unit(state) < world.settings[0].parallel:
        ended = cursor[CLOCK]
        cursor[CLOCK] = begun
        _use_tool(world, cursor, state, run)
        cursor[CLOCK] = max(ended, cursor[CLOCK])
    if nested:
        span, cursor[PARENT] = cursor[PARENT], parent
        cursor[CLOCK] += nanoseconds(0.001)
        run.spans += 1
        emit(world, cursor, run, world.lines[_NESTED], span, parent, start, cursor[CLOCK])


@allocating
def _use_tool(world: Any, cursor: Any, state: Any, run: Any) -> None:
    """Call one of the workflow's tools; failures may be tried again with the same arguments."""
    drawn, tool = next_unit(state), 0
    while world.tools[tool].edge <= drawn:
        tool += 1
    number = _number(state)
    ending = call(world, cursor, state, run, tool, number)
    for _ in range(RETRIES):
        if ending in (_OK, _REJECTED) or next_unit(state) < 1 - RETRIED:
            return
        ending = call(world, cursor, state, run, tool, number)


@allocating
def _number(state: Any) -> Any:
    return np.int64(next_bits(state) >> np.uint64(11)) % 100_000_000


@allocating
def _trouble(world: Any, cursor: Any, run: Any) -> Any:
    """Do what the incidents planned for this run, with draws apart from those of the run; tells if that ends it."""
    if run.loop_tool < 0 and run.stranger < 0 and run.lure < 0:
        return False
    state = np.zeros(1, np.uint64)
    state[0] = ~run.key
    if run.stranger >= 0:
        chat(world, cursor, state, run)
        call_ending(world, cursor, run, run.stranger, _number(state), _ERROR, 0.01)
    if run.lure >= 0:
        _fall_for_it(world, cursor, state, run)
    if run.loop_tool >= 0:
        _loop(world, cursor, state, run)
    return run.loop_tool >= 0


@allocating
def _loop(world: Any, cursor: Any, state: Any, run: Any) -> None:
    """Make the same calls over and over: one that fails every time, or two in turn that lead nowhere."""
    number = _number(state)
    seconds = world.tools[run.loop_tool].seconds
    for _ in range(run.loop_count):
        chat(world, cursor, state, run)
        if run.loop_other < 0:
            call_ending(world, cursor, run, run.loop_tool, number, _ERROR, seconds)
        else:
            call_ending(world, cursor, run, run.loop_tool, number, _OK, seconds)
            chat(world, cursor, state, run)
            call_ending(world, cursor, run, run.loop_other, number, _OK, seconds)


@allocating
def _fall_for_it(world: Any, cursor: Any, state: Any, run: Any) -> None:
    """Read a tool result that carries instructions, and follow them."""
    chat(world, cursor, state, run)
    at = step(world, cursor, run, run.lure, 0.4)
    world.rows[_NUMBER, at] = _number(state)
    run.tool_calls += 1
    chat(world, cursor, state, run)
    call_ending(world, cursor, run, run.lured, _number(state), _OK, 0.3)


@allocating
def _aftermath(world: Any, cursor: Any, state: Any, run: Any, root: Any) -> None:
    """Score the run: an evaluator after some seconds, the user after some minutes."""
    if run.evaluated:
        shape = world.lines[_PASS if run.success else _FAIL]
        when = run.end + nanoseconds(next_spread(state, world.settings[0].evaluation_delay, 0.4))
        at = emit(world, cursor, run, shape, 0, root, when, when)
        world.rows[_CONTEXT, at] = -1
    if run.thumb:
        shape = world.lines[_THUMB_UP if run.thumb == 1 else _THUMB_DOWN]
        when = run.end + nanoseconds(next_spread(state, 120.0, 0.8))
        at = emit(world, cursor, run, shape, 0, root, when, when)
        world.rows[_CONTEXT, at] = -1
