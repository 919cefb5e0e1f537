"""A real Alertmanager on loopback, for tests and for a person: Debian's prometheus-alertmanager.

    python tests/services/alertmanager.py --dir DIR [--port 9093] [--config FILE]     Ctrl-C ends it

Needs the package prometheus-alertmanager (its `amtool` asks it what it knows).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script from anywhere

from tests.helpers.web_service import WebService

PROGRAM = "prometheus-alertmanager"
SILENT = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


def missing() -> str | None:
    """Say what keeps it from being started; None: nothing."""
    for program in (PROGRAM, "amtool"):
        if shutil.which(program) is None:
            return f"no {program} in PATH: install Debian's prometheus-alertmanager"
    return None


class Alertmanager(WebService):
    """One Alertmanager with a configuration (YAML text); runs while it is entered."""

    def __init__(self, folder: Path, config: str = SILENT, port: int = 0) -> None:
        super().__init__(folder, "alertmanager", port)
        (folder / "alertmanager.yml").write_text(config)

    def command(self) -> list[str]:
        """Give what starts it."""
        files = [f"--config.file={self.folder / 'alertmanager.yml'}", f"--storage.path={self.folder / 'data'}"]
        return [PROGRAM, *files, f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="]

    def alerts(self) -> list[dict[str, Any]]:
        """Ask `amtool` for the alerts that are active."""
        command = ["amtool", "alert", "query", "--output=json", f"--alertmanager.url={self.url}"]
        return list(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def main() -> None:
    """Run until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--port", type=int, default=9093)
    parser.add_argument("--config", type=Path)
    args = parser.parse_args()
    args.dir.mkdir(parents=True, exist_ok=True)
    reason = missing()
    if reason:
        sys.exit(reason)
    with Alertmanager(args.dir, args.config.read_text() if args.config else SILENT, args.port) as running:
        print(running.url, flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
