"""Owns the account of a region: its energy, with and without projects that are counted apart."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from math import fsum

from app import deductions
from app.account_facts import Facts, YearFacts
from app.deductions import Deduction, Doubt, Kind
from db.certificates import CertificateRow
from db.meter_sums import MeterSum
from energy import certificates, rulesets, targets
from energy.balance import Origin
from energy.carriers import ELECTRICITY
from energy.certificates import EnergyType, Source
from energy.indicators import Indicator
from energy.roles import Role
from energy.rulesets import Account, Measure
from energy.targets import TargetKind

LAST_MONTH = 12


class Projects(StrEnum):
    """Whether the energy of projects counted apart (单列) is in the account."""

    INCLUDED = "included"
    EXCLUDED = "excluded"


class Accounts:
    """The accounts of the years in `facts`, with and without projects counted apart."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._rules = facts.question.rules
        self.feedstock = {
            year: deductions.feedstock(facts, of_year) for year, of_year in facts.years.items()
        }

    def deductions(self) -> list[Deduction]:
        """Return everything that is deducted or put apart, in the years asked for."""
        asked = sorted({self._facts.question.base_year, self._facts.question.year})
        return [
            each
            for year in asked
            for each in [*self.feedstock[year], *self._non_fossil(year), *self._projects(year)]
        ]

    def account(self, year: int, projects: Projects) -> Account:
        """Return the account of a year before any deduction."""
        facts = self._facts.years[year]
        apart = self._projects(year) if projects is Projects.EXCLUDED else []
        sums = facts.project_sums if projects is Projects.EXCLUDED else []
        consumed = consumption_tce(facts)
        energy = _less(_plus(consumed, own_generation_tce(facts)), [each.tce for each in apart])
        electricity = [
            *(line.used.energy_tce for line in facts.lines if _is_electricity(line.key.energy)
              and line.used is not None),
            *(meter.tce for meter in facts.meters
              if meter.role is Role.RENEWABLE and _is_electricity(meter.carrier)),
            *(-each.electricity_tce for each in sums),
        ]  # fmt: skip
        return Account(
            energy_tce=energy,
            feedstock_tce=self._feedstock_tce(year, projects),
            electricity_tce=fsum(tce for tce in electricity if tce is not None),
            kgce_per_kwh=deductions.kgce_per_kwh(facts),
            non_fossil_mwh=self._non_fossil_mwh(year, projects),
            increment_base_mwh=self._increment_base_mwh(projects),
            saving_needed_tce=self._saving_needed_tce(year, projects),
        )

    def gdp_ratio(self, from_year: int, to_year: int) -> float | None:
        """Return GDP of a year ÷ that of an earlier one, constant prices, the same months."""
        if not self._facts.is_whole:
            return None
        growth = {row.year: row.gdp_growth for row in self._facts.figures}
        return rulesets.compounded(growth.get(year) for year in range(from_year + 1, to_year + 1))

    def projects_tce(self, year: int) -> float | None:
        """Return the energy of projects counted apart; unknown if that of any is. [tce]"""
        return _less(
            0.0, (None if each.tce is None else -each.tce for each in self._projects(year))
        )

    def _feedstock_tce(self, year: int, projects: Projects) -> float | None:
        """Return the feedstock of a year; unknown if that of anyone who uses some is. [tce]"""
        amounts = [each.tce for each in self.feedstock[year]]
        if any(tce is None for tce in amounts):
            return None
        total = fsum(tce for tce in amounts if tce is not None)
        if projects is Projects.INCLUDED:
            return total
        own = [self._project_feedstock(year, each.project) for each in self._projects(year)]
        return _less(total, own)

    def _project_feedstock(self, year: int, project: str | None) -> float | None:
        """Return the feedstock of a project: what its meters count, or its share of its unit's.

        A share of a part of a year is not known where the unit uses feedstock.
        """
        row = self._facts.projects[project or ""]
        facts = self._facts.years[year]
        if row.share is None:
            return next(
                (each.feedstock_tce for each in facts.project_sums if each.project == project), 0.0
            )
        of_unit = [each.tce or 0.0 for each in self.feedstock[year] if each.unit == row.unit]
        if not of_unit:
            return 0.0
        first, last = deductions.days(facts)
        covers = row.counted_apart_from <= first and (
            row.counted_apart_to is None or row.counted_apart_to >= last
        )
        return row.share * fsum(of_unit) if covers else None

    def _projects(self, year: int) -> list[Deduction]:
        found = []
        for each in self._facts.years[year].project_sums:
            row = self._facts.projects[each.project]
            tce = None if each.is_incomplete else each.tce
            found.append(
                Deduction(
                    kind=Kind.PROJECT,
                    year=year,
                    tce=tce,
                    origin=Origin.METERED,
                    reason=Doubt.INCOMPLETE if tce is None else None,
                    unit=row.unit,
                    project=each.project,
                    evidence=(row.approval, *row.meter_codes),
                )
            )
        return found

    def _certificates(self, year: int) -> list[CertificateRow]:
        """Return the certificates that prove consumption of a year, each once."""
        question = self._facts.question
        rows = {row.certificate: row for row in self._facts.certificates}
        counted = certificates.counted(
            [row.as_evidence for row in rows.values()], question.region_prefix, year
        )
        return [
            rows[each.number]
            for each in counted
            if (each.generated_in.year, each.generated_in.month) <= (year, question.through_month)
        ]

    def _stated(self, year: int) -> dict[Source, float] | None:
        """Return what was stated for a year that has no certificates; of whole years only."""
        question = self._facts.question
        if not self._facts.is_whole or question.through_month < LAST_MONTH:
            return None
        rows = [row for row in self._facts.stated if row.year == year]
        return {Source(EnergyType(row.energy_type), False): row.mwh for row in rows} or None

    def _non_fossil_mwh(self, year: int, projects: Projects) -> dict[Source, float] | None:
        rows = self._certificates(year)
        if not rows:
            return self._stated(year)
        if projects is Projects.EXCLUDED:
            rows = [row for row in rows if not self._is_apart(row.project, year)]
        return certificates.sums((row.as_evidence for row in rows), self._facts.question.region)

    def _is_apart(self, project: str | None, year: int) -> bool:
        """Return whether a certificate proves consumption of a project counted apart that year."""
        row = self._facts.projects.get(project or "")
        return (
            row is not None
            and row.counted_apart_from.year <= year
            and (row.counted_apart_to is None or row.counted_apart_to > date(year, 1, 1))
        )

    def _increment_base_mwh(self, projects: Projects) -> float | None:
        base_year = self._rules.increment_base_year
        if base_year is None or self._facts.question.through_month < LAST_MONTH:
            return None
        found = self._non_fossil_mwh(base_year, projects)
        return None if found is None else _mwh(found, self._rules.energy_types)

    def _saving_needed_tce(self, year: int, projects: Projects) -> float | None:
        """Return what the period's intensity target asks to be saved by a year. [tce]"""
        base_year = self._rules.period_base_year
        if year <= base_year:
            return 0.0
        if base_year not in self._facts.years:
            return None
        base = rulesets.assessed(self.account(base_year, projects), self._rules, Measure.INTENSITY)
        return rulesets.saving_needed(
            base.energy_tce, self.gdp_ratio(base_year, year), self._reduction()
        )

    def _reduction(self) -> float | None:
        """Return the share by which energy per GDP is to fall over the period of the rules.

        The base target of the whole period where there is one, else those of its years.
        """
        first = self._rules.period_first_year
        last = first + self._rules.period_years - 1
        filed = [row.target() for row in self._facts.targets]
        for each in filed:
            is_base = (each.indicator, each.kind) == (Indicator.ENERGY_PER_GDP, TargetKind.BASE)
            if is_base and (each.year, each.through_year) == (first, last):
                return None if each.required_rate is None else -each.required_rate
        required = [
            targets.requirement(filed, Indicator.ENERGY_PER_GDP, TargetKind.BASE, year)
            for year in range(first, last + 1)
        ]
        ratio = rulesets.compounded(None if each is None else each.rate for each in required)
        return None if ratio is None else 1 - ratio

    def _non_fossil(self, year: int) -> list[Deduction]:
        """Return the evidence of non-fossil electricity, by kind, project and source."""
        kgce_per_kwh = deductions.kgce_per_kwh(self._facts.years[year])
        groups: dict[tuple[Source, str | None], list[CertificateRow]] = {}
        for row in self._certificates(year):
            across = row.province[:2] != self._facts.question.region[:2]
            source = Source(EnergyType(row.energy_type), across)
            groups.setdefault((source, row.project), []).append(row)
        found = [
            deductions.electricity(
                year, source, project, fsum(row.mwh for row in rows), kgce_per_kwh,
                tuple(row.certificate for row in rows),
            )
            for (source, project), rows in groups.items()
        ]  # fmt: skip
        if not found:
            documents = {EnergyType(row.energy_type): row.source for row in self._facts.stated
                         if row.year == year}  # fmt: skip
            found = [
                deductions.electricity(
                    year, source, None, mwh, kgce_per_kwh, (documents[source.energy_type],)
                )
                for source, mwh in (self._stated(year) or {}).items()
            ]
        return found


