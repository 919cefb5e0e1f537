"""`flyball simulate`: where traffic goes, in which form, and what is said about mistakes."""

from __future__ import annotations

import argparse
import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import orjson
import pytest
import zstandard
from google.protobuf.message import DecodeError
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from flyball import simulate
from flyball.cli import main
from models.simulation.incidents import KINDS
from streams.opening import open_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def call(*words: object) -> int:
    """Run the command with these words."""
    parser = argparse.ArgumentParser()
    simulate.add_arguments(parser)
    return simulate.run(parser.parse_args([str(word) for word in words]))


def count_spans(lines: bytes) -> int:
    """Count the spans in lines of OTLP/JSON."""
    bodies = [orjson.loads(line) for line in lines.splitlines()]
    return sum(len(s["spans"]) for b in bodies for r in b.get("resourceSpans", ()) for s in r["scopeSpans"])


def test_files_repeat_byte_by_byte_and_packed_ones_hold_the_same(tmp_path: Path) -> None:
    """The same words give the same file; .gz and .zst hold the lines of the plain file."""
    for name in ("a.jsonl", "b.jsonl", "c.jsonl.gz", "d.jsonl.gz", "e.jsonl.zst"):
        assert call("--to", tmp_path / name, "--duration", "20s") == 0
    plain = (tmp_path / "a.jsonl").read_bytes()
    assert plain == (tmp_path / "b.jsonl").read_bytes() != b""
    assert plain == gzip.decompress((tmp_path / "c.jsonl.gz").read_bytes())
    assert (tmp_path / "c.jsonl.gz").read_bytes() == (tmp_path / "d.jsonl.gz").read_bytes()
    packed = (tmp_path / "e.jsonl.zst").read_bytes()
    assert plain == zstandard.ZstdDecompressor().decompressobj().decompress(packed)


def test_protobuf_files_have_a_length_before_each_message(tmp_path: Path) -> None:
    """Each message follows its length in 4 bytes, big-endian, and holds what the lines of JSON hold."""
    call("--to", tmp_path / "a.jsonl", "--duration", "20s")
    call("--to", tmp_path / "a.pb", "--duration", "20s", "--format", "protobuf")
    raw, at, spans = (tmp_path / "a.pb").read_bytes(), 0, 0
    while at < len(raw):
        length = int.from_bytes(raw[at : at + 4], "big")
        body = raw[at + 4 : at + 4 + length]
        spans += sum(len(s.spans) for r in _traces(body).resource_spans for s in r.scope_spans)
        at += 4 + length
    assert at == len(raw)
    assert spans == count_spans((tmp_path / "a.jsonl").read_bytes())


def _traces(body: bytes) -> TracesData:
    """Read a message as traces; give none where it holds logs."""
    try:
        return TracesData.FromString(body)
    except DecodeError:  # a span begins with bytes, a log record with a fixed64
        assert LogsData.FromString(body).resource_logs
        return TracesData()


