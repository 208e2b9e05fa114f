-- name: kept
SELECT state, count(*) FROM intake.kept
WHERE state IN ('parked', 'conflict', 'rejected')
GROUP BY state

-- name: waiting
SELECT extract(epoch FROM clock_timestamp() - recorded_at)::float8
FROM ledger.events WHERE position = %(position)s

-- name: freshness
SELECT since, width_bucket(greatest(seconds, 0), %(bounds)s::float8[]), count(*), sum(greatest(seconds, 0))
FROM ledger.events
CROSS JOIN LATERAL (VALUES
    ('time', extract(epoch FROM clock_timestamp() - occurred_at)::float8),
    ('receipt', extract(epoch FROM clock_timestamp() - recorded_at)::float8)
) AS ages (since, seconds)
WHERE position > %(after)s AND position <= %(until)s
GROUP BY 1, 2
