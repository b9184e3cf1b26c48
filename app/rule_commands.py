"""Owns `nenghao rules`: which alert rules there are, and what one would have done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import db.regions
import db.rules
from alerts import backtest, preview, rules, trials
from alerts.backtest import Backtest
from alerts.kinds.kind import Rule, Surroundings
from alerts.kinds.past import OutOfBoundsError
from alerts.kinds.words import Language
from alerts.preview import Mail
from app import rule_references, rule_tests, session
from app.resolve import Refusal
from db.pool import Connection, Pool
from db.rules import RuleEntry, RuleRow
from db.scope import Scope
from energy.periods import LOCAL, Span

LISTED = 100
MAILS_SHOWN = 50

console = Console()
rules_app = typer.Typer(no_args_is_help=True, help="Alert rules.")
rules_app.command("test")(rule_tests.test_command)

RegionOption = Annotated[str, typer.Option(help="GB/T 2260 code: what is within")]
Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="a day of Asia/Shanghai")]


@rules_app.command("list")
def list_command(
    context: typer.Context,
    region: RegionOption = "450000",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = LISTED,
) -> None:
    """List the rules that act on a region, by their newest versions; also those that are ended.

    Parameters are all that hold, also those that a version does not name.
    """

    async def work(pool: Pool) -> list[RuleEntry]:
        async with pool.acquire() as connection:
            return await db.rules.list_entries(
                connection,
                session.scope(region),
                region_prefix="",
                kind=None,
                limit=limit,
                after_rule_id=0,
            )

    table = Table(session.key("id"), session.key("version"), "kind", session.key("region"), "name",
                  "holds from", "parameters")  # fmt: skip
    for one in session.with_pool(context, work):
        cells = (one.rule_id, one.version, one.kind, one.region, one.name, one.holds_from,
                 _told(one))  # fmt: skip
        table.add_row(*map(session.cell, cells))
    session.show(console, table)


def _told(one: RuleEntry) -> str:
    """Return what a rule says, in full."""
    if one.parameters is None:
        return "ended"
    row = RuleRow(one.rule_id, one.kind, one.region, one.version, one.name, one.parameters)
    return rules.parse(row).parameters.model_dump_json()


@rules_app.command("backtest")
def backtest_command(
    context: typer.Context,
    since: Day,
    until: Day,
    rule_id: Annotated[
        int | None, typer.Argument(min=1, max=2**31 - 1, help="see `rules list`; none: --file")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="a rule that nobody made yet, as JSON: kind, name, region, parameters",
        ),
    ] = None,
    region: RegionOption = "450000",
    parameters: Annotated[
        str | None, typer.Option(help="JSON in place of what its newest version says")
    ] = None,
    coverage_floor: Annotated[
        float | None, typer.Option(min=0, max=1, help="in place of NENGHAO_COVERAGE_FLOOR")
    ] = None,
    texts: Annotated[
        Language | None, typer.Option(help="print what the first 50 mails say, in a language")
    ] = None,
) -> None:
    """Tell what a rule would have done from one day to before another. Nothing is written."""
    span, addresses = _span(since, until), session.addresses(context)
    floor = addresses.coverage_floor if coverage_floor is None else coverage_floor
    if (rule_id is None) == (file is None) or (file is not None and parameters is not None):
        raise Refusal("name a rule by its number, or a file with --file, which says it all")
    said = b"" if file is None else file.read_bytes()

    async def work(pool: Pool) -> tuple[Backtest, Rule, dict[str, str]]:
        async with (
            pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            rule = await _rule(connection, rule_id, said, parameters)
            scope = backtest.reach(rule, session.scope(region))
            if scope is None:
                raise Refusal(f"the rule acts in {rule.region} only, not in {region}")
            names = {each.region: each.name for each in await db.regions.list_regions(connection)}
            around = Surroundings(datetime.now(UTC), floor, "", names, addresses.unverified)
            try:
                return await backtest.run(connection, rule, scope, span, around), rule, names
            except OutOfBoundsError as error:
                raise Refusal(str(error)) from error

    _show(*session.with_pool(context, work), texts)


async def _rule(
    connection: Connection, rule_id: int | None, said: bytes, parameters: str | None
) -> Rule:
    """Return the rule that is asked for: one that is there, or as a file says. Raises Refusal."""
    try:
        if rule_id is None:
            rule = trials.rule_of(said.decode())
        else:
            row = await db.rules.fetch_newest(connection, rule_id)
            if row is None:
                raise Refusal(f"there is no rule {rule_id}; see `nenghao rules list`")
            rule = rules.parse(rules.proposed(row, parameters))
    except ValueError as error:
        raise Refusal(f"what the rule says cannot be read: {error}") from error
    if rule_id is None or parameters is not None:
        scope = Scope.of_region(rule.region)
        found = await rule_references.faults(connection, scope, rule.parameters)
        if found:
            raise Refusal("; ".join(f"{each.parameter}: {each.detail}" for each in found))
    return rule


def _show(found: Backtest, rule: Rule, names: dict[str, str], texts: Language | None) -> None:
    session.show(console, _cities(found))
    session.show(console, _moves(found))
    mails = found.preview.mails()
    session.show(console, _mails(mails[:MAILS_SHOWN], found, rule, names))
    if len(mails) > MAILS_SHOWN:
        console.print(f"and {len(mails) - MAILS_SHOWN:,} mails more")
    for mail in mails[:MAILS_SHOWN] if texts is not None else ():
        written = preview.words(mail, found.preview, rule, names, texts or mail.language)
        if written is not None:
            console.print(f"\n{written.subject}\n\n{written.body}", markup=False, soft_wrap=True)
    console.print("silences are not applied")
    for note in found.notes:
        console.print(f"note: {note.detail}", highlight=False, markup=False, soft_wrap=True)
    if found.left_out:
        console.print(f"and {found.left_out:,} changes more")


def _cities(found: Backtest) -> Table:
    table = Table(session.key("city"), "subjects", "ok", "near", "over", "unknown",
                  "alerts", "letters", "kept back")  # fmt: skip
    for city, (subjects, tally) in found.cities().items():
        cells = (city, subjects, tally.ok, tally.warn, tally.firing, tally.unknown,
                 tally.alerts, tally.letters, tally.kept_back)  # fmt: skip
        table.add_row(*map(session.cell, cells))
    return table


def _moves(found: Backtest) -> Table:
    table = Table(session.key("at"), "what", session.key("subject"), "measured", "threshold",
                  "letters")  # fmt: skip
    for move in found.moves:
        verdict, letters = move.judged.verdict, move.letters
        told = "; ".join(f"{each.subject} → {sum(each.recipients.values())}" for each in letters)
        cells = (move.transition.at, move.transition.reason, move.judged.watched.subject,
                 verdict.measured, verdict.threshold, told)  # fmt: skip
        table.add_row(*map(session.cell, cells))
    return table


def _mails(mails: Sequence[Mail], found: Backtest, rule: Rule, names: dict[str, str]) -> Table:
    """Return what would have been sent: letters, and digests of several."""
    table = Table(session.key("sent at"), "to", "letters", "subject")
    for mail in mails:
        written = preview.words(mail, found.preview, rule, names, mail.language)
        cells = (mail.at, sum(mail.recipients.values()), len(mail.tells),
                 "" if written is None else written.subject)  # fmt: skip
        table.add_row(*map(session.cell, cells))
    return table


def _span(since: datetime, until: datetime) -> Span:
    starts_at, ends_at = (
        datetime.combine(day, time(), tzinfo=LOCAL).astimezone(UTC) for day in (since, until)
    )
    if ends_at <= starts_at:
        raise Refusal("--until must be after --since")
    if ends_at > datetime.now(UTC):
        raise Refusal("--until is in the future: a backtest is of what is over")
    return Span(starts_at, ends_at)
