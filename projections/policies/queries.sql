-- name: service_levels
SELECT event_id, published_at, valid_from, service_level_id, metric, channel, topic, tier, severity,
    target_seconds, clock, calendar_id
FROM service_levels
WHERE published_at <= %(as_of)s

-- name: authority_limits
SELECT event_id, published_at, valid_from, role, max_value, currency
FROM authority_limits
WHERE published_at <= %(as_of)s

-- name: calendars
SELECT event_id, published_at, valid_from, timezone, weekly, holidays, calendar_id
FROM calendars
WHERE published_at <= %(as_of)s
ORDER BY calendar_id, event_id
