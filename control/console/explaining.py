"""A process of its own that explains one incident: sides as JSON on stdin, what explains them as JSON on stdout.

It loads scikit-learn and computes, for two or three seconds. In the control plane's own process that would keep
evaluations of calls waiting, and its memory would stay there.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import Final

MOST_CPU_S: Final = 60


def main() -> None:
    """Read, explain, write; at the lowest priority and within so much time of a processor."""
    os.nice(19)
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # read as the libraries are loaded
        os.environ[name] = "1"
    import orjson  # noqa: PLC0415 -- nothing is loaded before the limits hold

    from models.drift.explaining import explained  # noqa: PLC0415

    said = orjson.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(orjson.dumps(explained(said["before"], said["after"], said["held"])))


if __name__ == "__main__":
    main()
