"""An administrator lists factors, imports one, and is told why a range will not do."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.conftest import Programs

COLUMNS = "carrier,basis,kgce_per_uom,valid_from,valid_to,edition,source,verified\n"


def test_factors_are_listed_imported_and_ranges_refused(programs: Programs, tmp_path: Path) -> None:
    programs.environment["COLUMNS"] = "200"
    gas = ("factors", "list", "--carrier", "natural_gas", "--on", "2026-11-01")
    assert programs.run(*gas).count("range_only") == 2
    path = tmp_path / "factors.csv"
    row = "natural_gas,{},{},2026-01-01,,declared,test,true\n"
    path.write_text(COLUMNS + row.format("calorific", "1.1-1.33"), encoding="utf-8")
    refused = programs.run("import", "factors", str(path), "--apply", code=1)
    assert "factors.csv:2 kgce_per_uom: is a range, and a range is not a factor" in refused
    rows = [row.format(basis, "1.2143") for basis in ("calorific", "equivalent")]
    path.write_text(COLUMNS + "".join(rows), encoding="utf-8")
    assert "imported" in programs.run("import", "factors", str(path), "--apply")
    listed = programs.run(*gas)
    assert listed.count("1.2143") == 2
    assert "range_only" not in listed
    assert "0 ranges" in programs.run("factors", "revalue")


def test_a_day_or_a_carrier_that_is_none_is_a_sentence(programs: Programs) -> None:
    assert "is not a date" in programs.run("factors", "list", "--on", "today", code=2)
    assert "not an energy carrier" in programs.run("factors", "list", "--carrier", "x", code=2)
    programs.environment["NENGHAO_UNVERIFIED_FACTORS"] = "perhaps"
    assert "NENGHAO_UNVERIFIED_FACTORS" in programs.run("settings", code=2)
