"""`publish`: events from files to Kafka, through an outbox that outlives a crash."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from consumers.cluster import Cluster
from consumers.producing import LoginRefused, Record, TopicsRefused, options_of
from schemas.event import Unreadable
from schemas.files import UnreadableFile, messages_from
from schemas.message import Message
from schemas.reading import read
from schemas.topics import topics_with
from servicetrail.cli.errors import NOT_ALL_TAKEN, TAKEN_IN_FULL, USAGE, Fail
from servicetrail.cli.importing import (
    Stop,
    check_readable,
    label_of,
    open_rejects,
    progress,
    stopping_on_signals,
)
from servicetrail.cli.output import err, out, printable
from servicetrail.publisher.delivery import Delivery
from servicetrail.publisher.errors import OutboxFull, PublishingError
from servicetrail.publisher.outbox import OUTBOX_FILE, Outbox, Refusal
from servicetrail.publisher.records import record_of
from servicetrail.settings import Settings, read_settings

CAPACITY = 1_000_000
BATCH = 500
LOOK_SECONDS = 0.2
STOP_SECONDS = 6.0
_COLUMNS = (
    TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
)  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("publish")(publish_command)


def publish_command(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE",
            help=(
                "JSON Lines of structured CloudEvents or Avro container files, plain or .gz; - "
                "reads standard input. Without files: deliver what waits in the outbox."
            ),
            show_default=False,
        ),
    ] = None,
    brokers: Annotated[
        str | None,
        typer.Option(
            "--brokers",
            metavar="HOST:PORT,...",
            help="Where to publish. Default: SERVICETRAIL_KAFKA_BOOTSTRAP_SERVERS.",
            show_default=False,
        ),
    ] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option(
            "--topic",
            metavar="FAMILY=TOPIC",
            help="Another topic for a family of event types, such as support=back-office.",
            show_default=False,
        ),
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(
            "--rejects",
            metavar="FILE",
            help="Write a line of JSON for every event that was rejected, with its place.",
        ),
    ] = None,
    outbox: Annotated[
        Path | None,
        typer.Option(
            "--outbox",
            metavar="FILE",
            help=f"Where events wait. Default: {OUTBOX_FILE} in the data directory.",
            show_default=False,
        ),
    ] = None,
    patience: Annotated[
        float,
        typer.Option(
            "--patience", min=0, metavar="SECONDS", help="Give up when nothing moves for so long."
        ),
    ] = 30,
    again: Annotated[
        bool, typer.Option("--again", help="Send also what was delivered by an earlier run.")
    ] = False,
    discard_refused: Annotated[
        str | None,
        typer.Option(
            "--discard-refused",
            metavar="REASON",
            help=(
                "First put aside what the brokers refused in earlier runs, such as because it was "
                "replaced; that, and why, stays on record in the outbox."
            ),
        ),
    ] = None,
) -> None:
    """Publish the events of files to Kafka.

    Every event is checked as the ledger will check it, then put into the outbox, then delivered.
    Run the same command again after an interruption: what was acknowledged is not sent again. Exit
    status: 0 when all events were delivered, 1 when some were rejected, by us now or by the brokers
    ever (what these refused stays in the outbox until it is published again, and taken, or put
    aside), 2 when a file cannot be read or some events still wait.
    """
    check_readable(files or [])
    settings = read_settings()
    cluster = _cluster(settings, brokers)
    topics = _topics(topic or [])
    for logger in ("kafka", "servicetrail.publisher"):  # what matters of it the command tells
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    try:
        with ExitStack() as stack:
            rejects_file = stack.enter_context(open_rejects(rejects)) if rejects else None
            stop = stack.enter_context(stopping_on_signals())
            box = Outbox(outbox or settings.data_dir / OUTBOX_FILE, capacity=CAPACITY)
            stack.callback(box.close)
            if discard_refused is not None:
                _discard(box, discard_refused)
            delivery = Delivery(
                box, str(cluster.bootstrap_servers), options_of(cluster), again=again
            )
            run = Publishing(
                box, delivery, topics, settings.max_event_bytes, patience, rejects_file
            )
            run.publish(files or [], stop)
    except PublishingError as error:
        raise Fail(str(error)) from None
    run.tell()
    raise typer.Exit(run.exit_status(stop))


def _discard(outbox: Outbox, reason: str) -> None:
    if not reason.strip():
        raise Fail("what is put aside stays on record with its reason: say it")
    for source, id_, refused, _, _ in outbox.discard(reason):
        out.print(f"put aside: {printable(source)} {printable(id_)}, which was refused: {refused}")


class Publishing:
    """One run of the command: what became of the events so far."""

    def __init__(
        self,
        outbox: Outbox,
        delivery: Delivery,
        topics: Mapping[str, str],
        max_event_bytes: int,
        patience_seconds: float,
        rejects: TextIO | None,
    ) -> None:
        self._outbox = outbox
        self._delivery = delivery
        self._topics = topics
        self._max_event_bytes = max_event_bytes
        self._patience = patience_seconds
        self._rejects = rejects
        self._already = 0
        self._reasons: Counter[str] = Counter()
        self._unreadable: list[str] = []
        self._refused: list[Refusal] = []
        self._left = 0
        self._moved = (0, time.monotonic())

    def publish(self, files: Sequence[str], stop: Stop) -> None:
        """Put the files' events into the outbox while others are delivered; then wait for all."""
        self._delivery.start()
        try:
            for name in files:
                if stop:
                    break
                try:
                    self._put_file(name, stop)
                except UnreadableFile as error:
                    self._unreadable.append(str(error))
            self._wait(stop)
        finally:
            self._delivery.stop(STOP_SECONDS)
        self._left = self._outbox.waiting
        self._refused = self._outbox.refusals()

    def tell(self) -> None:
        """Print the summary."""
        for word, count in (
            ("delivered", self._delivery.acknowledged),
            ("already", self._already + self._delivery.remembered),
            ("rejected", self._reasons.total() + len(self._refused)),
            ("waiting", self._left),
        ):
            out.print(f"{word:>10}  {count:,}")
        for reason, count in sorted(self._reasons.items()):
            out.print(f"{'':>12}rejected: {reason}  {count:,}")
        for source, id_, reason in self._refused:
            _complain(f"{source} {id_}: refused by the brokers: {reason}")
        for line in self._unreadable:
            _complain(line)

    def exit_status(self, stop: Stop) -> int:
        """0, 1 or 2 as the command's help says; after a signal, what shells expect."""
        if stop.signal is not None:
            _complain("stopped; run the same command again to go on")
            return 128 + stop.signal
        if self._left:
            failure = self._delivery.failure or "the brokers are slow"
            _complain(
                f"{self._left:,} events wait in {self._outbox.path}: {failure}; "
                "run the same command again to go on"
            )
        if self._left or self._unreadable:
            return USAGE
        return NOT_ALL_TAKEN if self._reasons or self._refused else TAKEN_IN_FULL

    def _put_file(self, name: str, stop: Stop) -> None:
        with progress() as reading, reading.opened(name) as stream:
            for records in self._batches(messages_from(stream, label_of(name))):
                if not self._put(records, stop):
                    raise UnreadableFile(f"{name}: not read to its end, because brokers are away")
                if stop:
                    return

    def _batches(self, messages: Iterator[Message]) -> Iterator[list[Record]]:
        """The records of the messages that can be read; those before an unreadable place are
        given before the error is raised.
        """
        batch: list[Record] = []
        broken: UnreadableFile | None = None
        try:
            for message in messages:
                batch += self._records(message)
                if len(batch) == BATCH:
                    yield batch
                    batch = []
        except UnreadableFile as error:
            broken = error
        if batch:
            yield batch
        if broken is not None:
            raise broken

    def _records(self, message: Message) -> list[Record]:
        """The message's record; none if it is rejected."""
        now = datetime.now(UTC)
        try:
            event = read(message, now=now, max_bytes=self._max_event_bytes)
        except Unreadable as unreadable:
            self._reasons[unreadable.code] += 1
            if self._rejects is not None:
                self._rejects.write(_rejects_line(message, unreadable))
                self._rejects.flush()
            return []
        return [record_of(event, self._topics, now)]

    def _put(self, records: list[Record], stop: Stop) -> bool:
        """Put records into the outbox, waiting for room in it; whether that came."""
        while True:
            try:
                self._already += len(records) - self._outbox.put(records)
                return True
            except OutboxFull:
                if stop or not self._moves():
                    return False
                self._outbox.wait_for_delivery(self._outbox.last(), LOOK_SECONDS)

    def _wait(self, stop: Stop) -> None:
        last = self._outbox.last()
        with Progress(*_COLUMNS, console=err, disable=not err.is_terminal) as bar:
            total = self._outbox.waiting
            task = bar.add_task("Delivering", total=total)
            while left := self._outbox.wait_for_delivery(last, LOOK_SECONDS):
                bar.update(task, completed=total - left)
                if stop or not self._moves():
                    return

    def _moves(self) -> bool:
        """Whether anything was delivered lately, or still may be."""
        moved, since = self._moved
        delivered = self._delivery.acknowledged + self._delivery.remembered
        if delivered > moved:
            self._moved = (delivered, time.monotonic())
            return True
        return (
            not isinstance(self._delivery.failure, LoginRefused | TopicsRefused)
            and time.monotonic() - since < self._patience
        )


def _cluster(settings: Settings, brokers: str | None) -> Cluster:
    servers = brokers or settings.kafka_bootstrap_servers
    if not servers:
        raise Fail(
            "no brokers are set: give --brokers, or set SERVICETRAIL_KAFKA_BOOTSTRAP_SERVERS"
        )
    return Cluster(servers, settings.kafka_options)


def _topics(given: Sequence[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in given]
    if not all(family and topic for family, _, topic in pairs):
        raise Fail("--topic is given as FAMILY=TOPIC, such as support=back-office")
    try:
        return topics_with({family: topic for family, _, topic in pairs})
    except ValueError as error:
        raise Fail(str(error)) from None


def _rejects_line(message: Message, unreadable: Unreadable) -> str:
    """What `import` writes of a rejected event, as one line of JSON; nothing of what it says."""
    line = {
        "source": unreadable.source,
        "id": unreadable.id,
        "outcome": "rejected",
        "reason": unreadable.code,
        "position": None,
        "message": unreadable.message,
        "path": unreadable.path,
        "where": dict(message.origin),
    }
    return json.dumps(line, ensure_ascii=False) + "\n"


def _complain(text: str) -> None:
    err.print(f"servicetrail: {printable(text)}", soft_wrap=True)
