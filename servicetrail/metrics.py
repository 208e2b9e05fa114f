"""The metrics of a running program, for Prometheus: every name, and where its value comes from."""

from __future__ import annotations

import threading
from collections import Counter as Counts
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from eventsourcing.persistence import PersistenceError
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from audit.proofs import reached
from consumers.consumer import State
from consumers.taking import Taken
from ledger.candidates import Receipt
from ledger.datastore import PgCursor
from ledger.notices import waiting
from ledger.reading import last_position
from ledger.redriving import OPEN
from ledger.sql import named_queries
from projections.answers import answer, snapshot
from projections.registry import read_models
from projections.runner import Progress
from servicetrail.consuming import Consumption
from servicetrail.system import System
from web.metrics import HTTP_REQUESTS, HTTP_SECONDS, Definition

_SQL = named_queries(Path(__file__).with_name("metrics.sql"))
OTHER = "(other)"
MOST_SOURCES = 200
"""Sources are the channels' own words; somebody may make one up for every event."""

_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600, 86_400)

RECEIVED = Definition(
    "servicetrail_received_total",
    "counter",
    ("source",),
    "Events received over Kafka and HTTP by this process since its start.",
)
OUTCOMES = Definition(
    "servicetrail_outcomes_total",
    "counter",
    ("source", "outcome"),
    "What became of them: appended, duplicate, conflict, parked or rejected.",
)
BATCH_SECONDS = Definition(
    "servicetrail_batch_seconds",
    "histogram",
    ("way",),
    "Seconds that a batch took from reading its events to the commit; way is kafka or http.",
)
KEPT = Definition(
    "servicetrail_kept_inputs",
    "gauge",
    ("state",),
    "Inputs that are parked, rejected or in conflict now and wait for an event or for somebody.",
)
NOTICES = Definition(
    "servicetrail_notices_waiting",
    "gauge",
    (),
    "Notices of records that were not taken, which do not stand in a dead-letter topic yet.",
)
NOTICES_GIVEN_UP = Definition(
    "servicetrail_notices_given_up_total",
    "counter",
    (),
    "Notices that the brokers refused for good, since this process's start; the log says which. "
    "Absent where nothing is consumed.",
)
LEDGER_POSITION = Definition(
    "servicetrail_ledger_position", "gauge", (), "Position of the last event in the ledger."
)
READ_MODELS_POSITION = Definition(
    "servicetrail_read_models_position",
    "gauge",
    (),
    "Position up to which all read models hold every event.",
)
PROJECTOR_LAG = Definition(
    "servicetrail_projector_lag_events", "gauge", (), "Events that the read models lack."
)
PROJECTOR_WAITING = Definition(
    "servicetrail_projector_waiting_seconds",
    "gauge",
    (),
    "For how long the oldest event that the read models lack is in the ledger; 0 if none is.",
)
SEALED_POSITION = Definition(
    "servicetrail_sealed_position", "gauge", (), "Position of the last event under a checkpoint."
)
SEALING_LAG = Definition(
    "servicetrail_sealing_lag_events", "gauge", (), "Events that are under no checkpoint yet."
)
SEALING_WAITING = Definition(
    "servicetrail_sealing_waiting_seconds",
    "gauge",
    (),
    "For how long the oldest event that is under no checkpoint is in the ledger; 0 if none is.",
)
CHECKPOINT_AGE = Definition(
    "servicetrail_checkpoint_age_seconds",
    "gauge",
    (),
    "Seconds since the newest checkpoint was signed; one is signed only when there is something "
    "new. Absent before the first.",
)
FRESHNESS_TIME = Definition(
    "servicetrail_freshness_from_time_seconds",
    "histogram",
    (),
    "Seconds from an event's own time until it was in the read models.",
)
FRESHNESS_RECEIPT = Definition(
    "servicetrail_freshness_from_receipt_seconds",
    "histogram",
    (),
    "Seconds from an event's entry into the ledger until it was in the read models.",
)
CONSUMER_LAG = Definition(
    "servicetrail_consumer_lag_records",
    "gauge",
    ("topic", "partition"),
    "Records behind the end of a partition that this process consumes.",
)
CONSUMER_STATE = Definition(
    "servicetrail_consumer_state",
    "gauge",
    ("state",),
    "1 for what the consumer is doing: joining, reading, waiting (for the database or the "
    "registry) or stopped. Absent where nothing is consumed.",
)
DATABASE_UP = Definition(
    "servicetrail_database_up", "gauge", (), "1 if the database could be asked for these metrics."
)
PROCESS = (
    Definition("process_virtual_memory_bytes", "gauge", (), "Virtual memory size in bytes."),
    Definition("process_resident_memory_bytes", "gauge", (), "Resident memory size in bytes."),
    Definition(
        "process_start_time_seconds", "gauge", (), "Start time, in seconds since the Unix epoch."
    ),
    Definition(
        "process_cpu_seconds_total", "counter", (), "User and system CPU time spent in seconds."
    ),
    Definition("process_open_fds", "gauge", (), "Open file descriptors."),
    Definition("process_max_fds", "gauge", (), "How many file descriptors may be open."),
)

