-- name: table
-- A number that is another one whenever rows that lie in a week, or `onwards` in any from it on, were changed. Not how
-- often: what a crash takes, and what comes in its place, must not look the same. Several of them for each week, so
-- that workers hardly ever wait for each other; all change theirs in the same order.
CREATE TABLE IF NOT EXISTS week_changes (
    week     integer NOT NULL,
    slot     smallint NOT NULL,
    onwards  boolean NOT NULL,
    mark     bigint NOT NULL,
    PRIMARY KEY (week, slot, onwards)
)

-- name: changed
INSERT INTO week_changes AS before (week, slot, onwards, mark)
SELECT week, pg_backend_pid() %% 16, %(onwards)s, 1 + random() * 1e9
FROM unnest(%(weeks)s::integer[]) AS week
ON CONFLICT (week, slot, onwards) DO UPDATE SET mark = before.mark + excluded.mark

-- name: marks
SELECT week, onwards, sum(mark)::bigint
FROM week_changes
WHERE week < %(after)s AND (onwards OR week >= %(first)s)
GROUP BY week, onwards
