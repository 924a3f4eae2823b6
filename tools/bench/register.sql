-- A register as it is after some years; `:points` is how many charge points there are. A blank line ends a statement.
-- Numbers count from 1, and a `%` spreads them.

INSERT INTO users (id, name, email, locale, status, created_at)
SELECT 'u-' || n, 'User ' || n, 'u' || n || '@example.org', 'en', 'active', now() - interval '4 years'
FROM generate_series(0, :points / 5) n
UNION ALL SELECT name, name, name || '@example.org', 'en', 'active', now() - interval '4 years'
FROM unnest(ARRAY['loner', 'holder', 'member']) name;

INSERT INTO groups (id, name, personal_of, charges_anybody) SELECT 'g-' || id, name, id, false FROM users
UNION ALL SELECT 'team-' || n, 'Team ' || n, NULL, false FROM generate_series(0, :points / 100) n;

INSERT INTO memberships (group_id, user_id, role) SELECT 'g-' || id, id, 'owner' FROM users
UNION ALL SELECT 'team-' || n, 'u-' || (n * 5 + k), CASE k WHEN 0 THEN 'owner' ELSE 'member' END
FROM generate_series(0, :points / 100) n, generate_series(0, 4) k
UNION ALL SELECT 'team-0', 'member', 'member';

INSERT INTO charge_points (id, identity, name, owner_id, group_id, version, owner_version, ocpp, vendor, model,
  serials, rotates)
SELECT 'cp-' || lpad(n::text, 7, '0'), 'CS-' || n, 'Charge point ' || n, owner,
  CASE WHEN owner LIKE 'u-%' AND n % 3 = 0 THEN 'team-' || (CASE WHEN n % 10 = 0 THEN 0 ELSE n % (:points / 100) END)
  ELSE 'g-' || owner END, 1, 1, '1.6', 'Vendor', 'Model', '[]', n % 5 > 0
FROM (SELECT n, CASE WHEN n = :points THEN 'loner' WHEN n % 12 = 5 THEN 'holder' ELSE 'u-' || (n % (:points / 5))
  END AS owner FROM generate_series(1, :points) n) numbers;

INSERT INTO ownership_periods (charge_point_id, version, owner_id, group_id, started_at, ended_at, transfer_id,
  change)
SELECT id, 0, 'u-0', 'g-u-0', now() - interval '4 years', now() - interval '3 years', NULL, 'import'
FROM charge_points UNION ALL
SELECT id, 1, owner_id, group_id, now() - interval '3 years', NULL, 'trf_E' || lpad(ltrim(substr(id, 4), '0'), 9, '0'),
  'transfer' FROM charge_points;

INSERT INTO credentials (id, charge_point_id, state, known_to, purpose, version, mac, successor, created_at,
  sent_elsewhere, open_line, serials, answer_counts, maybe_taken, sendings, starts_with_old, quarantines_old,
  unattended, old_key_returns, order_id)
SELECT state || id, id, state, 'charger', 'order', 1, md5(state || id) || md5(id), false, now() - interval '2 years',
  false, false, '[]', false, false, 1, 0, false, false, 0,
  CASE state WHEN 'pending' THEN 'trf_W' || lpad(ltrim(substr(id, 4), '0'), 9, '0') END
FROM charge_points, unnest(ARRAY['current', 'pending']) state WHERE state = 'current' OR right(id, 1) IN ('7', '8');

INSERT INTO gateway_nodes (node, seen_at, steady_since)
VALUES ('n1', now() + interval '10 years', now() - interval '1 day');

INSERT INTO charger_links (charge_point_id, node, generation, quarantined, credential_id, contender_answered)
SELECT id, CASE WHEN right(id, 1) <> '9' THEN 'n1' END, 3, false, 'current' || id, false FROM charge_points;

INSERT INTO transfers (id, kind, state, attention, reason, warnings, charge_point_id, active, connection, acceptance,
  running_session, if_offline, until_new_key, from_group_id, from_owner_id, to_group_id, to_owner_id, accepted_by,
  asked_over_owner, requested_by, requested_at, finished_at, from_version, from_owner_version, due, link_generation,
  rescue_tries)
SELECT 'trf_E' || lpad(n::text, 9, '0'), (ARRAY['transfer_to_user', 'transfer_ownership', 'move_to_group'])[1 + n % 3],
  state, '', CASE state WHEN 'refused' THEN 'not_allowed' END,
  CASE state WHEN 'completed_with_warnings' THEN '["old_key_known"]'::json ELSE '[]' END, point.id, false, 'keep',
  'required', 'wait', 'complete', 'serve', 'g-' || giver, giver, point.group_id, point.owner_id,
  CASE WHEN state LIKE 'completed%' THEN point.owner_id END, false, giver, at, at + interval '1 hour', 0, 0,
  state = 'completed_with_warnings' AND n % 20 = 3, 1, 0
FROM (SELECT n, CASE WHEN n % 36 = 6 THEN 'holder' ELSE 'u-' || (n * 7 % (:points / 5)) END AS giver,
    now() - interval '3 years' + n * (interval '2 years' / (3 * :points)) AS at,
    (ARRAY['completed', 'completed', 'completed', 'completed_with_warnings', 'declined', 'cancelled', 'expired',
      'completed', 'rolled_back', 'refused'])[1 + n / 3 % 10] AS state
  FROM generate_series(1, 3 * :points) n) ended
