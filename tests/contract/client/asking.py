"""Asks a server with the generated client; prints what came back, once its types are right.

python asking.py URL KEY UNIT
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any, TypeVar

from nenghao_client import AuthenticatedClient
from nenghao_client.api.consumption import explain_figure, list_consumption
from nenghao_client.api.production import state_production
from nenghao_client.api.registry import fetch_unit, list_units
from nenghao_client.models import (
    ConsumptionAnswer,
    ConsumptionExplanation,
    ExplainQueryFormat,
    FigureInput,
    Outcome,
    Problem,
    ProductionStatement,
    Statements,
    Step,
    TakenAll,
    Units,
)

T = TypeVar("T")
OCTOBER = datetime.fromisoformat("2026-10-01T00:00:00+08:00")
NOVEMBER = datetime.fromisoformat("2026-11-01T00:00:00+08:00")


def typed(answer: object, kind: type[T]) -> T:
    assert isinstance(answer, kind), answer
    return answer


def main() -> None:
    url, key, unit = sys.argv[1:]
    client = AuthenticatedClient(url, token=key)
    units = typed(list_units.sync(client=client, region="450200", industry="C30"), Units)
    used = typed(
        list_consumption.sync(
            client=client, from_=OCTOBER, to=NOVEMBER, bucket=Step.MONTH, unit=unit
        ),
        ConsumptionAnswer,
    )
    explained = typed(
        explain_figure.sync(
            client=client, figure=FigureInput.CONSUMPTION, unit=unit, from_=OCTOBER, to=NOVEMBER,
            format_=ExplainQueryFormat.JSON,
        ),
        ConsumptionExplanation,
    )  # fmt: skip
    statement = ProductionStatement(
        unit=unit, product="cement_clinker", from_=NOVEMBER, to=NOVEMBER.replace(day=11),
        quantity=15000.0, uom="t",
    )  # fmt: skip
    taken = typed(state_production.sync(client=client, body=Statements([statement])), TakenAll)
    missing = typed(fetch_unit.sync(client=client, unit="9" * 18), Problem)
    (row,) = used.items
    shown: dict[str, Any] = {
        "units": [each.unit for each in units.items],
        "starts_at": typed(row.starts_at, datetime).isoformat(),
        "energy_tce": typed(row.energy_tce, float),
        "explained_tce": typed(explained.value.value, float),
        "taken": [typed(each.outcome, Outcome) for each in taken.items],
        "problem": missing.code,
    }
    print(json.dumps(shown))


if __name__ == "__main__":
    main()
