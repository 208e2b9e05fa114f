-- name: further
WITH plans AS MATERIALIZED (
    SELECT DISTINCT complaint_id, plan.data->>'root_cause' AS root_cause, plan.occurred_at
    FROM complaints JOIN complaint_steps AS plan USING (complaint_id)
    WHERE complaints.customer_id = ANY (%(customers)s::text[])
        AND plan.type = 'complaint.prevention_planned.v1' AND plan.position <= %(position)s
), further AS (
    SELECT same.complaint_id, plans.occurred_at
    FROM plans JOIN complaint_steps AS same ON same.data->>'root_cause' = root_cause
    WHERE same.type = 'complaint.prevention_planned.v1'
    UNION
    SELECT again.complaint_id, plans.occurred_at
    FROM plans JOIN complaint_steps AS again ON again.data->>'repeat_of' = plans.complaint_id
    WHERE again.data ? 'repeat_of'
), in_time AS (
    SELECT DISTINCT complaint_id
    FROM further JOIN complaints USING (complaint_id)
    WHERE raised_at > occurred_at AND raised_at <= occurred_at + %(after)s
        AND customer_id <> ALL (%(customers)s::text[])
)
SELECT position FROM in_time JOIN complaint_steps USING (complaint_id)
WHERE type IN ('complaint.raised.v1', 'complaint.prevention_planned.v1') AND position <= %(position)s
