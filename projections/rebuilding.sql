-- name: only_one
SELECT pg_try_advisory_lock(hashtext('servicetrail building'), hashtext(%(schema)s))

-- name: complete
SELECT to_regclass('position') IS NOT NULL AND to_regclass('plan') IS NULL

-- name: there
SELECT DISTINCT name, version FROM position

-- name: snapshot
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SELECT 1
