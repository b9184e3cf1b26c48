"""A backtest tells the mails that would have been sent: no more of them, and in their words."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from alerts import gathering, preview
from alerts.digest import LETTERS_PER_HOUR_MAX
from alerts.kinds.kind import Judged, Rule
from alerts.kinds.product_intensity.parameters import ProductIntensity
from alerts.kinds.words import Language
from alerts.lifecycle import Reason, Transition
from alerts.preview import Preview
from db.alerts import AlertState, Watched
from db.outbox import Recipient
from db.pool import Pool
from tests import factories
from tests.alerts import occasions
from tests.alerts.conftest import HOUR, NOW, PUBLIC_URL, Works, contact, limit
from tests.alerts.test_backtest import FIRST, rule, run

MINUTE = timedelta(minutes=1)
COURSES = {
    "450202": (140.0, 100.0, 141.0, 100.0),
    "450203": (140.0, 142.0, 100.0, 150.0),
    "450204": (100.0, 143.0, 100.0, 100.0),
    "450302": (144.0, 100.0, 100.0, 100.0),
}
"""kgce/t against 117 of a unit of each county, hour by hour from FIRST on."""


async def test_the_mails_of_a_backtest_are_those_that_the_evaluator_and_its_digests_made(
    pool: Pool,
) -> None:
    works = Works(pool, 0, 0, 0)
    await limit(pool, "clinker", baseline=117.0)
    for region, name, language in (
        ("450000", "province", "zh"), ("450200", "liuzhou", "zh"), ("450203", "county", "en"),
    ):  # fmt: skip
        await contact(pool, region, f"{name}@desk.example", language=language)
    units = []
    for number, region in enumerate(COURSES):
        async with pool.acquire() as connection:
            unit_id = await factories.unit(
                connection, factories.unit_code(number), name=f"厂{number}", region=region
            )
            energy_id = await factories.meter(connection, unit_id)
            output_id = await factories.meter(
                connection, unit_id, "P01", uom="t", role="output", product="clinker"
            )
        units.append((unit_id, energy_id, output_id, COURSES[region]))
    for hour in range(4):
        for works.unit_id, works.energy_id, works.output_id, course in units:
            await works.made(course[hour], starts_at=FIRST + hour * HOUR)
        at = FIRST + (hour + 1) * HOUR
        await works.evaluate(now=at)
        await gathering.gather_once(pool, public_url=PUBLIC_URL, now=at + 15 * MINUTE)
    sent = await pool.fetch(
        "SELECT subject FROM outbox WHERE state NOT IN ('held', 'gathered') ORDER BY letter_id"
    )
    async with pool.acquire() as connection:
        names = {
            row["region"]: row["name"]
            for row in await connection.fetch("SELECT region, name FROM regions")
        }
    judging = await rule(pool)
    found = await run(pool, judging)
    told = Counter[str]()
    for mail in found.preview.mails():
        words = preview.words(mail, found.preview, judging, names, mail.language)
        assert words is not None
        told[words.subject] += sum(mail.recipients.values())
    assert told == Counter(row["subject"] for row in sent)
    written = sum(tally.letters for _, tally in found.subjects.values())
    assert written > told.total()  # digests held some of them


def posted(count: int, every: timedelta) -> Preview:
    """Return what becomes of letters to one desk, each about another city."""
    found, occasion = Preview(), occasions.product(Reason.FIRST, occasions.OVER)
    desk = [Recipient(1, "450000", "n", "province@desk.example", "zh")]
    for number in range(count):
        watched = Watched(1, f"45{number + 10}02", 1, f"{number}/clinker", 1)
        judged = Judged(watched, occasions.OVER, occasion.verdict)
        transition = Transition(AlertState.FIRING, Reason.FIRST, NOW + number * every)
        found.follow(judged, transition, is_new=True)
        found.post(desk, judged, transition, occasion, 1)
    return found


def test_an_hour_holds_no_more_mails_than_it_may_and_none_is_left_out() -> None:
    found = posted(80, timedelta(seconds=10))
    mails = found.mails()
    within = [each for each in mails if each.at < NOW + HOUR]
    assert len(within) <= LETTERS_PER_HOUR_MAX
    assert sorted(number for each in mails for number in each.tells) == list(range(80))


def test_words_are_in_the_language_that_is_asked_for_and_kept_of_so_many() -> None:
    found = posted(1, MINUTE)
    (mail,) = found.mails()
    judging = Rule(1, "r", ProductIntensity(), "450000")
    english = preview.words(mail, found, judging, {}, Language.EN)
    assert english is not None
    assert english.subject.startswith("[Warning]")
    found.tellings.clear()
    assert preview.words(mail, found, judging, {}, Language.EN) is None
