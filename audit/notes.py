"""Signed notes and checkpoints, by C2SP's signed-note, tlog-checkpoint and tlog-cosignature.

A note is text that ends with a newline, an empty line, and a line for each signature. A checkpoint
is a note whose first three lines are the log's name, its size and its root; the further lines are
our own, see `docs/reference/leaf-and-checkpoint-formats.md`.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from audit.merkle import HASH_BYTES

ED25519, COSIGNATURE = 1, 4
_SIGNATURE = "— "
_NAME = re.compile(r"[^\s+]+")
_PRIVATE = "PRIVATE+KEY+"
_KEY_BYTES = 32


class NoteWrong(Exception):
    """A note, a key or a signature is not what it should be. The text says why."""


class Signature(NamedTuple):
    """One signature line: the name of the key, its four bytes of id, and the signature."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """The line as it stands in a note."""
        return f"{_SIGNATURE}{self.name} {_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends with a newline, and its signatures."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def __str__(self) -> str:
        return self.text + "\n" + "".join(each.line() for each in self.signatures)

    @classmethod
    def parse(cls, note: str) -> Self:
        """Raises NoteWrong."""
        text, blank, lines = note.rpartition("\n\n")
        if not blank or not text or not lines.endswith("\n"):
            raise NoteWrong("a signed note is text, an empty line, and lines with signatures")
        return cls(text + "\n", tuple(_signature(line) for line in lines[:-1].split("\n")))

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the text, by which the next checkpoint names this one."""
        return sha256(self.text.encode()).digest()


