-- name: kaplan_meier
-- From `measured` (the groups, seconds, ended): what a Kaplan-Meier estimate takes each group's median to be.
at_risk AS (
    SELECT {names}, seconds, ended,
        (count(*) OVER (PARTITION BY {names})
            - row_number() OVER (PARTITION BY {names} ORDER BY seconds, ended DESC) + 1)::float8 AS at_risk
    FROM {measured}
), curve AS (
    -- One at a time: (1 - 1/n)(1 - 1/(n-1)) is 1 - 2/n, and Greenwood's terms add up in the same way. Those who
    -- ended at one instant are peers of one window frame, so that each has the value after all of them.
    SELECT {names}, seconds,
        sum(CASE WHEN at_risk > 1 THEN ln(1 - 1 / at_risk) ELSE '-infinity' END) OVER together AS log_left,
        sum(1 / nullif(at_risk * (at_risk - 1), 0)) OVER together AS greenwood
    FROM at_risk
    WHERE ended
    WINDOW together AS (PARTITION BY {names} ORDER BY seconds)
), banded AS (
    SELECT {names}, seconds, log_left,
        CASE WHEN log_left > '-infinity' AND log_left < 0
            THEN {z} * sqrt(greenwood) / -log_left END AS width
    FROM curve
), km AS (
    SELECT {names},
        (min(seconds) FILTER (WHERE log_left <= -ln(2.0::float8) + 1e-9)
            + coalesce(
                min(seconds) FILTER (WHERE log_left < -ln(2.0::float8) - 1e-9),
                min(seconds) FILTER (WHERE log_left <= -ln(2.0::float8) + 1e-9)
            )) / 2 AS median,
        min(seconds) FILTER (WHERE log_left * exp(width) <= -ln(2.0::float8)) AS low,
        min(seconds) FILTER (WHERE log_left * exp(-width) <= -ln(2.0::float8)) AS high
    FROM banded
    GROUP BY {names}
)
