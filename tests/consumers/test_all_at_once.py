"""Everything that can fail does, over and over, while a company publishes.

Set SERVICETRAIL_TEST_SEED for other moments, SERVICETRAIL_TEST_KILLS and SERVICETRAIL_TEST_EVENTS
for more of them. The seed is part of every report of a failure.
"""

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from consumers.brokers import ApacheKafka, LocalBroker
from projections.registry import read_models
from projections.runner import Runner
from tests.consumers.channel import Channel
from tests.consumers.company import Company
from tests.consumers.process import ConsumerProcess, ProjectorProcess
from tests.consumers.running import QUICK, Ledger
from tests.consumers.waiting import eventually
from tests.own_postgres import OwnPostgres, postgres_of_its_own

SEED = int(os.environ.get("SERVICETRAIL_TEST_SEED") or random.randrange(1_000_000))
KILLS = int(os.environ.get("SERVICETRAIL_TEST_KILLS", "0"))
EVENTS = int(os.environ.get("SERVICETRAIL_TEST_EVENTS", "0"))
PARTITIONS = 4
PATIENCE_SECONDS = 120
STOP_SECONDS = 10
ONCE_EACH = ("broker_killed", "postgres_restarted", "postgres_crashed", "replayed")


class Works:
    """Two consumers, a projector, a broker, a database; and what can happen to them."""

    def __init__(
        self, rng: random.Random, broker: LocalBroker, postgres: OwnPostgres, topic: str
    ) -> None:
        self._rng = rng
        self._broker = broker
        self._postgres = postgres
        self._topic = topic
        self._consumers: dict[str, ConsumerProcess] = {}
        self._projector = ProjectorProcess(postgres.url)
        self.replays = 0
        self._start("first")

    def consumer_killed(self) -> None:
        """Either of the consumers, and another one takes its place at once."""
        name = self._rng.choice(sorted(self._consumers))
        self._consumers.pop(name).kill()
        self._start(name)

    def consumers_restarted(self) -> None:
        for name in sorted(self._consumers):
            self._consumers.pop(name).kill()
            self._start(name)

    def second_joins_or_leaves(self) -> None:
        if second := self._consumers.pop("second", None):
            assert second.stop(STOP_SECONDS) in (0, -signal.SIGTERM)  # it may not be up yet
        else:
            self._start("second")

    def projector_killed(self) -> None:
        self._projector.kill()
        self._projector = ProjectorProcess(self._postgres.url)

    def broker_killed(self) -> None:
        self._broker.kill()
        self._broker.start()

    def postgres_restarted(self) -> None:
        self._postgres.restart()

    def postgres_crashed(self) -> None:
        self._postgres.crash()

    def replayed(self) -> None:
        """Everything that was taken so far will be read again."""
        with Ledger(self._postgres.url) as ledger:
            moved = ledger.query(
                "UPDATE ledger.tracking SET notification_id = 0 RETURNING old.notification_id"
            )
        self.replays += sum(row[0] for row in moved)

    def end(self) -> None:
        """Everybody may finish what is in hand."""
        for process in [*self._consumers.values(), self._projector]:
            assert process.stop(STOP_SECONDS) in (0, -signal.SIGTERM)

    def kill(self) -> None:
        for process in [*self._consumers.values(), self._projector]:
            process.kill()

    def _start(self, name: str) -> None:
        # The first one is a static member where that works: it needs not wait for its session.
        static = name == "first" and isinstance(self._broker, ApacheKafka)
        self._consumers[name] = ConsumerProcess(
            self._postgres.url,
            self._broker.bootstrap_servers,
            self._topic,
            instance=name if static else None,
            batch_events=self._rng.choice([250, 500, 1_000]),
            options=QUICK,
        )


@contextmanager
def works(
    rng: random.Random, broker: LocalBroker, postgres: OwnPostgres, topic: str
) -> Iterator[Works]:
    at_work = Works(rng, broker, postgres, topic)
    try:
        yield at_work
    finally:
        at_work.kill()


