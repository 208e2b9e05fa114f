"""`seal` and `verify`: put the ledger under checkpoints, and check all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from audit.standalone.command import check_file, told
from audit.standalone.proofs import Wrong
from audit.whole import check_ledger
from audit.whole_checkpoints import Outside
from audit.whole_found import Found
from consumers.checkpoints import TopicAway
from servicetrail.cli import options
from servicetrail.cli.errors import NOT_ALL_TAKEN
from servicetrail.cli.output import err, out, printable, write_json
from servicetrail.sealing import directory_of, public_keys, sealer_of, topic_of
from servicetrail.settings import Settings, read_settings
from servicetrail.system import System, open_system

Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="KEY",
        help="A public key of the ledger that you got another way; may be given several times.",
    ),
]
Witnesses = Annotated[
    list[str] | None, typer.Option("--witness", metavar="KEY", help="A witness's public key.")
]
Kept = Annotated[
    list[Path] | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="A checkpoint that you kept, to compare with; may be given several times.",
    ),
]
Grown = Annotated[
    list[Path] | None,
    typer.Option(
        "--proof",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="A proof of consistency between such a checkpoint and the one in the evidence.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("seal")(seal_command)
    app.command("verify")(verify_command)


def seal_command() -> None:
    """Put every event under a signed checkpoint now; `up` does that all the time."""
    with open_system(read_settings()) as system:
        checkpoints = sealer_of(system).seal()
    out.print(f"{checkpoints} checkpoints made" if checkpoints else "everything is sealed already")


def verify_command(
    evidence: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            exists=True,
            help="Evidence, or the certificate of an erasure, to verify without any database. Left "
            "out: the whole ledger.",
            show_default=False,
        ),
    ] = None,
    key: Keys = None,
    witness: Witnesses = None,
    checkpoint: Kept = None,
    proof: Grown = None,
    processes: Annotated[
        int | None,
        typer.Option(
            "--processes",
            metavar="N",
            min=1,
            help="How many processes read the ledger. Default: one for each processor.",
            show_default=False,
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Verify evidence, or calculate the whole ledger anew and compare it with every checkpoint.

    Says the first position at fault. Exit status 1 if anything is wrong. The whole ledger is
    compared with the checkpoints in the database, with those in SERVICETRAIL_CHECKPOINT_DIR, with
    the newest one in SERVICETRAIL_CHECKPOINT_TOPIC, and with those given; signatures are checked
    with the public keys in the program's own key file.
    """
    kept = [Outside(str(path), path.read_text(encoding="utf-8")) for path in checkpoint or []]
    if evidence is not None:
        known = {
            "keys": key or [],
            "witnesses": witness or [],
            "checkpoints": [each.note for each in kept],
            "growths": [path.read_text(encoding="utf-8") for path in proof or []],
        }
        verify_evidence(evidence, known, json)
        return
    with open_system(read_settings()) as system, _bar() as progress:
        found = whole(system, kept, key or [], processes, progress)
    if json:
        write_json(
            {
                **{name: value for name, value in vars(found).items() if name != "faults"},
                "first_position": found.first_position,
                "faults": [fault._asdict() for fault in found.faults],
            }
        )
    else:
        print_found(found)
    if found.faults:
        raise typer.Exit(NOT_ALL_TAKEN)


def verify_evidence(path: Path, known: Mapping[str, list[str]], json: bool) -> None:
    """Verify evidence, say what it proves, and exit with status 1 where it is wrong.

    `known` is what `audit.standalone.bundle.check` takes by name.
    """
    try:
        verdict = check_file(str(path), **known)
    except Wrong as wrong:
        if json:
            write_json({"wrong": str(wrong), "proven": [], "not_proven": []})
        else:
            out.print(printable(f"WRONG: {wrong}"), soft_wrap=True)
        raise typer.Exit(NOT_ALL_TAKEN) from None
    if json:
        write_json({"wrong": None, **verdict._asdict()})
    else:
        for line in told(verdict).splitlines():
            out.print(printable(line), soft_wrap=True)


def whole(
    system: System,
    kept: list[Outside],
    keys: list[str],
    processes: int | None,
    progress: _Progress,
) -> Found:
    """Check the whole ledger of a system."""
    known = keys or public_keys(system.settings)
    origin = known[-1].partition("+")[0]
    outside = [
        Outside(str(path), str(note)) for path, note, _ in directory_of(system.settings).all(origin)
    ]
    return check_ledger(
        system.datastore,
        keys=known,
        outside=[*outside, *in_topic(system.settings, origin), *kept],
        unwrap=system.keyring.unwrap,
        processes=processes,
        progress=progress.seen,
    )


def in_topic(settings: Settings, origin: str) -> list[Outside]:
    """The newest checkpoint in the topic, if one is configured; says so where it cannot be read."""
    topic = topic_of(settings)
    if topic is None:
        return []
    try:
        return [Outside(topic.place, note) for note in topic.notes(origin)]
    except TopicAway as away:
        err.print(f"Not compared with {topic.place}: {away}", soft_wrap=True)
        return []


def print_found(found: Found) -> None:
    """What was found, for people."""
    out.print(
        f"{found.events:,} events checked, {found.sealed:,} of them sealed, of {found.customers:,} "
        f"customers (policies count as one); {found.checkpoints:,} checkpoints in the database and "
        f"{found.compared:,} from outside of it; {found.register:,} entries about keys and schemas",
        soft_wrap=True,
    )
    if not found.faults:
        out.print("Nothing is at fault.")
    if not found.compared and found.checkpoints:
        out.print(
            "No checkpoint from outside the database was there to compare with: whether the "
            "database was set back as a whole was not checked",
            soft_wrap=True,
        )
    for fault in found.faults:
        place = "" if fault.position is None else f"position {fault.position:,}: "
        out.print(printable(f"FAULT {place}{fault.what}"), soft_wrap=True)
    if found.first_position is not None:
        out.print(f"The first position at fault is {found.first_position:,}")


class _Progress:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._bar = bars.add_task("", total=None)

    def seen(self, done: int, total: int) -> None:
        """Show how far it is."""
        self._bars.update(self._bar, completed=done, total=total)


@contextmanager
def _bar() -> Iterator[_Progress]:
    columns = (
        TextColumn("Verifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        yield _Progress(bars)
