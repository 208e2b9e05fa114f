-- name: insert_snapshots
INSERT INTO ledger.snapshots (purpose, originator_id, originator_version, topic, state) VALUES %s

-- name: select_snapshots
SELECT originator_id, originator_version, topic, state FROM ledger.snapshots
WHERE purpose = %(purpose)s AND originator_id = %(originator_id)s
    AND (%(gt)s IS NULL OR originator_version > %(gt)s)
    AND (%(lte)s IS NULL OR originator_version <= %(lte)s)
ORDER BY originator_version {direction}
LIMIT %(limit)s

-- name: select_events
SELECT originator_id, originator_version, type, facts FROM ledger.events
WHERE originator_id = %(originator_id)s
    AND (%(gt)s IS NULL OR originator_version > %(gt)s)
    AND (%(lte)s IS NULL OR originator_version <= %(lte)s)
ORDER BY originator_version {direction}
LIMIT %(limit)s

-- name: select_notifications
SELECT originator_id, originator_version, type, facts, position FROM ledger.events
WHERE position >= %(first)s
    AND (%(stop)s IS NULL OR position <= %(stop)s)
    AND (%(topics)s::text[] IS NULL OR type = ANY (%(topics)s::text[]))
ORDER BY position
LIMIT %(limit)s

-- name: recorded_already
SELECT encode(uuid_send(event_id), 'hex'), type, facts, position FROM ledger.events
WHERE event_id = ANY (%(event_ids)s::uuid[])

-- name: insert_tracking
INSERT INTO ledger.tracking AS current (application_name, notification_id)
VALUES (%(application_name)s, %(notification_id)s)
ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id
WHERE current.notification_id < excluded.notification_id

-- name: max_tracking_id
SELECT notification_id FROM ledger.tracking WHERE application_name = %(application_name)s
