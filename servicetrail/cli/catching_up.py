"""Bringing the read models up to date, with a bar for whoever watches."""

from __future__ import annotations

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from projections.runner import Progress as Reached
from servicetrail.cli.output import err
from servicetrail.system import System


def caught_up(system: System) -> int:
    """Apply what the read models lack; gives the position they are at then.

    Where a projector runs already there is next to nothing to do; the two take turns.
    """
    columns = (
        TextColumn("Projecting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    bars = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
    bar = bars.add_task("", total=None)

    def seen(reached: Reached) -> None:
        bars.start()
        bars.update(bar, completed=reached.position, total=reached.end)

    runner = system.runner(seen)
    runner.prepare()
    try:
        return runner.catch_up()
    finally:
        bars.stop()
