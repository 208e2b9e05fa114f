-- name: table
CREATE TABLE IF NOT EXISTS position (
    name         text PRIMARY KEY,
    version      text NOT NULL,
    tables       text[] NOT NULL,
    position     bigint NOT NULL,
    recorded_at  timestamptz
)

-- name: one_at_a_time
SELECT pg_advisory_xact_lock(hashtext('servicetrail read models'), hashtext(%(schema)s))

-- name: built
SELECT name, version, tables FROM position

-- name: begin
INSERT INTO position (name, version, tables, position) VALUES (%(name)s, %(version)s, %(tables)s, 0)
ON CONFLICT (name) DO UPDATE
SET version = excluded.version, tables = excluded.tables, position = 0, recorded_at = NULL

-- name: claim
SELECT name, version, position FROM position WHERE name = ANY (%(names)s) ORDER BY name FOR UPDATE

-- name: advance
UPDATE position SET position = %(position)s, recorded_at = %(recorded_at)s WHERE name = ANY (%(names)s)

-- name: reached
SELECT min(position) FROM position WHERE name = ANY (%(names)s)

-- name: standing
SELECT position, recorded_at FROM position WHERE name = ANY (%(names)s) ORDER BY position LIMIT 1

-- name: all
SELECT name, version, position, recorded_at FROM position ORDER BY name
