"""`dead-letters`: what was not taken, why, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ledger.dead_letters import (
    REDRIVABLE,
    STATES,
    DeadLetters,
    InputErased,
    NoSuchInput,
    NotOpen,
    Repaired,
    Where,
    count,
)
from ledger.redriving import OPEN, TAKEN
from ledger.rejected import look
from projections.answers import BadToken
from questions.answers import plain
from questions.tables import column, in_columns, instant, number, words
from servicetrail.cli import options
from servicetrail.cli.errors import NOT_ALL_TAKEN, Fail
from servicetrail.cli.one_input import print_body, print_input, write_body
from servicetrail.cli.output import Form, err, out, show
from servicetrail.cli.recording import login, reader, whoever_types
from servicetrail.settings import read_settings
from servicetrail.system import System, open_system
from web.dead_letter_rows import DeadLetter, DeadLetterRow, DiscardedRow, RedrivenRow
from web.dead_letters import answered, listing, one, revealed

LIST = in_columns(
    number("Input", "kept_id"),
    column("State", "state"),
    words("Source", "source"),
    words("Id", "id"),
    column("Reason", "reason"),
    column("Field", "path"),
    column("From", "origin", lambda origin: " ".join(str(part) for part in origin.values())),
    instant("First received", "first_seen"),
    number("Attempts", "attempts"),
    number("Position", "position"),
)
DONE = in_columns(
    number("Input", "kept_id"),
    words("Source", "source"),
    words("Id", "id"),
    column("Outcome", "outcome"),
    number("Position", "position"),
    column("Reason", "reason"),
    words("What is wrong", "message"),
)
Ids = Annotated[
    list[int] | None,
    typer.Argument(metavar="[INPUT]...", help="Only these, by the number the list shows."),
]
Source = Annotated[str | None, typer.Option("--source", help="Only from this source.")]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="CODE", help="Only with this reason.")
]
Topic = Annotated[str | None, typer.Option("--topic", help="Only from this Kafka topic.")]
All = Annotated[bool, typer.Option("--all", help="All of them, where nothing else says which.")]
By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who asks. Default: your login.")
]


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Inputs that were not taken: list, show, redrive, repair, discard, seen.",
        rich_markup_mode=None,
    )
    group.command("list")(list_command)
    group.command("show")(show_command)
    group.command("redrive")(redrive_command)
    group.command("discard")(discard_command)
    group.command("seen")(seen_command)
    app.add_typer(group, name="dead-letters")


def list_command(
    ids: Ids = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            help=f"Only in this state, several times for several: {', '.join(STATES)}. "
            "Default: what somebody still has to look at, the first three.",
            show_default=False,
        ),
    ] = None,
    source: Source = None,
    reason: Reason = None,
    topic: Topic = None,
    since: options.Since = None,
    until: options.Until = None,
    position: Annotated[
        int | None,
        typer.Option("--position", min=1, help="Only what the event at this position was."),
    ] = None,
    limit: options.Limit = 100,
    cursor: options.Cursor = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """List inputs that were parked, rejected or in conflict, the latest first.

    Nothing of what they say is shown.
    """
    form = options.form_of(json, csv)
    where = Where(
        states=checked(state, STATES) or OPEN,
        kept_ids=ids or None,
        source=source,
        reason=reason,
        topic=topic,
        from_=since,
        to=until,
        position=position,
    )
    with told(), open_system(read_settings()) as system:
        answer = plain(listing(system.reads, where, limit=limit, token=cursor))
    show(answer, form, LIST, DeadLetterRow.model_fields)


def show_command(
    kept_id: Annotated[int, typer.Argument(metavar="INPUT", help="Its number in the list.")],
    reveal: Annotated[
        bool,
        typer.Option(
            "--reveal", help="Show the input itself, too; it stays on record who asked for it."
        ),
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="With --reveal: write the input, byte for byte, to a new file; - for standard "
            "output.",
        ),
    ] = None,
    by: By = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """Show everything that is known of one input, and what happened to it.

    An erased customer's input cannot be revealed: its key is destroyed.
    """
    form = options.form_of(json, csv)
    if file is not None and not reveal:
        raise Fail("--out writes what the input says: give --reveal as well")
    with told(), open_system(read_settings()) as system:
        dead_letters = system.dead_letters()
        message = (
            dead_letters.reveal(kept_id, who=by or login(), actor=reader(system))
            if reveal
            else None
        )
        answer = one(system.reads, system.keyring, kept_id)
    if message is not None and file is not None:
        write_body(message, file)
        return
    if message is not None:
        answer.rows[0]["revealed"] = revealed(message)
    told_ = plain(answer)
    if form is not Form.TABLE:
        show(told_, form, in_columns(), DeadLetter.model_fields)
        return
    [row] = told_["rows"]
    print_input(row)
    if message is not None:
        print_body(row["revealed"])


def redrive_command(
    ids: Ids = None,
    state: Annotated[
        list[str] | None,
        typer.Option("--state", help="Only rejected, or only conflict.", show_default=False),
    ] = None,
    source: Source = None,
    reason: Reason = None,
    topic: Topic = None,
    since: options.Since = None,
    until: options.Until = None,
    all_: All = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how they would end; change nothing.")
    ] = False,
    edit: Annotated[
        str | None,
        typer.Option(
            "--edit",
            metavar="FILE",
            help="Take this repaired body in place of one input's, of a parked one too; - reads "
            "standard input.",
        ),
    ] = None,
    attributes: Annotated[
        list[str] | None,
        typer.Option(
            "--attribute",
            metavar="NAME=VALUE",
            help="Repair a CloudEvents attribute of one input; NAME= takes it away.",
        ),
    ] = None,
    by: By = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """Take rejected and conflicting inputs again, by today's schemas and rules, oldest first.

    They keep the name and the time that they were received with. What is appended or turns out a
    duplicate leaves the list; what is refused again stays, with today's reason. Exit status: 0 when
    all were taken, 1 when some were not.
    """
    form = options.form_of(json, csv)
    where = which(
        ids, checked(state, REDRIVABLE) or REDRIVABLE, all_,
        source=source, reason=reason, topic=topic, from_=since, to=until,
    )  # fmt: skip
    repaired = repair_of(edit, attributes or (), ids or ())
    with told(), open_system(read_settings()) as system:
        dead_letters, who, actor = system.dead_letters(), by or login(), whoever_types()
        if repaired is not None and ids:
            done = [dead_letters.repair(ids[0], repaired, who=who, dry_run=dry_run, actor=actor)]
        else:
            done = [
                each
                for kept_ids in batches(system, dead_letters, where, REDRIVABLE)
                for each in dead_letters.redrive(kept_ids, who=who, dry_run=dry_run, actor=actor)
            ]
        answer = plain(answered(system.reads, [each._asdict() for each in done]))
    show(answer, form, DONE, RedrivenRow.model_fields)
    if dry_run and form is Form.TABLE:
        out.print("A dry run: nothing was changed")
    if any(each.outcome not in TAKEN for each in done):
        raise typer.Exit(NOT_ALL_TAKEN)


def discard_command(
    ids: Ids = None,
    because: Annotated[
        str, typer.Option("--because", metavar="TEXT", help="Why; it stays on record. Required.")
    ] = "",
    state: Annotated[
        list[str] | None,
        typer.Option("--state", help=f"Only {', '.join(OPEN)}.", show_default=False),
    ] = None,
    source: Source = None,
    reason: Reason = None,
    topic: Topic = None,
    since: options.Since = None,
    until: options.Until = None,
    all_: All = False,
    by: By = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """Put inputs aside for good. They stay on record, and what waited behind them goes on."""
    form = options.form_of(json, csv)
    if not because.strip():
        raise Fail("a discard stays on record with its reason: give --because")
    where = which(
        ids, checked(state, OPEN) or OPEN, all_,
        source=source, reason=reason, topic=topic, from_=since, to=until,
    )  # fmt: skip
    rows = []
    with told(), open_system(read_settings()) as system:
        dead_letters = system.dead_letters()
        for kept_ids in batches(system, dead_letters, where, OPEN):
            dead_letters.discard(kept_ids, who=by or login(), reason=because, actor=whoever_types())
            rows += [{"kept_id": kept_id, "state": "discarded"} for kept_id in kept_ids]
        answer = plain(answered(system.reads, rows))
    columns = in_columns(number("Input", "kept_id"), column("State", "state"))
    show(answer, form, columns, DiscardedRow.model_fields)


def seen_command(
    topic: Annotated[
        str | None, typer.Option("--topic", help="Only those of this Kafka topic. Default: of all.")
    ] = None,
    by: By = None,
) -> None:
    """Say that somebody has looked at what was rejected, so that consumers may go on.

    What was rejected until now counts no more for the share of rejected records above which they
    stop. It stays what it is: rejected, on the list, to be redriven or discarded.
    """
    with open_system(read_settings()) as system, system.datastore.transaction() as cursor:
        open_ = look(cursor, topic, by or login())
    of_what = "" if topic is None else f" of the topic {topic}"
    out.print(f"{open_:,} rejected records{of_what} were looked at: consumers may go on")


def which(ids: list[int] | None, states: Sequence[str], all_: bool, **given: Any) -> Where:
    """The inputs that are meant; raises Fail where nothing says which."""
    if not ids and not all_ and all(each is None for each in given.values()):
        raise Fail("say which inputs: by their numbers, by a filter, or --all")
    return Where(states=states, kept_ids=ids or None, **given)


def checked(states: Sequence[str] | None, known: Sequence[str]) -> Sequence[str] | None:
    """The states that were asked for; raises Fail for one that is not known."""
    for state in states or ():
        if state not in known:
            raise Fail(f"--state {state}: it must be one of {', '.join(known)}")
    return states


def batches(
    system: System, dead_letters: DeadLetters, where: Where, among: Sequence[str]
) -> Iterator[list[int]]:
    """The inputs that are meant, in lists; with a bar where somebody watches."""
    with system.reads.transaction() as cursor:
        total = count(cursor, where)
    columns = (TextColumn("inputs"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as bars:
        task = bars.add_task("", total=total)
        for kept_ids in dead_letters.matching(where, among=among):
            yield kept_ids
            bars.advance(task, len(kept_ids))


def repair_of(edit: str | None, attributes: Sequence[str], ids: Sequence[int]) -> Repaired | None:
    """What was repaired, if anything was; raises Fail for what cannot be."""
    if edit is None and not attributes:
        return None
    if len(ids) != 1:
        raise Fail("a repair is for one input: give its number")
    pairs = [attribute.partition("=") for attribute in attributes]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise Fail(f"--attribute {name}: write it as NAME=VALUE")
    body = None
    if edit is not None:
        body = sys.stdin.buffer.read() if edit == "-" else Path(edit).read_bytes()
    return Repaired(body, {name: value for name, _, value in pairs})


@contextmanager
def told() -> Iterator[None]:
    """End the command with one line for what cannot be done."""
    try:
        yield
    except (NoSuchInput, NotOpen, InputErased, BadToken) as error:
        raise Fail(str(error)) from None
