"""`flyball` commands that start in a moment: forked from a process that has imported and compiled what they need.

A start of the flow takes three seconds of a core, most of it imports and the loading of kernels, so a test that kills
it a hundred times would do little else. What is forked is a process of its own, with the entry point of
`python -m flyball`; it is killed as any other.

    python tests/helpers/forked.py      reads {"said": file, "arguments": [...]}, one a line, and answers with the pid;
                                        when it has ended its exit code is in the file `said` + ".code"
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn, Self

ROOT = Path(__file__).resolve().parents[2]
READY = "ready"
LIBC, PR_SET_PDEATHSIG = ctypes.CDLL(None), 1
ALONE = {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "_RJEM_MALLOC_CONF": "background_thread:false"}
"""With these no library starts a thread that its fork would miss: a fork has only the thread that forked."""
IDLE_THREADS = {"polars-ooc-clea"}
"""Sweeps up what Polars spilled to disk, which nothing here does; cannot be switched off."""
LOADS = ("control.plane", "control.server", "flows.launcher", "flyball.check", "flyball.cli", "flyball.control")
LOADS += ("flyball.deliver", "flyball.wiring")


class Process:
    """A forked process, as far as it is used like a `subprocess.Popen`."""

    def __init__(self, pid: int, code: Path) -> None:
        self.pid = pid
        self._code = code

    def poll(self) -> int | None:
        """Give the exit code, a signal's number negated, or None while it runs."""
        return int(self._code.read_text()) if self._code.exists() else None

    def wait(self, seconds: float) -> int:
        """Wait for the exit code; raises TimeoutError."""
        end = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                msg = f"process {self.pid} has not ended in {seconds} s"
                raise TimeoutError(msg)
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)


class Nursery:
    """The process that forks. Ends, with all it forked, when left."""

    def __init__(self, folder: Path) -> None:
        self._said = folder / "nursery.log"
        self._lock = threading.Lock()
        self._process: Any = None

    def __enter__(self) -> Self:
        """Start it, and wait until it is ready: on a fresh machine kernels are compiled first."""
        with self._said.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, __file__],
                cwd=ROOT,
                env=os.environ | ALONE,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
            )
        assert self._process.stdout.readline().strip() == READY, self._said.read_text()
        threads = thread_names(self._process.pid)
        assert len(threads) == 1 + len(IDLE_THREADS & set(threads)), threads
        return self

    def __exit__(self, *error: object) -> None:
        """End it."""
        with contextlib.suppress(BrokenPipeError):  # it is gone already
            self._process.stdin.close()
        code = self._process.wait(60)
        if code:
            print(f"what forks ended with {code}, and all that it forked with it")  # noqa: T201 -- shown with a failure
        self._process.stdout.close()

    def fork(self, said: Path, *arguments: str) -> Process:
        """Start a command that writes its words to `said`."""
        said.touch()
        with self._lock:
            self._process.stdin.write(json.dumps({"said": str(said), "arguments": arguments}) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        assert answer, self._said.read_text()
        return Process(int(answer), _code(said))


def thread_names(pid: int | str = "self") -> list[str]:
    """List the threads of a process, the main one included."""
    return [(task / "comm").read_text().strip() for task in (Path("/proc") / str(pid) / "task").iterdir()]


def _code(said: Path) -> Path:
    return said.with_name(f"{said.name}.code")


# in the process that forks


class Forking:
    """Forks commands that are asked for on stdin, and notes how they ended."""

    def __init__(self) -> None:
        self._children: dict[int, Path] = {}
        self._woken, self._wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wakes)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def run(self) -> None:
        """Fork until stdin ends."""
        while True:
            ready = select.select([sys.stdin, self._woken], [], [])[0]
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._reap()
            if sys.stdin in ready:
                line = sys.stdin.readline()
                if not line:
                    break
                self._fork(Path(json.loads(line)["said"]), json.loads(line)["arguments"])
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _fork(self, said: Path, arguments: list[str]) -> None:
        """Fork one; in the child this does not return."""
        pid = os.fork()
        if not pid:
            self._become(said, arguments)
        self._children[pid] = _code(said)

    def _become(self, said: Path, arguments: list[str]) -> NoReturn:
        """Be `python -m flyball`, in a session of its own as `live.Command` has it."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._woken)
        os.close(self._wakes)
        os.setsid()
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # nothing is left of a test that is killed with what forks
        print(os.getpid(), flush=True)  # noqa: T201 -- the answer; from now on it can be killed as a group
        words = os.open(said, os.O_WRONLY | os.O_APPEND)
        for source, target in ((os.open(os.devnull, os.O_RDONLY), 0), (words, 1), (words, 2)):
            os.dup2(source, target)
        sys.argv = ["flyball", *arguments]
        runpy.run_module("flyball", run_name="__main__", alter_sys=True)
        raise AssertionError  # it exits

    def _reap(self) -> None:
        for pid, code in list(self._children.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._children[pid]
                written = code.with_suffix(".part")
                written.write_text(str(os.waitstatus_to_exitcode(status)))
                written.rename(code)


def load() -> None:
    """Import all that a flow and a delivery do, and load the kernels that need no thread; the fork does the rest."""
    sys.path.insert(0, str(ROOT))
    for name in LOADS:
        importlib.import_module(name)
    from flows import warm_up  # noqa: PLC0415
    from flows.compiling import is_compiled  # noqa: PLC0415 -- the path must be set first

    if not is_compiled():  # with Polars, so not here
        call = "from flows.warm_up import warm_up; warm_up(lambda text: None)"
        subprocess.run([sys.executable, "-c", call], cwd=ROOT, check=True, stdin=subprocess.DEVNULL)
    for spans in warm_up.decode():
        warm_up._track(spans, spans)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    load()
    forking = Forking()
    print(READY, flush=True)  # noqa: T201 -- the protocol
    forking.run()
