"""`import`: events from files, through the same door as everything else."""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import FileIO, RawIOBase
from pathlib import Path
from select import select
from types import FrameType
from typing import Annotated, Any, BinaryIO, TextIO, cast

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ledger.candidates import Receipt
from ledger.datastore import retry_on_loss
from ledger.kept import states
from schemas import codec
from schemas.files import UnreadableFile, messages_from
from schemas.log_mapping import LogMapping, LogReading, MappingWrong
from schemas.message import Message
from servicetrail.cli.errors import NOT_ALL_TAKEN, USAGE, Fail
from servicetrail.cli.output import err, out, printable
from servicetrail.settings import read_settings
from servicetrail.system import System, open_system

STANDARD_INPUT = "-"
EVENTS, XES = "events", "xes"
TAKEN = frozenset({"appended", "duplicate"})


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("import")(import_command)


def import_command(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help=(
                "JSON Lines of structured CloudEvents or Avro container files, or logs in XES; "
                "plain or .gz; - reads standard input."
            ),
        ),
    ],
    rejects: Annotated[
        Path | None,
        typer.Option(
            "--rejects",
            metavar="FILE",
            help=(
                "Write a line of JSON for every event that was parked, rejected or in conflict, "
                "with its place."
            ),
        ),
    ] = None,
    format_: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help="events, or xes for logs, with --mapping."),
    ] = EVENTS,
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--mapping",
            metavar="FILE",
            dir_okay=False,
            help="How the cases and events of a log become events of ours (docs/exports.md).",
        ),
    ] = None,
) -> None:
    """Append the events of files.

    Run again after an interruption: what is there already counts as duplicate. Exit status: 0 when
    all events were taken, 1 when some were rejected, in conflict, or are still parked, 2 when a
    file cannot be read.
    """
    if format_ not in (EVENTS, XES) or (format_ == XES) != (mapping is not None):
        raise Fail(f"--format is {EVENTS}, or {XES} together with --mapping FILE")
    log = None if mapping is None else LogReading(read_mapping(mapping))
    check_readable(files)
    settings = read_settings()
    with ExitStack() as stack:
        rejects_file = stack.enter_context(open_rejects(rejects)) if rejects else None
        stop = stack.enter_context(stopping_on_signals())
        system = stack.enter_context(open_system(settings))
        messages = messages_from if log is None else log.messages
        run = Import(system, settings.import_batch_events, rejects_file, messages)
        with progress() as reading:
            run.take_files(files, reading, stop)
        run.finish()
    for what, count in sorted(log.not_taken.items()) if log else ():
        out.print(f"not taken: {what}, which the mapping does not name  {count:,}")
    for what, count in sorted(log.again.items()) if log else ():
        out.print(f"not taken: {what}, of which there is another in the same place  {count:,}")
    raise typer.Exit(run.exit_status(stop))


class Stop:
    """Whether the person or the machine asked to stop, and by which signal."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


class Import:
    """One run of the command: what became of the events so far."""

    def __init__(
        self,
        system: System,
        batch_events: int,
        rejects: TextIO | None,
        messages: Callable[[BinaryIO, str], Iterable[Message]],
    ) -> None:
        self._messages = messages
        self._system = system
        self._take = retry_on_loss(system.intake.take)
        self._batch_events = batch_events
        self._rejects = rejects
        self._outcomes: Counter[str] = Counter()
        self._reasons: Counter[tuple[str, str]] = Counter()
        self._parked: set[str] = set()
        self._waited: Counter[str] = Counter()
        self._unreadable: list[str] = []
        self._gathered: list[Message] = []

    def take_files(self, files: Sequence[str], reading: Reading, stop: Stop) -> None:
        """Take the files one after the other, until done or asked to stop; a batch is always
        finished.
        """
        for name in files:
            if stop:
                return
            try:
                with reading.opened(name, before_waiting=self._take_gathered) as stream:
                    for message in self._messages(stream, label_of(name)):
                        self._gathered.append(message)
                        if len(self._gathered) == self._batch_events:
                            self._take_gathered()
                            if stop:
                                return
            except UnreadableFile as error:
                self._unreadable.append(str(error))
            self._take_gathered()

    def finish(self) -> None:
        """See what of the parked has settled, and print the summary."""
        with self._system.datastore.transaction() as cursor:
            self._waited = Counter(states(cursor, self._parked).values())
        for outcome in ("appended", "duplicate", "conflict", "parked", "rejected"):
            out.print(f"{outcome:>10}  {self._outcomes[outcome]:,}")
        for (outcome, reason), count in sorted(self._reasons.items()):
            out.print(f"{'':>12}{outcome}: {reason}  {count:,}")
        for state, count in sorted(self._waited.items()):
            if state != "parked":
                out.print(f"{'':>12}parked at first, then {state}  {count:,}")
        for line in self._unreadable:
            err.print(f"servicetrail: {printable(line)}", soft_wrap=True)

    def exit_status(self, stop: Stop) -> int:
        """0, 1 or 2 as the command's help says; after a signal, what shells expect."""
        if self._unreadable:
            return USAGE
        if stop.signal is not None:
            err.print("servicetrail: stopped; run the same command again to go on")
            return 128 + stop.signal
        refused = self._outcomes["rejected"] + self._outcomes["conflict"]
        return NOT_ALL_TAKEN if refused or self._waited.keys() - {"settled"} else 0

    def _take_gathered(self) -> None:
        batch, self._gathered = self._gathered, []
        if not batch:
            return
        for message, receipt in zip(batch, self._take(batch), strict=True):
            self._outcomes[receipt.outcome] += 1
            waits = receipt.outcome == "parked" or receipt.reason == "already_held"
            if receipt.outcome in TAKEN and not waits:
                continue
            self._reasons[receipt.outcome, receipt.reason or ""] += 1
            if waits:
                self._parked.add(codec.event_id(receipt.source, receipt.id))
            if self._rejects is not None:
                self._rejects.write(rejects_line(message, receipt))
        if self._rejects is not None:
            self._rejects.flush()