DEFINITIONS: Sequence[Definition] = (
    RECEIVED, OUTCOMES, BATCH_SECONDS, KEPT, NOTICES, LEDGER_POSITION, READ_MODELS_POSITION,
    PROJECTOR_LAG, PROJECTOR_WAITING, SEALED_POSITION, SEALING_LAG, SEALING_WAITING,
    CHECKPOINT_AGE, FRESHNESS_TIME, FRESHNESS_RECEIPT, CONSUMER_LAG,
    CONSUMER_STATE, NOTICES_GIVEN_UP, DATABASE_UP, HTTP_REQUESTS, HTTP_SECONDS, *PROCESS,
)  # fmt: skip
"""Every metric there is; `docs/reference/metrics-prometheus.md` is made from these."""


class Metrics:
    """Everything that a process measures, in a registry of its own."""

    def __init__(self, system: System) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._received = Counter(
            RECEIVED.name, RECEIVED.says, RECEIVED.labels, registry=self.registry
        )
        self._outcomes = Counter(
            OUTCOMES.name, OUTCOMES.says, OUTCOMES.labels, registry=self.registry
        )
        self._seconds = Histogram(
            BATCH_SECONDS.name, BATCH_SECONDS.says, BATCH_SECONDS.labels, registry=self.registry
        )
        self._sources: set[str] = set()
        self._freshness = Freshness(system)
        self.registry.register(self._freshness)
        self.registry.register(Standing(system))
        system.intake.on_batch = self._batch_took

    def received(self, receipts: Iterable[Receipt]) -> None:
        """Count what came, and what became of it."""
        counts = Counts((self._source(receipt.source), receipt.outcome) for receipt in receipts)
        for (source, outcome), count in counts.items():
            self._received.labels(source).inc(count)
            self._outcomes.labels(source, outcome).inc(count)

    def taken(self, taken: Taken) -> None:
        """Count a batch of the consumer."""
        self.received(taken.receipts)

    def projected(self, progress: Progress) -> None:
        """Note how fresh the events of the projector's last batch are."""
        self._freshness.projected(progress)

    def consumes(self, consumption: Consumption) -> None:
        """Tell of this consumer from now on."""
        self.registry.register(Consumer(consumption))

    def _batch_took(self, way: str, seconds: float) -> None:
        self._seconds.labels(way).observe(seconds)

    def _source(self, source: str) -> str:
        if source not in self._sources:
            if len(self._sources) == MOST_SOURCES:
                return OTHER
            self._sources.add(source)
        return source


class Freshness(Collector):
    """How old events were when they became visible in the read models.

    Only of events that were appended after this process began to measure: what it takes up from
    before, or builds anew, says nothing of how fresh the figures are kept.
    """

    def __init__(self, system: System) -> None:
        self._datastore = system.datastore
        self._lock = threading.Lock()
        self._buckets: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        for since in ("time", "receipt"):
            self._buckets[since] = [0] * (len(_BOUNDS) + 1)
            self._sums[since] = 0.0
        with system.datastore.transaction() as cursor:
            self._seen = last_position(cursor)

    def projected(self, progress: Progress) -> None:
        """The read models have taken a batch that ends at this position."""
        after = max(self._seen, progress.position - progress.events)
        if progress.position <= after:
            return
        self._seen = progress.position
        try:
            with self._datastore.transaction() as cursor:
                cursor.execute(
                    _SQL["freshness"],
                    {"bounds": list(_BOUNDS), "after": after, "until": progress.position},
                )
                rows = cursor.fetchall()
        except PersistenceError:
            return  # a gap in a metric must not stop the projector
        with self._lock:
            for since, bucket, count, total in rows:
                self._buckets[since][bucket] += count
                self._sums[since] += total

    def collect(self) -> Iterator[Metric]:
        """Both histograms."""
        with self._lock:
            for definition, since in ((FRESHNESS_TIME, "time"), (FRESHNESS_RECEIPT, "receipt")):
                cumulated, buckets = 0, []
                for bound, count in zip((*_BOUNDS, "+Inf"), self._buckets[since], strict=True):
                    cumulated += count
                    buckets.append((str(bound), cumulated))
                yield HistogramMetricFamily(
                    definition.name, definition.says, buckets=buckets, sum_value=self._sums[since]
                )