def consumption_tce(facts: YearFacts) -> float | None:
    """Return what boundary meters less export meters count, as far as known. [tce]"""
    return None if facts.total is None or facts.total.used is None else facts.total.used.energy_tce


def own_generation_tce(facts: YearFacts) -> float:
    """Return what units made from renewables behind their boundary meters, as counted. [tce]"""
    return fsum(meter.tce or 0.0 for meter in facts.meters if meter.role is Role.RENEWABLE)


def silent(facts: YearFacts) -> list[MeterSum]:
    """Return the meters of own generation of which (some of) the energy is not known."""
    return [
        meter
        for meter in facts.meters
        if meter.role is Role.RENEWABLE and deductions.absence(meter) is not None
    ]


def _is_electricity(carrier: str | None) -> bool:
    return carrier == ELECTRICITY


def _mwh(amounts: dict[Source, float], energy_types: frozenset[EnergyType]) -> float:
    return fsum(mwh for source, mwh in amounts.items() if source.energy_type in energy_types)


def _plus(first: float | None, second: float) -> float | None:
    return None if first is None else first + second


def _less(whole: float | None, parts: Iterable[float | None]) -> float | None:
    """Return `whole` less `parts`; unknown if any of them is."""
    held = list(parts)
    known = [part for part in held if part is not None]
    if whole is None or len(known) < len(held):
        return None
    return fsum((whole, *(-part for part in known)))
