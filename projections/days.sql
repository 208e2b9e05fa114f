-- name: table
-- A number that is another one whenever rows that lie on a day, or `onwards` on any from it on, were changed. Not how
-- often: what a crash takes, and what comes in its place, must not look the same. Several of them for each day, so
-- that workers hardly ever wait for each other; all change theirs in the same order.
CREATE TABLE IF NOT EXISTS day_changes (
    day      integer NOT NULL,
    slot     smallint NOT NULL,
    onwards  boolean NOT NULL,
    mark     bigint NOT NULL,
    PRIMARY KEY (day, slot, onwards)
)

-- name: changed
INSERT INTO day_changes AS before (day, slot, onwards, mark)
SELECT day, pg_backend_pid() %% 16, %(onwards)s, 1 + random() * 1e9
FROM unnest(%(days)s::integer[]) AS day
ON CONFLICT (day, slot, onwards) DO UPDATE SET mark = before.mark + excluded.mark

-- name: marks
-- Those of days before the first one, which only count `onwards`, in one row.
SELECT greatest(day, %(first)s - 1) AS day,
    coalesce(sum(mark) FILTER (WHERE NOT onwards), 0)::bigint AS alone,
    coalesce(sum(mark) FILTER (WHERE onwards), 0)::bigint AS since
FROM day_changes
WHERE day < %(after)s AND (onwards OR day >= %(first)s)
GROUP BY 1