JOIN charge_points point ON point.id = 'cp-' || lpad((1 + (n - 1) % :points)::text, 7, '0');

INSERT INTO transfers (id, kind, state, attention, warnings, charge_point_id, active, connection, acceptance,
  running_session, if_offline, until_new_key, from_group_id, from_owner_id, to_group_id, to_owner_id, accepted_by,
  asked_over_owner, requested_by, requested_at, expires_at, from_version, from_owner_version, due, link_generation,
  rescue_tries, run_id)
SELECT 'trf_W' || lpad(n::text, 9, '0'), 'transfer_to_user', CASE WHEN asks THEN 'awaiting_acceptance' ELSE
  'reconfiguring' END, CASE WHEN asks THEN 'recipient' WHEN n % 7 = 0 THEN '' ELSE 'charger_offline' END, '[]', id,
  true, 'keep', 'required', 'wait', 'complete', 'serve', group_id, owner_id, 'g-u-' || taker, 'u-' || taker,
  CASE WHEN NOT asks THEN 'u-' || taker END, false, owner_id, at, at + interval '1 year', 1, 1, false, 1, 0, 'run'
FROM (SELECT *, n % 5 > 1 AS asks, n * 3 % (:points / 5) AS taker,
    now() - interval '60 days' + n * (interval '59 days' / :points) AS at
  FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM charge_points) point) waiting;

INSERT INTO requests (transfer_id, user_id, scopes, charge_point_id, kind, idempotency_key, body_hash, sealed_body,
  policy, requested_at, started_at)
SELECT id, asker, '[]', point, kind, id, md5(id) || md5(id), CAST(:body AS bytea), '{}', at, started
FROM (SELECT id, requested_by, charge_point_id, kind, requested_at, requested_at FROM transfers UNION ALL
  SELECT 'trf_X' || n, 'u-' || n, 'cp-' || lpad(n::text, 7, '0'), 'transfer_to_user', now(), NULL
  FROM generate_series(1, 20) n) asked (id, asker, point, kind, at, started);

INSERT INTO idempotency_keys (user_id, key, fingerprint, created_at)
SELECT user_id, idempotency_key, body_hash, requested_at FROM requests;

INSERT INTO transfer_steps (transfer_id, name, position, state, attempts, started_at, finished_at)
SELECT id, name, place, CASE WHEN place < 5 THEN 'done' WHEN place = 5 THEN 'running' ELSE 'pending' END, 1,
  CASE WHEN place < 6 THEN requested_at + place * interval '1 minute' END,
  CASE WHEN place < 5 THEN requested_at + place * interval '1 minute' END
FROM transfers, unnest(ARRAY['validate_rights', 'look_up_target', 'reserve', 'ask_recipient', 'quiet_charger',
  'change_ownership', 'replace_lists', 'rotate_credentials', 'release_charger', 'tell_parties'])
  WITH ORDINALITY step (name, place) WHERE active OR place < 5;

INSERT INTO audit_events (subject, sequence, at, actor, action, detail, once, tells_place)
SELECT id, place, requested_at + place * interval '1 minute', 'user:' || requested_by, action, '{}', action, false
FROM transfers, unnest(ARRAY['reserved', 'accepted', 'parties_told']) WITH ORDINALITY entry (action, place)
WHERE NOT active OR place < 2;

INSERT INTO audit_events (subject, sequence, at, actor, action, detail, tells_place)
SELECT 'charge_point:' || id, n, now() - n * interval '20 days', 'system', 'request_refused', '{}', false
FROM charge_points, generate_series(1, 2) n;

INSERT INTO audit_counters (subject, last) SELECT subject, max(sequence) FROM audit_events GROUP BY subject;

INSERT INTO charging_sessions (charge_point_id, connector, id_tag, owner_id, group_id, started_at, reported_at,
  arrived_at, start_heard, late, earliest_at, doubts, unsettled, to_be_told, stopped_at)
SELECT id, 1, 'TAG', owner_id, group_id, at, at, at, true, false, at, '[]', false, false, at + interval '1 hour'
FROM (SELECT *, now() - n * interval '8 hours' AS at FROM charge_points, generate_series(1, 500) n
  WHERE n < 5 OR id = 'cp-0000005') sessions;

INSERT INTO approval_links (id, transfer_id, channel, generation, token_hash, created_at, codes_asked)
SELECT 'l' || id, id, 'email', 1, md5(id) || md5(id), requested_at, 1 FROM transfers;

INSERT INTO codes (link_id, number, mac, expires_at, wrong_tries)
SELECT 'l' || id, 1, md5(id) || md5(id), requested_at, 0 FROM transfers WHERE requested_at > now() - interval '1 year';

INSERT INTO orders (id, subject, act, actor, at, refusal, carried_out_as)
SELECT 'o' || id, id, 'accept', 'user:' || requested_by, requested_at,
  CASE WHEN state = 'refused' THEN '{"code": "not_allowed", "message": ""}'::json END,
  CASE WHEN state <> 'refused' THEN 'accepted' END FROM transfers;
