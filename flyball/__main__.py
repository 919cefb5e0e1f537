"""`python -m flyball` is `flyball`."""

from __future__ import annotations

import sys

from flyball.cli import main

sys.exit(main())
