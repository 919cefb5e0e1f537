"""Run what CI runs: `uv run scripts/check.py` for everything, `uv run scripts/check.py lint types` for some of it.

Every step runs even when one before it failed, so that one go shows all there is to mend. Exit 1 if any failed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS = {
    "lint": ("ruff", "check"),
    "format": ("ruff", "format", "--check"),
    "types": ("mypy",),
    "imports": ("lint-imports", "--no-cache", "--no-logo"),
    "tests": ("pytest",),
}


def run(name: str) -> bool:
    """Run one step with its output going straight to the terminal; true if it succeeded."""
    command = [str(tool(STEPS[name][0])), *STEPS[name][1:]]
    print(f"\n== {name}: {' '.join(STEPS[name])}", flush=True)
    started = time.monotonic()
    succeeded = subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    print(f"== {name}: {'ok' if succeeded else 'FAILED'} in {time.monotonic() - started:.1f} s", flush=True)
    return succeeded


def tool(name: str) -> Path:
    """Give the tool that is installed beside this Python, never another one from the PATH."""
    return Path(sys.executable).parent / name


def main(names: list[str]) -> int:
    """Run the named steps, or all of them."""
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        print(f"no step {', '.join(unknown)}; there are {', '.join(STEPS)}", file=sys.stderr)
        return 2
    failed = [name for name in names or STEPS if not run(name)]
    print(f"\n{'failed: ' + ', '.join(failed) if failed else 'all checks passed'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
