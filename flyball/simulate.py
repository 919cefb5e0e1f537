"""`flyball simulate`: agent traffic as OTLP, to a file, over OTLP/HTTP or to Kafka."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.arguments import positive, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flyball.simulate_output import Target
    from models.simulation import Exported, Generation, Incident, Scenario

HELP = "make agent traffic as OTLP: to a file, over OTLP/HTTP or to Kafka"
SECOND, DAY_S = 1_000_000_000, 86_400
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_S = 9_214_646_400
"""2262 begins: some months before 64 bits of nanoseconds end."""
LIVE = ("http://", "https://", "kafka://", "embedded:")
"""Where traffic goes at the pace of event time unless told otherwise."""
FILE_DURATION = "10m"
"""How long a simulation lasts in event time when nothing says when to stop and nobody is there to stop it."""


@dataclass
class Sent:
    """What was sent."""

    messages: int = 0
    spans: int = 0
    logs: int = 0
    bytes: int = 0
    started: float = field(default_factory=time.perf_counter)

    def __str__(self) -> str:
        """Say it in one line."""
        seconds = max(time.perf_counter() - self.started, 1e-9)
        return (
            f"{self.spans:,} spans and {self.logs:,} log records in {self.messages:,} messages, "
            f"{self.bytes / 1e6:,.1f} MB, {self.spans / seconds:,.0f} spans/s"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add(
        "--to",
        default="-",
        metavar="WHERE",
        help="file (.gz, .zst), -, http://host:4318, kafka://host:9092 or embedded:PATH",
    )
    add("--format", choices=("json", "protobuf"), default="json", help="OTLP/JSON lines, or length-prefixed protobuf")
    add("--seed", type=int, default=0, help="equal seeds give equal traffic")
    add("--rate", type=positive, default=5.0, help="runs per second of event time (a run has about 20 spans)")
    add("--duration", metavar="TIME", help=f"event time in which runs start, as in 90s, 1h30m (file: {FILE_DURATION})")
    add("--spans", type=whole(), metavar="N", help="stop after N spans; the last runs are then incomplete")
    add("--start", metavar="WHEN", help="RFC 3339 time, or now (a file: 2026-03-02T09:00:00Z)")
    add("--workflow", action="append", default=[], metavar="NAME", help="only this workflow; may be repeated")
    add("--users", type=whole(), default=400, help="number of users")
    add("--flush", type=positive, default=2.0, metavar="S", help="seconds of event time between exports")
    add("--batch", type=whole(), default=512, metavar="N", help="spans in a message at most")
    add(
        "--incident",
        action="append",
        default=[],
        metavar="WHAT",
        help="KIND@START+DURATION[:key=value,...], or a YAML file with a list of them; may be repeated. Kinds: "
        "retry_loop, cycle, cost_blowup, model_upgrade, slow_decline, tool_outage, hallucinated_tool, injection; "
        "keys: workflow, and those of models/simulation/incidents.py",
    )
    add("--truth", metavar="FILE", help="write what was really simulated, run by run, as JSON lines")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--live", action="store_true", help="send at the pace of event time (HTTP and Kafka do)")
    pace.add_argument("--fast", action="store_true", help="send as fast as possible (a file does)")


def run(args: argparse.Namespace) -> int:
    """Carry out the command; gives the exit code."""
    from flyball.simulate_output import open_target  # noqa: PLC0415 - `--help` stays fast
    from models.simulation import Encoding, Generation  # noqa: PLC0415
    from streams.port import LogError  # noqa: PLC0415

    live = args.live or (not args.fast and args.to.startswith(LIVE))
    sent = Sent()
    try:
        if args.truth and args.spans:
            msg = "--truth tells of whole runs and --spans cuts them: use --duration"
            raise ValueError(msg)  # noqa: TRY301
        generation = Generation(scenario_of(args, live=live), Encoding(args.format))
        with open_target(args.to, args.format) as target:
            if live:
                print("sending at the pace of event time; --fast sends at once", file=sys.stderr)  # noqa: T201
            simulate(generation, target, sent, spans=args.spans, wait=pace if live else None)
        if args.truth:
            write_truth(generation, Path(args.truth))
    except (ValueError, TypeError, OSError, LogError) as problem:
        print(f"flyball simulate: {problem}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        pass  # the way to end live traffic
    print(f"simulated {sent} -> {args.to}", file=sys.stderr)  # noqa: T201
    return 0


def simulate(
    generation: Iterable[Exported],
    target: Target,
    sent: Sent,
    *,
    spans: int | None = None,
    wait: Callable[[int], None] | None = None,
) -> None:
    """Send messages until there are none or `spans` are sent; `wait` is given the event time of each before it goes."""
    for message in generation:
        if wait:
            target.flush()
            wait(message.event_ns)
        target.send(message.signal, message.payload)
        sent.messages += 1
        sent.bytes += len(message.payload)
        if message.signal == "logs":
            sent.logs += message.records
        else:
            sent.spans += message.records
        if spans is not None and sent.spans >= spans:
            return


def pace(event_ns: int) -> None:
    """Sleep until the clock shows this time."""
    ahead = event_ns - time.time_ns()
    if ahead > 0:
        time.sleep(ahead / SECOND)


def scenario_of(args: argparse.Namespace, *, live: bool) -> Scenario:
    """Read the options; raises ValueError or TypeError with what is wrong."""
    from models.simulation.scenario import Scenario  # noqa: PLC0415

    endless = live or args.spans is not None
    duration = args.duration or (None if endless else FILE_DURATION)
    known = {workflow.name: workflow for workflow in Scenario().workflows}
    for name in args.workflow:
        if name not in known:
            msg = f"--workflow {name!r} is unknown; known: {', '.join(known)}"
            raise ValueError(msg)
    start_ns = _start(args.start or ("now" if live else None), Scenario.start_ns)
    return Scenario(
        seed=args.seed,
        start_ns=start_ns,
        duration_s=None if duration is None else _duration(duration, start_ns),
        rate=args.rate,
        workflows=tuple(known[name] for name in args.workflow) or tuple(known.values()),
        incidents=tuple(incident for text in args.incident for incident in _incidents(text)),
        users=args.users,
        flush_s=args.flush,
        batch=args.batch,
    )


def _duration(text: str, start_ns: int) -> float:
    """Read the event time in which runs start; times of spans are 64 bits of nanoseconds, which end in 2262."""
    seconds, left = _seconds("--duration", text), _LAST_S - start_ns / SECOND
    if seconds > left:
        msg = f"--duration {text!r}: ends after 2261, the last year of spans; at most {left // DAY_S:.0f}d expected"
        raise ValueError(msg)
    return seconds


def _seconds(option: str, text: str) -> float:
    from models.simulation.incidents import seconds_of  # noqa: PLC0415

    try:
        return seconds_of(text)
    except ValueError:
        msg = f"{option} {text!r}: a number with ms, s, m, h or d expected, as in 90s or 1h30m"
        raise ValueError(msg) from None


def _start(text: str | None, default: int) -> int:
    if text is None:
        return default
    if text == "now":
        return time.time_ns()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        msg = f"--start {text!r}: now or an RFC 3339 time expected, as in 2026-03-02T09:00:00Z"
        raise ValueError(msg) from None
    if moment.tzinfo is None:
        msg = f"--start {text!r}: a time zone is missing, as in 2026-03-02T09:00:00Z"
        raise ValueError(msg)
    since = moment - _FIRST  # exact; `timestamp` is no whole number, and has none for the first and last days there are
    if not 0 <= since.total_seconds() <= _LAST_S:
        msg = f"--start {text!r}: a year from 1970 up to 2261 expected, the first and the last that spans can have"
        raise ValueError(msg)
    return since // timedelta(microseconds=1) * 1000


def _incidents(text: str) -> tuple[Incident, ...]:
    from models.simulation import incidents_of, parse_incident  # noqa: PLC0415

    if not text.endswith((".yaml", ".yml")):
        return (parse_incident(text),)
    import yaml  # noqa: PLC0415

    try:
        entries = yaml.safe_load(Path(text).read_text(encoding="utf-8"))
    except yaml.YAMLError as problem:
        msg = f"{text}: {problem}"
        raise ValueError(msg) from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        msg = f"{text}: a list of mappings expected, each with kind, start and duration"
        raise ValueError(msg)
    return incidents_of(entries)


def write_truth(generation: Generation, path: Path) -> None:
    """Write the incidents, then the runs, one JSON object a line."""
    import orjson  # noqa: PLC0415

    with path.open("wb") as file:
        for entry in generation.truth.incidents():
            file.write(orjson.dumps(entry) + b"\n")
        for entry in generation.truth.take():
            file.write(orjson.dumps(entry) + b"\n")


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(prog="flyball simulate", description=__doc__)
    add_arguments(_parser)
    sys.exit(run(_parser.parse_args()))
