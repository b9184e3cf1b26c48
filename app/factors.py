"""Owns `nenghao factors`: which hold on a day, and valuing anew after the platform was set anew."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import db.factors
import db.metering
from app import revaluation, session
from app.imports.fields import parse_day
from app.resolve import Refusal
from app.revaluation import Affected
from db.factors import CarrierRow
from db.pool import Connection, Pool
from energy.factors import Basis, FactorTable, MissingFactor
from energy.periods import LOCAL
from energy.validity import Days

console = Console()
factors_app = typer.Typer(no_args_is_help=True, help="Coal equivalent factors.")

UnitOption = Annotated[str | None, typer.Option(help="credit code: its own factors too")]


@factors_app.command("list")
def list_command(
    context: typer.Context,
    carrier: Annotated[str | None, typer.Option(help="only of this energy carrier")] = None,
    on: Annotated[str | None, typer.Option(help="day, as in 2026-11-01; without: today")] = None,
    basis: Annotated[Basis | None, typer.Option(help="without: both")] = None,
    unit: UnitOption = None,
) -> None:
    """List the factors that hold on a day, the one that counts first, and what is missing."""
    day = datetime.now(UTC).astimezone(LOCAL).date()
    if on is not None:
        try:
            day = parse_day(on)
        except ValueError as error:
            raise Refusal(f"--on {on} {error}") from None

    async def work(pool: Pool) -> tuple[list[CarrierRow], FactorTable, int | None]:
        async with pool.acquire() as connection:
            unit_id = await _unit_id(connection, unit)
            return (
                await db.factors.list_carriers(connection),
                FactorTable(
                    await db.factors.list_for_unit(connection, unit_id),
                    await db.factors.list_ranges(connection),
                ),
                unit_id,
            )

    carriers, factors, unit_id = session.with_pool(context, work)
    wanted = [each for each in carriers if carrier in (None, each.carrier)]
    if not wanted:
        raise Refusal(f"{carrier} is not an energy carrier that is accounted")
    table = Table(session.key("carrier"), "basis", "kgce", "per", "origin", "from", "to", "edition",
                  "verified", "source")  # fmt: skip
    for each in wanted:
        for one in Basis if basis is None else (basis,):
            found = factors.look_up(each.carrier, one, unit_id, day)
            if isinstance(found, MissingFactor):
                table.add_row(each.carrier, one, "", each.reference_uom, found)
            for factor in factors.holding(each.carrier, one, unit_id, day):
                cells = (each.carrier, one, f"{factor.kgce_per_uom:.6g}", each.reference_uom,
                         factor.origin, factor.valid_from, factor.valid_to, factor.edition,
                         "yes" if factor.verified else "no", factor.source)  # fmt: skip
                table.add_row(*map(session.cell, cells))
    session.show(console, table)


@factors_app.command("revalue")
def revalue_command(context: typer.Context) -> None:
    """Value anew what unverified factors concern, after NENGHAO_UNVERIFIED_FACTORS was changed.

    Start `settle`, `alert` and `serve` with the new setting first.
    """

    async def work(pool: Pool) -> int:
        async with pool.acquire() as connection, connection.transaction():
            return await revalue_unverified(connection)

    marked = session.with_pool(context, work)
    console.print(f"{marked} ranges are marked; `nenghao settle` values them anew")


async def revalue_unverified(connection: Connection) -> int:
    """Mark what is or would be valued with unverified factors; return how many ranges."""
    await db.factors.lock_for_changing(connection)
    carriers = [row.carrier for row in await db.factors.list_carriers(connection)]
    rows = await db.factors.list_factor_rows(connection, carriers)
    return await revaluation.mark(
        connection,
        [
            Affected(row.carrier, row.unit, Days(row.valid_from, row.valid_to))
            for row in rows
            if not row.verified
        ],
    )


async def _unit_id(connection: Connection, unit: str | None) -> int | None:
    if unit is None:
        return None
    found = await db.metering.list_units(connection, [unit])
    if not found:
        raise Refusal(f"{unit} is not registered")
    return found[0].unit_id
