"""Owns the alert rules as they are stored: dated versions, of which none is ever changed.

Of a rule the newest version holds whose time has come; one without parameters watches nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection
from db.scope import Scope

NOUN = "rules"
"""Noun of versions in the ledger of changes, under rule and version."""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule as one of its versions says. `parameters` is a JSON object, its names by `kind`.

    The rule acts in `region` and nowhere else.
    """

    rule_id: int
    kind: str
    region: str
    version: int
    name: str
    parameters: str


@dataclass(frozen=True, slots=True)
class RuleEntry:
    """A rule as callers see it, by its newest version. `parameters` None: it is ended."""

    rule_id: int
    kind: str
    region: str
    within: str
    region_name: str
    version: int
    name: str
    parameters: str | None
    holds_from: datetime


@dataclass(frozen=True, slots=True)
class VersionRow:
    """What a rule says from `holds_from` on. `parameters` None: it watches nobody any more."""

    version: int
    name: str
    parameters: str | None
    holds_from: datetime
    stated_at: datetime
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version with the rule that it is of, as the ledger of changes vouches for it."""

    rule_id: int
    kind: str
    region: str
    version: int
    name: str
    parameters: str | None
    holds_from: datetime

    @property
    def subject(self) -> str:
        return f"{self.rule_id}/{self.version}"


async def list_holding(connection: Connection, at: datetime) -> list[RuleRow]:
    """Return the rules that watch somebody at an instant, each as the version says that holds."""
    rows = await connection.fetch(
        """
        SELECT rule_id, kind, region, version, name, parameters::text AS parameters
          FROM rules
         CROSS JOIN LATERAL (
               SELECT version, name, parameters
                 FROM rule_versions
                WHERE rule_versions.rule_id = rules.rule_id
                  AND holds_from <= $1
                ORDER BY version DESC
                LIMIT 1) AS holding
         WHERE parameters IS NOT NULL
         ORDER BY rule_id
        """,
        at,
    )
    return [RuleRow(**row) for row in rows]


async def list_entries(
    connection: Connection,
    scope: Scope,
    *,
    region_prefix: str,
    kind: str | None,
    limit: int,
    after_rule_id: int,
) -> list[RuleEntry]:
    """Return rules that act within the scope, the oldest first; also those that are ended."""
    rows = await connection.fetch(
        """
        SELECT rule_id, kind, rules.region, within, regions.name AS region_name, version,
               newest.name, parameters, holds_from
          FROM visible_rules($1, $2) AS rules
          JOIN regions ON regions.region = rules.region
         CROSS JOIN LATERAL (
               SELECT version, name, parameters::text AS parameters, holds_from
                 FROM rule_versions
                WHERE rule_versions.rule_id = rules.rule_id
                ORDER BY version DESC
                LIMIT 1) AS newest
         WHERE rules.region LIKE $3 || '%'
           AND ($4::text IS NULL OR kind = $4)
           AND rule_id > $5
         ORDER BY rule_id
         LIMIT $6
        """,
        scope.region_prefix,
        scope.unit,
        region_prefix,
        kind,
        after_rule_id,
        limit,
    )
    return [RuleEntry(**row) for row in rows]


async def fetch_entry(connection: Connection, scope: Scope, rule_id: int) -> RuleEntry | None:
    """Return a rule by its newest version; None: there is none, or none within the scope."""
    row = await connection.fetchrow(
        """
        SELECT rule_id, kind, rules.region, within, regions.name AS region_name, version,
               newest.name, parameters, holds_from
          FROM visible_rules($1, $2) AS rules
          JOIN regions ON regions.region = rules.region
         CROSS JOIN LATERAL (
               SELECT version, name, parameters::text AS parameters, holds_from
                 FROM rule_versions
                WHERE rule_versions.rule_id = rules.rule_id
                ORDER BY version DESC
                LIMIT 1) AS newest
         WHERE rule_id = $3
        """,
        scope.region_prefix,
        scope.unit,
        rule_id,
    )
    return None if row is None else RuleEntry(**row)


async def fetch_newest(connection: Connection, rule_id: int) -> RuleRow | None:
    """Return a rule by the newest version that watches somebody; None: there is no such rule."""
    row = await connection.fetchrow(
        """
        SELECT rule_id, kind, region, version, name, parameters::text AS parameters
          FROM rules
          JOIN rule_versions USING (rule_id)
         WHERE rule_id = $1
           AND parameters IS NOT NULL
         ORDER BY version DESC
         LIMIT 1
        """,
        rule_id,
    )
    return None if row is None else RuleRow(**row)


async def fetch_stored(connection: Connection, rule_id: int) -> StoredVersion | None:
    """Return the newest version of a rule that the caller was allowed to fetch; None: of none."""
    row = await connection.fetchrow(
        """
        SELECT rule_id, kind, region, version, name, parameters::text AS parameters, holds_from
          FROM rules
          JOIN rule_versions USING (rule_id)
         WHERE rule_id = $1
         ORDER BY version DESC
         LIMIT 1
        """,
        rule_id,
    )
    return None if row is None else StoredVersion(**row)


async def list_versions(connection: Connection, rule_id: int) -> list[VersionRow]:
    """Return what a rule that the caller was allowed to fetch said, the oldest first."""
    rows = await connection.fetch(
        """
        SELECT version, name, parameters::text AS parameters, holds_from, stated_at, actor, reason
          FROM rule_versions
         WHERE rule_id = $1
         ORDER BY version
        """,
        rule_id,
    )
    return [VersionRow(**row) for row in rows]


async def list_names(connection: Connection, region: str) -> dict[str, int]:
    """Return the rules of a region that are not ended, by name."""
    rows = await connection.fetch(
        """
        SELECT newest.name, rule_id
          FROM rules
         CROSS JOIN LATERAL (
               SELECT name, parameters
                 FROM rule_versions
                WHERE rule_versions.rule_id = rules.rule_id
                ORDER BY version DESC
                LIMIT 1) AS newest
         WHERE region = $1
           AND parameters IS NOT NULL
         ORDER BY rule_id
        """,
        region,
    )
    return {row["name"]: row["rule_id"] for row in rows}


async def insert_rule(connection: Connection, kind: str, region: str) -> int:
    """Make a rule that says nothing yet; return its rule_id."""
    rule_id: int = await connection.fetchval(
        "INSERT INTO rules (kind, region) VALUES ($1, $2) RETURNING rule_id", kind, region
    )
    return rule_id


async def insert_version(connection: Connection, rule_id: int, row: VersionRow) -> None:
    await connection.execute(
        """
        INSERT INTO rule_versions (rule_id, version, name, parameters, holds_from, stated_at, actor,
                                   reason)
        VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8)
        """,
        rule_id,
        row.version,
        row.name,
        row.parameters,
        row.holds_from,
        row.stated_at,
        row.actor,
        row.reason,
    )


async def list_stored(connection: Connection) -> Sequence[StoredVersion]:
    """Return every version of every rule."""
    rows = await connection.fetch(
        """
        SELECT rule_id, kind, region, version, name, parameters::text AS parameters, holds_from
          FROM rules
          JOIN rule_versions USING (rule_id)
         ORDER BY rule_id, version
        """
    )
    return [StoredVersion(**row) for row in rows]
