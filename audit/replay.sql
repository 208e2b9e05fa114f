-- name: tiers
SELECT event_id, customer_id, valid_from, valid_to, tier, contribution, currency
FROM customer_tiers
WHERE customer_id = %(customer_id)s

-- name: published
SELECT published_at FROM calendars
UNION ALL SELECT published_at FROM service_levels
UNION ALL SELECT published_at FROM authority_limits