class Standing(Collector):
    """Where ledger and read models stand, asked of the database when Prometheus asks."""

    def __init__(self, system: System) -> None:
        self._reads = system.reads

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The gauges; only that the database is away, if it is."""
        try:
            gauges = list(self._gauges())
        except PersistenceError:
            gauges = []
        yield from gauges
        yield _gauge(DATABASE_UP, 1 if gauges else 0)

    def _gauges(self) -> Iterator[Metric]:
        names = [model.name for model in read_models()]
        with snapshot(self._reads) as cursor:
            position = answer(cursor, names, datetime.now(UTC), []).position
            last = last_position(cursor)
            sealed = reached(cursor)
            waits = [_waits(cursor, behind + 1) for behind in (position, sealed.position)]
            cursor.execute(_SQL["kept"])
            kept: Mapping[str, int] = dict(cursor.fetchall())
            notices = waiting(cursor)
        yield _gauge(LEDGER_POSITION, last)
        yield _gauge(READ_MODELS_POSITION, position)
        yield _gauge(PROJECTOR_LAG, last - position)
        yield _gauge(PROJECTOR_WAITING, waits[0])
        yield _gauge(SEALED_POSITION, sealed.position)
        yield _gauge(SEALING_LAG, max(0, last - sealed.position))
        yield _gauge(SEALING_WAITING, waits[1])
        if sealed.sealed_at is not None:
            age = datetime.now(UTC) - sealed.sealed_at
            yield _gauge(CHECKPOINT_AGE, max(0.0, age.total_seconds()))
        family = GaugeMetricFamily(KEPT.name, KEPT.says, labels=KEPT.labels)
        for state in OPEN:
            family.add_metric([state], kept.get(state, 0))
        yield family
        yield _gauge(NOTICES, sum(notices.values()))


class Consumer(Collector):
    """What the consumer is doing, and how far behind it is."""

    def __init__(self, consumption: Consumption) -> None:
        self._consumption = consumption

    def collect(self) -> Iterator[Metric]:
        """The gauges, and what was given up."""
        lag = GaugeMetricFamily(CONSUMER_LAG.name, CONSUMER_LAG.says, labels=CONSUMER_LAG.labels)
        for (topic, partition), records in self._consumption.lags().items():
            lag.add_metric([topic, str(partition)], records)
        yield lag
        state = GaugeMetricFamily(
            CONSUMER_STATE.name, CONSUMER_STATE.says, labels=CONSUMER_STATE.labels
        )
        for each in State:
            state.add_metric([each.value], 1 if each is self._consumption.state else 0)
        yield state
        yield CounterMetricFamily(
            NOTICES_GIVEN_UP.name, NOTICES_GIVEN_UP.says, value=self._consumption.notices_given_up
        )


def counting(take: Callable[..., list[Receipt]], metrics: Metrics) -> Callable[..., list[Receipt]]:
    """Take like `take`, and count the receipts."""

    def counted(*arguments: object, **more: object) -> list[Receipt]:
        receipts = take(*arguments, **more)
        metrics.received(receipts)
        return receipts

    return counted


def _waits(cursor: PgCursor, position: int) -> float:
    """For how many seconds the event at a position is in the ledger; 0 if none is there."""
    cursor.execute(_SQL["waiting"], {"position": position})
    row = cursor.fetchone()
    return float(row[0]) if row else 0.0


def _gauge(definition: Definition, value: float) -> Metric:
    return GaugeMetricFamily(definition.name, definition.says, value=value)
