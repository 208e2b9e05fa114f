"""Data keys: personal data is stored only encrypted, under a key of the customer's own.

AES-256-GCM throughout. Each subject ("customer:<id>", or "intake" for inputs whose customer is not
known) has one data key, stored wrapped by the master key. Destroying a data key makes everything
sealed with it unreadable, wherever copies of it lie.
"""

import base64
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence, Set
from hashlib import sha256
from pathlib import Path
from threading import Lock

from cachetools import TTLCache
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg2.extensions import cursor as PgCursor

from ledger.datastore import Datastore
from ledger.sql import named_queries, text_array

KEY_BYTES = 32
NONCE_BYTES = 12
INTAKE_SUBJECT = "intake"
"""Whose key seals inputs that name no customer."""
REMEMBERED_SECONDS = 60
"""For how long a program remembers a key. One that another program destroyed seals no longer than
that: what it seals could be read by whoever has an older copy of the database and the master key.
"""

_OTHER_MASTER_KEY = (
    "this database was written with another master key than the one in use; set "
    "SERVICETRAIL_MASTER_KEY to it, or put its file back"
)
_SQL = named_queries(Path(__file__).with_name("keys.sql"))


class MasterKeyError(Exception):
    """The master key cannot be used; the message says what to do."""


class KeyDestroyed(Exception):
    """The subject was erased: what was sealed with its key can be read by nobody."""


class MasterKey:
    """The key that wraps the data keys. 32 bytes, kept outside the database."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise MasterKeyError(f"the master key has {len(key)} bytes; it must have {KEY_BYTES}")
        self.name = sha256(b"servicetrail master key" + key).hexdigest()[:16]
        self._cipher = AESGCM(key)

    @classmethod
    def from_base64(cls, text: str) -> "MasterKey":
        """The key as settings hold it: base64 of 32 bytes."""
        try:
            key = base64.b64decode(text, validate=True)
        except ValueError as error:
            raise MasterKeyError(
                "the master key is not base64; make one with: openssl rand -base64 32"
            ) from error
        return cls(key)

    @classmethod
    def from_file(cls, path: Path) -> "MasterKey":
        """The key in a file that only its owner may read; made on first use."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if path.stat().st_mode & 0o077:
                raise MasterKeyError(
                    f"others can read the master key in {path}; run: chmod 600 {path}"
                ) from None
            return cls.from_base64(path.read_text().strip())
        key = secrets.token_bytes(KEY_BYTES)
        with os.fdopen(descriptor, "w") as file:
            file.write(base64.b64encode(key).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        return cls(key)

    def wrap(self, subject: str, key: bytes) -> bytes:
        """The data key encrypted, bound to its subject."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, subject.encode())

    def unwrap(self, subject: str, wrapped: bytes) -> bytes:
        """The data key in the clear. Raises `MasterKeyError` if another key wrapped it."""
        try:
            return self._cipher.decrypt(
                wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], subject.encode()
            )
        except InvalidTag:
            raise MasterKeyError(_OTHER_MASTER_KEY) from None


class DataKey:
    """Seals and opens one subject's personal data."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Nonce and ciphertext; it opens only together with the same context."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The plain bytes. Raises `cryptography.exceptions.InvalidTag` if anything was altered."""
        return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)


def customer_subject(customer_id: str | None) -> str:
    """Whose key seals what belongs to this customer; the intake's if none is known."""
    return INTAKE_SUBJECT if customer_id is None else f"customer:{customer_id}"


class Keyring:
    """The data keys of a database, made when first needed.

    Those to seal with are remembered: `cached` of them, for `remembered_seconds`.
    """

    def __init__(
        self,
        datastore: Datastore,
        master: MasterKey,
        cached: int = 50_000,
        remembered_seconds: float = REMEMBERED_SECONDS,
    ) -> None:
        self._datastore = datastore
        self._master = master
        self._cache: TTLCache[str, DataKey] = TTLCache(cached, remembered_seconds)
        self._lock = Lock()

    def check(self) -> None:
        """Raise `MasterKeyError` if the database's data keys were wrapped by another master key.

        Checked before anything is sealed: two master keys in one database would each hide a part of
        it from the other.
        """
        with self._datastore.transaction() as cursor:
            cursor.execute(_SQL["other_master"], {"master_key": self._master.name})
            if cursor.fetchone() is not None:
                raise MasterKeyError(_OTHER_MASTER_KEY)

    def unwrap(self, subject: str, wrapped: bytes) -> None:
        """Raise `MasterKeyError` unless the master key has wrapped this key for the subject."""
        self._master.unwrap(subject, wrapped)

    def for_sealing(self, subjects: Iterable[str]) -> Mapping[str, DataKey]:
        """A key for each subject. Those not there yet are made, in a transaction of their own.

        A subject whose key was destroyed gets a key that nobody keeps: what is sealed with it
        is lost, as it must be.
        """
        wanted = set(subjects)
        with self._lock:
            keys = {s: key for s in wanted if (key := self._cache.get(s)) is not None}
        unknown = wanted - keys.keys()
        if not unknown:
            return keys
        with self._datastore.transaction() as cursor:
            found = self._read(cursor, unknown)
            if missing := unknown - found.keys():
                self._make(cursor, sorted(missing))
                found |= self._read(cursor, missing)
        with self._lock:
            self._cache.update({s: key for s, key in found.items() if key is not None})
        return keys | {s: key or DataKey(os.urandom(KEY_BYTES)) for s, key in found.items()}

    def for_opening(self, cursor: PgCursor, subjects: Iterable[str]) -> Mapping[str, DataKey]:
        """The keys that exist now, read from the database every time, so that an erasure counts
        at once. Subjects without a key, or with a destroyed one, are left out."""
        found = self._read(cursor, set(subjects))
        return {s: key for s, key in found.items() if key is not None}

    def forget(self, subject: str) -> None:
        """Remember a key no longer, since it was destroyed."""
        with self._lock:
            self._cache.pop(subject, None)

    def rewrap(self, other: MasterKey) -> int:
        """Wrap every data key by another master key instead; how many there were.

        All or none, in one transaction; what is sealed stays as it is. No other program may run
        meanwhile: it would go on wrapping new keys by the former one.
        """
        with self._datastore.transaction() as cursor:
            cursor.execute(_SQL["lock"])
            cursor.execute(_SQL["all"])
            wrapped = [
                (subject, other.wrap(subject, self._master.unwrap(subject, bytes(key))))
                for subject, key in cursor.fetchall()
            ]
            cursor.execute(
                _SQL["rewrap"],
                {
                    "subjects": text_array(subject for subject, _ in wrapped),
                    "wrapped": [key for _, key in wrapped],
                    "master_key": other.name,
                },
            )
        self._master = other
        return len(wrapped)

    def _make(self, cursor: PgCursor, subjects: Sequence[str]) -> None:
        # On the disk before anybody seals with it, whatever is set elsewhere: processes remember
        # keys, and would go on sealing with one that a crash of the server has taken back.
        cursor.execute("SET LOCAL synchronous_commit = on")
        cursor.execute(
            _SQL["make"],
            {
                "subjects": text_array(subjects),
                "wrapped": [self._master.wrap(s, os.urandom(KEY_BYTES)) for s in subjects],
                "master_key": self._master.name,
            },
        )

    def _read(self, cursor: PgCursor, subjects: Set[str]) -> dict[str, DataKey | None]:
        cursor.execute(_SQL["read"], {"subjects": text_array(subjects)})
        return {
            subject: None
            if wrapped is None
            else DataKey(self._master.unwrap(subject, bytes(wrapped)))
            for subject, wrapped in cursor.fetchall()
        }
