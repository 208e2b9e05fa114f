-- name: event
SELECT position, source, id, replace(event_id::text, '-', '') AS event_id, type, occurred_at, time_assumed,
    recorded_at, originator_id AS stream, originator_version AS version, customer_id, correlation_id,
    causation_id, fingerprint, facts
FROM ledger.events
WHERE position = %(position)s

-- name: neighbours
-- Those of its stream and of its customer; causes and correlations are looked for among the customer's.
WITH related AS (
    SELECT 'previous_in_stream' AS relation, e.* FROM ledger.events AS e
    WHERE originator_id = %(stream)s AND originator_version = %(version)s - 1
    UNION ALL
    SELECT 'next_in_stream', e.* FROM ledger.events AS e
    WHERE originator_id = %(stream)s AND originator_version = %(version)s + 1
    UNION ALL
    SELECT 'previous_of_customer', e.* FROM (
        SELECT * FROM ledger.events WHERE customer_id = %(customer_id)s AND position < %(position)s
        ORDER BY position DESC LIMIT 1
    ) AS e
    UNION ALL
    SELECT 'next_of_customer', e.* FROM (
        SELECT * FROM ledger.events WHERE customer_id = %(customer_id)s AND position > %(position)s
        ORDER BY position LIMIT 1
    ) AS e
    UNION ALL
    SELECT 'caused_by', e.* FROM ledger.events AS e
    WHERE customer_id = %(customer_id)s AND id = %(causation_id)s AND position <> %(position)s
    UNION ALL
    SELECT 'caused', e.* FROM ledger.events AS e
    WHERE customer_id = %(customer_id)s AND causation_id = %(id)s AND position <> %(position)s
    UNION ALL
    SELECT 'same_correlation', e.* FROM ledger.events AS e
    WHERE customer_id = %(customer_id)s AND correlation_id = %(correlation_id)s AND position <> %(position)s
)
SELECT relation, position, source, id, type, occurred_at
FROM related
ORDER BY relation, position
LIMIT %(most)s

-- name: inputs
-- What came in under this source and id and did not simply become the event, and what was redriven into it.
SELECT kept_id, state, outcome, reason, first_seen, last_seen, source, id, type, customer_id,
    originator_id AS stream
FROM intake.kept
WHERE event_id = %(event_id)s::uuid OR became = %(event_id)s::uuid
ORDER BY kept_id

-- name: duplicates
SELECT coalesce(sum(seen), 0)::bigint AS duplicates FROM intake.duplicates WHERE event_id = %(event_id)s::uuid

-- name: position
SELECT position FROM ledger.events WHERE event_id = %(event_id)s::uuid

-- name: schema
SELECT definition FROM ledger.schemas WHERE fingerprint = %(fingerprint)s
