"""`demo`: the whole way once, on a real city's service history."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Annotated, Any

import typer
from rich.progress import Progress

from projections.channels.queries import channels
from projections.conversations.queries import response_times
from projections.promises.queries import promises
from projections.timeline.queries import timeline
from questions.answers import plain
from questions.channels import COLUMNS as CHANNELS
from questions.parameters import now
from questions.response_times import WAITS
from questions.tables import column
from questions.timeline import TIMELINE
from samples.boston311 import SAMPLE, events
from schemas.message import Message
from servicetrail.cli.accounting import show_account
from servicetrail.cli.demonstrating_kafka import WithoutKafka, by_kafka
from servicetrail.cli.errors import NOT_ALL_TAKEN, Fail
from servicetrail.cli.output import err, footer, out, print_table, printable
from servicetrail.cli.reading import ask
from servicetrail.metrics import Metrics
from servicetrail.projecting import projecting
from servicetrail.serving import AddressTaken, admission_of, listening, serve
from servicetrail.settings import Settings, read_settings
from servicetrail.signals import signals_unwind
from servicetrail.system import System, open_system

CHANNEL_VOLUMES = CHANNELS[:6]
CHANNEL_PROMISES = (CHANNELS[0], *CHANNELS[8:])


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("demo")(demo_command)


def demo_command(
    exit_: Annotated[
        bool, typer.Option("--exit", help="End after the figures instead of serving HTTP.")
    ] = False,
) -> None:
    """Publish ten years of a city's service requests to Kafka, consume them into the ledger,
    compare the city's channels, and serve the API.

    Always uses the embedded Kafka broker, and the embedded PostgreSQL in the data directory, never
    configured ones: a ledger forgets nothing. Where the broker is not installed, events go straight
    in. A second run starts from what is there and doubles nothing.
    """
    settings = read_settings().model_copy(update={"database_url": None})
    try:
        with ExitStack() as stack:
            stack.enter_context(signals_unwind())
            listener = None if exit_ else stack.enter_context(listening(settings))
            system = stack.enter_context(open_system(settings))
            append_sample(system)
            customer = show_figures(system)
            if listener is not None:
                admission = admission_of(system)
                metrics = Metrics(system)
                projector = stack.enter_context(projecting(system, metrics))
                serve(
                    system,
                    listener,
                    projector,
                    lambda at: show_api(at, customer, settings),
                    metrics,
                    admission,
                )
    except AddressTaken as error:
        raise Fail(str(error)) from None


def append_sample(system: System) -> None:
    """Bring the sample into the ledger by way of Kafka, and say what became of it.

    Where the embedded broker cannot be had, it goes straight through the door. Whatever came by
    Kafka before that counts as duplicate then.
    """
    messages = list(sample_messages())
    began = time.monotonic()
    with Progress(console=err, transient=True, disable=not err.is_terminal) as bars:
        bar = bars.add_task("Appending", total=len(messages))
        try:
            outcomes = by_kafka(system, messages, lambda count: bars.advance(bar, count))
            way = "Each was published to an embedded Kafka broker and consumed from it."
        except WithoutKafka as reason:
            bars.reset(bar)
            outcomes = straight(system, messages, lambda count: bars.advance(bar, count))
            way = f"Without Kafka, because {reason}."
    took = time.monotonic() - began
    out.print(f"Boston's 311 service, 2015 to 2024: {len(messages):,} events in {SAMPLE.name}")
    if outcomes["duplicate"] == len(messages):
        out.print("All of them were in the ledger already: nothing was doubled.")
    else:
        out.print(
            f"{outcomes['appended']:,} appended in {took:.1f} s, "
            f"{outcomes['duplicate']:,} there already."
        )
    out.print(printable(way), soft_wrap=True)
    if refused := outcomes.total() - outcomes["appended"] - outcomes["duplicate"]:
        raise Fail(f"{refused:,} events of the sample were not taken: {outcomes}", NOT_ALL_TAKEN)


def straight(
    system: System, messages: list[Message], advance: Callable[[int], None]
) -> Counter[str]:
    """Through the door without Kafka; how many ended how."""
    outcomes: Counter[str] = Counter()
    remaining = iter(messages)
    while batch := list(islice(remaining, system.settings.import_batch_events)):
        outcomes.update(receipt.outcome for receipt in system.intake.take(batch))
        advance(len(batch))
    return outcomes


def sample_messages() -> Iterator[Message]:
    """The sample's events as messages."""
    received_at = datetime.now(UTC)
    for number_, event in enumerate(events(), start=1):
        yield Message(
            body=json.dumps(event, ensure_ascii=False).encode(),
            content_type="application/cloudevents+json",
            attributes={},
            default_source="",
            default_id="",
            default_time=received_at,
            origin={"file": SAMPLE.name, "event": number_},
        )


def show_figures(system: System) -> str:
    """Print what a manager wants to see; gives the customer whose timeline was shown."""
    as_of = now()
    compared = plain(ask(system, lambda at: channels(at, as_of=as_of)))
    section("Channels: contacts")
    print_table(compared["rows"], CHANNEL_VOLUMES)
    section("Channels: promises")
    totals = summed(compared["rows"])
    print_table([*compared["rows"], totals], CHANNEL_PROMISES)
    out.print(
        f"\n{totals['promises_due']:,} promises: {totals['kept']:,} kept, "
        f"{totals['kept_late']:,} late, {totals['broken'] + totals['overdue']:,} broken or overdue"
    )
    section("Response times by channel: until a human answered, and until it was resolved")
    for metric in ("first_response", "resolution"):
        waits = ask(system, partial(response_times, as_of=as_of, metric=metric))
        print_table(plain(waits)["rows"], (CHANNELS[0], column("Until", "metric"), *WAITS[:5]))
    late = ask(system, lambda at: promises(at, as_of=as_of, verdict="kept_late", limit=1))
    customer = str(late.rows[0]["customer_id"])
    section(f"One customer, to whom a promise was kept late: {customer}")
    told = plain(ask(system, lambda at: timeline(at, customer, as_of=as_of)))
    for table in TIMELINE.tables(told["rows"]):
        print_table(table.rows, table.columns)
    section("What was received, and what became of it")
    show_account(system)
    out.print(footer(compared), soft_wrap=True)
    return customer


def summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The row below a comparison: all channels together."""
    counts = ("promises_due", "kept", "kept_late", "broken", "overdue")
    total: dict[str, Any] = {name: sum(row[name] for row in rows) for name in counts}
    judged = total["kept"] + total["kept_late"] + total["broken"] + total["overdue"]
    return total | {"channel": "all", "keep_rate": total["kept"] / judged if judged else None}


def section(title: str) -> None:
    """A heading."""
    out.print(f"\n[bold]{title}[/bold]", markup=True)


def show_api(address: str, customer: str, settings: Settings) -> None:
    """Say where the API is and what to try."""
    token = "" if settings.access_token is None else '-H "Authorization: Bearer $TOKEN" '
    section(f"The API is at {address}")
    for path in ("/channels", f"/customers/{customer}/timeline", "/promises?verdict=kept_late"):
        out.print(f"  curl {token}'{address}{path}'", soft_wrap=True)
    out.print("Ctrl-C ends.")
