-- name: enter
INSERT INTO intake.tally (
    received_at, source, received, appended, duplicate, conflict, parked, rejected
) VALUES %s

-- name: account
SELECT
    source,
    sum(received)::bigint, sum(appended)::bigint, sum(duplicate)::bigint,
    sum(conflict)::bigint, sum(parked)::bigint, sum(rejected)::bigint
FROM intake.tally
WHERE (%(source)s IS NULL OR source = %(source)s)
  AND (%(since)s IS NULL OR received_at >= %(since)s)
GROUP BY source
HAVING sum(received) <> 0
ORDER BY source

-- name: gaps
SELECT source, sequence + 1, following - 1
FROM (
    SELECT source, sequence, lead(sequence) OVER (PARTITION BY source ORDER BY sequence) AS following
    FROM (
        SELECT source, sequence FROM ledger.events WHERE sequence IS NOT NULL
        UNION
        SELECT source, sequence FROM intake.kept WHERE sequence IS NOT NULL
    ) AS received
    WHERE %(source)s IS NULL OR source = %(source)s
) AS neighbours
WHERE following > sequence + 1
ORDER BY source, sequence

-- name: differences
WITH found AS (
    SELECT source, 'appended' AS outcome, count(*) AS n FROM ledger.events GROUP BY source
    UNION ALL
    SELECT source, 'duplicate', sum(seen) FROM intake.duplicates GROUP BY source
    UNION ALL
    SELECT source, outcome, sum(attempts) FROM intake.kept
    WHERE outcome IN ('conflict', 'parked', 'rejected')
    GROUP BY source, outcome
),
accounted AS (
    SELECT source, outcome, sum(n) AS n
    FROM intake.tally
    CROSS JOIN LATERAL (VALUES
        ('appended', appended), ('duplicate', duplicate), ('conflict', conflict),
        ('parked', parked), ('rejected', rejected)
    ) AS counts (outcome, n)
    GROUP BY source, outcome
)
SELECT source, outcome, coalesce(accounted.n, 0)::bigint, coalesce(found.n, 0)::bigint
FROM accounted FULL JOIN found USING (source, outcome)
WHERE coalesce(accounted.n, 0) <> coalesce(found.n, 0)
  AND (%(source)s IS NULL OR source = %(source)s)
ORDER BY source, outcome
