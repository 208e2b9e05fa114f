-- name: note
INSERT INTO intake.notices (
    kept_id, at, outcome, reason, message, path, topic, partition, record_offset
) VALUES %s

-- name: waiting
SELECT topic, count(*) FROM intake.notices GROUP BY topic ORDER BY topic

-- name: one_at_a_time
SELECT pg_try_advisory_xact_lock(hashtextextended('servicetrail notices ' || %(topic)s, 0))

-- name: oldest
SELECT
    notices.notice_id, notices.name::text, notices.kept_id, notices.at, notices.outcome,
    notices.reason, notices.message, notices.path, notices.topic, notices.partition,
    notices.record_offset, kept.source, kept.id
FROM intake.notices
JOIN intake.kept USING (kept_id)
WHERE notices.topic = %(topic)s
ORDER BY notices.notice_id
LIMIT %(limit)s

-- name: told
DELETE FROM intake.notices WHERE notice_id = ANY (%(notice_ids)s::bigint[])
