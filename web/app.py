"""The HTTP API put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from fastapi import Depends, FastAPI
from prometheus_client import CollectorRegistry

from audit.notes import PublicKey
from ledger.datastore import Datastore
from ledger.dead_letters import DeadLetters
from ledger.erasing import Eraser
from ledger.tokens import Tokens
from projections.conversations.fold import EPISODE_GAP
from projections.rebuilding import Models
from web import audit as audit_routes
from web import dead_letters as dead_letter_routes
from web import document, erasing, events, exports, health, one_event, problems, reading, streaming
from web import metrics as metrics_route
from web import tokens as token_routes
from web.access import Admission, Door, check_role
from web.answers import Tell, telling
from web.committer import GroupCommitter
from web.finished import Finished
from web.limits import RequestLimit
from web.logging import log_request
from web.metrics import HttpMetrics
from web.parameters import OnlyKnown
from web.paths import EncodedSlashes, Head
from web.preferences import Compression
from web.recording import Record
from web.streaming import Live

DESCRIPTION = """\
Events in, read models out. Every list answer is an object with `rows`. Where these are computed
from events, it has `position` (from those up to it), `as_of`, `known_at` and `metric_version` as
well, and `next`: a cursor, or null on the last page. Instants are RFC 3339 in UTC, durations are
seconds, rates are fractions from 0 to 1, and what cannot be said is null. Errors are problem
details (RFC 9457)."""


def create_app(
    *,
    committer: GroupCommitter,
    record: Record,
    reads: Datastore,
    models: Models,
    dead_letters: DeadLetters,
    eraser: Eraser,
    live: Live,
    working: Callable[[], health.Working],
    admission: Admission,
    tokens: Tokens,
    max_request_bytes: int,
    max_request_events: int,
    witnesses: Sequence[PublicKey] = (),
    episode_gap: timedelta = EPISODE_GAP,
    metrics: CollectorRegistry | None = None,
    tell: Tell | None = None,
) -> FastAPI:
    """The application. Events go to `committer`, who looked goes to `record`, answers come from
    `reads`, where read models are built as `models` are, `dead_letters` is what can be done about
    inputs that were not taken, `eraser` erases, `live` streams, `tokens` are made and revoked; all
    belong to the caller.

    In exports touchpoints without a case belong together up to `episode_gap` apart.
    `working` tells what projector, consumer and sealer are doing; cosignatures of `witnesses` are
    checked. `admission` knows who may call anything but `/health`, and each route says which roles
    it is open to. With `metrics`, requests are measured there, and `/metrics` shows all that stands
    in it. What is asked about one thing `tell` answers, if somebody else is to do that.
    """
    app = FastAPI(
        title="Servicetrail",
        version="1",
        description=DESCRIPTION,
        docs_url=None,  # the pages that FastAPI offers load scripts from elsewhere
        redoc_url=None,
        dependencies=[Depends(check_role)],
    )
    only_known = OnlyKnown()
    for routes in (
        events.router(committer, max_events=max_request_events),
        # Before the questions: the page of a customer has a path that swallows what is below it.
        erasing.router(eraser, record, reads, lambda: working().sealer == "running"),
        reading.router(reads, models, tell or telling(reads, models), record),
        one_event.router(reads, record),
        dead_letter_routes.router(reads, dead_letters),
        token_routes.router(tokens),
        audit_routes.router(reads, record, witnesses),
        exports.router(reads, record, episode_gap),
        health.router(reads, working),
    ):
        app.include_router(routes, dependencies=[Depends(only_known)])
    # Its parameters are those of any question.
    app.include_router(streaming.router(live, admission, record))
    problems.install(app)
    document.install(app, admission)
    app.add_middleware(EncodedSlashes)
    app.add_middleware(Compression, minimum_size=1_000, compresslevel=5)
    app.add_middleware(Head)
    app.add_middleware(RequestLimit, max_bytes=max_request_bytes)
    app.add_middleware(Finished, tell=log_request)
    app.add_middleware(Door, admission=admission)
    if metrics is not None:
        app.include_router(metrics_route.router(metrics))
        app.add_middleware(Finished, tell=HttpMetrics(metrics).count)
    return app
