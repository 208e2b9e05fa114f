import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import httpx
import pytest
import uvicorn

from ledger.datastore import Datastore
from ledger.dead_letters import DeadLetters
from ledger.erasing import Eraser
from ledger.intake import Intake
from ledger.keys import Keyring, MasterKey
from ledger.tokens import Tokens
from projections.registry import read_models
from projections.runner import Runner
from servicetrail.serving import address_of, http_of, listening
from servicetrail.settings import Settings
from tests.conftest import Cluster
from web.access import Admission, Vouches
from web.answers import Tell
from web.app import create_app
from web.committer import GroupCommitter
from web.health import Working
from web.recording import recorder
from web.streaming import Live

PATIENCE_SECONDS = 30


class Api:
    """The API on a real socket, over a database of the test's own."""

    def __init__(self, client: httpx.Client, datastore: Datastore, tokens: Tokens) -> None:
        self.client = client
        self.datastore = datastore
        self.tokens = tokens
        self.runner = Runner(datastore, read_models())

    def post(self, events: object, content_type: str = "cloudevents-batch+json") -> httpx.Response:
        """Post JSON under a content type of CloudEvents."""
        return self.client.post(
            "/events", json=events, headers={"Content-Type": f"application/{content_type}"}
        )

    def project(self) -> int:
        """Bring the read models up to date; gives the position."""
        self.runner.prepare()
        return self.runner.catch_up()


@contextmanager
def serving(
    datastore: Datastore,
    *,
    access_token: str | None = None,
    provider: Vouches | None = None,
    tell: Tell | None = None,
) -> Iterator[Api]:
    """Serve the API in a thread until the end of the block."""
    keyring = Keyring(datastore, MasterKey(bytes(range(32))))
    intake = Intake(datastore, keyring)
    tokens = Tokens(datastore, intake)
    with (
        closing(GroupCommitter(intake.take, most=1_000, queue=20_000)) as committer,
        closing(GroupCommitter(intake.record, most=1_000, queue=20_000)) as who_looked,
        listening(Settings(http_port=0)) as listener,
    ):
        live = Live(datastore, most=3)
        app = create_app(
            committer=committer,
            record=recorder(who_looked),
            reads=datastore,
            models=read_models,
            dead_letters=DeadLetters(datastore, keyring, intake),
            eraser=Eraser(datastore, keyring, intake),
            live=live,
            working=Working,
            admission=Admission(tokens, access_token, provider),
            tokens=tokens,
            max_request_bytes=3_000_000,
            max_request_events=1_000,
            tell=tell,
        )
        server = uvicorn.Server(http_of(app))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with httpx.Client(base_url=address_of(listener), timeout=PATIENCE_SECONDS) as client:
                yield Api(client, datastore, tokens)
        finally:
            live.close()
            server.should_exit = True
            thread.join()


@contextmanager
def standing(cluster: Cluster, template: str, history: Sequence[object]) -> Iterator[Api]:
    """Serve the API over a database of its own that holds a history, for tests that only read."""
    with (
        cluster.database(template) as name,
        closing(Datastore(cluster.program_url(name))) as datastore,
        serving(datastore) as api,
    ):
        assert api.post(history).status_code == 202
        api.project()
        yield api


@pytest.fixture
def api(datastore: Datastore) -> Iterator[Api]:
    with serving(datastore) as api:
        yield api
