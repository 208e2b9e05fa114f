"""What evidence rests on, calculated: leaves, trees, chains, checkpoints and their signatures.

See docs/reference/leaf-and-checkpoint-formats.md.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from datetime import datetime, timedelta, timezone
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from audit.standalone.ed25519 import ed25519_verify

EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_FIXED = struct.Struct(">Biqiqiqiqi16sihi?")
_NULL = b"\xff\xff\xff\xff"
_BIGINT = struct.Struct(">iq")


class Wrong(Exception):
    """Something is not as it must be. The text says what."""


# ---- leaves


def leaf_hash(
    position: int, version: int, occurred_at: int, recorded_at: int, event_id: bytes, shard: int,
    time_assumed: bool, originator_id: bytes, type_: bytes, source: bytes, id_: bytes,
    fingerprint: bytes, facts: bytes, customer_id: bytes | None, correlation_id: bytes | None,
    causation_id: bytes | None, sequence: int | None, personal: bytes | None,
) -> bytes:  # fmt: skip
    """The hash of the leaf of one row; instants are microseconds since 2000, text is UTF-8.

    Raises ValueError or struct.error for what cannot stand in a row.
    """
    if len(event_id) != 16:
        raise ValueError("an event's id does not have 16 bytes")
    fixed = _FIXED.pack(
        1, 8, position, 8, version, 8, occurred_at, 8, recorded_at, 16, event_id, 2, shard,
        1, time_assumed,
    )  # fmt: skip
    leaf = (
        b"\0", fixed,
        _SIZES[len(originator_id)], originator_id, _SIZES[len(type_)], type_,
        _SIZES[len(source)], source, _SIZES[len(id_)], id_,
        _SIZES[len(fingerprint)], fingerprint, _SIZES[len(facts)], facts,
        _NULL if customer_id is None else _SIZES[len(customer_id)] + customer_id,
        _NULL if correlation_id is None else _SIZES[len(correlation_id)] + correlation_id,
        _NULL if causation_id is None else _SIZES[len(causation_id)] + causation_id,
        _NULL if sequence is None else _BIGINT.pack(8, sequence),
        _NULL if personal is None else _SIZES[len(personal)] + personal,
    )  # fmt: skip
    return hashlib.sha256(b"".join(leaf)).digest()


class _Sizes(Dict[int, bytes]):
    """Lengths in four bytes; each is made once."""

    def __missing__(self, size: int) -> bytes:
        self[size] = size.to_bytes(4, "big")
        return self[size]


_SIZES = _Sizes()


def microseconds(instant: datetime) -> int:
    """An instant as leaves have it: microseconds since the beginning of 2000."""
    return (instant - EPOCH) // _MICROSECOND


def instant(text: str) -> datetime:
    """An instant of RFC 3339 in UTC. Raises ValueError."""
    if not text.endswith("Z"):
        raise ValueError("instants are in UTC and end with Z")
    return datetime.fromisoformat(text[:-1] + "+00:00")


# ---- trees


def node(left: bytes, right: bytes) -> bytes:
    """An inner node of RFC 6962."""
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of_some(leaves: Iterable[tuple[int, bytes]], size: int, proof: Sequence[bytes]) -> bytes:
    """The root of a tree of `size` leaves from some of them (index from 0, hash) and what is needed
    besides. Raises Wrong.
    """
    known = sorted(leaves)
    indexes, hashes = [index for index, _ in known], [found for _, found in known]
    if not known or len(set(indexes)) < len(known) or indexes[0] < 0 or indexes[-1] >= size:
        raise Wrong(f"the events are not {len(known)} different ones of the first {size}")
    if any(len(each) != 32 for each in proof):
        raise Wrong("a hash in the proof does not have 32 bytes")
    left, width = iter(proof), size
    try:
        while width > 1:
            if indexes[-1] - indexes[0] == len(indexes) - 1:
                hashes = _above_neighbours(indexes[0], hashes, width, left)
                indexes = list(range(indexes[0] >> 1, (indexes[-1] >> 1) + 1))
            else:
                indexes, hashes = _above(indexes, hashes, width, left)
            width = (width + 1) >> 1
    except StopIteration:
        raise Wrong("the proof that the events are in the ledger is too short") from None
    if next(left, None) is not None:
        raise Wrong("the proof that the events are in the ledger is too long")
    return hashes[0]


def _above_neighbours(
    first: int, hashes: List[bytes], width: int, left: Iterator[bytes]
) -> List[bytes]:
    """The nodes above nodes that are all beside each other; see `_above`."""
    last = first + len(hashes) - 1
    if first & 1:
        hashes = [next(left), *hashes]
    alone = [] if last & 1 else hashes[-1:]
    if alone and last + 1 < width:
        hashes, alone = [*hashes, next(left)], []
    sha256 = hashlib.sha256
    pairs = zip(hashes[::2], hashes[1::2])  # noqa: B905 - no strict= in Python 3.9
    return [sha256(b"\1" + one + other).digest() for one, other in pairs] + alone


def _above(
    indexes: List[int], hashes: List[bytes], width: int, left: Iterator[bytes]
) -> Tuple[List[int], List[bytes]]:
    """The nodes above some nodes of a level of this width; `left` are the missing ones, in order.

    Raises StopIteration where these are too few.
    """
    sha256, end = hashlib.sha256, len(indexes)
    above, found, at = [], [], 0
    while at < end:
        index, own = indexes[at], hashes[at]
        at += 1
        if index & 1:
            own = sha256(b"\1" + next(left) + own).digest()
        elif at < end and indexes[at] == index + 1:
            own = sha256(b"\1" + own + hashes[at]).digest()
            at += 1
        elif index + 1 < width:
            own = sha256(b"\1" + own + next(left)).digest()
        above.append(index >> 1)
        found.append(own)
    return above, found


def check_consistency(first: int, first_root: bytes, second: int, second_root: bytes,
                      proof: Sequence[bytes]) -> None:  # fmt: skip
    """Check that the tree of `first` leaves is the beginning of the other. Raises Wrong."""
    if first == second and first_root == second_root and not proof:
        return
    if first == 0 and first_root == hashlib.sha256(b"").digest() and not proof:
        return
    if not 0 < first < second:
        raise Wrong(f"a ledger of {second} events does not begin with {first} of them")
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    if not path or any(len(each) != 32 for each in path):
        raise Wrong("the proof of growth is not made of hashes")
    old = new = path[0]
    for other in path[1:]:
        if last == 0:
            raise Wrong("the proof of growth is too long")
        if place & 1 or place == last:
            old, new = node(other, old), node(other, new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new = node(new, other)
        place, last = place >> 1, last >> 1
    if last or old != first_root or new != second_root:
        raise Wrong("an earlier checkpoint is not the beginning of the later one")


def chain(head: bytes, leaves: Iterable[bytes]) -> bytes:
    """The head of a customer's chain after some more leaves."""
    sha256 = hashlib.sha256
    for leaf in leaves:
        head = sha256(b"\x12" + head + leaf).digest()
    return head


