-- name: seen
SELECT
    (SELECT position FROM ledger.head),
    coalesce((SELECT max(queue_change) FROM intake.kept), 0)

-- name: recorded
SELECT
    replace(event_id::text, '-', ''), position, type, customer_id, occurred_at, time_assumed,
    fingerprint, facts, personal
FROM ledger.events
WHERE event_id = ANY (%(event_ids)s::uuid[])

-- name: streams
SELECT originator_id, originator_version, type, customer_id, occurred_at, fingerprint, facts
FROM ledger.events
WHERE originator_id = ANY (%(stream_ids)s::text[])
ORDER BY originator_id, originator_version

-- name: heads
SELECT last.originator_id, last.originator_version, last.customer_id, last.occurred_at
FROM unnest(%(stream_ids)s::text[]) AS wanted (originator_id)
CROSS JOIN LATERAL (
    SELECT * FROM ledger.events AS e
    WHERE e.originator_id = wanted.originator_id
    ORDER BY e.originator_version DESC
    LIMIT 1
) AS last

-- name: advanced
SELECT 1 FROM ledger.events
WHERE originator_id = ANY (%(stream_ids)s::text[]) AND position > %(position)s
LIMIT 1

-- name: queues_changed
SELECT 1 FROM intake.kept
WHERE queue_change > %(since)s
  AND (
      originator_id = ANY (%(any)s::text[])
      OR (state <> 'parked' AND originator_id = ANY (%(taken_out)s::text[]))
  )
LIMIT 1
