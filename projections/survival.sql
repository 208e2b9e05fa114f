-- name: curve
-- From {measured} (the groups, seconds, ended): for every end the logarithm of the share that is left after it.
{prefix}at_risk AS (
    SELECT {names}, seconds, ended,
        (count(*) OVER (PARTITION BY {names})
            - row_number() OVER (PARTITION BY {names} ORDER BY seconds, ended DESC) + 1)::float8 AS at_risk
    FROM {measured}
), {prefix}curve AS (
    -- One at a time: (1 - 1/n)(1 - 1/(n-1)) is 1 - 2/n, and Greenwood's terms add up in the same way. Those who
    -- ended at one instant are peers of one window frame, so that each has the value after all of them.
    SELECT {names}, seconds,
        sum(CASE WHEN at_risk > 1 THEN ln(1 - 1 / at_risk) ELSE '-infinity' END) OVER together AS log_left,
        sum(1 / nullif(at_risk * (at_risk - 1), 0)) OVER together AS greenwood
    FROM {prefix}at_risk
    WHERE ended
    WINDOW together AS (PARTITION BY {names} ORDER BY seconds)
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
