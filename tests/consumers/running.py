"""Consumers at work on a ledger: in threads of the test, and in processes that can be killed."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from threading import Thread
from types import TracebackType
from typing import Any, Self

from consumers.consumer import Consumer
from consumers.consuming import Consuming
from consumers.taking import Taken
from ledger.account import account, differences
from ledger.datastore import Datastore
from ledger.intake import Intake
from ledger.keys import Keyring
from ledger.positions import positions
from schemas.avro_data import SchemaRegistry
from tests.consumers.waiting import PATIENCE_SECONDS
from tests.intake.door import MASTER

QUICK = {"session_timeout_ms": 1_500, "heartbeat_interval_ms": 300, "metadata_max_age_ms": 1_000}
"""Groups that notice within a second or two that a member is gone."""


class Ledger:
    """A ledger, and what a test wants to know of it."""

    def __init__(self, database_url: str) -> None:
        self.url = database_url
        self._closing = ExitStack()
        # Whoever is frozen in a transaction holds up the others for so long.
        patience = {"lock_timeout": 4, "idle_in_transaction_timeout": 3}
        self.datastore = self._closing.enter_context(closing(Datastore(database_url, **patience)))
        self.keyring = Keyring(self.datastore, MASTER)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self._closing.close()

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self.datastore.transaction() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    def count(self) -> int:
        """How many events there are."""
        [[number]] = self.query("SELECT count(*) FROM ledger.events")
        return int(number)

    def received(self) -> Counter[str]:
        """What became of everything that was received."""
        total: Counter[str] = Counter()
        with self.datastore.transaction() as cursor:
            for line in account(cursor):
                total += Counter({k: v for k, v in line._asdict().items() if k != "source"})
            assert differences(cursor) == []
        return total

    def positions(self, topic: str) -> dict[int, int]:
        """The position in each partition of a topic."""
        with self.datastore.transaction() as cursor:
            found = positions(cursor, f"kafka:{topic}/")
        return {int(name.rpartition("@")[0].rpartition("/")[2]): at for name, at in found.items()}

    def by_customer(self) -> dict[str, list[str]]:
        """The ids of each customer's events, in the ledger's order."""
        events: dict[str, list[str]] = defaultdict(list)
        for customer, event in self.query(
            "SELECT customer_id, id FROM ledger.events ORDER BY position"
        ):
            events[customer].append(event)
        return dict(events)


class Running:
    """A consumer in a thread."""

    def __init__(
        self,
        ledger: Ledger,
        consuming: Consuming,
        *,
        registry: SchemaRegistry | None = None,
        max_event_bytes: int = 1_048_576,
        on_taken: Callable[[Taken], None] = lambda _: None,
    ) -> None:
        """With `consuming.dead_topics`, what is refused is noted for them. `on_taken` is called in
        the consumer's thread, which waits for it.
        """
        self.taken: list[Taken] = []
        self.error: BaseException | None = None
        intake = Intake(
            ledger.datastore,
            ledger.keyring,
            max_event_bytes=max_event_bytes,
            registry=registry,
            notices=consuming.dead_topics != "off",
        )

        def note(taken: Taken) -> None:
            self.taken.append(taken)
            on_taken(taken)

        self.consumer = Consumer(consuming, intake, ledger.datastore, ledger.keyring, on_taken=note)
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.consumer.run()
        except BaseException as error:
            self.error = error

    def stop(self) -> None:
        self.consumer.stop()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "the consumer does not stop"

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()


@contextmanager
def consuming(
    ledger: Ledger, bootstrap_servers: str, *topics: str, **more: Any
) -> Iterator[Running]:
    """Consume the topics into the ledger until the end of the block, in a group named after the
    first of them unless another is given.
    """
    ours = ("registry", "max_event_bytes", "on_taken")
    how = {name: more.pop(name) for name in ours if name in more}
    more.setdefault("group", topics[0])
    more["options"] = {**QUICK, **more.get("options", {})}
    running = Running(ledger, Consuming(bootstrap_servers, topics, **more), **how)
    try:
        yield running
    finally:
        running.stop()
    if running.error is not None:
        raise running.error
