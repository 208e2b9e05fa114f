-- name: lock
SELECT kept_id, state, outcome, source, first_seen, attempts
FROM intake.kept
WHERE kept_id = ANY (%(kept_ids)s::bigint[])
ORDER BY kept_id
FOR UPDATE

-- name: redriven
UPDATE intake.kept
SET state = new.state, outcome = new.outcome, event_id = new.event_id, source = new.source,
    id = new.id, type = coalesce(new.type, kept.type), customer_id = new.customer_id,
    originator_id = new.originator_id, waits_for = new.waits_for,
    reason = coalesce(new.reason, kept.reason), message = coalesce(new.message, kept.message),
    path = CASE WHEN new.reason IS NULL THEN kept.path ELSE new.path END,
    sequence = coalesce(new.sequence, kept.sequence), key_subject = new.key_subject,
    sealed = new.sealed, queue_change = coalesce(new.queue_change, kept.queue_change),
    attempts = CASE WHEN new.state IN ('conflict', 'rejected') THEN attempts ELSE 1 END
FROM (VALUES %s) AS new (
    kept_id, state, outcome, event_id, source, id, type, customer_id, originator_id, waits_for,
    reason, message, path, sequence, key_subject, sealed, queue_change
)
WHERE kept.kept_id = new.kept_id

-- name: duplicate
INSERT INTO intake.duplicates AS known (event_id, source, id, seen, first_seen, last_seen)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (event_id) DO UPDATE
SET seen = known.seen + excluded.seen,
    first_seen = least(known.first_seen, excluded.first_seen),
    last_seen = greatest(known.last_seen, excluded.last_seen)

-- name: repaired
UPDATE intake.kept
SET state = 'redriven', outcome = CASE outcome WHEN 'parked' THEN 'rejected' ELSE outcome END,
    became = %(became)s::uuid, waits_for = NULL,
    queue_change = CASE state WHEN 'parked' THEN nextval('intake.queue_changes') ELSE queue_change END
WHERE kept_id = %(kept_id)s
   OR (
       (kept_id = %(repairs)s OR repairs = %(repairs)s) AND state IN ('conflict', 'rejected')
   )
RETURNING kept_id

-- name: discarded
UPDATE intake.kept
SET state = 'discarded', outcome = CASE outcome WHEN 'parked' THEN 'rejected' ELSE outcome END,
    waits_for = NULL,
    queue_change = CASE state WHEN 'parked' THEN nextval('intake.queue_changes') ELSE queue_change END
WHERE kept_id = ANY (%(kept_ids)s::bigint[])
RETURNING kept_id, outcome
