-- name: table
-- A number that is another one whenever rows of customers of a shard that lie in a week, or `onwards` in any from
-- it on, were changed. Not how often: what a crash takes, and what comes in its place, must not look the same.
CREATE TABLE IF NOT EXISTS week_changes (
    week     integer NOT NULL,
    shard    smallint NOT NULL,
    onwards  boolean NOT NULL,
    mark     bigint NOT NULL,
    PRIMARY KEY (week, shard, onwards)
)

-- name: changed
INSERT INTO week_changes AS before (week, shard, onwards, mark)
SELECT week, shard, %(onwards)s, 1 + random() * 1e9
FROM unnest(%(weeks)s::integer[], %(shards)s::smallint[]) AS rows (week, shard)
ON CONFLICT (week, shard, onwards) DO UPDATE SET mark = before.mark + excluded.mark

-- name: marks
SELECT week, onwards, sum(mark)::bigint
FROM week_changes
WHERE week < %(after)s AND (onwards OR week >= %(first)s)
GROUP BY week, onwards
