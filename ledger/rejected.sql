-- name: rejected_lately
SELECT count(*), mode() WITHIN GROUP (ORDER BY reason)
FROM intake.kept
WHERE state = 'rejected'
    AND origin ->> 'topic' = %(topic)s
    AND (origin ->> 'partition')::integer = %(partition)s
    AND (origin ->> 'offset')::bigint >= %(position)s - %(window)s
    AND (origin ->> 'offset')::bigint < %(position)s
    AND kept_id > coalesce(
        (SELECT max(up_to) FROM intake.looks WHERE topic IS NULL OR topic = %(topic)s), 0
    )

-- name: look
INSERT INTO intake.looks (who, topic, up_to)
SELECT %(who)s, %(topic)s, coalesce(max(kept_id), 0)
FROM intake.kept
RETURNING (
    SELECT count(*) FROM intake.kept
    WHERE state = 'rejected' AND origin ->> 'topic' IS NOT NULL
        AND (%(topic)s IS NULL OR origin ->> 'topic' = %(topic)s)
)
