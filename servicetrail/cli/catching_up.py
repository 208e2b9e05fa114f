"""Bringing the read models up to date, and building them, with a bar for whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from projections.rebuilding import Done, replace_stale
from projections.runner import Progress as Reached
from servicetrail.cli.errors import Fail
from servicetrail.cli.output import err
from servicetrail.signals import signals_unwind
from servicetrail.system import System

INTERRUPTED = 130


def caught_up(system: System) -> int:
    """Apply what the read models lack; gives the position they are at then.

    Those that are there in another version are built anew first. Where a projector runs already
    there is next to nothing to do; the two take turns.
    """
    with bars() as show:
        replace_stale(
            system.datastore,
            system.models,
            workers=system.settings.projector_workers,
            on_progress=show,
        )
        return projected(system, show)


def projected(system: System, show: Callable[[Done], None]) -> int:
    """Apply what the read models lack that are there in our version; gives the position."""

    def seen(reached: Reached) -> None:
        show(Done("Projecting", reached.position, reached.end))

    runner = system.runner(seen)
    runner.prepare()
    position: int = runner.catch_up()
    return position


@contextmanager
def bars() -> Iterator[Callable[[Done], None]]:
    """What shows how far something is, and the time left, where somebody watches standard error."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    progress = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
    shown: dict[str, TaskID] = {}

    def show(done: Done) -> None:
        progress.start()
        if done.stage not in shown:
            shown[done.stage] = progress.add_task(done.stage, total=None)
        progress.update(shown[done.stage], completed=done.events, total=done.of or None)

    try:
        yield show
    finally:
        progress.stop()


@contextmanager
def resumable() -> Iterator[Callable[[Done], None]]:
    """Bars for what can be interrupted by Ctrl-C or SIGTERM, and then goes on where it was."""
    try:
        with signals_unwind(), bars() as show:
            yield show
    except KeyboardInterrupt:
        raise Fail("stopped; run the same command again to go on", INTERRUPTED) from None
