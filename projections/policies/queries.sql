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

-- name: costs
-- Every version of what a channel costs, published by `as_of`, with the stretch in which it is in force.
SELECT event_id, channel, cost_per_minute::float8, cost_per_contact::float8, currency, valid_from,
    coalesce(lead(valid_from) OVER (
        PARTITION BY channel ORDER BY valid_from, published_at, event_id), 'infinity') AS valid_to
FROM channel_costs
WHERE published_at <= %(as_of)s

-- name: cost
-- What touchpoints cost together, each by the rates `c` in force when it happened; null where one of them had none,
-- or not all have them in one currency. To a ten thousandth, so that the order of adding up makes no difference.
CASE WHEN bool_and(c.event_id IS NOT NULL) AND count(DISTINCT c.currency) = 1
    THEN round(sum({cost_of})::numeric, 4)::float8
END

-- name: cost_of
{contacts} * coalesce(c.cost_per_contact, 0) + coalesce({handling_seconds}, 0) / 60 * coalesce(c.cost_per_minute, 0)
