"""`timeline`, `channels`, `response-times`, `promises`, `complaints`: what the read models say."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated

import typer

from ledger.datastore import PgCursor
from projections.answers import Answer, snapshot
from projections.channels.queries import channels
from projections.complaints.queries import complaint, complaints
from projections.conversations.fold import FIRST_RESPONSE, METRICS
from projections.conversations.queries import DIMENSIONS, response_times
from projections.promises.queries import VERDICTS, promises
from projections.timeline.queries import timeline
from servicetrail.cli import options
from servicetrail.cli.catching_up import caught_up
from servicetrail.cli.errors import Fail
from servicetrail.cli.output import (
    Column,
    Form,
    column,
    duration,
    instant,
    number,
    rate,
    show,
    words,
)
from servicetrail.settings import read_settings
from servicetrail.system import System, open_system
from web.answers import plain
from web.rows import (
    ChannelRow,
    ComplaintHistory,
    ComplaintRow,
    PromiseRow,
    ResponseTimeRow,
    RowModel,
    TimelineRow,
)

TIMELINE = (
    instant("Occurred", "occurred_at"),
    column("Event", "type", lambda type_: type_.removesuffix(".v1")),
    column("Channel", "channel"),
    column("By", "employee_id"),
    words("What happened", "summary"),
    number("Position", "position"),
)
CHANNELS = (
    column("Channel", "channel"),
    number("In", "touchpoints_in"),
    number("Out", "touchpoints_out"),
    number("Customers", "customers"),
    number("Answered", "answered"),
    number("Waiting", "waiting"),
    duration("Median", "first_response_median_seconds"),
    duration("P90", "first_response_p90_seconds"),
    number("Due", "promises_due"),
    number("Kept", "kept"),
    number("Late", "kept_late"),
    number("Broken", "broken"),
    number("Overdue", "overdue"),
    rate("Keep rate", "keep_rate"),
)
WAITS = (
    number("Answered", "answered"),
    number("Waiting", "waiting"),
    duration("Median", "median_seconds"),
    duration("P90", "p90_seconds"),
    duration("P99", "p99_seconds"),
)
PROMISES = (
    words("Promise", "promise_id"),
    words("Customer", "customer_id"),
    column("Channel", "channel"),
    instant("Made", "made_at"),
    instant("Due", "due_at"),
    instant("Settled", "settled_at"),
    column("Verdict", "verdict"),
    duration("Late by", "late_seconds"),
)
COMPLAINTS = (
    words("Complaint", "complaint_id"),
    words("Customer", "customer_id"),
    column("Channel", "channel"),
    column("Severity", "severity"),
    instant("Raised", "raised_at"),
    instant("Closed", "closed_at"),
    column("Outcome", "outcome"),
    column("Steps", "steps", lambda steps: str(sum(steps.values()))),
)
STEPS = (
    instant("Occurred", "occurred_at"),
    column("Step", "type"),
    column("Channel", "channel"),
    column("By", "employee_id"),
    number("Position", "position"),
)


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("timeline")(timeline_command)
    app.command("channels")(channels_command)
    app.command("response-times")(response_times_command)
    app.command("promises")(promises_command)
    app.command("complaints")(complaints_command)


def timeline_command(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")],
    as_of: options.AsOf = None,
    known_at: options.KnownAt = None,
    limit: options.Limit = 100,
    cursor: options.Cursor = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """Show what happened with a customer, in the order in which it happened."""
    answer_with(
        lambda at: timeline(
            at, customer, as_of=as_of or now(), known_at=known_at, limit=limit, token=cursor
        ),
        options.form_of(json, csv),
        TIMELINE,
        TimelineRow,
    )


def channels_command(
    as_of: options.AsOf = None,
    from_: options.From = None,
    to: options.To = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """Compare the channels: volumes, first responses, promises kept.

    Median and P90 are of the time to the first response by a human, over those answered.
    """
    answer_with(
        lambda at: channels(at, as_of=as_of or now(), from_=from_, to=to),
        options.form_of(json, csv),
        CHANNELS,
        ChannelRow,
    )


def response_times_command(
    metric: Annotated[
        str, typer.Option("--metric", help=f"One of {', '.join(METRICS)}.")
    ] = FIRST_RESPONSE,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            help=f"Group by this, several times for several: {', '.join(DIMENSIONS)}. "
            "Default: channel.",
            show_default=False,
        ),
    ] = None,
    channel: options.Channel = None,
    as_of: options.AsOf = None,
    from_: options.From = None,
    to: options.To = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """Show how long customers waited, in calendar time, by group.

    Median, P90 and P99 are over those answered; those still waiting are counted beside them.
    """
    groups = by or ["channel"]
    names = ["employee_id" if group == "employee" else group for group in groups]
    answer_with(
        lambda at: response_times(
            at,
            as_of=as_of or now(),
            metric=metric,
            by=groups,
            from_=from_,
            to=to,
            channel=channel,
        ),
        options.form_of(json, csv),
        (*(column(name.removesuffix("_id").capitalize(), name) for name in names), *WAITS),
        ResponseTimeRow,
    )


def promises_command(
    channel: options.Channel = None,
    customer: options.Customer = None,
    verdict: Annotated[
        str | None, typer.Option("--verdict", help=f"Only these: {', '.join(VERDICTS)}.")
    ] = None,
    as_of: options.AsOf = None,
    from_: options.From = None,
    to: options.To = None,
    limit: options.Limit = 100,
    cursor: options.Cursor = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """List promises with what became of them, by the time they are due."""
    answer_with(
        lambda at: promises(
            at,
            as_of=as_of or now(),
            from_=from_,
            to=to,
            channel=channel,
            customer_id=customer,
            verdict=verdict,
            limit=limit,
            token=cursor,
        ),
        options.form_of(json, csv),
        PROMISES,
        PromiseRow,
    )


def complaints_command(
    complaint_id: Annotated[
        str | None,
        typer.Argument(metavar="[COMPLAINT]", help="Show this one, step by step."),
    ] = None,
    channel: options.Channel = None,
    customer: options.Customer = None,
    severity: Annotated[
        str | None, typer.Option("--severity", help="Only these: low, normal, high, critical.")
    ] = None,
    open_: Annotated[
        bool | None, typer.Option("--open/--closed", help="Only open ones, or only closed ones.")
    ] = None,
    as_of: options.AsOf = None,
    from_: options.From = None,
    to: options.To = None,
    limit: options.Limit = 100,
    cursor: options.Cursor = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """List complaints by the time they were raised, or show one of them step by step."""
    form = options.form_of(json, csv)
    if complaint_id is not None:
        show_complaint(complaint_id, as_of or now(), form)
        return
    answer_with(
        lambda at: complaints(
            at,
            as_of=as_of or now(),
            from_=from_,
            to=to,
            channel=channel,
            customer_id=customer,
            severity=severity,
            open_=open_,
            limit=limit,
            token=cursor,
        ),
        form,
        COMPLAINTS,
        ComplaintRow,
    )


def show_complaint(complaint_id: str, as_of: datetime, form: Form) -> None:
    """One complaint; its steps are the rows of the table. Raises Fail if there is none."""
    with open_system(read_settings()) as system:
        told = plain(ask(system, lambda at: complaint(at, complaint_id, as_of=as_of)))
    if not told["rows"]:
        raise Fail(f"there is no complaint {complaint_id}; see: servicetrail complaints")
    if form is Form.TABLE:
        told["rows"] = told["rows"][0]["steps"]
    show(told, form, STEPS, ComplaintHistory.model_fields)


def answer_with(
    question: Callable[[PgCursor], Answer],
    form: Form,
    columns: Iterable[Column],
    row: type[RowModel],
) -> None:
    """Ask the read models, brought up to date, and write what they say."""
    with open_system(read_settings()) as system:
        told = plain(ask(system, question))
    show(told, form, list(columns), row.model_fields)


def ask(system: System, question: Callable[[PgCursor], Answer]) -> Answer:
    """The answer of the read models, brought up to date. Raises Fail for a wrong parameter."""
    caught_up(system)
    try:
        with snapshot(system.reads) as cursor:
            return question(cursor)
    except ValueError as error:
        raise Fail(str(error)) from None


def now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)
