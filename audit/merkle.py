"""Merkle trees as RFC 6962 and RFC 9162 (section 2.1) define them, with SHA-256.

A tree is seen through a function `node(level, index)`: the hash over the 2**level leaves from
index * 2**level on, all of which are there. Indexes of leaves begin at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves."""

Node = Callable[[int, int], bytes]


class ProofWrong(Exception):
    """A proof does not prove what it is said to prove. The text says why."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf with these bytes."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node above two others."""
    return sha256(b"\1" + left + right).digest()


def levels_above(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """All complete nodes above `hashes`: these themselves, then pairs, then pairs of pairs."""
    levels = [list(hashes)]
    while len(below := levels[-1]) > 1:
        levels.append(
            [
                sha256(b"\1" + left + right).digest()
                for left, right in zip(below[::2], below[1::2], strict=False)
            ]
        )
    return levels


def node_of(leaf_hashes: Sequence[bytes]) -> Node:
    """The tree over these leaves, all of it in memory."""
    levels = levels_above(leaf_hashes)
    return lambda level, index: levels[level][index]


def root_of(size: int, node: Node) -> bytes:
    """The root of the tree over the first `size` leaves."""
    return _range_root(0, size, node) if size else EMPTY_ROOT


def _range_root(first: int, end: int, node: Node) -> bytes:
    """The hash over leaves from `first` (a multiple of a power of two not below the number of
    leaves) up to, but not with, `end`.
    """
    parts = []
    while first < end:
        level = (end - first).bit_length() - 1
        parts.append(node(level, first >> level))
        first += 1 << level
    found = parts.pop()
    while parts:
        found = node_hash(parts.pop(), found)
    return found


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """The path from leaf `index` to the root of the tree of `size` leaves (RFC 9162, 2.1.3.1).

    Raises ValueError for a leaf that is not in the tree.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    return [_range_root(first, end, node) for first, end in reversed([*_beside(index, 0, size)])]


def _beside(index: int, first: int, end: int) -> Iterator[tuple[int, int]]:
    """The ranges of leaves beside the path from the root to a leaf, from the root down."""
    while end - first > 1:
        middle = first + _largest_power_below(end - first)
        if index < middle:
            yield middle, end
            end = middle
        else:
            yield first, middle
            first = middle


def consistency_proof(first: int, second: int, node: Node) -> list[bytes]:
    """What shows that the tree of `first` leaves is the beginning of that of `second` (2.1.4.1).

    Raises ValueError unless 0 < first <= second.
    """
    if not 0 < first <= second:
        raise ValueError(f"a tree of {second} leaves does not begin with one of {first}")
    begin, end, whole, beside = 0, second, True, []
    while first != end:
        middle = begin + _largest_power_below(end - begin)
        if first <= middle:
            beside.append((middle, end))
            end = middle
        else:
            beside.append((begin, middle))
            begin, whole = middle, False
    if not whole:
        beside.append((begin, end))
    return [_range_root(*each, node) for each in reversed(beside)]


def _largest_power_below(number: int) -> int:
    """The largest power of two that is smaller than a number above 1."""
    return 1 << ((number - 1).bit_length() - 1)


def proof_of_many(indexes: Iterable[int], size: int, node: Node) -> list[bytes]:
    """What is needed besides some leaves to calculate the root: each hash once.

    From the leaves up, in each level from left to right, the neighbours of what is known that are
    not known themselves. A node without a neighbour stands for itself in the level above.

    Raises ValueError for a leaf that is not in the tree.
    """
    known = sorted(set(indexes))
    if known and not 0 <= known[0] <= known[-1] < size:
        raise ValueError(f"a tree of {size} leaves has no leaves {known[0]} to {known[-1]}")
    proof, level, width = [], 0, size
    while known and width > 1:
        here = set(known)
        for index in known:
            beside = index ^ 1
            if beside < width and beside not in here:
                proof.append(_range_root(beside << level, min((beside + 1) << level, size), node))
        known = sorted({index >> 1 for index in known})
        level, width = level + 1, (width + 1) >> 1
    return proof


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the hash of a leaf stands at `index` in the tree (RFC 9162, 2.1.3.2).

    Raises ProofWrong.
    """
    if not 0 <= index < size:
        raise ProofWrong(f"a tree of {size} leaves has no leaf {index}")
    _check_hashes([leaf, *proof, root])
    place, last, found = index, size - 1, leaf
    for beside in proof:
        if last == 0:
            raise ProofWrong("the proof is too long")
        if place & 1 or place == last:
            found = node_hash(beside, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, beside)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofWrong("the proof is too short")
    if found != root:
        raise ProofWrong("the proof leads to another root")


def check_consistency(
    first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that one tree is the beginning of the other (RFC 9162, 2.1.4.2).

    The empty tree is the beginning of every tree, without a proof. Raises ProofWrong.
    """
    if not 0 <= first <= second:
        raise ProofWrong(f"a tree of {second} leaves does not begin with one of {first}")
    _check_hashes([first_root, second_root, *proof])
    if first in (0, second):
        if proof:
            raise ProofWrong("nothing has to be proven, and yet there is a proof")
        expected = EMPTY_ROOT if first == 0 else second_root
        if first_root != expected:
            raise ProofWrong("trees of the same size have different roots")
        return
    hashes = list(proof)
    if first & (first - 1) == 0:
        hashes.insert(0, first_root)
    if not hashes:
        raise ProofWrong("the proof is too short")
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = hashes[0]
    for beside in hashes[1:]:
        if last == 0:
            raise ProofWrong("the proof is too long")
        if place & 1 or place == last:
            old, new = node_hash(beside, old), node_hash(beside, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, beside)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofWrong("the proof is too short")
    if old != first_root or new != second_root:
        raise ProofWrong("the proof leads to other roots")


def _check_hashes(hashes: Iterable[bytes]) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise ProofWrong(f"a hash has {HASH_BYTES} bytes")