def _signature(line: str) -> Signature:
    name, space, value = line.removeprefix(_SIGNATURE).partition(" ")
    if not line.startswith(_SIGNATURE) or not space or not _NAME.fullmatch(name):
        raise NoteWrong("a line with a signature is: — NAME BASE64")
    raw = _from_base64(value)
    if len(raw) < 5:
        raise NoteWrong("a signature is shorter than its key's id")
    return Signature(name, raw[:4], raw[4:])


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signatures are checked with. `kind` is ED25519 or COSIGNATURE."""

    name: str
    public: bytes
    kind: int = ED25519

    @classmethod
    def parse(cls, text: str) -> Self:
        """A key as text: NAME+ID+BASE64. Raises NoteWrong."""
        name, plus, rest = text.strip().partition("+")
        key_id, plus2, value = rest.partition("+")
        if not (plus and plus2 and _NAME.fullmatch(name)):
            raise NoteWrong("a public key is NAME+ID+BASE64")
        raw = _from_base64(value)
        if len(raw) != 1 + _KEY_BYTES or raw[0] not in (ED25519, COSIGNATURE):
            raise NoteWrong(f"the key {name} is none for Ed25519")
        key = cls(name, raw[1:], raw[0])
        if key.key_id.hex() != key_id:
            raise NoteWrong(f"the key {name} does not have the id {key_id}")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_base64(bytes([self.kind]) + self.public)}"

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256 over name, newline, kind and key."""
        return sha256(f"{self.name}\n".encode() + bytes([self.kind]) + self.public).digest()[:4]

    def has_signed(self, note: Note) -> bool:
        """Whether the note carries this key's signature, and it is right.

        Raises NoteWrong where there is one and it is wrong.
        """
        for each in note.signatures:
            if (each.name, each.key_id) == (self.name, self.key_id):
                self._check(note.text, each.signature)
                return True
        return False

    def _check(self, text: str, signature: bytes) -> None:
        signed = text.encode()
        if self.kind == COSIGNATURE:
            if len(signature) != 8 + 64:
                raise NoteWrong(f"a cosignature of {self.name} has another length")
            at, signature = int.from_bytes(signature[:8]), signature[8:]
            signed = f"cosignature/v1\ntime {at}\n".encode() + signed
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, signed)
        except InvalidSignature:
            raise NoteWrong(f"the signature of {self} is wrong") from None


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key that signs notes: 32 bytes and the name that it signs with."""

    name: str
    seed: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """A key as text: PRIVATE+KEY+NAME+ID+BASE64. Raises NoteWrong, which never quotes it."""
        if not text.startswith(_PRIVATE):
            raise NoteWrong(f"a signing key begins with {_PRIVATE}")
        name, _, rest = text.removeprefix(_PRIVATE).partition("+")
        key_id, _, value = rest.partition("+")
        raw = _from_base64(value)
        if not _NAME.fullmatch(name) or len(raw) != 1 + _KEY_BYTES or raw[0] != ED25519:
            raise NoteWrong(f"a signing key is {_PRIVATE}NAME+ID+BASE64")
        key = cls(name, raw[1:])
        if key.public.key_id.hex() != key_id:
            raise NoteWrong(f"the signing key of {name} does not have the id it names")
        return key

    def to_text(self) -> str:
        """The key as text, a secret."""
        value = _base64(bytes([ED25519]) + self.seed)
        return f"{_PRIVATE}{self.name}+{self.public.key_id.hex()}+{value}"

    @property
    def public(self) -> PublicKey:
        """The key that goes with it."""
        private = Ed25519PrivateKey.from_private_bytes(self.seed)
        return PublicKey(self.name, private.public_key().public_bytes_raw())

    def sign(self, text: str) -> Signature:
        """The signature of a note's text."""
        private = Ed25519PrivateKey.from_private_bytes(self.seed)
        return Signature(self.name, self.public.key_id, private.sign(text.encode()))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says about itself at one moment.

    `size` and `root` are those of the tree over events; `customers` is how many customers
    `customers_root` is about; `register_size` and `register_root` are the tree over keys and
    schemas; `previous` is the digest of the checkpoint before (32 zero bytes for the first).
    """

    origin: str
    size: int
    root: bytes
    customers: int
    customers_root: bytes
    register_size: int
    register_root: bytes
    sealed_at: datetime
    previous: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        at = self.sealed_at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
        return (
            f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"
            f"customers {self.customers} {_base64(self.customers_root)}\n"
            f"register {self.register_size} {_base64(self.register_root)}\n"
            f"sealed {at}Z\n"
            f"previous {_base64(self.previous)}\n"
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises NoteWrong for whatever is not exactly as we write it."""
        match = _CHECKPOINT.fullmatch(text)
        if match is None:
            raise NoteWrong("this is no checkpoint of a ledger")
        try:
            sealed_at = datetime.fromisoformat(match["sealed"])
        except ValueError:
            raise NoteWrong("the checkpoint's time is none") from None
        found = cls(
            origin=match["origin"],
            size=int(match["size"]),
            root=_from_base64(match["root"]),
            customers=int(match["customers"]),
            customers_root=_from_base64(match["customers_root"]),
            register_size=int(match["register"]),
            register_root=_from_base64(match["register_root"]),
            sealed_at=sealed_at,
            previous=_from_base64(match["previous"]),
        )
        if found.text != text:
            raise NoteWrong("the checkpoint is not written as checkpoints are")
        return found


_HASH = rf"[A-Za-z0-9+/]{{{4 * (HASH_BYTES // 3) + 3}}}="
_CHECKPOINT = re.compile(
    rf"(?P<origin>[^\s+]+)\n(?P<size>\d{{1,19}})\n(?P<root>{_HASH})\n"
    rf"customers (?P<customers>\d{{1,19}}) (?P<customers_root>{_HASH})\n"
    rf"register (?P<register>\d{{1,19}}) (?P<register_root>{_HASH})\n"
    rf"sealed (?P<sealed>\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{6}}Z)\n"
    rf"previous (?P<previous>{_HASH})\n",
    re.ASCII,
)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _from_base64(text: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError:
        raise NoteWrong("what should be base64 is none") from None
    if _base64(value) != text:
        raise NoteWrong("base64 is written in one way only")
    return value
