-- name: table
-- How often rows of customers of a shard that lie in a week, or `onwards` in any from it on, were changed.
CREATE TABLE IF NOT EXISTS week_changes (
    week     integer NOT NULL,
    shard    smallint NOT NULL,
    onwards  boolean NOT NULL,
    changes  bigint NOT NULL,
    PRIMARY KEY (week, shard, onwards)
)

-- name: changed
INSERT INTO week_changes AS counted (week, shard, onwards, changes)
SELECT week, shard, %(onwards)s, 1 FROM unnest(%(weeks)s::integer[], %(shards)s::smallint[]) AS rows (week, shard)
ON CONFLICT (week, shard, onwards) DO UPDATE SET changes = counted.changes + 1

-- name: counts
SELECT week, onwards, sum(changes)::bigint
FROM week_changes
WHERE week < %(after)s AND (onwards OR week >= %(first)s)
GROUP BY week, onwards
