"""Trees for checking the whole ledger: growing leaf by leaf, with the root at any time."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from audit.standalone.proofs import customer_hash, node

_TILE_HEIGHT = 8
_BUCKET_BITS = 16


class GrowingTree:
    """An RFC 6962 tree of which only the right edge is kept.

    `tiles` collects, for each level of tiles, the hashes that the stored tree must have there.
    """

    def __init__(self) -> None:
        self.size = 0
        self.tiles: dict[int, bytearray] = {}
        self._edge: list[bytes] = []  # the largest subtree first

    def append(self, leaf: bytes) -> None:
        """One more leaf."""
        self._collect(0, leaf)
        size, height, found = self.size, 0, leaf
        while size & 1:
            found = hashlib.sha256(b"\1" + self._edge.pop() + found).digest()
            size, height = size >> 1, height + 1
            if height % _TILE_HEIGHT == 0:
                self._collect(height // _TILE_HEIGHT, found)
        self._edge.append(found)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._edge:
            return hashlib.sha256(b"").digest()
        found = self._edge[-1]
        for left in reversed(self._edge[:-1]):
            found = node(left, found)
        return found

    def _collect(self, level: int, found: bytes) -> None:
        if level not in self.tiles:
            self.tiles[level] = bytearray()
        self.tiles[level] += found


class Customer(NamedTuple):
    """A customer in the tree: key, number of events, head of the chain."""

    key: bytes
    events: int
    head: bytes


class _Fork:
    """A place where several customers' keys part."""

    __slots__ = ("below", "hash")

    def __init__(self) -> None:
        self.below: list[_Fork | Customer | None] = [None, None]
        self.hash: bytes | None = None


class CustomersTree:
    """The tree over customers, which may change everywhere."""

    def __init__(self) -> None:
        self.customers: dict[bytes, Customer] = {}
        self._top: _Fork | Customer | None = None
        self._changed: dict[bytes, Customer] = {}

    def append(self, key: bytes, leaf: bytes) -> None:
        """One more event of a customer."""
        found = self.customers.get(key)
        events, head = (0, bytes(32)) if found is None else (found.events, found.head)
        head = hashlib.sha256(b"\x12" + head + leaf).digest()
        self.customers[key] = self._changed[key] = Customer(key, events + 1, head)

    def root(self) -> bytes:
        """The root over all customers so far."""
        for customer in self._changed.values():
            self._top = _put(self._top, customer, 0)
        self._changed.clear()
        return _hash(self._top)

    def root_below(self, bucket: int) -> bytes:
        """The root over the customers whose keys begin with these 16 bits."""
        place = self._top
        for depth in range(_BUCKET_BITS):
            if not isinstance(place, _Fork):
                break
            place = place.below[bucket >> (_BUCKET_BITS - 1 - depth) & 1]
        return _hash(place)


def _put(place: _Fork | Customer | None, customer: Customer, depth: int) -> _Fork | Customer:
    if place is None or (isinstance(place, Customer) and place.key == customer.key):
        return customer
    if isinstance(place, Customer):
        fork = _Fork()
        fork.below[_bit(place.key, depth)] = place
        place = fork
    side = _bit(customer.key, depth)
    place.below[side] = _put(place.below[side], customer, depth + 1)
    place.hash = None
    return place


def _hash(place: _Fork | Customer | None) -> bytes:
    if place is None:
        return bytes(32)
    if isinstance(place, Customer):
        return customer_hash(*place)
    if place.hash is None:
        left, right = place.below
        place.hash = hashlib.sha256(b"\x11" + _hash(left) + _hash(right)).digest()
    return place.hash


def _bit(key: bytes, depth: int) -> int:
    return key[depth >> 3] >> (7 - (depth & 7)) & 1