def test_spans_bound_the_traffic(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--spans` stops after the message that reaches the number, and the command says what it did."""
    assert call("--to", tmp_path / "a.jsonl", "--spans", 1000, "--batch", 50) == 0
    spans = count_spans((tmp_path / "a.jsonl").read_bytes())
    assert 1000 <= spans < 1050
    assert f"simulated {spans:,} spans" in capsys.readouterr().err


def test_truth_tells_incidents_and_runs(tmp_path: Path) -> None:
    """`--truth` has a line for each incident of the script, from words or YAML, and for each run."""
    script = tmp_path / "script.yaml"
    script.write_text("- {kind: retry_loop, start: 5s, duration: 10s, share: 1}\n")
    truth, out = tmp_path / "truth.jsonl", tmp_path / "a.jsonl"
    words = ("--duration", "20s", "--incident", script, "--incident", "cycle@0+5s:share=1", "--workflow", "support")
    assert call("--to", out, "--truth", truth, *words) == 0
    told = [orjson.loads(line) for line in truth.read_bytes().splitlines()]
    assert [entry["kind"] for entry in told if entry["truth"] == "incident"] == ["retry_loop", "cycle"]
    runs = [entry for entry in told if entry["truth"] == "run"]
    assert {run["workflow"] for run in runs} == {"support"}
    assert {i for run in runs for i in run["incidents"]} == {0, 1}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--incident", "retry_lop@0+1m"), "did you mean 'retry_loop'"),
        (("--workflow", "suport"), "'suport' is unknown"),
        (("--duration", "soon"), "duration 'soon'"),
        (("--start", "2026-03-02T09:00:00"), "time zone"),
        (("--start", "yesterday"), "yesterday"),
        (("--truth", "t", "--spans", "5"), "--truth"),
        (("--to", "ftp://there"), "ftp://there"),
        (("--to", "/nowhere/at/all.jsonl"), "/nowhere/at/all.jsonl"),
        (("--to", "http://127.0.0.1:1", "--fast"), "127.0.0.1:1"),
        (("--incident", "/nowhere.yaml"), "/nowhere.yaml"),
        (
            ("--incident", "cycle@99h+5m"),
            "incident cycle: start 356400 s found, less than the duration of 1 s expected",
        ),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    words: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be done is said in one line on stderr."""
    assert call("--duration", "1s", *words) == 2
    said = capsys.readouterr().err
    assert said.startswith("flyball simulate: ")
    assert said.count("\n") == 1
    assert complaint in said


class _Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    taken: ClassVar[list[tuple[str, str, bytes]]] = []
    busy: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        """Take a message, or say how long to wait."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.busy.pop() if self.busy else 200
        if status == 200:
            self.taken.append((self.path, self.headers["Content-Type"], body))
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Be quiet."""


@pytest.fixture
def receiver() -> Iterator[str]:
    """Serve OTLP/HTTP; gives its address."""
    _Receiver.taken.clear()
    _Receiver.busy.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("form", ["json", "protobuf"])
def test_http_gets_every_message_even_when_busy(receiver: str, form: str, tmp_path: Path) -> None:
    """Traces and logs are posted to their paths with their content type; a busy receiver is asked again."""
    _Receiver.busy += [503, 429]
    assert call("--to", receiver, "--fast", "--duration", "20s", "--format", form) == 0
    call("--to", tmp_path / "a", "--duration", "20s", "--format", form)
    kinds = {"json": "application/json", "protobuf": "application/x-protobuf"}
    assert {kind for _, kind, _ in _Receiver.taken} == {kinds[form]}
    assert {path for path, _, _ in _Receiver.taken} == {"/v1/traces", "/v1/logs"}
    bodies = [body for _, _, body in _Receiver.taken]
    framed = [body + b"\n" if form == "json" else len(body).to_bytes(4, "big") + body for body in bodies]
    assert b"".join(framed) == (tmp_path / "a").read_bytes()


def test_a_receiver_may_hang_up_between_messages(tmp_path: Path) -> None:
    """A kept connection that the receiver closed, as on a quiet one, is opened again: no message is lost."""
    _Receiver.taken.clear()

    def hang_up(self: _Receiver) -> None:
        _Receiver.do_POST(self)
        self.close_connection = True  # without a word: no header tells the sender

    hanging = type("Hanging", (_Receiver,), {"do_POST": hang_up})
    with ThreadingHTTPServer(("127.0.0.1", 0), hanging) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        assert call("--to", f"http://127.0.0.1:{server.server_port}", "--fast", "--duration", "20s") == 0
        server.shutdown()
    call("--to", tmp_path / "a", "--duration", "20s")
    assert {body for _, _, body in _Receiver.taken} == set((tmp_path / "a").read_bytes().splitlines())


def test_http_refusal_is_an_error(receiver: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A message that is refused ends the command."""
    _Receiver.busy += [400]
    assert call("--to", receiver, "--fast", "--duration", "20s") == 2
    assert "answers 400" in capsys.readouterr().err


def test_logs_of_streams_get_the_topics_of_the_collector(tmp_path: Path) -> None:
    """Traces go to otlp_spans and logs to otlp_logs of the embedded log, as they would of Kafka."""
    where = f"embedded:{tmp_path / 'log'}"
    assert call("--to", where, "--fast", "--duration", "20s", "--format", "protobuf") == 0
    log, spans = open_log(where), 0
    for partition in range(log.partitions("otlp_spans")):
        reader = log.reader("otlp_spans", partition, None)
        bodies = [TracesData.FromString(message.value) for message in reader.poll(10_000, 1 << 30)]
        spans += sum(len(s.spans) for body in bodies for r in body.resource_spans for s in r.scope_spans)
        reader.close()
    assert call("--to", tmp_path / "a.jsonl", "--duration", "20s") == 0
    assert spans == count_spans((tmp_path / "a.jsonl").read_bytes())
    assert log.partitions("otlp_logs") > 0


def test_live_traffic_waits_for_event_time(tmp_path: Path) -> None:
    """Each message is preceded by a wait for its event time, and by a flush, so that nothing is held back meanwhile."""
    waits: list[int] = []

    class Target:
        """Notes what it is told."""

        def __init__(self) -> None:
            self.flushed = self.sent = 0

        def send(self, signal: str, payload: bytes) -> None:
            """Count."""
            self.sent += 1

        def flush(self) -> None:
            """Count."""
            assert self.flushed == self.sent
            self.flushed += 1

    from models.simulation import Scenario, generate  # noqa: PLC0415 - heavy

    target = Target()
    messages = list(generate(Scenario(duration_s=5.0)))
    simulate.simulate(messages, target, simulate.Sent(), wait=waits.append)
    assert waits == [message.event_ns for message in messages] == sorted(waits)
    assert target.sent == target.flushed == len(messages)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--to", "nohost:123"), "--to 'nohost:123': did you mean http://nohost:123? "),
        (("--start", "yesterday"), "--start 'yesterday': now or an RFC 3339 time expected, as in "),
        (
            ("--duration", "99999999999999d"),
            "--duration '99999999999999d': ends after 2261, the last year of spans; at most ",
        ),
        (("--start", "9000-01-01T00:00:00Z"), "--start '9000-01-01T00:00:00Z': a year from 1970 up to 2261 expected"),
        (("--start", "1969-12-31T23:59:59Z"), "--start '1969-12-31T23:59:59Z': a year from 1970 up to 2261 expected"),
        (("--start", "0001-01-01T00:00:00+14:00"), "--start '0001-01-01T00:00:00+14:00': a year from 1970 up to"),
        (("--start", "9999-12-31T23:59:59-12:00"), "--start '9999-12-31T23:59:59-12:00': a year from 1970 up to"),
        (("--duration", "long"), "--duration 'long': a number with ms, s, m, h or d expected, as in "),
    ],
)
def test_mistakes_name_the_option(
    words: tuple[str, ...],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The option is named and what is expected; no file is written."""
    monkeypatch.chdir(tmp_path)
    assert call(*words) == 2
    assert capsys.readouterr().err.startswith(f"flyball simulate: {told}")
    assert list(tmp_path.iterdir()) == []


def test_the_pace_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who sends live traffic learns that it takes its time; who asked for speed does not."""
    for pace in ("--live", "--fast"):
        assert call("--to", tmp_path / "a.jsonl", pace, "--spans", 1, "--rate", 1000) == 0
        assert ("at the pace of event time" in capsys.readouterr().err) == (pace == "--live")


def test_help_names_every_kind_of_incident(capsys: pytest.CaptureFixture[str]) -> None:
    """It is written by hand: what makes traffic is not loaded for it."""
    with pytest.raises(SystemExit):
        main(["simulate", "--help"])
    told = capsys.readouterr().out
    assert [kind for kind in KINDS if kind not in told] == []


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2026-03-02T09:00:00.7Z", 1_772_442_000_700_000_000),
        ("2026-03-02T09:00:01.5Z", 1_772_442_001_500_000_000),
        ("2026-03-29T02:59:59.999999+02:00", 1_774_745_999_999_999_000),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_a_start_with_a_fraction_is_that_time(text: str, ns: int) -> None:
    """A fraction of half a second or more is no second more."""
    assert simulate._start(text, 0) == ns
