"""Medians that count those who still wait.

The estimate of the share still waiting after t seconds is Kaplan and Meier's (1958). The median is
where it reaches one half; where it stays at exactly one half for a while, the middle of that while,
so that without anyone waiting it is the ordinary median. The interval is that of Brookmeyer and
Crowley (1982): all t at which one half lies within the 95 % confidence band, the band being
Greenwood's on the scale log(-log) (Kalbfleisch and Prentice), which stays within 0 and 1. Where
the estimate or a band does not come down to one half, the answer is null: not reached.
"""

from collections.abc import Sequence
from pathlib import Path

from ledger.sql import named_queries

_SQL = named_queries(Path(__file__).with_name("survival.sql"))

_Z = 1.959963984540054
"""97.5 % of a standard normal distribution lies below it."""


def kaplan_meier(names: Sequence[str], measured: str = "measured") -> str:
    """Common table expressions; the last is `km` with the groups `names`, `median`, `low`, `high`.

    `measured` is a table with the groups, `seconds` (float8) and `ended` (false: still waiting
    after so many seconds). A group in which nobody's wait ended has no row.
    """
    return (
        _SQL["kaplan_meier"]
        .replace("{names}", ", ".join(names))
        .replace("{measured}", measured)
        .replace("{z}", repr(_Z))
    )
