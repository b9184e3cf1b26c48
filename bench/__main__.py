"""Owns `make bench`: everything in one run on one machine, a table, and results/latest.json."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from bench import letters, measures, queries, settlement
from bench.measures import Result
from bench.peers import measures as peers
from bench.stage import Stage

RESULTS = Path(__file__).parent / "results" / "latest.json"
console = Console()


def main(*wanted: str) -> None:
    """Run the measures whose names hold one of `wanted`, or all."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    results: list[Result] = []

    def take(result: Result) -> None:
        results.append(result)
        console.print(f"{result.name}: {result.ratio:.3g}", highlight=False)

    with Stage.set_up() as stage:
        for measure in (*measures.ALL, *settlement.ALL, *queries.ALL, *letters.ALL, *peers.ALL):
            if not wanted or any(word in measure.__name__ for word in wanted):
                result = measure(stage)
                if result is None:
                    console.print(f"{measure.__name__}: skipped, `make bench-peers` installs it")
                else:
                    for each in result if isinstance(result, list) else [result]:
                        take(each)
    show(results)
    if wanted:
        return
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(each) for each in results], indent=1) + "\n")


def show(results: list[Result]) -> None:
    table = Table("measure", "ratio", "bar", "ours", "baseline", "unit")
    for each in results:
        base = "" if each.baseline is None else f"{each.baseline:,.4g}"
        table.add_row(
            each.name, f"{each.ratio:.3g}", each.bar, f"{each.ours:,.4g}", base, each.unit
        )
    console.print(table)


if __name__ == "__main__":
    main(*sys.argv[1:])
