"""Many charge points at once, straight into the tables: those that wait, are moved under load, or fill the lists."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from domain.transfer import StepName
from tools.bench.people import OWNERS
from tools.bench.site import OURS, Site

LONER: Final = "loner"
"""Somebody who has one charge point among all."""
BIG_SHARE: Final = 0.08
"""What part of all transfers that fill the lists the owner `s0` has."""
_POINTS: Final = """
    INSERT INTO charge_points (id, identity, name, owner_id, group_id, version, owner_version, ocpp, serials)
    SELECT $1::text || n, upper($1::text) || n, 'Bay ' || $1::text || n, 's' || n % $3::int, 'ga' || n % $3::int,
           0, 0, '1.6', '[]'
    FROM generate_series(0, $2::int - 1) n ON CONFLICT DO NOTHING"""
_PERIODS: Final = """
    INSERT INTO ownership_periods (charge_point_id, version, owner_id, group_id, started_at, change)
    SELECT id, 0, owner_id, group_id, now() - interval '1 year', 'import' FROM charge_points
    WHERE id LIKE $1::text || '%' ON CONFLICT DO NOTHING"""
_KEYS: Final = """
    INSERT INTO credentials
      (id, charge_point_id, state, known_to, purpose, version, mac, successor, created_at, sent_elsewhere, open_line,
       serials, answer_counts, maybe_taken, sendings, starts_with_old, quarantines_old, unattended, old_key_returns)
    SELECT 'key-' || id, id, 'current', 'charger', 'order', 0, md5(id) || md5(id), false, now() - interval '1 year',
           false, false, '[]', false, false, 1, 0, false, false, 0 FROM charge_points
    WHERE id LIKE $1::text || '%' ON CONFLICT DO NOTHING"""
_TRANSFERS: Final = """
    INSERT INTO transfers
      (id, kind, state, attention, warnings, charge_point_id, active, connection, acceptance, running_session,
       if_offline, until_new_key, from_group_id, from_owner_id, to_group_id, to_owner_id, asked_over_owner,
       requested_by, requested_at, finished_at, from_version, from_owner_version, due, link_generation, rescue_tries)
    SELECT 'old_' || n, 'move_to_group', 'completed', '', '[]', 'p' || n, false, 'keep', 'not_required', 'wait',
           'complete', 'serve', 'ga' || o, 's' || o, 'gb' || o, 's' || o, false, 's' || o,
           now() - n * interval '1 minute', now() - n * interval '1 minute', 0, 0, false, 1, 0
    FROM (SELECT n, CASE WHEN n < $2::int THEN 0 ELSE 1 + n % ($3::int - 1) END o
          FROM generate_series(0, $1::int - 1) n) every"""
_STEPS: Final = """
    INSERT INTO transfer_steps (transfer_id, name, position, state, attempts, started_at, finished_at)
    SELECT 'old_' || n, step, place, 'done', 1, now(), now()
    FROM generate_series(0, $1::int - 1) n, unnest($2::text[]) WITH ORDINALITY AS steps (step, place)"""
_LONER: Final = """
    INSERT INTO users (id, name, locale, status, created_at) VALUES ('loner', 'Loner', 'en', 'active', now());
    INSERT INTO groups (id, name, personal_of, charges_anybody) VALUES ('loner', 'Loner', 'loner', false);
    INSERT INTO memberships (group_id, user_id, role) VALUES ('loner', 'loner', 'owner');
    UPDATE charge_points SET owner_id = 'loner', group_id = 'loner' WHERE id = 'p77';
    UPDATE ownership_periods SET owner_id = 'loner', group_id = 'loner' WHERE charge_point_id = 'p77'"""


@asynccontextmanager
async def register(site: Site) -> AsyncIterator[Any]:
    """Have a connection to the register's database inside the block."""
    rows = await asyncpg.connect(site.postgres.dsn(OURS))
    try:
        yield rows
    finally:
        await rows.close()


async def add_points(site: Site, letter: str, count: int) -> None:
    """Add charge points of a letter, spread over the owners."""
    async with register(site) as rows:
        await rows.execute(_POINTS, letter, count, OWNERS)
        await rows.execute(_PERIODS, letter)
        await rows.execute(_KEYS, letter)
        await rows.execute("ANALYZE charge_points, ownership_periods, credentials")


async def add_past(site: Site, count: int) -> None:
    """Add charge points `p0` and on, each with a transfer that has ended; and a loner, who has one of them."""
    await add_points(site, "p", count)
    async with register(site) as rows:
        await rows.execute(_TRANSFERS, count, int(count * BIG_SHARE), OWNERS)
        await rows.execute(_STEPS, count, [step.value for step in StepName])
        await rows.execute(_LONER)
        await rows.execute("ANALYZE")
