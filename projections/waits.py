"""Answers about groups of waits, with what these tell: percentiles, and medians that count those
who still wait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ledger.datastore import PgCursor

if TYPE_CHECKING:
    from projections.survival import Ended, Seconds


def fetch_waits(
    cursor: PgCursor,
    statement: str,
    parameters: Mapping[str, Any],
    *,
    of: Sequence[str] = ("",),
    percentiles: Mapping[str, float],
) -> list[dict[str, Any]]:
    """All rows of a statement about groups of waits, as dicts by column name.

    For each prefix in `of` the statement has columns `…seconds` (float8[], empty rather than null)
    and `…ended` (boolean[]): how long each wait of the group lasted, and whether it had ended then.
    In place of the former stand `…median_seconds`, or whatever `percentiles` are named, over those
    that ended, and `…km_median_seconds` with `_low` and `_high` over all of them, as
    `projections.survival` defines them.
    """
    # Importing numpy takes a tenth of a second: only who asks for figures shall wait for it.
    from projections.arrays import fetch_arrays

    rows = fetch_arrays(cursor, statement, parameters)
    return [_told(row, of, percentiles) for row in rows]


def _told(
    row: Mapping[str, Any], of: Sequence[str], percentiles: Mapping[str, float]
) -> dict[str, Any]:
    prefixes = {f"{prefix}seconds": prefix for prefix in of}
    ended = {f"{prefix}ended" for prefix in of}
    told: dict[str, Any] = {}
    for name, value in row.items():
        if name in prefixes:
            prefix = prefixes[name]
            told |= _figures(prefix, value, row[f"{prefix}ended"], percentiles)
        elif name not in ended:
            told[name] = value
    return told


def _figures(
    prefix: str, seconds: Seconds, ended: Ended, shares: Mapping[str, float]
) -> dict[str, float | None]:
    from projections.survival import in_order, kaplan_meier, percentiles

    waited = in_order(seconds, ended)
    found = percentiles(waited.ended, shares.values())
    median, low, high = kaplan_meier(waited)
    name = f"{prefix}km_median_seconds"
    return {
        **{f"{prefix}{each}_seconds": value for each, value in zip(shares, found, strict=True)},
        name: median,
        f"{name}_low": low,
        f"{name}_high": high,
    }
