"""Seals the ledger: its new rows become leaves of the trees, and a checkpoint is signed about them.

Everything of one seal commits together. Only then does the checkpoint go outside the database, so
that a checkpoint outside is never ahead of an honest database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog
from eventsourcing.persistence import InterfaceError, OperationalError

from audit.customers import Crown, lengthen, load_crown
from audit.merkle import HASH_BYTES, root_of
from audit.notes import Checkpoint, Note, NoteWrong
from audit.outside import OutsideWrong
from audit.signing import SigningKeys
from audit.tiles import EVENTS, REGISTER, Edge, TreeBroken, load_edge, split, store, stored_nodes
from ledger.datastore import Datastore, PgCursor
from ledger.listening import Wakeups
from ledger.sql import named_queries

MOST_EVENTS = 20_000
"""How many events one checkpoint brings at most: what a seal holds in memory is bounded by it."""

INTERVAL_SECONDS = 0.5
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 10.0
_SECONDS_BETWEEN_LOOKS = 5.0

_SQL = named_queries(Path(__file__).with_name("sealing.sql"))
_log = structlog.get_logger(__name__)


class SealRefused(Exception):
    """What is there does not go together, and nothing will be signed on top of it. The text says
    what was found and what to do.
    """


class Outside(Protocol):
    """A place outside the database where checkpoints go."""

    def newest(self, origin: str) -> tuple[str, Note] | None:
        """The newest checkpoint of a ledger there, and where it is in words.

        Raises OutsideWrong.
        """

    def put(self, note: Note, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint. Raises OSError where that is not possible now."""


@dataclass
class _Trees:
    """What sealing goes on from: the newest checkpoint, and the edges of the trees."""

    number: int
    note: Note | None
    events: Edge
    register: Edge
    customers: Crown


