"""The HTTP server, and how a signal ends what never ends by itself."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

import structlog
import uvicorn
from starlette.types import ASGIApp

from servicetrail.answering import answering
from servicetrail.consuming import Consumption
from servicetrail.metrics import Metrics, counting
from servicetrail.projecting import Projector
from servicetrail.sealing import Sealing, witnesses_of
from servicetrail.settings import PREFIX, Settings, SettingsWrong
from servicetrail.system import System
from web.access import Admission
from web.app import create_app
from web.committer import GroupCommitter
from web.health import Working
from web.identity import Claims, Provider, PublishedKeys
from web.nearby import is_loopback
from web.recording import recorder
from web.streaming import Live

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 20
"""How long requests in flight may take to finish once the program was asked to stop."""


class AddressTaken(Exception):
    """HTTP cannot listen where it should; the text says what to do."""


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """The socket for HTTP, taken before anything is started; raises AddressTaken."""
    host = settings.http_host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, settings.http_port), family=family, backlog=2048)
    except OSError as error:
        raise AddressTaken(
            f"cannot listen on {host} port {settings.http_port}: {error.strerror or error}; "
            "choose another with --port or SERVICETRAIL_HTTP_PORT"
        ) from None
    with closing(listener):
        # asyncio does this only for sockets that were made with an explicit protocol number.
        # Without it each answer waits some 40 ms for the client's delayed acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


def admission_of(system: System) -> Admission:
    """Who may call. Raises SettingsWrong where everybody might whom the network brings here."""
    settings = system.settings
    admission = Admission(system.tokens(), settings.access_token_text, _provider(settings))
    if not is_loopback(settings.http_host) and not admission.is_closed():
        raise SettingsWrong(
            f"listening on {settings.http_host} reaches beyond this machine: make an access token "
            f"with servicetrail token create, set {PREFIX}ACCESS_TOKEN, or listen on 127.0.0.1"
        )
    return admission


def _provider(settings: Settings) -> Provider | None:
    issuer, audience, url = settings.jwt_issuer, settings.jwt_audience, settings.jwt_jwks_url
    if issuer is None or audience is None or url is None:
        return None
    claims = Claims(issuer, audience, settings.jwt_role_claim, settings.jwt_source_claim)
    return Provider(claims, PublishedKeys(url))


def serve(
    system: System,
    listener: socket.socket,
    projector: Projector,
    started: Callable[[str], None],
    metrics: Metrics,
    admission: Admission,
    consumption: Consumption | None = None,
    sealing: Sealing | None = None,
) -> None:
    """Answer HTTP until SIGINT or SIGTERM, then finish the requests in flight and everything they
    queued.

    `started` is called with the address once requests are answered, of those whom `admission`
    lets in. `/health` tells what `projector`, `consumption` and `sealing` are doing.
    """
    settings = system.settings
    with (
        closing(
            GroupCommitter(
                counting(system.intake.take, metrics),
                most=settings.group_commit_events,
                queue=settings.group_commit_queue,
            )
        ) as committer,
        closing(
            GroupCommitter(
                system.intake.record,
                most=settings.group_commit_events,
                queue=settings.group_commit_queue,
            )
        ) as who_looked,
        answering(system) as tell,
    ):
        live = Live(system.reads)
        app = create_app(
            committer=committer,
            record=recorder(who_looked),
            reads=system.reads,
            models=system.models,
            dead_letters=system.dead_letters(),
            eraser=system.eraser(),
            witnesses=witnesses_of(settings),
            episode_gap=timedelta(days=settings.episode_gap_days),
            live=live,
            working=lambda: working(projector, consumption, sealing),
            admission=admission,
            tokens=system.tokens(),
            max_request_bytes=settings.max_request_bytes,
            max_request_events=settings.max_request_events,
            metrics=metrics.registry,
            tell=tell,
        )
        try:
            _Server(http_of(app), live, lambda: started(address_of(listener))).run(
                sockets=[listener]
            )
        except KeyboardInterrupt:
            # How uvicorn hands on the signal that it stopped for.
            log.info("stopping")


def http_of(app: ASGIApp) -> uvicorn.Config:
    """How uvicorn serves `app`."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # anybody can write them, and addresses go on record
        timeout_graceful_shutdown=PATIENCE_SECONDS,
    )


def working(
    projector: Projector, consumption: Consumption | None, sealing: Sealing | None
) -> Working:
    """What they are doing, and why they are not."""
    told = [part.why for part in (projector, consumption, sealing) if part is not None]
    return Working(
        projector=projector.state,
        consumer=None if consumption is None else consumption.state.value,
        sealer=None if sealing is None else sealing.state,
        why=tuple(each for each in told if each is not None),
    )


def address_of(listener: socket.socket) -> str:
    """The URL under which the socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """uvicorn's server, which tells when it has started, and ends streams when it stops."""

    def __init__(self, config: uvicorn.Config, live: Live, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._live = live
        self._tell_started = started

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, which never end by themselves, then stop."""
        self._live.close()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if not self.should_exit:
            self._tell_started()
