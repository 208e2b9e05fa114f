-- name: curve
-- From {measured} (the groups, seconds, ended): for every end the logarithm of the share that is left after it.
{prefix}counted AS (
    SELECT {names}, seconds, count(*) FILTER (WHERE ended) AS ends, count(*)::integer AS waits
    FROM {measured}
    GROUP BY {names}, seconds
), {prefix}at_risk AS (
    SELECT {names}, seconds, ends::float8,
        (sum(waits) OVER (PARTITION BY {names}) - sum(waits) OVER longer + waits)::float8 AS at_risk
    FROM {prefix}counted
    WINDOW longer AS (PARTITION BY {names} ORDER BY seconds ROWS UNBOUNDED PRECEDING)
), {prefix}curve AS (
    -- Those who ended at one instant count one by one: (1 - 1/n)(1 - 1/(n-1)) is 1 - 2/n, and Greenwood's terms,
    -- 1/n(n-1) + 1/(n-1)(n-2), are 2/n(n-2).
    SELECT {names}, seconds,
        sum(CASE WHEN at_risk > ends THEN ln(1 - ends / at_risk) ELSE '-infinity' END) OVER together AS log_left,
        sum(ends / nullif(at_risk * (at_risk - ends), 0)) OVER together AS greenwood
    FROM {prefix}at_risk
    WHERE ends > 0
    WINDOW together AS (PARTITION BY {names} ORDER BY seconds ROWS UNBOUNDED PRECEDING)
)

-- name: median
-- What the curve takes each group's median to be, and between which limits.
{prefix}banded AS (
    SELECT {names}, seconds, log_left,
        CASE WHEN log_left > '-infinity' AND log_left < 0
            THEN {z} * sqrt(greenwood) / -log_left END AS width
    FROM {prefix}curve
), {prefix}km AS (
    SELECT {names},
        (min(seconds) FILTER (WHERE log_left <= -ln(2.0::float8) + 1e-9)
            + coalesce(
                min(seconds) FILTER (WHERE log_left < -ln(2.0::float8) - 1e-9),
                min(seconds) FILTER (WHERE log_left <= -ln(2.0::float8) + 1e-9)
            )) / 2 AS median,
        min(seconds) FILTER (WHERE log_left * exp(width) <= -ln(2.0::float8)) AS low,
        min(seconds) FILTER (WHERE log_left * exp(-width) <= -ln(2.0::float8)) AS high
    FROM {prefix}banded
    GROUP BY {names}
)

-- name: standardised
-- The curve of each channel if it had the pooled mix of strata: at every end it falls by the fall of that stratum's
-- own curve times the stratum's share in the mix.
falls AS (
    SELECT channel, seconds,
        share * (coalesce(lag(exp(log_left)) OVER (PARTITION BY channel, stratum ORDER BY seconds), 1)
            - exp(log_left)) AS fall
    FROM strata_curve
    JOIN mix USING (stratum)
), standardised AS (
    SELECT channel, seconds, 1 - sum(fall) OVER (PARTITION BY channel ORDER BY seconds) AS surviving
    FROM falls
), adjusted AS (
    SELECT channel,
        (min(seconds) FILTER (WHERE surviving <= 0.5 + 1e-9)
            + coalesce(
                min(seconds) FILTER (WHERE surviving < 0.5 - 1e-9),
                min(seconds) FILTER (WHERE surviving <= 0.5 + 1e-9)
            )) / 2 AS median
    FROM standardised
    GROUP BY channel
)
