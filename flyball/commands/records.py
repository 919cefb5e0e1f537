# ruff: noqa: PLC0415 -- a command imports when it runs
"""Prints the records of a topic of the log, one JSON object a line, oldest first, up to the newest there is."""

from __future__ import annotations

import heapq
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.arguments import add_config, add_data
from flyball.filtering import ended_by_reader

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from streams.port import Message

HELP = "print a topic of the log: runs, SLIs, SLOs, incidents, verdicts or dead letters"
_PAUSE_S = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    parser.add_argument(
        "topic", metavar="TOPIC", help="as flyball.runs, flyball.slis, flyball.slos or flyball.incidents"
    )
    add_config(parser)
    add_data(parser)
    parser.add_argument("--follow", action="store_true", help="go on with what comes, until Ctrl-C")


def run(args: argparse.Namespace) -> int:
    """Print what is there, and with --follow what comes."""
    from flyball import topic
    from flyball.check import configuration
    from flyball.opening import open_existing_log

    settings = configuration(args.config)
    topics = settings.log.topics
    known = (
        topics.runs,
        topics.slis,
        topics.slos,
        topics.incidents,
        topics.verdicts,
        topics.spend,
        topics.drift,
        topics.orders,
        topics.dead_letters,
    )
    _refuse_unknown(args.topic, known)
    with ExitStack() as stack:
        stack.enter_context(ended_by_reader())
        log = stack.enter_context(closing(open_existing_log(settings, Path(args.data))))
        readers = [stack.enter_context(closing(reader)) for reader in topic.readers(log, args.topic)]
        _print(args.topic, heapq.merge(*map(topic.present, readers), key=lambda message: message.appended_ns))
        while args.follow:
            time.sleep(_PAUSE_S)
            _print(args.topic, heapq.merge(*map(topic.present, readers), key=lambda message: message.appended_ns))
    return 0


def _refuse_unknown(topic: str, known: tuple[str, ...]) -> None:
    from flyball.errors import CommandError

    if topic not in known:
        msg = f"found topic {topic}, expected one of {', '.join(known)}"
        raise CommandError(msg)


def _print(name: str, messages: Iterator[Message]) -> None:
    """Print records; what is no JSON object, whoever wrote it, would break what reads the lines."""
    from flyball import topic

    others = 0

    def lines() -> Iterator[bytes]:
        nonlocal others
        for message in messages:
            if topic.record_of(message.value, {}) is None:
                others += 1
            else:
                yield message.value.replace(b"\n", b" ") + b"\n"  # between members only: in texts it is escaped

    out = sys.stdout.buffer
    out.writelines(lines())
    out.flush()
    topic.tell_left_out(others, name)
