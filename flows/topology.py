"""The dataflow: source -> decode -> track -> measure -> sinks. Step ids key the recovery state: they never change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from flows.behind import BehindStep, LagWatch
from flows.decode import RUN_SHARDS, SERIES_SHARDS, TALK_SHARDS, DecodeStep
from flows.drift import FLEET, DriftLogic, FleetLogic, examples_step
from flows.govern import GOVERN_SHARDS, GovernLogic, GovernStep, VerdictStep
from flows.hearsay import Hearsay
from flows.items import Outbound, ShardCells, ShardClosed, ShardKills, ShardSpans, ShardTalk, Tracked
from flows.join import JoinLogic
from flows.judge import JUDGE_SHARDS, CountStep, JudgeLogic
from flows.measure import MeasureLogic, SplitStep
from flows.orders import ORDERS, InForceLogic, OrderStep
from flows.shard_state import ShardStates
from flows.spend import SPEND_SHARDS, AmountStep, SpendLogic
from flows.ticking import Ticking
from flows.timing import timed
from flows.track import RunRecordStep, TrackLogic
from flows.watch import WatchStep
from models.drift.fleet_table import FleetTable
from models.drift.table import DriftTable
from models.orders.book import OrderBook
from models.runaways.book import RunawayBook
from models.runs.conversations import Conversations
from models.runs.table import RunTable
from models.slis import with_caps
from models.slis.panes import PaneTable
from models.slos.counting import Counter
from models.slos.keeping import KeptSloTable
from models.spans.decoder import Decoder
from models.spans.mapping import Mapping
from models.spans.pricing import Prices
from models.spend.budget import Calendar
from models.spend.paces import Paces
from models.spend.table import SpendTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bytewax.dataflow import Stream
    from bytewax.inputs import Source
    from bytewax.operators import BranchOut, KeyedStream
    from bytewax.outputs import Sink

    from flows.items import RawBatch
    from flows.metrics import Metrics
    from flows.settings import FlowSettings

    Clock = Callable[[], int] | None


def build(
    source: Source[RawBatch],
    sink: Sink[Any],
    settings: FlowSettings,
    metrics: Metrics,
    *,
    clock: Clock,
    parts: tuple[str, ...] = (),
    drain: bool = False,
    kept: bool = True,
) -> Dataflow:
    """Wire the flow.

    `clock` gives Unix ns, None: event time only. `parts` are the source partitions that the watermark waits for.
    `drain`: the end of the input closes everything (replay); else it is a pause (graceful stop). `kept`: whether the
    engine has a recovery store, so that the state must be handed to it. With a clock the source may also have orders.
    """
    decode = DecodeStep(
        Decoder(Mapping.load(settings.attributes)),
        Prices(settings.prices),
        metrics,
        settings.topics.dead_letters,
        clock,
    )
    flow = Dataflow("flyball")
    raw: Stream[RawBatch] = op.input("source", flow, source)  # RawBatch
    ticking = Ticking(raw, is_on=clock is not None)
    told_kills: list[KeyedStream[Any]] = []
    accepted: list[KeyedStream[Any]] = []
    streams: list[KeyedStream[Any]] = []
    if clock:
        raw, ordered, refused = _ordered(raw, ticking, settings, metrics, clock, kept=kept)
        told_kills, accepted, streams = [ordered.trues], [ordered.falses], [refused]
    decoded = op.flat_map_batch("decode", raw, timed(metrics, "decode", decode))
    rest: BranchOut[Any, Any] = op.branch(
        "decoded", decoded, _is_spans
    )  # (run shard, ShardSpans) | (talk shard, ShardTalk) | (series shard, ShardCells) | Outbound
    talks: BranchOut[Any, Any] = op.branch("talks", rest.falses, _is_talk)  # the same without ShardSpans
    marks: BranchOut[Any, Any] = op.branch("rest", talks.falses, _is_marks)  # (series shard, ShardCells) | Outbound
    joined = ticking.step(
        "join", talks.trues, TALK_SHARDS, _join(settings, parts, clock, drain=drain, kept=kept)
    )  # (talk shard, (run shard, ShardSpans))
    found = op.flat_map_batch("joined", joined, _values)
    spans: KeyedStream[Any] = op.merge("spans", rest.trues, found, *told_kills)  # (run shard, ShardSpans | ShardKills)
    tracked = ticking.step(
        "track", spans, RUN_SHARDS, _track(settings, metrics, parts, clock, drain=drain, kept=kept)
    )  # (run shard, Said | ShardTouched | ShardKills)
    watch = WatchStep(settings.runaways, metrics, clock, _folder(settings, "nested"))
    values = op.flat_map_batch("watch", tracked, timed(metrics, "watch", watch))  # Said
    changes = op.flat_map_batch("changes", values, _changes)  # Tracked
    split = SplitStep(with_caps(settings.caps), by_user=settings.slis.new_user_days > 0)
    cells = op.flat_map_batch("split", values, timed(metrics, "split", split))  # (series shard, ShardCells)
    counted: KeyedStream[Any] = op.merge("cells", cells, marks.trues)
    panes = ticking.step(
        "measure", counted, SERIES_SHARDS, _measure(settings, metrics, parts, clock, drain=drain, kept=kept)
    )  # (shard, (shard, [Outbound]) | (shard, ShardClosed))
    told = op.flat_map_batch("panes", panes, _values)
    closed: BranchOut[Any, Any] = op.branch("closed", told, _is_closed)
    runs = op.flat_map_batch("runs", changes, timed(metrics, "runs", RunRecordStep(settings.topics.runs)))
    letters = op.flat_map_batch("letters", marks.falses, _letters)
    streams += [runs, closed.falses, letters]
    if settings.drift.is_on:
        minutes = op.merge("minutes", closed.trues, *accepted)  # (series shard, ShardClosed | ShardAccepted)
        streams.append(_drifting(minutes, values, ticking, settings, metrics, clock, drain=drain, kept=kept))
    if settings.watches:
        streams += _governed(values, ticking, settings, metrics, clock, drain=drain, kept=kept)
    if settings.slos:
        counter = Counter(settings.slos, with_caps(settings.caps), by_clock=clock is not None)
        events = op.flat_map_batch("count", values, timed(metrics, "count", CountStep(counter)))  # (shard, ShardEvents)
        lag = LagWatch(metrics.backlog, settings.lag_limit_ns, JUDGE_SHARDS[0])
        if clock:
            behind = op.flat_map_batch("behind", raw, BehindStep(lag, JUDGE_SHARDS, clock))
            events = op.merge("events", events, behind)
        judge = _judge(settings, metrics, lag, clock, drain=drain, kept=kept)
        judged = ticking.step("judge", events, JUDGE_SHARDS, judge)
        streams.append(op.flat_map_batch("judged", judged, _values))
    out = op.merge("records", *streams)  # (shard, [Outbound])
    op.output("sink", out, sink)
    return flow


def _ordered(
    raw: Stream[RawBatch], ticking: Ticking, settings: FlowSettings, metrics: Metrics, clock: Clock, *, kept: bool
) -> tuple[Stream[RawBatch], BranchOut[Any, Any], KeyedStream[Any]]:
    """Wire what hears orders: gives the raw messages that are none; kills, and accepted drift; dead letters."""
    topic = settings.topics.orders
    heard: BranchOut[Any, Any] = op.branch("order", raw, lambda batch: batch.topic == topic)
    orders = op.flat_map_batch("ordered", heard.trues, OrderStep(metrics, settings.topics.dead_letters))
    good: BranchOut[Any, Any] = op.branch("orders", orders, _is_keyed)  # ("orders", ShardOrders) | Outbound
    kills = ticking.step(
        "in_force", good.trues, [ORDERS], _in_force(settings, clock, kept=kept)
    )  # ("orders", (shard, ...))
    told: BranchOut[Any, Any] = op.branch("kills", op.flat_map_batch("told", kills, _values), _is_kills)
    return heard.falses, told, op.flat_map_batch("refused", good.falses, _letters)


def _governed(
    values: Stream[Any],
    ticking: Ticking,
    settings: FlowSettings,
    metrics: Metrics,
    clock: Clock,
    *,
    drain: bool,
    kept: bool,
) -> list[KeyedStream[Any]]:
    """Wire what follows from watching open runs: verdicts, spend, incidents of runaways."""
    verdicts = op.flat_map_batch("verdicts", values, VerdictStep(settings.topics.verdicts))
    amounts = op.flat_map_batch("amounts", values, timed(metrics, "amounts", AmountStep()))  # (shard, ShardAmounts)
    spend = _spend(settings, metrics, clock, drain=drain, kept=kept)
    spent = ticking.step("spend", amounts, SPEND_SHARDS, spend)
    heard = op.flat_map_batch("heard", values, GovernStep())  # (shard, ShardVerdicts)
    govern = _govern(settings, metrics, clock, drain=drain, kept=kept)
    governed = ticking.step("govern", heard, GOVERN_SHARDS, govern)
    return [verdicts, op.flat_map_batch("spent", spent, _values), op.flat_map_batch("governed", governed, _values)]


def _drifting(
    closed: KeyedStream[Any],
    values: Stream[Any],
    ticking: Ticking,
    settings: FlowSettings,
    metrics: Metrics,
    clock: Clock,
    *,
    drain: bool,
    kept: bool,
) -> KeyedStream[Any]:
    """Wire what looks at minutes that are over: evidence of drift, and whom to tell of all of it."""
    looked = op.stateful_batch("drift", closed, _drift(settings, clock, kept=kept))  # (shard, (FLEET, ShardLooked))
    heard = op.flat_map_batch("looked", looked, _values)
    shown = op.flat_map_batch("examples", values, timed(metrics, "examples", examples_step))
    about: KeyedStream[Any] = op.merge("about", heard, shown)  # (FLEET, ShardLooked | ShardExamples)
    fleet = ticking.step("fleet", about, [FLEET], _fleet(settings, metrics, clock, drain=drain, kept=kept))
    return op.flat_map_batch("drifted", fleet, _values)


def _track(
    settings: FlowSettings, metrics: Metrics, parts: tuple[str, ...], clock: Clock, *, drain: bool, kept: bool
) -> Callable[[bytes | None], TrackLogic]:
    folder = _folder(settings, "track")

    def load(base: bytes | None, deltas: list[bytes], life: int) -> RunTable:
        return RunTable.load(settings.runs, base, deltas, life, is_journaled=kept and folder is not None)

    states = ShardStates(load, folder, settings.lateness_ns, parts, clock, kept)
    hearsay = Hearsay(_folder(settings, "hearsay"))
    watches = settings.watches
    return lambda snapshot: TrackLogic(states, snapshot, clock, metrics, hearsay, drain=drain, watches=watches)


def _in_force(settings: FlowSettings, clock: Clock, *, kept: bool) -> Callable[[bytes | None], InForceLogic]:
    def load(base: bytes | None, deltas: list[bytes], _: int) -> OrderBook:
        return OrderBook.load(base, deltas)

    states = ShardStates(load, _folder(settings, "in_force"), 0, (), clock, kept)
    return lambda snapshot: InForceLogic(states, snapshot)


def _join(
    settings: FlowSettings, parts: tuple[str, ...], clock: Clock, *, drain: bool, kept: bool
) -> Callable[[bytes | None], JoinLogic]:
    def load(base: bytes | None, deltas: list[bytes], _: int) -> Conversations:
        return Conversations.load(base, deltas)

    states = ShardStates(load, _folder(settings, "join"), settings.lateness_ns, parts, clock, kept)
    return lambda snapshot: JoinLogic(states, snapshot, clock, drain=drain)


def _measure(
    settings: FlowSettings, metrics: Metrics, parts: tuple[str, ...], clock: Clock, *, drain: bool, kept: bool
) -> Callable[[bytes | None], MeasureLogic]:
    def load(base: bytes | None, deltas: list[bytes], life: int) -> PaneTable:
        return PaneTable.load(settings.slis, base, deltas, life)

    states = ShardStates(load, _folder(settings, "measure"), settings.lateness_ns, parts, clock, kept)
    closes, topic = settings.drift.is_on, settings.topics.slis
    return lambda snapshot: MeasureLogic(states, snapshot, clock, metrics, topic, drain=drain, closes=closes)


def _drift(settings: FlowSettings, clock: Clock, *, kept: bool) -> Callable[[bytes | None], DriftLogic]:
    def load(base: bytes | None, deltas: list[bytes], _: int) -> DriftTable:
        return DriftTable.load(settings.drift, base, deltas)

    states = ShardStates(load, _folder(settings, "drift"), 0, (), clock, kept)
    return lambda snapshot: DriftLogic(states, snapshot)


def _fleet(
    settings: FlowSettings, metrics: Metrics, clock: Clock, *, drain: bool, kept: bool
) -> Callable[[bytes | None], FleetLogic]:
    def load(base: bytes | None, deltas: list[bytes], life: int) -> FleetTable:
        table = FleetTable(settings.drift_severity, life, settings.patience)
        return table.fill([*([base] if base else []), *deltas])

    parts = () if clock else tuple(SERIES_SHARDS)
    states = ShardStates(load, _folder(settings, "fleet"), 0, parts, clock, kept)
    watch = metrics.watch_fleet
    return lambda snapshot: FleetLogic(states, snapshot, clock, settings.topics, drain=drain, watch=watch)


def _judge(
    settings: FlowSettings, metrics: Metrics, lag: LagWatch, clock: Clock, *, drain: bool, kept: bool
) -> Callable[[bytes | None], JudgeLogic]:
    def load(base: bytes | None, deltas: list[bytes], life: int) -> KeptSloTable:
        return KeptSloTable.load(
            settings.slos, base, deltas, life, settings.patience, silent_after_s=settings.silent_after_s
        )

    states = ShardStates(load, _folder(settings, "judge"), 0, () if clock else tuple(RUN_SHARDS), clock, kept)
    return lambda snapshot: JudgeLogic(states, snapshot, clock, settings.topics, metrics, lag, drain=drain)


def _spend(
    settings: FlowSettings, metrics: Metrics, clock: Clock, *, drain: bool, kept: bool
) -> Callable[[bytes | None], SpendLogic]:
    calendar = Calendar(settings.zone)

    def load(base: bytes | None, deltas: list[bytes], life: int) -> SpendTable:
        paces = Paces(settings.runaways.steps_of)
        table = SpendTable(settings.budgets, calendar, life, settings.patience, paces, is_live=clock is not None)
        return SpendTable.load(table, base, deltas)

    states = ShardStates(load, _folder(settings, "spend"), 0, () if clock else tuple(RUN_SHARDS), clock, kept)
    return lambda snapshot: SpendLogic(states, snapshot, clock, settings.topics, watch=metrics.watch_spend, drain=drain)


def _govern(
    settings: FlowSettings, metrics: Metrics, clock: Clock, *, drain: bool, kept: bool
) -> Callable[[bytes | None], GovernLogic]:
    def load(base: bytes | None, deltas: list[bytes], life: int) -> RunawayBook:
        return RunawayBook.load(base, deltas, life, settings.patience)

    states = ShardStates(load, _folder(settings, "govern"), 0, () if clock else tuple(RUN_SHARDS), clock, kept)
    return lambda snapshot: GovernLogic(states, snapshot, clock, settings.topics, metrics, drain=drain)


def _folder(settings: FlowSettings, step: str) -> Path | None:
    return settings.journal / step if settings.journal else None


def _is_kills(item: Any) -> bool:
    return isinstance(item[1], ShardKills)


def _is_keyed(item: Any) -> bool:
    return not isinstance(item, Outbound)


def _is_spans(item: Any) -> bool:
    return isinstance(item, tuple) and isinstance(item[1], ShardSpans)


def _is_talk(item: Any) -> bool:
    return isinstance(item, tuple) and isinstance(item[1], ShardTalk)


def _is_marks(item: Any) -> bool:
    return isinstance(item[1], ShardCells)


def _is_closed(item: Any) -> bool:
    return isinstance(item[1], ShardClosed)


def _values(items: list[tuple[str, Any]]) -> list[Any]:
    return [value for _, value in items]


def _changes(items: list[Any]) -> list[Tracked]:
    return [item for item in items if isinstance(item, Tracked)]


def _letters(items: list[Outbound]) -> list[tuple[str, list[Outbound]]]:
    return [("letters", items)] if items else []
