-- name: columns
kept.kept_id, kept.state, kept.source, kept.id, kept.type, kept.reason, kept.message, kept.path,
kept.waits_for, kept.origin, kept.first_seen, kept.last_seen,
1 + (
    SELECT count(*) FROM intake.steps
    WHERE steps.kept_id = kept.kept_id AND step IN ('received', 'redriven', 'repaired')
) AS attempts,
(
    SELECT position FROM ledger.events WHERE events.event_id = coalesce(kept.became, kept.event_id)
) AS position,
kept.repairs,
EXISTS (
    SELECT FROM ledger.keys WHERE keys.subject = kept.key_subject AND keys.wrapped IS NULL
) AS erased

-- name: where
(%(kept_ids)s IS NULL OR kept.kept_id = ANY (%(kept_ids)s::bigint[]))
AND kept.state = ANY (%(states)s::text[])
AND (%(source)s IS NULL OR kept.source = %(source)s)
AND (%(reason)s IS NULL OR kept.reason = %(reason)s)
AND (%(topic)s IS NULL OR kept.origin ->> 'topic' = %(topic)s)
AND (%(from)s IS NULL OR kept.first_seen >= %(from)s)
AND (%(to)s IS NULL OR kept.first_seen < %(to)s)
AND (
    %(position)s IS NULL
    OR coalesce(kept.became, kept.event_id)
        = (SELECT event_id FROM ledger.events WHERE position = %(position)s)
)

-- name: list
SELECT {columns}
FROM intake.kept
WHERE {where}
  AND (%(before)s IS NULL OR kept.kept_id < %(before)s)
  AND kept.first_seen <= %(as_of)s
ORDER BY kept.kept_id DESC
LIMIT %(limit)s

-- name: one
SELECT {columns}, kept.customer_id, kept.originator_id AS stream_id
FROM intake.kept
WHERE kept.kept_id = %(kept_id)s

-- name: repaired_by
SELECT kept_id FROM intake.kept WHERE repairs = %(kept_id)s ORDER BY kept_id

-- name: count
SELECT count(*) FROM intake.kept WHERE {where}

-- name: select
SELECT kept.kept_id
FROM intake.kept
WHERE {where}
  AND kept.kept_id > %(after)s AND kept.kept_id <= %(until)s
ORDER BY kept.kept_id
LIMIT %(limit)s

-- name: last
SELECT coalesce(max(kept_id), 0) FROM intake.kept

-- name: standing
SELECT
    kept_id, state, replace(event_id::text, '-', ''), source, id, customer_id, originator_id, waits_for,
    reason, first_seen, repairs
FROM intake.kept
WHERE kept_id = ANY (%(kept_ids)s::bigint[])
ORDER BY kept_id

-- name: head
SELECT position, CASE WHEN position > 0 THEN recorded_at END FROM ledger.head
