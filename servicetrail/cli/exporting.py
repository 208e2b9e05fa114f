"""`export`: the history of a selection as a file for other programs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.exports.cases import CONVERSATION, NOTIONS
from audit.exports.exporting import FORMATS, begin
from audit.exports.manifest import ManifestWrong, manifest_of, verify_export, write_export
from audit.exports.tables import NotInstalled, TooLarge
from domain import EVENT_TYPES
from projections.rebuilding import Done
from servicetrail import VERSION
from servicetrail.cli import options
from servicetrail.cli.catching_up import bars
from servicetrail.cli.errors import Fail
from servicetrail.cli.importing import read_mapping
from servicetrail.cli.output import out
from servicetrail.cli.recording import record
from servicetrail.settings import read_settings
from servicetrail.signals import signals_unwind
from servicetrail.system import open_system

NOT_AS_EXPORTED = 1


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("export")(export_command)


def export_command(
    format_: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help=f"One of {', '.join(FORMATS)}."),
    ] = None,
    out_file: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", dir_okay=False, help="The file to write, new."),
    ] = None,
    customers: Annotated[
        list[str] | None,
        typer.Option("--customer", metavar="ID", help="Only of this customer; several times."),
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="Only events of this type; several times."),
    ] = None,
    channels: Annotated[
        list[str] | None,
        typer.Option(
            "--channel", metavar="NAME", help="Only events that name this channel; several times."
        ),
    ] = None,
    from_: options.From = None,
    to: options.To = None,
    as_of: options.AsOf = None,
    known_at: options.KnownAt = None,
    case: Annotated[
        str,
        typer.Option(
            "--case",
            metavar="NOTION",
            help=f"What a case is in a log in XES: one of {', '.join(NOTIONS)}.",
        ),
    ] = CONVERSATION,
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--mapping",
            metavar="FILE",
            dir_okay=False,
            help="Write the log in XES as the one was that was imported by this mapping.",
        ),
    ] = None,
    verify: Annotated[
        Path | None,
        typer.Option(
            "--verify",
            metavar="FILE",
            dir_okay=False,
            help="Check that an exported file is as its manifest says; nothing is exported.",
        ),
    ] = None,
) -> None:
    """Export the history of a selection, without personal fields, with a manifest beside the file.

    The same selection as of the same instant, known at the same position, gives the same file.
    Exit status of --verify: 0 when the file is as exported, 1 when it is not.
    """
    if verify is not None:
        verified(verify)
        return
    if format_ not in FORMATS or out_file is None:
        raise Fail(f"give --format, one of {', '.join(FORMATS)}, and --out FILE; or --verify FILE")
    selected = {
        "customers": _chosen(customers),
        "types": _chosen(types),
        "channels": _chosen(channels),
        "from_": from_,
        "to": to,
    }
    for type_ in types or ():
        if type_ not in EVENT_TYPES:
            raise Fail(f"no event type is called {type_}; docs/reference/events.md lists them")
    for path in (out_file, manifest_of(out_file)):
        if path.exists():
            raise Fail(f"{path} is there already; name a new file")
    if case not in NOTIONS:
        raise Fail(f"no notion of a case is called {case}; name one of {', '.join(NOTIONS)}")
    if from_ is not None and to is not None and to < from_:
        raise Fail("--to must not be before --from")
    if mapping is not None and format_ != "xes":
        raise Fail("--mapping is for logs: give --format xes")
    logs = {"case": case, "mapping": None if mapping is None else read_mapping(mapping)}
    exported(format_, out_file, as_of or datetime.now(UTC), known_at, selected, logs)


def exported(
    format_: str,
    out_file: Path,
    as_of: datetime,
    known_at: Any,
    selected: dict[str, Any],
    logs: dict[str, Any],
) -> None:
    """Write the file and its manifest, and say what was written."""
    with signals_unwind(), open_system(read_settings()) as system, bars() as show:
        export = replace(
            begin(system.datastore, format_, as_of=as_of, known_at=known_at, **selected),
            episode_gap=timedelta(days=system.settings.episode_gap_days),
            on_progress=lambda events: show(Done("Exporting", events, 0)),
            **logs,
        )
        record(system, export.access())
        try:
            made = write_export(export, out_file, made_at=datetime.now(UTC), version=VERSION)
        except (TooLarge, NotInstalled) as error:
            raise Fail(str(error)) from None
    out.print(
        f"{made['events']:,} events in {out_file}, as of {made['as_of']}, known up to position "
        f"{made['known_position']:,}"
    )
    if left_out := sum(made["left_out_by_type"].values()):
        out.print(
            f"{left_out:,} more have no place in {format_}: see left_out_by_type in the manifest"
        )


def verified(path: Path) -> None:
    """Say whether a file is as its manifest says; raises Fail if it is not."""
    try:
        manifest = verify_export(path)
    except ManifestWrong as error:
        raise Fail(f"{path} is not as it was exported: {error}", NOT_AS_EXPORTED) from None
    out.print(
        f"{path} is as it was exported: {manifest['events']:,} events, as of {manifest['as_of']}, "
        f"known up to position {manifest['known_position']:,}"
    )


def _chosen(values: list[str] | None) -> tuple[str, ...] | None:
    return tuple(values) if values else None
