-- name: keep
INSERT INTO intake.kept (
    state, outcome, event_id, source, id, type, customer_id, originator_id, waits_for, reason,
    message, path, sequence, origin, key_subject, sealed, first_seen, last_seen, repairs,
    queue_change
) VALUES %s
RETURNING kept_id, origin

-- name: same_event
SELECT kept_id, replace(event_id::text, '-', ''), state
FROM intake.kept
WHERE event_id = ANY (%(event_ids)s::uuid[]) AND state IN ('conflict', 'rejected')
ORDER BY kept_id

-- name: attempted
WITH again AS (
    SELECT kept_id, count(*)::integer AS times FROM unnest(%(kept_ids)s::bigint[]) AS ids (kept_id)
    GROUP BY kept_id
),
counted AS (
    UPDATE intake.kept SET attempts = attempts + again.times, last_seen = %(now)s
    FROM again
    WHERE kept.kept_id = again.kept_id AND kept.state IN ('conflict', 'rejected')
    RETURNING kept.kept_id, kept.outcome, kept.reason, kept.path, again.times
)
INSERT INTO intake.steps (kept_id, at, step, outcome, reason, path)
SELECT kept_id, %(now)s, 'received', outcome, reason, path
FROM counted, generate_series(1, times)

-- name: parked_of
SELECT
    kept_id, replace(event_id::text, '-', ''), originator_id, waits_for, reason, source, first_seen
FROM intake.kept
WHERE state = 'parked' AND originator_id = ANY (%(stream_ids)s::text[])
ORDER BY kept_id

-- name: parked_events
SELECT
    kept_id, replace(event_id::text, '-', ''), originator_id, waits_for, reason, source, first_seen
FROM intake.kept
WHERE state = 'parked' AND event_id = ANY (%(event_ids)s::uuid[])

-- name: sealed
SELECT kept_id, replace(event_id::text, '-', ''), key_subject, sealed, origin
FROM intake.kept
WHERE kept_id = ANY (%(kept_ids)s::bigint[])

-- name: settle
UPDATE intake.kept
SET state = 'settled', outcome = 'appended', position = settled.position, last_seen = %(now)s
FROM unnest(%(kept_ids)s::bigint[], %(positions)s::bigint[]) AS settled (kept_id, position)
WHERE kept.kept_id = settled.kept_id

-- name: refuse
WITH refused AS (
    UPDATE intake.kept
    SET state = %(state)s, outcome = %(state)s, reason = %(reason)s, message = %(message)s,
        path = %(path)s, waits_for = NULL, last_seen = %(now)s
    WHERE state = 'parked' AND event_id = %(event_id)s::uuid
    RETURNING kept_id
)
INSERT INTO intake.steps (kept_id, at, step, outcome, reason, path)
SELECT kept_id, %(now)s, 'refused', %(state)s, %(reason)s, %(path)s FROM refused
RETURNING kept_id

-- name: wait_on
UPDATE intake.kept
SET waits_for = %(waits_for)s, reason = %(reason)s, message = %(message)s
WHERE state = 'parked' AND event_id = %(event_id)s::uuid

-- name: states
SELECT DISTINCT ON (event_id) replace(event_id::text, '-', ''), state
FROM intake.kept
WHERE event_id = ANY (%(event_ids)s::uuid[])
ORDER BY event_id, state IN ('parked', 'settled') DESC, kept_id DESC
