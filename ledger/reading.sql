-- name: columns
position, encode(uuid_send(event_id), 'hex'), originator_id, originator_version, type, customer_id, source, id,
occurred_at, time_assumed, recorded_at, sequence, correlation_id, causation_id, fingerprint, facts, personal

-- name: events_after
SELECT {columns} FROM ledger.events
WHERE position > %(position)s AND position <= %(until)s
    AND (%(workers)s = 1 OR greatest(shard, 0) %% %(workers)s = %(worker)s)
    AND (%(types)s::text[] IS NULL OR type = ANY (%(types)s::text[]))
ORDER BY position
LIMIT %(limit)s

-- name: events_of_customer
SELECT {columns} FROM ledger.events
WHERE customer_id = %(customer_id)s AND position > %(position)s AND position <= %(until)s
ORDER BY position
LIMIT %(limit)s

-- name: events_of_nobody
SELECT {columns} FROM ledger.events
WHERE customer_id IS NULL AND (%(types)s::text[] IS NULL OR type = ANY (%(types)s::text[]))
    AND position > %(position)s AND position <= %(until)s
ORDER BY position
LIMIT %(limit)s

-- name: events_by_customer
SELECT {columns} FROM ledger.events
WHERE shard >= 0 AND shard %% %(workers)s = %(worker)s AND position <= %(until)s AND customer_id > %(after)s
    AND (%(types)s::text[] IS NULL OR type = ANY (%(types)s::text[]))
ORDER BY customer_id, position

-- name: selected_events
SELECT {columns} FROM ledger.events
WHERE position > %(after)s AND position <= %(until)s
    AND (%(customers)s::text[] IS NULL OR customer_id = ANY (%(customers)s::text[]))
    AND (%(types)s::text[] IS NULL OR type = ANY (%(types)s::text[]))
    AND occurred_at >= %(from)s AND occurred_at < %(to)s AND occurred_at <= %(as_of)s
ORDER BY position
LIMIT %(limit)s

-- name: selected_by_customer
-- That there is a customer has to be said, for the index to be taken that holds only those.
SELECT {columns} FROM ledger.events
WHERE customer_id IS NOT NULL AND (customer_id, position) > (%(after_customer)s, %(after)s) AND position <= %(until)s
    AND (%(customers)s::text[] IS NULL OR customer_id = ANY (%(customers)s::text[]))
    AND occurred_at <= %(as_of)s
ORDER BY customer_id, position
LIMIT %(limit)s

-- name: event_by_position
SELECT {columns} FROM ledger.events
WHERE position = %(position)s

-- name: events_at
SELECT {columns} FROM ledger.events
WHERE position = ANY (%(positions)s)
ORDER BY position

-- name: last_position
SELECT position FROM ledger.head

-- name: position_at
-- Halves the stretch in which the position must lie: recorded_at never decreases with the position.
WITH RECURSIVE search (low, high) AS (
    SELECT 0::bigint, position FROM ledger.head
    UNION ALL
    SELECT
        CASE WHEN e.recorded_at <= %(instant)s THEN s.middle ELSE s.low END,
        CASE WHEN e.recorded_at <= %(instant)s THEN s.high ELSE s.middle - 1 END
    FROM (SELECT low, high, (low + high + 1) / 2 AS middle FROM search WHERE low < high) AS s
    JOIN ledger.events AS e ON e.position = s.middle
)
SELECT low FROM search WHERE low = high

-- name: recorded_at
SELECT recorded_at FROM ledger.events WHERE position = %(position)s
