-- name: judged
SELECT promise_id, customer_id, channel, made_at, due_at, topic, team, department, employee_id, aspect,
    claim_key, promised_value, complaint_id, made_by, due_by, differentiator,
    industry_standard, competitor, customer_need, internal_resources,
    num_nonnulls(industry_standard, competitor, customer_need, internal_resources) AS sides_weighed,
    coalesce(industry_standard = 'below', false) AS below_standard,
    coalesce(competitor = 'below' AND differentiator IS NULL, false) AS below_competitor,
    coalesce(settled_at <= %(as_of)s AND verdict IN ('kept', 'kept_late')
        AND observed_value <> promised_value, false) AS delivered_otherwise,
    CASE WHEN settled_at <= %(as_of)s THEN settled_at END AS settled_at,
    CASE WHEN settled_at <= %(as_of)s THEN settled_by END AS settled_by,
    CASE WHEN settled_at <= %(as_of)s THEN observed_value END AS observed_value,
    CASE
        WHEN settled_at <= %(as_of)s THEN verdict
        WHEN due_at < %(as_of)s THEN 'overdue'
        ELSE 'pending'
    END AS verdict
FROM promises
WHERE visible_from <= %(as_of)s AND visible_to > %(as_of)s
    AND due_at >= %(from)s AND due_at < %(to)s

-- name: late_seconds
CASE verdict
    WHEN 'kept_late' THEN extract(epoch FROM settled_at - due_at)::float8
    WHEN 'overdue' THEN extract(epoch FROM %(as_of)s - due_at)::float8
END

-- name: promises
WITH listed AS (
    SELECT *
    FROM ({judged}) AS judged
    WHERE promise_id = coalesce(%(promise_id)s, promise_id)
        AND channel = coalesce(%(channel)s, channel)
        AND customer_id = coalesce(%(customer_id)s, customer_id)
        AND verdict = coalesce(%(verdict)s, verdict)
        AND (%(after_time)s::timestamptz IS NULL
            OR (due_at, promise_id) > (%(after_time)s, %(after_promise)s))
        AND CASE %(finding)s
            WHEN 'below_standard' THEN below_standard
            WHEN 'below_competitor' THEN below_competitor
            WHEN 'delivered_otherwise' THEN delivered_otherwise
            ELSE true
        END
    ORDER BY due_at, promise_id
    LIMIT %(rows)s
)
SELECT promise_id, customer_id, channel, topic, team, department, employee_id, made_at, due_at,
    settled_at, verdict, {late_seconds} AS late_seconds, revised, due_by <> made_by AS due_moved,
    industry_standard, competitor, customer_need, internal_resources, sides_weighed / 4.0::float8 AS weighed,
    differentiator, promised_value, observed_value, below_standard, below_competitor, delivered_otherwise
FROM listed
CROSS JOIN LATERAL (
    SELECT count(*) AS revised
    FROM promise_facts AS f
    WHERE f.promise_id = listed.promise_id AND f.type = 'promise.revised.v1'
        AND f.occurred_at <= %(as_of)s
) AS revisions
ORDER BY due_at, promise_id

-- name: facts
SELECT {columns} FROM promise_facts WHERE promise_id = %(promise_id)s AND occurred_at <= %(as_of)s

-- name: steps
SELECT e.position, e.occurred_at, e.recorded_at, f.event_id, f.type, f.channel, f.employee_id, f.team,
    f.department, e.fingerprint, e.facts
FROM promise_facts AS f
JOIN ledger.events AS e ON e.event_id = f.event_id
WHERE f.promise_id = %(promise_id)s AND f.occurred_at <= %(as_of)s
ORDER BY f.occurred_at, f.rank, f.event_id

-- name: quality
WITH due AS (
    SELECT {dimensions}, verdict, due_by, made_by, sides_weighed, below_standard, below_competitor,
        delivered_otherwise, {late_seconds} AS late_seconds
    FROM ({judged}) AS promise
    {held}
), figures AS (
    SELECT {names},
        count(*) AS promises_due,
        count(*) FILTER (WHERE verdict = 'kept') AS kept,
        count(*) FILTER (WHERE verdict = 'kept_late') AS kept_late,
        count(*) FILTER (WHERE verdict = 'broken') AS broken,
        count(*) FILTER (WHERE verdict = 'overdue') AS overdue,
        count(*) FILTER (WHERE verdict = 'pending') AS pending,
        count(*) FILTER (WHERE verdict = 'withdrawn') AS withdrawn,
        coalesce(array_agg(late_seconds) FILTER (WHERE late_seconds IS NOT NULL), '{}') AS late_seconds,
        coalesce(array_agg(verdict = 'kept_late') FILTER (WHERE late_seconds IS NOT NULL), '{}') AS late_ended,
        count(*) FILTER (WHERE due_by <> made_by) AS due_moved,
        sum(sides_weighed) / (4.0::float8 * count(*)) AS weighed,
        count(*) FILTER (WHERE below_standard) AS below_standard,
        count(*) FILTER (WHERE below_competitor) AS below_competitor,
        count(*) FILTER (WHERE delivered_otherwise) AS delivered_otherwise
    FROM due
    GROUP BY {names}
)
SELECT {names}, promises_due, kept, kept_late, broken, overdue, pending, withdrawn,
    kept::float8 / nullif(kept + kept_late + broken + overdue, 0) AS keep_rate,
    kept::float8 / nullif(kept + kept_late + broken, 0) AS settled_keep_rate,
    late_seconds, late_ended,
    due_moved, weighed, below_standard, below_competitor, delivered_otherwise
FROM figures
ORDER BY {names}

-- name: held
LEFT JOIN (
    SELECT customer_id, event_id AS tiered_by, valid_from, valid_to, tier FROM customer_tiers
) AS held
    ON held.customer_id = promise.customer_id
    AND held.valid_from <= made_at AND held.valid_to > made_at

-- name: whose
SELECT customer_id FROM promises WHERE promise_id = %(promise_id)s LIMIT 1

-- name: behind_quality
SELECT 'promise' AS thing, promise_id AS key,
    ARRAY['promises_due', 'weighed', verdict]
    || CASE WHEN verdict IN ('kept', 'kept_late', 'broken', 'overdue') THEN ARRAY['keep_rate'] ELSE '{}' END
    || CASE WHEN verdict IN ('kept', 'kept_late', 'broken') THEN ARRAY['settled_keep_rate'] ELSE '{}' END
    || CASE WHEN verdict = 'kept_late' THEN ARRAY['late_median_seconds'] ELSE '{}' END
    || CASE WHEN verdict IN ('kept_late', 'overdue') THEN ARRAY['late_km_median_seconds',
        'late_km_median_seconds_low', 'late_km_median_seconds_high'] ELSE '{}' END
    || CASE WHEN due_by <> made_by THEN ARRAY['due_moved'] ELSE '{}' END
    || CASE WHEN below_standard THEN ARRAY['below_standard'] ELSE '{}' END
    || CASE WHEN below_competitor THEN ARRAY['below_competitor'] ELSE '{}' END
    || CASE WHEN delivered_otherwise THEN ARRAY['delivered_otherwise'] ELSE '{}' END AS figures,
    verdict AS state, made_at AS started_at, settled_at AS ended_at, {late_seconds} AS seconds,
    NULL::float8 AS value, promise.customer_id, promise_id AS id, {dimensions},
    jsonb_build_object('due_at', due_at, 'sides_weighed', sides_weighed) AS details,
    ARRAY[made_by, due_by, settled_by, tiered_by] AS events
FROM ({judged}) AS promise
{held}
