CREATE OR REPLACE VIEW dashboard.calendars AS
SELECT event_id, calendar_id, timezone, weekly, holidays, published_at, valid_from,
    coalesce(lead(valid_from) OVER (
        PARTITION BY calendar_id ORDER BY valid_from, published_at, event_id), 'infinity') AS valid_to
FROM read.calendars
WHERE published_at <= now();
COMMENT ON VIEW dashboard.calendars IS 'One row for each version of a business calendar published by now. In force at t is the one with valid_from <= t < valid_to.';
COMMENT ON COLUMN dashboard.calendars.event_id IS 'Id of the event that published it';
COMMENT ON COLUMN dashboard.calendars.calendar_id IS 'Id of the calendar';
COMMENT ON COLUMN dashboard.calendars.timezone IS 'Time zone (IANA)';
COMMENT ON COLUMN dashboard.calendars.weekly IS 'Shifts: [{"weekday": 1 to 7, "from": "09:00", "to": "18:00"}], Monday first';
COMMENT ON COLUMN dashboard.calendars.holidays IS 'Days without shifts';
COMMENT ON COLUMN dashboard.calendars.published_at IS 'When it was published';
COMMENT ON COLUMN dashboard.calendars.valid_from IS 'From when it is in force';
COMMENT ON COLUMN dashboard.calendars.valid_to IS 'Until when it is in force; infinity: until further notice';

CREATE OR REPLACE VIEW dashboard.service_levels AS
SELECT event_id, service_level_id, metric, channel, topic, tier, severity, target_seconds, clock,
    calendar_id, published_at, valid_from,
    coalesce(lead(valid_from) OVER (
        PARTITION BY service_level_id ORDER BY valid_from, published_at, event_id), 'infinity') AS valid_to
FROM read.service_levels
WHERE published_at <= now();
COMMENT ON VIEW dashboard.service_levels IS 'One row for each version of a service level published by now. In force at t is the one with valid_from <= t < valid_to.';
COMMENT ON COLUMN dashboard.service_levels.event_id IS 'Id of the event that published it';
COMMENT ON COLUMN dashboard.service_levels.service_level_id IS 'Id of the service level';
COMMENT ON COLUMN dashboard.service_levels.metric IS 'What is to be done in time';
COMMENT ON COLUMN dashboard.service_levels.channel IS 'Where it applies; null: on any channel';
COMMENT ON COLUMN dashboard.service_levels.topic IS 'Likewise; null: any topic';
COMMENT ON COLUMN dashboard.service_levels.tier IS 'Likewise; null: any tier';
COMMENT ON COLUMN dashboard.service_levels.severity IS 'Likewise; null: any severity';
COMMENT ON COLUMN dashboard.service_levels.target_seconds IS 'How long it may take';
COMMENT ON COLUMN dashboard.service_levels.clock IS 'business or calendar time';
COMMENT ON COLUMN dashboard.service_levels.calendar_id IS 'The calendar of business time';
COMMENT ON COLUMN dashboard.service_levels.published_at IS 'When it was published';
COMMENT ON COLUMN dashboard.service_levels.valid_from IS 'From when it is in force';
COMMENT ON COLUMN dashboard.service_levels.valid_to IS 'Until when it is in force; infinity: until further notice';

CREATE OR REPLACE VIEW dashboard.channel_costs AS
SELECT event_id, channel, cost_per_minute, cost_per_contact, currency, published_at, valid_from,
    coalesce(lead(valid_from) OVER (
        PARTITION BY channel ORDER BY valid_from, published_at, event_id), 'infinity') AS valid_to
FROM read.channel_costs
WHERE published_at <= now();
COMMENT ON VIEW dashboard.channel_costs IS 'One row for each version of a channel''s rates published by now. In force at t is the one with valid_from <= t < valid_to.';
COMMENT ON COLUMN dashboard.channel_costs.event_id IS 'Id of the event that published it';
COMMENT ON COLUMN dashboard.channel_costs.channel IS 'Channel';
COMMENT ON COLUMN dashboard.channel_costs.cost_per_minute IS 'For each minute of handling; null: nothing';
COMMENT ON COLUMN dashboard.channel_costs.cost_per_contact IS 'For each touchpoint; null: nothing';
COMMENT ON COLUMN dashboard.channel_costs.currency IS 'ISO 4217';
COMMENT ON COLUMN dashboard.channel_costs.published_at IS 'When it was published';
COMMENT ON COLUMN dashboard.channel_costs.valid_from IS 'From when it is in force';
COMMENT ON COLUMN dashboard.channel_costs.valid_to IS 'Until when it is in force; infinity: until further notice';

CREATE OR REPLACE VIEW dashboard.authority_limits AS
SELECT event_id, role, max_value, currency, published_at, valid_from,
    coalesce(lead(valid_from) OVER (
        PARTITION BY role, currency ORDER BY valid_from, published_at, event_id), 'infinity') AS valid_to
FROM read.authority_limits
WHERE published_at <= now();
COMMENT ON VIEW dashboard.authority_limits IS 'One row for each version of what a role may offer by itself in a currency, published by now. In force at t is the one with valid_from <= t < valid_to.';
COMMENT ON COLUMN dashboard.authority_limits.event_id IS 'Id of the event that published it';
COMMENT ON COLUMN dashboard.authority_limits.role IS 'Role';
COMMENT ON COLUMN dashboard.authority_limits.max_value IS 'Highest amends it may offer';
COMMENT ON COLUMN dashboard.authority_limits.currency IS 'ISO 4217';
COMMENT ON COLUMN dashboard.authority_limits.published_at IS 'When it was published';
COMMENT ON COLUMN dashboard.authority_limits.valid_from IS 'From when it is in force';
COMMENT ON COLUMN dashboard.authority_limits.valid_to IS 'Until when it is in force; infinity: until further notice';

CREATE OR REPLACE VIEW dashboard.moments AS
SELECT event_id, moment, importance, published_at, valid_from,
    coalesce(lead(valid_from) OVER (
        PARTITION BY moment ORDER BY valid_from, published_at, event_id), 'infinity') AS valid_to
FROM read.moments
WHERE published_at <= now();
COMMENT ON VIEW dashboard.moments IS 'One row for each classification of a moment of truth published by now. In force at t is the one with valid_from <= t < valid_to.';
COMMENT ON COLUMN dashboard.moments.event_id IS 'Id of the event that published it';
COMMENT ON COLUMN dashboard.moments.moment IS 'Kind of touchpoint';
COMMENT ON COLUMN dashboard.moments.importance IS 'key or standard';
COMMENT ON COLUMN dashboard.moments.published_at IS 'When it was published';
COMMENT ON COLUMN dashboard.moments.valid_from IS 'From when it is in force';
COMMENT ON COLUMN dashboard.moments.valid_to IS 'Until when it is in force; infinity: until further notice';
