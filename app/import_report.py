"""Owns how the plan of an import is shown: counts, changes, and every problem with its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.box import SIMPLE
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app import importing
from app.imports.kinds import READINGS, Kind, Readings
from app.imports.plans import Entry, Note, Plan, Problem

ENTRIES_SHOWN = 20
KEY_WIDTH_SHOWN = 40
VALUE_LENGTH_SHOWN = 60
WHAT_WIDTH_MIN = 10
BESIDE_WIDTH = 14
"""Of a row beside key and content: the number of the line, and the blanks between."""


def render(plan: Plan, console: Console) -> None:
    """Print what `plan` would do, all its notes and all its problems."""
    for title, entries, what in (
        ("new", plan.new, _new_fields),
        ("changed", plan.changed, _changed_fields),
    ):
        if entries:
            console.print(_table(plan, title, entries, what, console.width))
            if len(entries) > ENTRIES_SHOWN:
                console.print(f"… and {len(entries) - ENTRIES_SHOWN:,} more {title}")
    for note in plan.notes:
        say(console, f"{_place(plan, note)} note: {note.text}{_value(note.value)}")
    for problem in plan.problems:
        say(console, f"{_place(plan, problem)}: {problem.reason}{_value(problem.value)}")
    say(console, summary(plan))


def columns(kind: Kind | Readings) -> Table:
    """Return the table of the columns that a file of a kind may have."""
    table = Table("column", "takes", "if empty", "meaning")
    for each in importing.columns(kind):
        table.add_row(each.name, each.takes, each.if_empty, each.meaning)
    return table


def columns_end(kind: Kind | Readings) -> str:
    """Return what is to be known beside the columns."""
    kept = (
        "" if kind == READINGS else " A column that the file lacks leaves what is stored as it is."
    )
    return f"{importing.what(kind)}{kept} An example: docs/examples/{kind}.csv"


def summary(plan: Plan) -> str:
    """Return the counts of `plan` in one line."""
    counts = (
        f"{plan.file}: {plan.rows:,} {plan.kind} read, {len(plan.new):,} new, "
        f"{len(plan.changed):,} changed, {plan.unchanged:,} unchanged"
    )
    if not plan.problems:
        return counts
    lines = len({problem.line for problem in plan.problems})
    return (
        f"{counts}; {_count(len(plan.problems), 'problem')} on {_count(lines, 'line')}, "
        f"nothing can be imported"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _table(
    plan: Plan, title: str, entries: Sequence[Entry], what: Callable[[Entry], str], width: int
) -> Table:
    table = Table(title=f"{title} {plan.kind}", title_justify="left", box=SIMPLE)
    widest = max(cell_len(entry.key) for entry in entries[:ENTRIES_SHOWN])
    table.add_column("line", justify="right", min_width=4)
    shown = min(widest, KEY_WIDTH_SHOWN)
    rest = max(WHAT_WIDTH_MIN, width - shown - BESIDE_WIDTH)
    table.add_column("key", min_width=shown, max_width=shown, no_wrap=widest <= KEY_WIDTH_SHOWN)
    table.add_column("what", no_wrap=what is _new_fields, overflow="ellipsis", max_width=rest)
    for entry in entries[:ENTRIES_SHOWN]:
        table.add_row(str(entry.line), Text(entry.key), Text(what(entry)))
    return table


def _new_fields(entry: Entry) -> str:
    return ", ".join(new for _, new in entry.fields.values())


def _changed_fields(entry: Entry) -> str:
    return ", ".join(
        f"{column}: {old or '(empty)'} → {new or '(empty)'}"
        for column, (old, new) in entry.fields.items()
    )


def _place(plan: Plan, found: Problem | Note) -> str:
    return f"{plan.file}:{found.line} {found.column}".rstrip()


def _value(value: str) -> str:
    if not value:
        return ""
    shown = value if len(value) <= VALUE_LENGTH_SHOWN else f"{value[:VALUE_LENGTH_SHOWN]}…"
    return f" ({shown!r})" if not shown.isprintable() else f" ({shown})"


def say(console: Console, line: str) -> None:
    """Print text from a file as it is: no markup, no colours, no line breaks put in."""
    console.print(Text(line), soft_wrap=True)
