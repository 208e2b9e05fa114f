-- name: words
-- Of claims about which different values were told: every stretch of time in which a channel stood by one value,
-- with the statement that began it and how many said the same.
WITH told AS (
    SELECT claim_key, value, channel, occurred_at AS told_at, valid_until, event_id,
        'statement' AS kind, statement_id AS id, customer_id, employee_id
    FROM statements
    WHERE occurred_at <= %(as_of)s
    UNION ALL
    -- A promise stands by its value until it is due or settled.
    SELECT claim_key, promised_value, channel, made_at,
        least(due_at, CASE WHEN settled_at <= %(as_of)s THEN settled_at END), made_by,
        'promise', promise_id, customer_id, employee_id
    FROM promises
    WHERE visible_from <= %(as_of)s AND visible_to > %(as_of)s
        AND claim_key IS NOT NULL AND promised_value IS NOT NULL
), disputed AS (
    SELECT claim_key
    FROM told
    WHERE claim_key = coalesce(%(claim_key)s, claim_key)
    GROUP BY claim_key
    HAVING min(value COLLATE "C") <> max(value COLLATE "C")
), in_force AS (
    SELECT told.*,
        coalesce(valid_until,
            -- Until the channel says something next: what is said at one instant is said side by side.
            min(told_at) OVER (
                PARTITION BY claim_key, channel ORDER BY told_at
                GROUPS BETWEEN 1 FOLLOWING AND 1 FOLLOWING),
            'infinity') AS ends_at
    FROM told
    JOIN disputed USING (claim_key)
), begun AS (
    SELECT in_force.*,
        coalesce(told_at > max(ends_at) OVER (
            PARTITION BY claim_key, channel, value ORDER BY told_at, event_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), true) AS begins
    FROM in_force
    WHERE ends_at > told_at
), numbered AS (
    SELECT begun.*,
        count(*) FILTER (WHERE begins) OVER (
            PARTITION BY claim_key, channel, value ORDER BY told_at, event_id) AS number
    FROM begun
)
SELECT claim_key, value, channel, min(told_at) AS begins_at, max(ends_at) AS ends_at,
    min(event_id::text) FILTER (WHERE begins) AS event_id,
    min(kind) FILTER (WHERE begins) AS kind,
    min(id) FILTER (WHERE begins) AS id,
    min(customer_id) FILTER (WHERE begins) AS customer_id,
    min(employee_id) FILTER (WHERE begins) AS employee_id,
    count(*) AS told
FROM numbered
GROUP BY claim_key, channel, value, number
ORDER BY begins_at, event_id
