"""On a narrow terminal a list keeps what somebody would copy from it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table

from app import import_report, session
from app.imports.kinds import Kind
from app.imports.plans import Entry, Plan
from db.pool import Connection

UNIT = "91450200MA5KF5XJ00"
TOPIC = f"nenghao/v1/450200/{UNIT}/gateway-of-the-rolling-mill/readings"
TIME = "2026-11-23T00:00:00+00:00"


def shown(width: int, *keys: str) -> list[str]:
    """Return the lines of a list with those keys, beside a time and a remark."""
    table = Table("received", *map(session.key, keys), "remark")
    table.add_row("2026-11-23 08:00Z", *keys, "the gateway was not enrolled when it sent this")
    out = io.StringIO()
    session.show(Console(file=out, width=width), table)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize("keys", [(TOPIC,), (UNIT, TIME), (UNIT, TOPIC, TIME)])
def test_a_key_is_on_one_line_whatever_the_width(width: int, keys: tuple[str, ...]) -> None:
    lines = shown(width, *keys)
    assert all(any(key in line for line in lines) for key in keys)


def test_where_there_is_room_a_list_is_a_table() -> None:
    assert any(UNIT in line and TIME in line for line in shown(100, UNIT, TIME))


@pytest.mark.parametrize("rest", ["", " cement_clinker 2026-10-01T00:00:00+08:00"])
def test_an_import_shows_which_rows_are_new_before_what_is_in_them(rest: str) -> None:
    async def nothing(connection: Connection) -> None: ...

    names = {"name": ("", "总表"), "source": ("", "a certificate of the institute " * 5)}
    rows = [Entry(line, f"{UNIT} E0{line}{rest}", names) for line in range(2, 8)]
    plan = Plan(Kind.METERS, "meters.csv", 6, rows, [], 0, [], [], [], [], nothing)
    out = io.StringIO()
    import_report.render(plan, Console(file=out, width=80))
    lines = out.getvalue().splitlines()
    shown = [line.split()[:3] for line in lines]
    assert all([f"{line}", UNIT, f"E0{line}"] in shown for line in range(2, 8))