class Sealer:
    """Seals a ledger; `outside` are the places outside the database where checkpoints go.

    `keys` gives the keys and is asked at each seal, so that a new key counts at once. Any number of
    programs may seal one ledger; each checkpoint is made by one of them.
    """

    def __init__(
        self,
        datastore: Datastore,
        keys: Callable[[], SigningKeys],
        outside: Sequence[Outside],
        *,
        most_events: int = MOST_EVENTS,
    ) -> None:
        self._datastore = datastore
        self._keys = keys
        self._outside = outside
        self._most_events = most_events
        self._trees: _Trees | None = None
        self._stopping = threading.Event()
        self._wakeups: Wakeups | None = None
        self._compared: dict[int, Note] = {}
        self._not_written: set[int] = set()
        self._lost_since: float | None = None
        self._pause_seconds = _FIRST_PAUSE_SECONDS

    def check(self) -> None:
        """Raise SealRefused if the ledger is not the one that these keys sealed, or if a checkpoint
        outside the database knows more than the database.
        """
        with self._datastore.transaction() as cursor:
            self._locked(cursor, self._keys())

    def step(self, *, even_if_nothing_is_new: bool = False) -> Checkpoint | None:
        """Seal what is new, at most `most_events` events; None if nothing is.

        Raises SealRefused.
        """
        keys = self._keys()
        try:
            with self._datastore.transaction() as cursor:
                trees = self._locked(cursor, keys)
                if not self._take_new(cursor, trees) and not even_if_nothing_is_new:
                    return None
                note, checkpoint = self._sign(cursor, trees, keys)
        except BaseException:
            self._trees = None  # the edges may have moved, and the database has not
            raise
        self._send(note, checkpoint)
        return checkpoint

    def seal(self) -> int:
        """Seal everything there is; gives how many checkpoints that took. Raises SealRefused."""
        checkpoints = 0
        while self.step():
            checkpoints += 1
        return checkpoints

    def run(self, interval_seconds: float = INTERVAL_SECONDS) -> None:
        """Seal what comes, at most once in `interval_seconds` unless more waits, until `stop`.

        A lost connection is waited out, with growing pauses. Raises SealRefused.
        """
        while not self._stopping.is_set():
            try:
                with Wakeups(self._datastore) as self._wakeups:
                    while not self._stopping.is_set():
                        self._follow(self._wakeups, interval_seconds)
            except (OperationalError, InterfaceError) as error:
                self._trees = None
                if self._lost_since is None:  # said once, not at every attempt until it is over
                    self._lost_since = time.monotonic()
                    self._pause_seconds = _FIRST_PAUSE_SECONDS
                    _log.warning("sealer_lost_database", error=str(error))
                self._stopping.wait(self._pause_seconds)
                self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)
        with suppress(OperationalError, InterfaceError):
            self.step()  # the last events are not left for the next start

    def _follow(self, wakeups: Wakeups, interval_seconds: float) -> None:
        before = self._trees.events.size if self._trees else 0
        checkpoint = self.step()
        if self._lost_since is not None:
            seconds = round(time.monotonic() - self._lost_since, 1)
            _log.info("sealer_goes_on", after_seconds=seconds)
            self._lost_since = None
        if checkpoint is None:
            wakeups.wait(_SECONDS_BETWEEN_LOOKS)
        elif checkpoint.size - before < self._most_events:
            self._stopping.wait(interval_seconds)

    def stop(self) -> None:
        """Make `run` return after the seal that it is at. May be called from any thread."""
        self._stopping.set()
        if self._wakeups is not None:
            self._wakeups.wake()

    def _locked(self, cursor: PgCursor, keys: SigningKeys) -> _Trees:
        """Take the one lock of sealing; gives what there is, compared with what is outside."""
        cursor.execute(_SQL["lock"])
        row = cursor.fetchone()
        if row is None:
            raise SealRefused("seal.log has lost its row: somebody changed the database by hand")
        if row[0] is None:
            cursor.execute(_SQL["name_log"], {"origin": keys.origin})
        elif row[0] != keys.origin:
            raise SealRefused(
                f"this database is sealed as {row[0]}, the sealing keys are those of {keys.origin}:"
                " set SERVICETRAIL_SEALING_KEYS to the right ones, or put their file back"
            )
        cursor.execute(_SQL["newest"])
        newest = cursor.fetchone()
        trees = self._trees
        if trees is None or (trees.number, str(trees.note)) != (newest or (0, str(None))):
            trees = self._trees = _load(cursor, newest, keys)
        self._compare(cursor, trees, keys.origin)
        return trees

    def _compare(self, cursor: PgCursor, trees: _Trees, origin: str) -> None:
        """Raise SealRefused unless the newest checkpoints outside are part of this ledger."""
        for number, outside in enumerate(self._outside):
            try:
                found = outside.newest(origin)
                if found is None or self._compared.get(number) == found[1]:
                    continue
                place, note = found
                _expect_part(cursor, trees, Checkpoint.parse(note.text), place)
            except (OutsideWrong, NoteWrong) as error:
                raise SealRefused(f"{error}. Put it back from a copy, or move it away") from None
            self._compared[number] = note

    def _take_new(self, cursor: PgCursor, trees: _Trees) -> bool:
        """Take new events and entries of the register into the trees; whether there were any."""
        cursor.execute(_SQL["ends"])
        events, entries = cursor.fetchall()[0]
        if events < trees.events.size or entries < trees.register.size:
            raise SealRefused(
                f"{trees.events.size:,} events are sealed, and the ledger has {events:,}: it was "
                "set back. Run: servicetrail verify"
            )
        if events == trees.events.size and entries == trees.register.size:
            return False
        self._take_events(cursor, trees, min(events, trees.events.size + self._most_events))
        self._take_register(cursor, trees, entries)
        return True

    def _sign(self, cursor: PgCursor, trees: _Trees, keys: SigningKeys) -> tuple[Note, Checkpoint]:
        """Sign a checkpoint about the trees, and store it."""
        cursor.execute(_SQL["now"])
        [(now,)] = cursor.fetchall()
        checkpoint = Checkpoint(
            origin=keys.origin,
            size=trees.events.size,
            root=trees.events.root(),
            customers=trees.customers.customers,
            customers_root=trees.customers.root,
            register_size=trees.register.size,
            register_root=trees.register.root(),
            sealed_at=now,
            previous=trees.note.digest if trees.note else bytes(HASH_BYTES),
        )
        note = keys.signed(checkpoint.text)
        trees.number, trees.note = trees.number + 1, note
        cursor.execute(
            _SQL["keep"],
            {
                "number": trees.number,
                "size": checkpoint.size,
                "register_size": checkpoint.register_size,
                "sealed_at": now,
                "note": str(note),
            },
        )
        for key in keys.private:
            cursor.execute(_SQL["signer"], {"key": str(key.public), "number": trees.number})
        return note, checkpoint

    def _take_events(self, cursor: PgCursor, trees: _Trees, until: int) -> None:
        before = trees.events.size
        if until == before:
            return
        cursor.execute(_SQL["event_leaves"], {"after": before, "until": until})
        [(hashes, subjects)] = cursor.fetchall()
        leaves = split(bytes(hashes))
        if len(leaves) != until - before:
            raise SealRefused(
                f"events {before + 1:,} to {until:,} are not all there. Run: servicetrail verify"
            )
        chains: dict[bytes, list[bytes]] = {}
        for subject, leaf in zip(split(bytes(subjects)), leaves, strict=True):
            chains.setdefault(subject, []).append(leaf)
        store(cursor, EVENTS, trees.events.append(leaves))
        lengthen(cursor, trees.customers, chains)

    def _take_register(self, cursor: PgCursor, trees: _Trees, until: int) -> None:
        before = trees.register.size
        cursor.execute(_SQL["register_leaves"], {"after": before, "until": until})
        leaves = [bytes(leaf) for (leaf,) in cursor.fetchall()]
        if len(leaves) != until - before:
            raise SealRefused("the register of keys has gaps. Run: servicetrail verify")
        store(cursor, REGISTER, trees.register.append(leaves))

    def _send(self, note: Note, checkpoint: Checkpoint) -> None:
        """Take a committed checkpoint outside. Where that fails now, the next one is tried."""
        for number, outside in enumerate(self._outside):
            try:
                outside.put(note, checkpoint)
                if number in self._not_written:
                    _log.info("checkpoints go outside of the database again")
                    self._not_written.remove(number)
            except OSError as error:
                if number not in self._not_written:  # said once, not twice a second
                    _log.error("a checkpoint stays in the database only", reason=str(error))
                    self._not_written.add(number)


