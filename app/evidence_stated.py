"""Owns the tables of an evidence file that hold what people stated of output, figures and targets.

Pure, in both directions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from app import explain_level
from app.evidence_rows import EvidenceError, Row, moment, recorded_of
from app.evidence_tables import BY, Cell, Sheet, by
from app.explain_intensity import RecordedStatement
from app.explain_level import LevelLineage
from app.lineage import Recorded
from db.changes import Content
from db.figures import FigureRow, TargetRow
from db.levels import BandRow, ChoiceRow
from db.production import ProductionRow
from energy.indicators import Indicator

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PRODUCTION = (
    "unit", "product", "from", "to", "quantity", "uom", "output_value_cny", "value_added_cny", *BY
)  # fmt: skip
NUMBERS = frozenset(
    {
        "required_rate", "amount_tce", "energy_tce", "bound", "energy_growth", "gdp_growth",
        "industrial_energy_growth", "value_added_growth", "carbon_growth",
    }
)  # fmt: skip
FLAGS = frozenset({"holds_at_bound", "verified"})


def production(statements: Iterable[RecordedStatement]) -> Sheet:
    return Sheet("production.csv", PRODUCTION, [_statement(each) for each in statements])


def _statement(each: RecordedStatement) -> Sequence[Cell]:
    row = each.row
    return (row.unit, row.product, row.starts_at, row.ends_at, row.quantity, row.uom,
            row.output_value_cny, row.value_added_cny, *by(each.recorded))  # fmt: skip


def statements(table: Sequence[Row]) -> list[RecordedStatement]:
    """Return the statements that a table of production holds."""
    return [
        RecordedStatement(
            ProductionRow(
                row["unit"],
                row["product"],
                moment(row["from"]),
                moment(row["to"]),
                _number(row["quantity"]),
                row["uom"] or None,
                _number(row["output_value_cny"]),
                _number(row["value_added_cny"]),
            ),
            recorded_of(row),
        )
        for row in table
    ]


def level(lineage: LevelLineage) -> list[Sheet]:
    return [
        _sheet("figures.csv", FigureRow, lineage.figures),
        _sheet("targets.csv", TargetRow, lineage.targets),
        _sheet("bands.csv", BandRow, lineage.bands),
        _sheet("choices.csv", ChoiceRow, lineage.choices),
    ]


def _sheet(
    name: str,
    kind: type[DataclassInstance],
    rows: Iterable[tuple[DataclassInstance, Recorded | None]],
) -> Sheet:
    columns = [each.name for each in fields(kind)]
    return Sheet(
        name,
        (*columns, *BY),
        [(*(getattr(row, column) for column in columns), *by(recorded)) for row, recorded in rows],
    )


def level_lineage(
    tables: Mapping[str, Sequence[Row]],
    region: str,
    year: int,
    through_month: int | None,
    indicator: Indicator,
) -> LevelLineage:
    """Return the facts behind a level that the tables hold. Raises EvidenceError."""
    try:
        return LevelLineage(
            region,
            year,
            through_month,
            indicator,
            [(explain_level.figure_row(_content(row)), None) for row in tables["figures.csv"]],
            [(explain_level.target_row(_content(row)), None) for row in tables["targets.csv"]],
            [(explain_level.band_row(_content(row)), None) for row in tables["bands.csv"]],
            [(explain_level.choice_row(_content(row)), None) for row in tables["choices.csv"]],
        )
    except (KeyError, ValueError) as error:
        raise EvidenceError(f"a table lacks something: {error!r}") from error


def _content(row: Row) -> Content:
    """Return a row as the ledger of changes would have it."""
    return {
        name: _number(cell)
        if name in NUMBERS
        else cell == "true"
        if name in FLAGS
        else cell or None
        for name, cell in row.items()
    }


def _number(cell: str) -> float | None:
    return float(cell) if cell else None
