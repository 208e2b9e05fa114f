"""Answers made once for all who ask the same."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

from cachetools import LRUCache

from web.answers import Written

Made = TypeVar("Made")

MOST_BYTES = 32 * 1024 * 1024
BYTES_BESIDE_BODY = 1_000
"""What an answer takes beside its body: headers, tag, and its place among the others."""


@dataclass
class _Work(Generic[Made]):
    """An answer that is being made, or will be once the one before it is there."""

    made: Future[Made] = field(default_factory=Future)
    begun: bool = False


class Together(Generic[Made]):
    """Lets those who ask the same thing at the same time share the work.

    While an answer is being made, all who come to ask for the same wait for the next one, which is
    begun once that is there. So nobody gets an answer that was begun before they asked, and no more
    than one thread is at work on the same.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._last: dict[Hashable, _Work[Made]] = {}

    def made(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What `make` gives, called here or by another thread for the same key, but not before
        this. Raises what it raised.
        """
        with self._lock:
            last = self._last.get(key)
            if last is not None and not last.begun:
                work = last
            else:
                work = self._last[key] = _Work()
        if work is not last:
            if last is not None:
                wait([last.made])
            self._do(key, work, make)
        return work.made.result()

    def _do(self, key: Hashable, work: _Work[Made], make: Callable[[], Made]) -> None:
        with self._lock:
            work.begun = True
        try:
            work.made.set_result(make())
        except BaseException as error:  # whatever it is, nobody waits for ever
            work.made.set_exception(error)
        with self._lock:
            if self._last.get(key) is work:  # whoever waited may have ended already
                del self._last[key]


class InTurn:
    """Lets at most `most` work under the same name at once, those first who came first.

    Threads that all work at once take turns at random: the slowest then waits twice as long as when
    each waits for its turn.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._workers: dict[str, ThreadPoolExecutor] = {}

    def made(self, name: str, make: Callable[[], Made]) -> Made:
        """What `make` gives, called by another thread. Raises what it raises."""
        with self._lock:
            workers = self._workers.get(name)
            if workers is None:
                workers = self._workers[name] = ThreadPoolExecutor(self._most, name)
        return workers.submit(make).result()


class Kept:
    """The answers last asked for, by ETag, for any number of threads."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._lock = Lock()
        self._answers: LRUCache[str, Written] = LRUCache(
            most_bytes, getsizeof=lambda answer: len(answer.body) + BYTES_BESIDE_BODY
        )

    def get(self, tag: str) -> Written | None:
        """The answer with this tag, if it is still kept."""
        with self._lock:
            return self._answers.get(tag)

    def keep(self, tag: str, answer: Written) -> None:
        """Keep it, in place of those that nobody asked for the longest; one that is too long for
        all of the room is not kept.
        """
        with self._lock, suppress(ValueError):
            self._answers[tag] = answer