def happenings(rng: random.Random, kills: int, *, broker_keeps: bool) -> list[str]:
    """What happens, in any order."""
    named = Counter(consumer_killed=kills, second_joins_or_leaves=9, projector_killed=3)
    named.update(ONCE_EACH)
    if not broker_keeps:
        del named["broker_killed"]  # it would forget what was published
    each = list(named.elements())
    rng.shuffle(each)
    return each


@pytest.mark.timeout(900)
def test_the_ledger_holds_what_was_published_and_read_models_equal_a_rebuild(
    own_broker: LocalBroker,
) -> None:
    keeps = isinstance(own_broker, ApacheKafka)
    events, kills = (EVENTS or 100_000, KILLS or 30) if keeps else (6_000, 6)
    print(f"SERVICETRAIL_TEST_SEED={SEED}")  # noqa: T201 - to repeat what failed
    rng = random.Random(SEED)
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_of_its_own())
        ledger = stack.enter_context(Ledger(postgres.url))
        with Channel(own_broker.bootstrap_servers, "all") as channel:
            topic = channel.topic("at-once", partitions=PARTITIONS)
        company = Company(own_broker.bootstrap_servers, topic, events, SEED)
        company.publish(events // 2)
        what = happenings(rng, kills, broker_keeps=keeps)
        when = sorted(rng.sample(range(events), len(what)))
        at_work = stack.enter_context(works(rng, own_broker, postgres, topic))
        for happens, after in zip(what, when, strict=True):
            eventually(lambda after=after: taken(ledger) >= after, PATIENCE_SECONDS)
            company.publish(events // 2 + after // 2)  # some of it is on its way just then
            getattr(at_work, happens)()
        company.finish()
        eventually(lambda: ledger.count() == events, PATIENCE_SECONDS)
        at_work.replayed()  # and now all of it
        at_work.consumers_restarted()  # there is no record left that would tell them so
        eventually(lambda: taken(ledger) == events + at_work.replays, PATIENCE_SECONDS)
        eventually(lambda: projected(ledger) == events, PATIENCE_SECONDS)
        at_work.end()
        assert at_work.replays > events
        assert ledger.query("SELECT DISTINCT reason, message FROM intake.kept") == []
        assert ledger.received() == {
            "received": events + at_work.replays,
            "appended": events,
            "duplicate": at_work.replays,
        }
        names = ledger.query("SELECT source, id FROM ledger.events ORDER BY position")
        assert company.grouped(names) == company.by_key()
        assert differing_from_a_rebuild(postgres, ledger) == {}


def taken(ledger: Ledger) -> int:
    """How many records were taken in all."""
    [[number]] = ledger.query("SELECT coalesce(sum(received), 0) FROM intake.tally")
    return int(number)


def projected(ledger: Ledger) -> int:
    """Up to where all read models hold everything."""
    [[position]] = ledger.query("SELECT min(position) FROM read.position")
    return int(position)


def differing_from_a_rebuild(postgres: OwnPostgres, ledger: Ledger) -> dict[str, int]:
    """How many rows of each table are not in a rebuild, or only there."""
    postgres.execute("CREATE SCHEMA rebuilt AUTHORIZATION servicetrail_writer")
    rebuilding = Runner(ledger.datastore, read_models(), schema="rebuilt")
    rebuilding.prepare()
    rebuilding.catch_up()
    differing = {}
    for table in ["position", *(table for model in read_models() for table in model.tables)]:
        [[differ]] = ledger.query(
            f"""
            WITH live AS (SELECT t::text FROM read.{table} AS t),
                built AS (SELECT t::text FROM rebuilt.{table} AS t)
            SELECT (SELECT count(*) FROM (TABLE live EXCEPT ALL TABLE built) AS stale)
                + (SELECT count(*) FROM (TABLE built EXCEPT ALL TABLE live) AS missing)
            """
        )
        if differ:
            differing[table] = differ
    return differing
