"""The medians of `projections.survival` as parts of SQL statements."""

from collections.abc import Sequence
from pathlib import Path

from ledger.sql import named_queries
from projections.proportions import Z

_SQL = named_queries(Path(__file__).with_name("survival.sql"))


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