def _load(cursor: PgCursor, newest: tuple[int, str] | None, keys: SigningKeys) -> _Trees:
    """What sealing goes on from, read from the database and compared with the checkpoint."""
    if newest is None:
        return _Trees(0, None, Edge(), Edge(), Crown())
    number, text = newest
    try:
        note = Note.parse(text)
        checkpoint = Checkpoint.parse(note.text)
        if not any(key.has_signed(note) for key in keys.public):
            raise NoteWrong("none of the sealing keys has signed it")
        trees = _Trees(
            number,
            note,
            load_edge(cursor, EVENTS, checkpoint.size),
            load_edge(cursor, REGISTER, checkpoint.register_size),
            load_crown(cursor),
        )
    except (NoteWrong, TreeBroken) as error:
        raise SealRefused(
            f"checkpoint {number} cannot be gone on from: {error}. Run: servicetrail verify"
        ) from None
    roots = (trees.events.root(), trees.register.root(), trees.customers.root)
    if roots != (checkpoint.root, checkpoint.register_root, checkpoint.customers_root):
        raise SealRefused(
            f"what is stored of the trees is not what checkpoint {number} was signed for. "
            "Run: servicetrail verify"
        )
    return trees


def _expect_part(cursor: PgCursor, trees: _Trees, outside: Checkpoint, place: str) -> None:
    """Raise SealRefused unless the trees begin as a checkpoint from outside says."""
    what = f"{outside.size:,} events, sealed {outside.sealed_at:%Y-%m-%d %H:%M:%S} UTC"
    advice = (
        "The database was set back or changed, and nothing is sealed on top of that. Find out "
        "what happened (servicetrail verify), and restore the newest backup. Where events are "
        "lost for good, keep that checkpoint elsewhere as evidence, and move it out of the way"
    )
    if outside.size > trees.events.size or outside.register_size > trees.register.size:
        raise SealRefused(
            f"{place} knows of {what}, the database of {trees.events.size:,}. {advice}"
        )
    for tree, edge, size, root in (
        (EVENTS, trees.events, outside.size, outside.root),
        (REGISTER, trees.register, outside.register_size, outside.register_root),
    ):
        try:
            same = (
                edge.root() if size == edge.size else root_of(size, stored_nodes(cursor, tree))
            ) == root
        except TreeBroken:
            same = False
        if not same:
            raise SealRefused(f"{place} knows of other {what}. {advice}")
