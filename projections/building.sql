-- name: plan
CREATE TABLE plan (
    position  bigint NOT NULL,
    events    bigint NOT NULL,
    versions  jsonb NOT NULL
)

-- name: parts
-- The parts of the work: customers whose shard leaves the rest `part`; -1: policies, -2: read models that workers
-- cannot share. Of a part everything up to and with `customer_id`, or `position`, is in the tables.
CREATE TABLE parts (
    part         smallint PRIMARY KEY,
    customer_id  text COLLATE "C" NOT NULL DEFAULT '',
    position     bigint NOT NULL DEFAULT 0,
    events       bigint NOT NULL DEFAULT 0,
    done         boolean NOT NULL DEFAULT false
)

-- name: closing
-- What is left for the end: indexes, statistics.
CREATE TABLE closing (
    place      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    size       bigint NOT NULL DEFAULT 0,
    statement  text NOT NULL,
    after      text
)

-- name: in_work
SELECT to_regclass('plan') IS NOT NULL

-- name: planned
SELECT position, events, versions FROM plan

-- name: write_plan
INSERT INTO plan (position, events, versions)
SELECT %(position)s, count(*), %(versions)s FROM ledger.events
WHERE position <= %(position)s AND (%(types)s::text[] IS NULL OR type = ANY (%(types)s::text[]))

-- name: write_part
INSERT INTO parts (part) VALUES (%(part)s)

-- name: open_parts
SELECT part FROM parts WHERE NOT done ORDER BY part

-- name: hold
SELECT pg_advisory_xact_lock(hashtext('servicetrail building ' || %(schema)s), %(part)s)

-- name: place
SELECT part, customer_id, parts.position, plan.position FROM parts, plan WHERE part = %(part)s AND NOT done

-- name: locked_place
SELECT part, customer_id, parts.position, plan.position FROM parts, plan WHERE part = %(part)s AND NOT done
FOR UPDATE OF parts

-- name: part_went_on
UPDATE parts SET customer_id = %(customer_id)s, position = %(position)s, events = events + %(events)s
WHERE part = %(part)s

-- name: part_done
UPDATE parts SET done = true WHERE part = %(part)s

-- name: loaded
SELECT coalesce(sum(events), 0)::bigint, (SELECT events FROM plan) FROM parts

-- name: indexes
SELECT c.relname, i.relname, pg_get_indexdef(i.oid), con.conname, con.contype::text
FROM pg_index AS x
JOIN pg_class AS c ON c.oid = x.indrelid
JOIN pg_class AS i ON i.oid = x.indexrelid
LEFT JOIN pg_constraint AS con ON con.conindid = i.oid AND con.contype IN ('p', 'u')
WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY (%(tables)s)

-- name: close_with
INSERT INTO closing (statement, after) VALUES (%(statement)s, %(after)s)

-- name: next_closing
SELECT place, statement FROM closing WHERE place = (
    SELECT place FROM closing WHERE statement <> '' ORDER BY place LIMIT 1 FOR UPDATE SKIP LOCKED
)

-- name: closed
UPDATE closing SET statement = '' WHERE place = %(place)s

-- name: afterwards
SELECT after FROM closing WHERE after IS NOT NULL ORDER BY place

-- name: left_to_close
SELECT count(*) FROM closing WHERE statement <> ''
