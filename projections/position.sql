-- name: table
-- Of each read model, up to where each worker has taken in every event of its shards: those with
-- shard % workers = worker, and for worker 0 the events of no customer. Of no event behind `highest` is
-- anything in the tables yet; it lies ahead of `position` where the shards were divided anew.
CREATE TABLE IF NOT EXISTS position (
    name         text NOT NULL,
    worker       smallint NOT NULL,
    workers      smallint NOT NULL,
    version      text NOT NULL,
    tables       text[] NOT NULL,
    position     bigint NOT NULL,
    highest      bigint NOT NULL,
    recorded_at  timestamptz,
    PRIMARY KEY (name, worker)
)

-- name: one_at_a_time
SELECT pg_advisory_xact_lock(hashtext('servicetrail read models'), hashtext(%(schema)s))

-- name: built
SELECT DISTINCT ON (name) name, version, tables FROM position ORDER BY name, worker

-- name: tables
SELECT DISTINCT unnest(tables) FROM position

-- name: defined
SELECT obj_description('position'::regclass, 'pg_class')

-- name: slots
SELECT name, version, worker, workers, position, highest FROM position WHERE name = ANY (%(names)s)
ORDER BY name, worker

-- name: lock
SELECT name, version, worker, workers, position, highest FROM position
WHERE name = ANY (%(names)s) AND (worker = %(worker)s OR %(worker)s IS NULL)
ORDER BY name, worker FOR UPDATE

-- name: forget
DELETE FROM position WHERE name = ANY (%(names)s)

-- name: divide
INSERT INTO position (name, worker, workers, version, tables, position, highest, recorded_at)
SELECT %(name)s, worker, %(workers)s, %(version)s, %(tables)s, %(position)s, %(highest)s,
    (SELECT recorded_at FROM ledger.events WHERE position = %(position)s)
FROM generate_series(0, %(workers)s - 1) AS worker

-- name: advance
UPDATE position
SET position = %(position)s, highest = greatest(highest, %(position)s),
    recorded_at = (SELECT recorded_at FROM ledger.events AS e WHERE e.position = %(position)s)
WHERE name = ANY (%(names)s) AND worker = %(worker)s

-- name: standing
-- `last_change`: the last position up to it whose event can have changed an answer, 0 if there is none. The type as
-- in the index `events_but_looks`, which is read from its end.
WITH changes AS MATERIALIZED (
    SELECT reached, coalesce((
        SELECT position FROM ledger.events WHERE position <= reached AND type <> 'access.recorded.v1'
        ORDER BY position DESC LIMIT 1
    ), 0) AS last_change
    FROM (SELECT DISTINCT position AS reached FROM position) AS positions
)
SELECT name, version, position, recorded_at, last_change
FROM position
JOIN changes ON reached = position
ORDER BY name, worker
