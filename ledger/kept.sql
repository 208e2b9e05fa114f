-- name: keep
INSERT INTO intake.kept (
    state, event_id, source, id, type, customer_id, originator_id, waits_for, reason, message, path,
    sequence, origin, key_subject, sealed, first_seen, last_seen
) VALUES %s

-- name: same_event
SELECT kept_id, replace(event_id::text, '-', ''), state
FROM intake.kept
WHERE event_id = ANY (%(event_ids)s::uuid[]) AND state IN ('conflict', 'rejected')
ORDER BY kept_id

-- name: attempted
UPDATE intake.kept SET attempts = attempts + again.times, last_seen = %(now)s
FROM (
    SELECT kept_id, count(*)::integer AS times FROM unnest(%(kept_ids)s::bigint[]) AS ids (kept_id)
    GROUP BY kept_id
) AS again
WHERE kept.kept_id = again.kept_id

-- name: parked_of
SELECT kept_id, replace(event_id::text, '-', ''), originator_id, waits_for, source, first_seen
FROM intake.kept
WHERE state = 'parked' AND originator_id = ANY (%(stream_ids)s::text[])
ORDER BY kept_id

-- name: parked_events
SELECT kept_id, replace(event_id::text, '-', ''), originator_id, waits_for, source, first_seen
FROM intake.kept
WHERE state = 'parked' AND event_id = ANY (%(event_ids)s::uuid[])

-- name: sealed
SELECT kept_id, replace(event_id::text, '-', ''), key_subject, sealed, origin
FROM intake.kept
WHERE kept_id = ANY (%(kept_ids)s)

-- name: settle
UPDATE intake.kept SET state = 'settled', position = settled.position, last_seen = %(now)s
FROM unnest(%(kept_ids)s::bigint[], %(positions)s::bigint[]) AS settled (kept_id, position)
WHERE kept.kept_id = settled.kept_id

-- name: refuse
UPDATE intake.kept
SET state = %(state)s, reason = %(reason)s, message = %(message)s, path = %(path)s,
    waits_for = NULL, last_seen = %(now)s
WHERE state = 'parked' AND event_id = %(event_id)s::uuid

-- name: wait_on
UPDATE intake.kept
SET waits_for = %(waits_for)s, reason = %(reason)s, message = %(message)s
WHERE state = 'parked' AND event_id = %(event_id)s::uuid