class Reading:
    """Opens files and shows how far they are read, where somebody watches."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    @contextmanager
    def opened(
        self, name: str, before_waiting: Callable[[], None] = lambda: None
    ) -> Iterator[BinaryIO]:
        """The file's bytes; `-` is standard input, whose length nobody knows.

        `before_waiting` is called when standard input has nothing more at the moment.
        """
        if name == STANDARD_INPUT:
            yield cast(BinaryIO, _StandardInput(before_waiting))
            return
        with self._progress.open(name, "rb", description=label_of(name)) as stream:
            yield stream


@contextmanager
def progress() -> Iterator[Reading]:
    """A bar for each file on standard error, by bytes, if that is a terminal."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=err, disable=not err.is_terminal) as bars:
        yield Reading(bars)


@contextmanager
def stopping_on_signals() -> Iterator[Stop]:
    """Ctrl-C and SIGTERM ask to stop; asked again by the same, the program stops at once."""
    stop = Stop()

    def ask(number: int, _frame: FrameType | None) -> None:
        stop.signal = number
        signal.signal(number, before[number])

    before: dict[int, Any] = {
        number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check_readable(files: Iterable[str]) -> None:
    """Raise Fail for a file that is not there, before anything is taken."""
    for name in files:
        if name != STANDARD_INPUT:
            try:
                with Path(name).open("rb"):
                    pass
            except OSError as error:
                raise Fail(f"{name}: {error.strerror}; nothing was imported") from None


def read_mapping(path: Path) -> LogMapping:
    """The mapping of a file; raises Fail when it cannot be used."""
    try:
        return LogMapping.of_text(path.read_bytes())
    except OSError as error:
        raise Fail(f"{path}: {error.strerror}; --mapping names a file of JSON") from None
    except MappingWrong as error:
        raise Fail(f"{path}: {error}; docs/exports.md says how a mapping is written") from None


def open_rejects(path: Path) -> TextIO:
    """The file for what was not taken; raises Fail when it cannot be written."""
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise Fail(f"{path}: {error.strerror}; give --rejects a file that can be written") from None


def label_of(name: str) -> str:
    """What a file is called in receipts and in the sources of events that name none."""
    return name if name == STANDARD_INPUT else Path(name).name


def rejects_line(message: Message, receipt: Receipt) -> str:
    """A receipt and where its event stood, as one line of JSON; nothing of what the event says."""
    return (
        json.dumps({**receipt._asdict(), "where": dict(message.origin)}, ensure_ascii=False) + "\n"
    )


class _StandardInput(RawIOBase):
    """Standard input, which says when whoever reads on would have to wait."""

    def __init__(self, before_waiting: Callable[[], None]) -> None:
        self._before_waiting = before_waiting
        self._bytes = FileIO(sys.stdin.fileno(), closefd=False)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if not select([self._bytes], [], [], 0)[0]:
            self._before_waiting()
        return self._bytes.readinto(buffer)
