"""How every benchmark speaks: a table for people, JSON lines for machines."""

from __future__ import annotations

import argparse
import json
from typing import NamedTuple


class Figure(NamedTuple):
    """One measured figure; `target` is what the project promises, as text."""

    name: str
    value: float
    unit: str
    note: str = ""
    target: str = ""


def arguments(doc: str | None) -> argparse.Namespace:
    """Parse the options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under 45 s, with less to measure")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser.parse_args()


def tell(benchmark: str, figures: list[Figure], *, as_json: bool) -> None:
    """Print the figures."""
    if as_json:
        for figure in figures:
            print(json.dumps({"benchmark": benchmark, **figure._asdict()}))
        return
    width = max(len(figure.name) for figure in figures)
    print(benchmark)
    for figure in figures:
        value = f"{figure.value:,.3f}" if abs(figure.value) < 100 else f"{figure.value:,.0f}"
        target = f"  (target {figure.target})" if figure.target else ""
        print(f"  {figure.name:<{width}}  {value:>14} {figure.unit:<10}{target}  {figure.note}")