def customer_hash(key: bytes, events: int, head: bytes) -> bytes:
    """A customer in the tree over customers."""
    return hashlib.sha256(b"\x10" + key + events.to_bytes(8, "big") + head).digest()


def customers_root(key: bytes, found: bytes, beside: Sequence[bytes]) -> bytes:
    """The root of the tree over customers, from what stands where a key leads to. Raises Wrong."""
    if len(beside) > 256 or any(len(each) != 32 for each in beside):
        raise Wrong("the proof of completeness is not made of hashes")
    for depth in range(len(beside) - 1, -1, -1):
        pair = (beside[depth], found) if _bit(key, depth) else (found, beside[depth])
        found = hashlib.sha256(b"\x11" + b"".join(pair)).digest()
    return found


def _bit(key: bytes, depth: int) -> int:
    return key[depth // 8] >> (7 - depth % 8) & 1


# ---- notes and signatures


def register_hash(number: int, at: int, what: str, subject: str, digest: Optional[bytes]) -> bytes:
    """The hash of the leaf of an entry of the register; the instant as in leaves of events."""
    columns = [number.to_bytes(8, "big"), at.to_bytes(8, "big", signed=True), what.encode()]
    columns += [subject.encode()]
    return hashlib.sha256(b"\0\2" + sized(*columns, digest)).digest()


def sized(*columns: Optional[bytes]) -> bytes:
    """Columns one behind the other, each behind its length in four bytes."""
    return b"".join(
        [_NULL if each is None else len(each).to_bytes(4, "big") + each for each in columns]
    )


class Checkpoint(NamedTuple):
    """A checkpoint's text, its lines, and its signatures: name, id of the key, signature."""

    text: str
    origin: str
    size: int
    root: bytes
    customers: int
    customers_root: bytes
    register_size: int
    register_root: bytes
    sealed_at: str
    previous: bytes
    signatures: List[Tuple[str, bytes, bytes]]


_LINES = re.compile(
    r"([^\s+]+)\n(\d+)\n(\S{44})\ncustomers (\d+) (\S{44})\nregister (\d+) (\S{44})\n"
    r"sealed (\S+Z)\nprevious (\S{44})\n",
    re.ASCII,
)


def read_checkpoint(note: str) -> Checkpoint:
    """A signed checkpoint. Raises Wrong."""
    text, _, lines = note.partition("\n\n")
    match = _LINES.fullmatch(text + "\n")
    if match is None or not lines.endswith("\n"):
        raise Wrong("this is no signed checkpoint")
    signatures = []
    for line in lines[:-1].split("\n"):
        dash, name, value = [*line.split(" "), "", ""][:3]
        raw = hash_bytes(value, None)
        if dash != "—" or len(raw) < 5 or line.count(" ") != 2:
            raise Wrong("a signature of the checkpoint cannot be read")
        signatures.append((name, raw[:4], raw[4:]))
    origin, size, root, customers, customers_root_, register, register_root, at, before = (
        match.groups()
    )
    return Checkpoint(
        text + "\n", origin, int(size), hash_bytes(root), int(customers),
        hash_bytes(customers_root_), int(register), hash_bytes(register_root), at,
        hash_bytes(before), signatures,
    )  # fmt: skip


def hash_bytes(text: str, length: Optional[int] = 32) -> bytes:
    """The bytes of base64, of this length unless None. Raises Wrong."""
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError:
        raise Wrong("what should be base64 is none") from None
    if length is not None and len(value) != length:
        raise Wrong("a hash does not have 32 bytes")
    return value


def signed_by(
    checkpoint: Checkpoint,
    key: str,
    verify: Callable[[bytes, bytes, bytes], bool] = ed25519_verify,
) -> bool:
    """Whether a key (NAME+ID+BASE64) has signed or cosigned. Raises Wrong for a wrong signature.

    `verify` says whether of a public key and a message this is the signature.
    """
    name, _, rest = key.strip().partition("+")
    raw = hash_bytes(rest.partition("+")[2], 33)
    kind, public = raw[:1], raw[1:]
    key_id = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    if kind not in (b"\1", b"\4") or rest.partition("+")[0] != key_id.hex():
        raise Wrong(f"{key} is no key that is known here")
    for signer, id_, signature in checkpoint.signatures:
        if (signer, id_) == (name, key_id):
            signed = checkpoint.text.encode()
            if kind == b"\4":
                at = int.from_bytes(signature[:8], "big")
                signed = f"cosignature/v1\ntime {at}\n".encode() + signed
                signature = signature[8:]
            if not verify(public, signed, signature):
                raise Wrong(f"the signature of {name} under the checkpoint is wrong")
            return True
    return False
