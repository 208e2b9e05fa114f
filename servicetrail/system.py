"""The wiring: which classes make up a running system. Nothing else names them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from eventsourcing.persistence import Tracking

from consumers.registry import Registry
from ledger.candidates import Candidate, Receipt
from ledger.datastore import Datastore
from ledger.dead_letters import DeadLetters
from ledger.erasing import Eraser
from ledger.garbage import ease_garbage_collection
from ledger.intake import Intake
from ledger.keys import Keyring, MasterKey
from ledger.migrations import migrate
from ledger.tokens import Tokens
from projections.model import ReadModel
from projections.registry import read_models
from projections.runner import Progress, Runner
from schemas.message import Message
from servicetrail.embedded import EmbeddedPostgres
from servicetrail.settings import PREFIX, Settings, SettingsWrong

MASTER_KEY_FILE = "master.key"


class TimedIntake(Intake):
    """The intake, which tells how long each batch took: `on_batch` is called with `kafka` or `http`
    and the seconds.
    """

    on_batch: Callable[[str, float], None] | None = None

    def take(
        self,
        messages: Sequence[Message],
        *,
        tracking: Sequence[Tracking] = (),
        candidates: Sequence[Candidate] | None = None,
    ) -> list[Receipt]:
        """Take a batch, as `Intake.take` says."""
        began = time.monotonic()
        receipts = super().take(messages, tracking=tracking, candidates=candidates)
        if self.on_batch is not None:
            self.on_batch("kafka" if tracking else "http", time.monotonic() - began)
        return receipts


@dataclass(frozen=True, slots=True)
class System:
    """A migrated database and everything that works on it."""

    settings: Settings
    datastore: Datastore
    """For writing and for the projector: statements may take as long as they need."""
    reads: Datastore
    """For answers to people: a statement that takes too long fails."""
    keyring: Keyring
    intake: TimedIntake

    def dead_letters(self) -> DeadLetters:
        """What can be done about kept inputs."""
        return DeadLetters(self.datastore, self.keyring, self.intake)

    def eraser(self) -> Eraser:
        """What erases customers."""
        # Loads the Kafka client, which most commands do without.
        from servicetrail.publisher.clearing import clear_outbox
        from servicetrail.publisher.outbox import OUTBOX_FILE

        clear = partial(clear_outbox, self.settings.data_dir / OUTBOX_FILE)
        return Eraser(self.datastore, self.keyring, self.intake, clear)

    def tokens(self) -> Tokens:
        """Who may call over HTTP."""
        return Tokens(self.datastore, self.intake)

    def knows_callers(self) -> bool:
        """Whether callers have to say who they are; from then on goes on record who looked."""
        known = (self.settings.access_token, self.settings.jwt_issuer)
        return known != (None, None) or self.tokens().any()

    @property
    def models(self) -> Callable[[], Sequence[ReadModel]]:
        """Gives every read model; it can be sent to another process."""
        return partial(read_models, episode_gap=timedelta(days=self.settings.episode_gap_days))

    def runner(self, on_progress: Callable[[Progress], None] | None = None) -> Runner:
        """A runner of all read models; `on_progress` is called after each batch."""
        return Runner(
            self.datastore,
            self.models(),
            batch_size=self.settings.projection_batch_events,
            on_progress=on_progress,
        )


@contextmanager
def open_system(settings: Settings) -> Iterator[System]:
    """Open the configured database, or start the embedded one; migrate it; close everything at the
    end.

    Raises SettingsWrong, EmbeddedPostgresError, MasterKeyError, MigrationRefused or SchemaTooNew
    with a text for the person who started the program, and the errors of
    `eventsourcing.persistence` when the database cannot be reached.
    """
    ease_garbage_collection()
    with _database(settings) as (url, owner_url):
        migrate(owner_url)
        timeout = settings.database_timeout_seconds
        pool = {"pool_size": settings.database_pool_size, "max_overflow": 0}
        with (
            closing(
                Datastore(
                    url,
                    **pool,
                    pool_timeout=timeout,
                    lock_timeout=settings.database_idle_seconds,
                    idle_in_transaction_timeout=settings.database_idle_seconds,
                )
            ) as datastore,
            closing(
                Datastore(url, **pool, pool_timeout=timeout, statement_timeout=timeout)
            ) as reads,
        ):
            keyring = Keyring(datastore, _master_key(settings))
            keyring.check()
            intake = TimedIntake(
                datastore,
                keyring,
                max_event_bytes=settings.max_event_bytes,
                registry=_registry(settings, datastore),
                notices=settings.kafka_dead_topics != "off",
            )
            yield System(settings, datastore, reads, keyring, intake)


@contextmanager
def _database(settings: Settings) -> Iterator[tuple[str, str]]:
    """Where the program connects, and where migrations do."""
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        yield url, url
    else:
        with EmbeddedPostgres(settings.data_dir) as server:
            yield server.url, server.owner_url


def _master_key(settings: Settings) -> MasterKey:
    if settings.master_key is not None:
        return MasterKey.from_base64(settings.master_key.get_secret_value())
    return MasterKey.from_file(settings.data_dir / MASTER_KEY_FILE)


def _registry(settings: Settings, datastore: Datastore) -> Registry | None:
    if settings.schema_registry_url is None:
        return None
    password = settings.schema_registry_password
    try:
        return Registry(
            settings.schema_registry_url.get_secret_value(),
            username=settings.schema_registry_user,
            password=None if password is None else password.get_secret_value(),
            datastore=datastore,
        )
    except ValueError as error:
        raise SettingsWrong(f"{PREFIX}SCHEMA_REGISTRY_URL: {error}") from None
