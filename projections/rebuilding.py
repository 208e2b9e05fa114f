"""Builds read models anew beside the live ones, compares, and puts them in their place.

Nobody has to stop for it: questions are answered from the live tables, and whoever keeps those up
to date goes on, until the new ones change places with them in one step (`projections.swapping`).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import NamedTuple

from ledger.datastore import Datastore, PgCursor
from ledger.reading import last_position
from ledger.sql import named_queries
from projections.building import Building, Plan
from projections.comparing import Difference, first_difference
from projections.model import ReadModel
from projections.runner import Runner
from projections.schemas import BUILDING, LIVE, drop_everything, work_in
from projections.slots import Slot, locked_slots, share_anew, slots_of
from projections.swapping import swap
from projections.workers import Tell, Workers

_SQL = named_queries(Path(__file__).with_name("rebuilding.sql"))
_SECONDS_BETWEEN_LOOKS = 1.0

Models = Callable[[], Sequence[ReadModel]]
"""Gives the read models; it can be sent to another process."""


class RebuildGoesOn(Exception):
    """Another program is at the same work."""


class Stopped(Exception):
    """The work was asked to end before it was done; begun again, it goes on where it was."""


class Done(NamedTuple):
    """How far a build is: `events` of `of` are in the tables, then `indexes`, then the rest."""

    stage: str
    events: int
    of: int


@dataclass(frozen=True)
class Build:
    """A job of building read models in a schema, for `projections.workers`."""

    datastore: Datastore
    models: Models
    names: tuple[str, ...]
    schema: str

    def building(self) -> Building:
        """What the processes share."""
        return Building(
            self.datastore, [m for m in self.models() if m.name in self.names], self.schema
        )

    def __call__(self, _worker: int, stop: Event, tell: Tell) -> None:
        building = self.building()
        building.work(stop, tell)
        building.close(stop)
        self.datastore.close()


def build(
    job: Build,
    position: int,
    *,
    anywhere: bool = False,
    workers: int = 1,
    apart: bool = False,
    stop: Event | None = None,
    on_progress: Callable[[Done], None] = lambda _: None,
) -> Plan:
    """Build read models in a schema from everything up to `position`, or go on with that.

    `workers`: by how many processes; a single one is this one, unless it is to be `apart`. One that
    dies is made up for. One program at a time (`only_one`). Raises Stopped when `stop` was set, and
    BuildTaken.
    """
    stop = stop or Event()
    building = job.building()
    plan = building.begin(position, anywhere=anywhere)
    loaded, _ = building.loaded()

    def heard(_worker: int, events: int) -> None:
        nonlocal loaded
        loaded += events
        on_progress(Done("events", loaded, plan.events))
        if loaded >= plan.events:
            on_progress(Done("indexes", loaded, plan.events))

    on_progress(Done("events", loaded, plan.events))
    if workers > 1 or apart:
        with Workers(job, workers, heard, again=False) as processes:
            while processes.busy and not stop.wait(0.1):
                pass
    building.work(stop, lambda events: heard(0, events))
    on_progress(Done("indexes", plan.events, plan.events))
    building.close(stop)
    if stop.is_set():
        raise Stopped("stopped; the same again goes on from here")
    building.finish()
    return plan


class Rebuild:
    """Read models being built anew; `names` are those of them, `models` and `workers` as in `Build`
    and `build`. Raises what `build` raises, and ReadModelReplaced.
    """

    def __init__(
        self,
        datastore: Datastore,
        models: Models,
        names: Sequence[str],
        *,
        workers: int = 1,
        apart: bool = False,
        stop: Event | None = None,
        on_progress: Callable[[Done], None] = lambda _: None,
    ) -> None:
        self._job = Build(datastore, models, tuple(names), BUILDING)
        self._datastore = datastore
        self._models = [model for model in models() if model.name in names]
        self._workers = workers
        self._apart = apart
        self._stop = stop or Event()
        self._on_progress = on_progress

    def build(self) -> int:
        """Build them beside, and take in what has come since; gives the position reached."""
        if not self._built():
            with self._datastore.transaction() as cursor:
                end = last_position(cursor)
            build(
                self._job,
                end,
                anywhere=True,
                workers=self._workers,
                apart=self._apart,
                stop=self._stop,
                on_progress=self._on_progress,
            )
        runner = Runner(
            self._datastore,
            self._models,
            schema=BUILDING,
            on_progress=lambda at: self._on_progress(Done("since then", at.position, at.end)),
        )
        while runner.step():
            if self._stop.is_set():
                raise Stopped("stopped; the same again goes on from here")
        reached: int = runner.position()
        return reached

    def difference(self) -> Difference | None:
        """The first row that is not the same in the live tables as in those built, both made of the
        same events; None if all are.

        Only for read models that are live in the same version (`comparable`).
        """
        self._on_progress(Done("comparing", 0, 0))
        with ExitStack() as stack:
            cursor = self._same_moment(stack)
            tables = [table for model in self._models for table in model.tables]
            return first_difference(cursor, tables, LIVE, BUILDING)

    def comparable(self) -> bool:
        """Whether the live read models are of the same version."""
        with self._working_in(LIVE) as cursor:
            live = {slot.name: slot.version for slot in slots_of(cursor, self._names())}
        return all(live.get(model.name) == model.version for model in self._models)

    def swap(self, followed_by: int | None = None) -> None:
        """Put them in the place of the live ones, which are kept; so many workers follow from then
        on (None: as before).
        """
        swap(self._datastore, self._models, followed_by)
        self.drop()

    def drop(self) -> None:
        """Drop what was built."""
        with self._working_in(BUILDING) as cursor:
            drop_everything(cursor)

    def _built(self) -> bool:
        """Whether an interrupted run had built everything already."""
        with self._working_in(BUILDING) as cursor:
            cursor.execute(_SQL["complete"])
            if cursor.fetchone() != (True,):
                return False
            cursor.execute(_SQL["there"])
            return dict(cursor.fetchall()) == {m.name: m.version for m in self._models}

    def _same_moment(self, stack: ExitStack) -> PgCursor:
        """A snapshot in which live and built tables hold the same events; ends with the stack.

        While the built ones take in the last few events the live ones are held still, and go on as
        soon as the snapshot is there.
        """
        live = Runner(self._datastore, self._models)
        while True:
            live.catch_up()
            with self._working_in(LIVE) as holding:
                slots = locked_slots(holding, self._names())
                if self._reach(slots):
                    cursor = stack.enter_context(self._datastore.transaction())
                    cursor.execute(_SQL["snapshot"])
                    return cursor

    def _reach(self, slots: Sequence[Slot]) -> bool:
        """Take the built tables exactly to where the live ones are; False if that cannot be."""
        if any(slot.position < slot.highest for slot in slots):
            return False  # divided anew just now: something behind the position is there already
        with self._working_in(BUILDING) as cursor:
            for model in self._models:
                [workers] = {slot.workers for slot in slots if slot.name == model.name}
                share_anew(cursor, [model], workers)
            built = {(s.name, s.worker): s for s in slots_of(cursor, self._names())}
        if any(built[slot.name, slot.worker].highest > slot.position for slot in slots):
            return False
        for model in self._models:
            for slot in slots:
                if slot.name == model.name:
                    runner = Runner(self._datastore, [model], schema=BUILDING, worker=slot.worker)
                    while runner.step(until=slot.position):
                        pass
        return True

    def _names(self) -> list[str]:
        return [model.name for model in self._models]

    @contextmanager
    def _working_in(self, schema: str) -> Iterator[PgCursor]:
        with self._datastore.transaction() as cursor:
            work_in(cursor, schema)
            yield cursor


@contextmanager
def only_one(datastore: Datastore, schema: str) -> Iterator[None]:
    """Be the only program that builds in a schema. Raises RebuildGoesOn."""
    with datastore.connection() as connection, connection.cursor() as cursor:
        cursor.execute(_SQL["only_one"], {"schema": schema})
        if cursor.fetchone() != (True,):
            raise RebuildGoesOn(
                "another program is building read models there: wait until it is done"
            )
        yield


def replace_stale(
    datastore: Datastore,
    models: Models,
    *,
    workers: int = 1,
    apart: bool = False,
    stop: Event | None = None,
    on_progress: Callable[[Done], None] = lambda _: None,
) -> None:
    """Build anew, beside, whatever is live in another version than ours, and put it in its place,
    for so many `workers` to follow.

    If another program does so already, wait for it. Raises Stopped.
    """
    stop = stop or Event()
    runner = Runner(datastore, models())
    while stale := runner.prepare():
        try:
            with only_one(datastore, BUILDING):
                rebuild = Rebuild(
                    datastore,
                    models,
                    [model.name for model in stale],
                    workers=workers,
                    apart=apart,
                    stop=stop,
                    on_progress=on_progress,
                )
                rebuild.build()
                rebuild.swap(workers)
        except RebuildGoesOn:
            if stop.wait(_SECONDS_BETWEEN_LOOKS):
                raise Stopped("stopped while another program builds read models") from None
