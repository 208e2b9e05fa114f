"""`simulate`: the events of a believable company, for demonstrations, tests and benchmarks."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.progress import track

from schemas.catalogue import SHIPPED
from schemas.containers import write_container
from schemas.json_data import from_json
from servicetrail.cli import options
from servicetrail.cli.errors import Fail
from servicetrail.cli.output import err
from servicetrail.simulate import simulate

STANDARD_OUTPUT = "-"
START = datetime(2026, 1, 1, tzinfo=UTC)
"""A fixed day, so that a seed gives the same events whenever it is used."""


class FileFormat(StrEnum):
    """How simulated events are written."""

    JSONL = "jsonl"
    AVRO = "avro"


def _share(meaning: str, flag: str) -> Any:
    return typer.Option(
        flag, min=0.0, max=1.0, metavar="SHARE", help=f"Share of events, 0 to 1, {meaning}."
    )


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("simulate")(simulate_command)


def simulate_command(
    events: Annotated[
        int, typer.Option("--events", min=0, help="How many events; duplicates come on top.")
    ] = 10_000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same company.")] = 1,
    format: Annotated[  # noqa: A002 - the option's name
        FileFormat,
        typer.Option(
            "--format", help="JSON Lines of structured CloudEvents, or an Avro container file."
        ),
    ] = FileFormat.JSONL,
    out: Annotated[
        str, typer.Option("--out", metavar="FILE", help="Where to write; - is standard output.")
    ] = "-",
    start: options.Start = None,
    days: Annotated[
        int, typer.Option("--days", min=1, help="Over how many days the events spread.")
    ] = 90,
    late: Annotated[float, _share("published hours to days after they happened", "--late")] = 0.0,
    out_of_order: Annotated[
        float, _share("published after the same customer's next event", "--out-of-order")
    ] = 0.0,
    duplicates: Annotated[float, _share("published twice", "--duplicates")] = 0.0,
    gaps: Annotated[float, _share("lost before they were published", "--gaps")] = 0.0,
) -> None:
    """Write the events of a simulated company: customers, channels, conversations, promises,
    complaints.
    """
    simulated = simulate(
        events,
        seed,
        start=start or START,
        days=days,
        late=late,
        out_of_order=out_of_order,
        duplicates=duplicates,
        gaps=gaps,
    )
    shown = track(
        simulated, "Simulating", events, console=err, transient=True, disable=not err.is_terminal
    )
    with _output(out, format) as stream:
        if format is FileFormat.AVRO:
            write_container(stream, map(_typed, shown))
        else:
            _write_lines(stream, shown)


def _typed(event: dict[str, Any]) -> dict[str, Any]:
    """The event with its data as the codec takes them, not as JSON has them."""
    return {**event, "data": from_json(SHIPPED.by_type[event["type"]], event["data"])}


def _write_lines(stream: BinaryIO, events: Iterable[dict[str, Any]]) -> None:
    for event in events:
        stream.write(json.dumps(event, ensure_ascii=False).encode() + b"\n")


@contextmanager
def _output(name: str, format_: FileFormat) -> Iterator[BinaryIO]:
    if name != STANDARD_OUTPUT:
        try:
            with Path(name).open("wb") as stream:
                yield stream
        except FileNotFoundError:
            raise Fail(f"{name}: its directory does not exist") from None
    elif format_ is FileFormat.AVRO and sys.stdout.isatty():
        raise Fail("Avro is not for a terminal: give --out FILE")
    else:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
