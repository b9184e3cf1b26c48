"""Rows with sensible defaults, so that a test names only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime

from db.pool import Connection
from energy import codes

INSTALLED_AT = datetime(2020, 1, 1, tzinfo=UTC)


def unit_code(number: int = 1) -> str:
    """Return a well-formed credit code of a made-up unit."""
    first17 = f"91450200MA{number:07d}"
    return first17 + codes.check_character(first17)


async def unit(
    connection: Connection,
    code: str | None = None,
    *,
    region: str = "450202",
    name: str = "测试厂",
    industry: str = "C3120",
) -> int:
    """Insert a unit; return its unit_id."""
    unit_id: int = await connection.fetchval(
        """
        INSERT INTO units (unit, name, region, industry)
        VALUES ($1, $2, $3, $4)
        RETURNING unit_id
        """,
        code or unit_code(),
        name,
        region,
        industry,
    )
    return unit_id


async def meter(
    connection: Connection,
    unit_id: int,
    code: str = "E01",
    *,
    carrier: str | None = "electricity",
    kind: str = "register",
    uom: str = "kWh",
    role: str = "boundary",
    product: str | None = None,
    interval_s: int = 900,
    multiplier: float = 1.0,
    rollover: float | None = None,
    installed_at: datetime = INSTALLED_AT,
) -> int:
    """Insert a meter with its first epoch; return its meter_id."""
    meter_id: int = await connection.fetchval(
        """
        INSERT INTO meters (unit_id, meter, name, carrier, kind, uom, interval_s, role, product,
                            installed_at)
        VALUES ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9)
        RETURNING meter_id
        """,
        unit_id,
        code,
        None if role == "output" else carrier,
        kind,
        uom,
        interval_s,
        role,
        product,
        installed_at,
    )
    await connection.execute(
        """
        INSERT INTO meter_epochs (meter_id, starts_at, reason, multiplier, rollover)
        VALUES ($1, $2, 'installed', $3, $4)
        """,
        meter_id,
        installed_at,
        multiplier,
        rollover,
    )
    return meter_id


async def rule(
    connection: Connection,
    *,
    name: str = "rule",
    kind: str = "product_intensity",
    region: str = "450000",
    parameters: str = "{}",
) -> int:
    """Insert an alert rule that holds since long ago; return its rule_id."""
    rule_id: int = await connection.fetchval(
        "INSERT INTO rules (kind, region) VALUES ($1, $2) RETURNING rule_id", kind, region
    )
    await connection.execute(
        """
        INSERT INTO rule_versions (rule_id, version, name, parameters, holds_from, stated_at, actor,
                                   reason)
        VALUES ($1, 1, $2, $3, $4, $4, 'test', 'test')
        """,
        rule_id,
        name,
        parameters,
        INSTALLED_AT,
    )
    return rule_id


async def gateway(connection: Connection, unit_id: int, code: str = "gw1") -> int:
    """Insert an enrolled gateway; return its gateway_id."""
    gateway_id: int = await connection.fetchval(
        "INSERT INTO gateways (unit_id, gateway) VALUES ($1, $2) RETURNING gateway_id",
        unit_id,
        code,
    )
    return gateway_id
