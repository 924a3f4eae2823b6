"""The SQL of what is written by hand, on the register's own tables."""

from typing import Final

# --- of the API -------------------------------------------------------------------------------------------------------

MOVABLE: Final = """
    select c.id, c.owner_id, c.group_id from charge_points c
    where c.id like 'm%' and not exists (select 1 from transfers t where t.charge_point_id = c.id and t.active)
    order by random()"""
KEYS: Final = "select id, user_id from api_keys"
CALLER: Final = """
    select k.*, u.name, u.status from api_keys k join users u on u.id = k.user_id where k.id = $1"""
SEEN_POINT: Final = """
    select c.*, l.node, t.id transfer_id from charge_points c
    left join charger_links l on l.charge_point_id = c.id
    left join transfers t on t.charge_point_id = c.id and t.active
    where c.id = $1 and c.group_id in (select group_id from memberships where user_id = $2)"""
KEEP_REQUEST: Final = """
    insert into requests
      (transfer_id, user_id, scopes, charge_point_id, kind, body_hash, sealed_body, policy, requested_at)
    values ($1, $2, '[]', $3, 'move_to_group', $4, $5, '{}', now())"""
REQUEST_STARTED: Final = "update requests set started_at = now() where transfer_id = $1 and started_at is null"
TRANSFER: Final = "select * from transfers where id = $1"
STEPS: Final = "select * from transfer_steps where transfer_id = $1 order by position"
OWNERS: Final = "select * from memberships where group_id = $1 and role = 'owner'"
FINISHED_AT: Final = "select id, extract(epoch from finished_at) at from transfers where id = any($1)"

# --- who may ----------------------------------------------------------------------------------------------------------

REQUEST: Final = "select * from requests where transfer_id = $1"
POINT: Final = "select * from charge_points where id = $1"
USER: Final = "select * from users where id = $1"
ROLE: Final = """
    select m.role from memberships m join users u on u.id = m.user_id
    where m.user_id = $1 and m.group_id = $2 and u.status = 'active'"""

# --- the steps --------------------------------------------------------------------------------------------------------

TRANSFER_LOCKED: Final = "select * from transfers where id = $1 for update"
NEW_TRANSFER: Final = """
    insert into transfers
      (id, kind, state, attention, warnings, charge_point_id, active, connection, acceptance, running_session,
       if_offline, until_new_key, from_group_id, from_owner_id, to_group_id, to_owner_id, asked_over_owner,
       requested_by, requested_at, from_version, from_owner_version, due, link_generation, rescue_tries)
    values ($1, 'move_to_group', 'transferring', '', '[]', $2, true, 'keep', 'not_required', 'wait',
            'complete', 'serve', $3, $4, $5, $4, false, $4, now(), $6, 0, false, 1, 0)"""
NEW_STEP: Final = """
    insert into transfer_steps (transfer_id, name, position, state, attempts, started_at, finished_at)
    values ($1, $2, $3, $4, 0, now(), now())"""
CHANGED: Final = "select version from ownership_periods where transfer_id = $1 and change = 'transfer'"
POINT_LOCKED: Final = "select id from charge_points where id = $1 for no key update"
KEYS_LOCKED: Final = """
    select * from credentials where charge_point_id = $1 and state <> 'revoked' order by id for update"""
NODE: Final = "select node from charger_links where charge_point_id = $1"
MOVE_POINT: Final = "update charge_points set group_id = $1, version = $2 where id = $3 and version = $4"
END_PERIOD: Final = "update ownership_periods set ended_at = now() where charge_point_id = $1 and ended_at is null"
NEW_PERIOD: Final = """
    insert into ownership_periods (charge_point_id, version, owner_id, group_id, started_at, transfer_id, change)
    values ($1, $2, $3, $4, now(), $5, 'transfer')"""
RECONFIGURING: Final = "update transfers set state = 'reconfiguring' where id = $1"
CHANGE_DONE: Final = """
    update transfer_steps set state = 'done', finished_at = now()
    where transfer_id = $1 and name = 'change_ownership'"""
POINT_OF: Final = "select charge_point_id from transfers where id = $1"
LINK: Final = "select node, generation, quarantined from charger_links where charge_point_id = $1"
CHARGES: Final = """
    select exists (select 1 from charging_sessions where charge_point_id = $1 and stopped_at is null)"""
SKIP_STEP: Final = """
    update transfer_steps set state = 'skipped', finished_at = now() where transfer_id = $1 and name = $2"""
FINISH: Final = """
    update transfers set state = 'completed_with_warnings', active = false, finished_at = now(), due = true
    where id = $1"""
LET_CHARGE: Final = """
    update charge_points set sessions_blocked_by = null where id = $1 and sessions_blocked_by = $2"""
SKIP_REST: Final = "update transfer_steps set state = 'skipped' where transfer_id = $1 and state = 'pending'"
ACCEPT: Final = "update transfers set accepted_by = to_owner_id where id = $1"

# --- the letter -------------------------------------------------------------------------------------------------------

FACTS: Final = """
    select t.*, c.name point_name, u.name user_name, u.email, g.name group_name from transfers t
    join charge_points c on c.id = t.charge_point_id
    join users u on u.id = t.from_owner_id
    join groups g on g.id = t.to_group_id
    where t.id = $1"""
TOLD: Final = "select action from audit_events where subject = $1 and once = 'told'"
ADMINS: Final = """
    select user_id from memberships m join users u on u.id = m.user_id
    where group_id = $1 and role in ('owner', 'admin') and u.status = 'active'"""
ACTIVE_USERS: Final = "select * from users where id = any($1) and status = 'active'"

# --- the trail --------------------------------------------------------------------------------------------------------

NEXT_SEQUENCE: Final = """
    insert into audit_counters (subject, last) values ($1, 1)
    on conflict (subject) do update set last = audit_counters.last + 1 returning last"""
NEW_EVENT: Final = """
    insert into audit_events (subject, sequence, at, actor, action, detail, once, tells_place)
    values ($1, $2, now(), $3, $4, $5, $4, false) on conflict do nothing"""
