"""Numbers that stand for names, and for hashes, as long as the process lives."""

from __future__ import annotations

from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Numbers = NDArray[np.int32]

Name = TypeVar("Name", bound=Hashable)


class Names(Generic[Name]):
    """Numbers for names, in the order in which they were first seen, by any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.names: list[Name] = []
        self._numbers: dict[Name, int] = {}

    def number(self, name: Name) -> int:
        """A name's number."""
        with self._lock:
            number = self._numbers.setdefault(name, len(self.names))
            if number == len(self.names):
                self.names.append(name)
            return number


class Numbering:
    """Numbers for hashes, many at once, likewise."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._hashes: Integers = np.empty(0, np.int64)
        self._numbers: Numbers = np.empty(0, np.int32)

    def of(self, hashes: Integers) -> Numbers:
        """The number of each."""
        distinct, places = np.unique(hashes, return_inverse=True)
        with self._lock:
            self._add(np.setdiff1d(distinct, self._hashes, assume_unique=True))
            numbered: Numbers = self._numbers[np.searchsorted(self._hashes, distinct)]
        return numbered[places]

    def _add(self, new: Integers) -> None:
        if new.size:
            last = self._hashes.size + new.size
            hashes = np.concatenate((self._hashes, new))
            order = np.argsort(hashes)
            added = np.arange(self._hashes.size, last, dtype=np.int32)
            self._numbers = np.concatenate((self._numbers, added))[order]
            self._hashes = hashes[order]
