"""Owns whether reference rows are those that the release ships, row by row and column by column.

What an import stated under the key of such a row holds in its place: `app/standing.py` judges it.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import db.reference
from app.imports.factors import EVERYONE
from app.imports.kinds import Kind
from db.changes import Content
from db.pool import Connection
from db.reference import Cells, ReferenceRow


@dataclass(frozen=True, slots=True)
class Table:
    """A reference table, its file, its key, and the kind of import that may restate its rows.

    `absent` stands in a subject for a part of the key that is NULL.
    """

    name: str
    file: str
    key: tuple[str, ...]
    kind: Kind | None = None
    absent: str = ""

    def subject(self, content: Mapping[str, object]) -> str:
        parts = (content.get(column) for column in self.key)
        return "/".join(self.absent if part is None else str(part) for part in parts)


TABLES = (
    Table("regions", "regions.csv", ("region",)),
    Table("region_aliases", "region_aliases.csv", ("alias",)),
    Table("industries", "industries.csv", ("industry",)),
    Table("carriers", "carriers.csv", ("carrier",)),
    Table("factor_ranges", "factor_ranges.csv", ("carrier",)),
    Table(
        "factors",
        "factors.csv",
        ("carrier", "basis", "unit_id", "valid_from"),
        Kind.FACTORS,
        EVERYONE,
    ),
    Table("products", "products.csv", ("product",)),
    Table("equivalents", "equivalents.csv", ("energy_uom", "valid_from")),
    Table("limits", "limits.csv", ("product", "edition", "valid_from"), Kind.LIMITS),
    Table("level_bands", "level_bands.csv", ("scheme", "level"), Kind.LEVELS),
    Table("scheme_choices", "scheme_choices.csv", ("region", "indicator"), Kind.SCHEMES),
    Table("grids", "grids.csv", ("grid",)),
    Table("grid_choices", "grid_choices.csv", ("region", "valid_from"), Kind.GRIDS),
    Table(
        "carbon_factors",
        "carbon_factors.csv",
        ("carrier", "grid", "valid_from"),
        Kind.CARBON_FACTORS,
    ),
    Table("rule_sets", "rulesets.csv", ("rule_set",)),
    Table("quality_schemes", "quality_schemes.csv", ("valid_from",), Kind.QUALITY_SCHEMES),
)

RENAMED = {("limits", "limit"): "limit_value"}
"""Columns that are called otherwise in the file than in the table."""

EDITION_2020 = "GB/T 2589-2020"
EDITION_2020_FROM = "2021-04-01"
EDITION_2008 = {
    "valid_to": EDITION_2020_FROM,
    "edition": "GB/T 2589-2008",
    "source": "figure of the 2020 edition, taken for the edition before it: general knowledge",
    "verified": "false",
}
FIRST_DAY = "2015-01-01"
SAME_BEFORE = "; same figure as in the 2008 edition (general knowledge)"
YEARLY = "yearly value"
BY_STANDARD = "factors_by_standard.csv"
STANDARD = "综合能耗计算通则"
THIRD_PARTY = "huatuo6.cn"
QUOTED = (
    "zhcement.com", "haomenhaochuang", "ceeeea.com", "zjferroalloy", "as quoted in", "book118",
    "kleyou.net",
)  # fmt: skip
"""What the sources of figures say that third parties quote: called verified before 0030."""

SINCE_THEN = {
    "factors": BY_STANDARD,
    "limits": "limits.csv",
    "carbon_factors": "carbon_factors.csv",
    "level_bands": "level_bands.csv",
}
"""The file that says of each table what has changed since an earlier release."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found: `faults` by table and subject; subjects of a table that are not shipped.

    `shipped` are the subjects of each kind that are reference rows; a kind is `exceeded` if there
    are other rows for everyone, which an import may have stated. `former` are faults of a table
    that are none but the figure of an earlier release.
    """

    faults: dict[tuple[str, str], str]
    unstated: dict[str, dict[str, Content]]
    shipped: dict[Kind, set[str]]
    exceeded: set[Kind]
    former: dict[str, set[str]]


async def compare(connection: Connection, stated: Mapping[Kind, Collection[str]]) -> Compared:
    """Hold reference tables against their files; of subjects that are `stated` the ledger knows:
    an import restated them, or somebody withdrew them.

    Where the ledger had begun, a row stays as an earlier release left it until an import states
    it anew: nothing tells it from one that somebody turned back, so it is named with that import.
    """
    found = await db.reference.list_rows(connection, shipped())
    former = await _former(connection)
    result = Compared({}, {}, {}, set(), {})
    for table in TABLES:
        own = [row for row in found if row.table == table.name]
        stored = {table.subject(row.content): row.content for row in own if row.is_stored}
        right = {table.subject(row.content): row.content for row in own if not row.is_stored}
        columns = [column for column in shipped()[table.name][0] if column not in table.key]
        restated = set() if table.kind is None else set(stated.get(table.kind, ()))
        for subject in sorted(right.keys() - restated):
            fault = _fault(table, columns, stored.get(subject), right[subject])
            earlier = former.get((table.name, subject))
            if fault and earlier and _fault(table, columns, stored.get(subject), earlier) is None:
                result.former.setdefault(table.name, set()).add(subject)
                fault += (
                    f"; an earlier release said so: `nenghao import {table.kind} "
                    f"migrations/reference/{SINCE_THEN[table.name]} --apply`"
                )
            if fault is not None:
                result.faults[table.name, subject] = fault
        extra = {subject: stored[subject] for subject in stored.keys() - right.keys()}
        result.unstated[table.name] = extra
        if table.kind is not None:
            result.shipped[table.kind] = set(right)
            if extra:
                result.exceeded.add(table.kind)
    return result


async def list_as_shipped(connection: Connection, kind: Kind) -> set[str]:
    """Return the subjects of a kind that stand as this release, or an earlier one, ships them."""
    (table,) = [each for each in TABLES if each.kind is kind]
    compared = await compare(connection, {})
    altered = {subject for name, subject in compared.faults if name == table.name}
    return compared.shipped[kind] - (altered - compared.former.get(table.name, set()))


async def _former(connection: Connection) -> dict[tuple[str, str], Content]:
    """Return rows as earlier releases shipped them, by table and subject."""
    rows = await db.reference.list_rows(connection, shipped_before())
    return {(row.table, _subject(row)): row.content for row in rows if not row.is_stored}


def _subject(row: ReferenceRow) -> str:
    return next(table for table in TABLES if table.name == row.table).subject(row.content)


def _fault(
    table: Table, columns: Sequence[str], stored: Content | None, right: Content
) -> str | None:
    if stored is None:
        return f"is in {table.file} of this release, and is gone"
    unlike = [
        f"{column} is {stored[column]!r}, {table.file} says {right[column]!r}"
        for column in columns
        if stored[column] != right[column]
    ]
    return "; ".join(unlike) or None


@cache
def shipped() -> Mapping[str, Sequence[Cells]]:
    """Return the rows that the migrations of this release leave behind, by table; NULL is None."""
    rows = {table.name: list(_rows(table.name, table.file)) for table in TABLES}
    natures = {row["carrier"]: row["nature"] for row in _rows("carriers", "carrier_natures.csv")}
    rows["carriers"] = [{**row, "nature": natures[row["carrier"]]} for row in rows["carriers"]]
    rows["factors"] = list(_by_standard(factors_before_0024()))
    rows["factor_ranges"] = [
        {**row, "source": f"{row['edition']} {STANDARD}", "verified": "false"}
        if THIRD_PARTY in (row["source"] or "")
        else row
        for row in rows["factor_ranges"]
    ]
    return rows


@cache
def shipped_before() -> Mapping[str, Sequence[Cells]]:
    """Return the rows of earlier releases that were told otherwise, by table."""
    quoted = {
        name: [
            {**row, "verified": "true"}
            for row in shipped()[name]
            if any(each in (row["source"] or "") for each in QUOTED)
        ]
        for name in ("limits", "carbon_factors", "level_bands")
    }
    return {"factors": factors_before_0024(), **quoted}


def factors_before_0024() -> list[Cells]:
    """Return the factors as they were before migration 0024 named their sources."""
    return list(_by_edition(list(_rows("factors", "factors.csv"))))


def _by_standard(rows: Sequence[Cells]) -> Iterator[Cells]:
    """Yield factors with the sources of migration 0024."""
    key = ("carrier", "basis", "valid_from", "kgce_per_uom")
    named = {tuple(map(row.get, key)): row for row in _rows("factors", BY_STANDARD)}
    for row in rows:
        revised = named.get(tuple(map(row.get, key)), {})
        told = {name: revised[name] for name in ("source", "verified", "note") if name in revised}
        yield {**row, "note": None, **told}


def _rows(table: str, file: str) -> Iterator[Cells]:
    path = resources.files("migrations") / "reference" / file
    with path.open(encoding="utf-8") as text:
        for row in csv.DictReader(text):
            yield {RENAMED.get((table, name), name): cell or None for name, cell in row.items()}


def _by_edition(rows: Sequence[Cells]) -> Iterator[Cells]:
    """Yield factors as migration 0010 dated them: by edition, and electricity by year."""
    for row in rows:
        if row["edition"] == YEARLY:
            yield from _by_year(row)
        elif (row["edition"], row["valid_from"]) == (EDITION_2020, FIRST_DAY):
            source = (row["source"] or "").replace(SAME_BEFORE, "")
            yield {**row, "valid_from": EDITION_2020_FROM, "source": source}
            yield {**row, **EDITION_2008}
        else:
            yield row


def _by_year(row: Cells) -> Iterator[Cells]:
    years = list(_rows("factors", "electricity_equivalents.csv"))
    ends = [*(f"{each['year']}-01-01" for each in years[1:]), None]
    for each, end in zip(years, ends, strict=True):
        yield {
            **row,
            "kgce_per_uom": each["kgce_per_kwh"],
            "valid_from": f"{each['year']}-01-01",
            "valid_to": end,
            "edition": each["year"],
            "source": each["source"],
            "verified": each["verified"],
        }
