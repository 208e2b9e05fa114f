"""Medians that count those who still wait.

The estimate of the share still waiting after t seconds is Kaplan and Meier's (1958). The median is
where it reaches one half; where it stays at exactly one half for a while, the middle of that while,
so that without anyone waiting it is the ordinary median. The interval is that of Brookmeyer and
Crowley (1982): all t at which one half lies within the 95 % confidence band, the band being
Greenwood's on the scale log(-log) (Kalbfleisch and Prentice), which stays within 0 and 1. Where
the estimate does not come down to one half the median is null: not reached. Where a band does not
its limit is null: not reached either, or the estimate fell to zero first, where Greenwood's formula
gives no band, as in R's survfit. So both limits are null where all ended at one instant.
"""

from collections.abc import Sequence
from pathlib import Path

from ledger.sql import named_queries

_SQL = named_queries(Path(__file__).with_name("survival.sql"))

Z = 1.959963984540054
"""97.5 % of a standard normal distribution lies below it."""


def kaplan_meier(names: Sequence[str], measured: str = "measured", prefix: str = "") -> str:
    """Common table expressions; the last is `km` with the groups `names`, `median`, `low`, `high`.

    `measured` is a table with the groups, `seconds` (float8) and `ended` (false: still waiting
    after so many seconds). A group in which nobody's wait ended has no row. All expressions begin
    with `prefix`, so that a statement can have several curves.
    """
    return f"{_curve(names, measured, prefix)}, {_filled('median', names, measured, prefix)}"


def standardised() -> str:
    """Common table expressions; the last is `adjusted` with `channel` and `median`.

    Direct standardisation: from `strata` (`channel`, `stratum`, `seconds`, `ended`) and `mix`
    (`stratum`, `share`: 1 in total), the median that each channel would have if every stratum had
    the share that it has in the mix. Says nothing sensible of a channel that lacks a stratum.
    """
    return f"{_curve(['channel', 'stratum'], 'strata', 'strata_')}, {_SQL['standardised']}"


def _curve(names: Sequence[str], measured: str, prefix: str) -> str:
    return _filled("curve", names, measured, prefix)


def _filled(statement: str, names: Sequence[str], measured: str, prefix: str) -> str:
    return (
        _SQL[statement]
        .replace("{names}", ", ".join(names))
        .replace("{measured}", measured)
        .replace("{prefix}", prefix)
        .replace("{z}", repr(Z))
    )
