"""The keys that checkpoints are signed with, kept outside the database.

They are lines of text, the oldest first. The last one signs; a key before it that is still there in
full signs together with it, so that one checkpoint at least carries both, and whoever trusts the
old key learns the new one. Of a key that signs no more only the public part is kept.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from audit.notes import Note, NoteWrong, PrivateKey, PublicKey, Signature


class SigningKeyError(Exception):
    """The signing key cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """All keys of one ledger. `private` are those that sign, the newest last; `public` are all."""

    private: tuple[PrivateKey, ...]
    public: tuple[PublicKey, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Keys as settings hold them: one a line, or separated by commas or blanks.

        Raises SigningKeyError.
        """
        private, public = [], []
        try:
            for each in text.replace(",", " ").split():
                if each.startswith("PRIVATE"):
                    private.append(PrivateKey.parse(each))
                    public.append(private[-1].public)
                else:
                    public.append(PublicKey.parse(each))
        except NoteWrong as error:
            raise SigningKeyError(f"the sealing keys cannot be read: {error}") from None
        if not private or private[-1].public != public[-1]:
            raise SigningKeyError("the last of the sealing keys must be one that can sign")
        if len({key.name for key in public}) > 1:
            raise SigningKeyError(
                "the sealing keys are of several ledgers, one ledger has one name"
            )
        return cls(tuple(private), tuple(public))

    @classmethod
    def made(cls) -> Self:
        """A first key, for a ledger that gets a new name."""
        key = PrivateKey(f"servicetrail/{secrets.token_hex(8)}", secrets.token_bytes(32))
        return cls((key,), (key.public,))

    def rotated(self) -> Self:
        """The same with one more key; of those before only the last goes on signing, once."""
        key = PrivateKey(self.origin, secrets.token_bytes(32))
        return type(self)((self.private[-1], key), (*self.public, key.public))

    def without_old(self) -> Self:
        """The same with nothing but the public part of every key but the last."""
        return type(self)(self.private[-1:], self.public)

    @property
    def origin(self) -> str:
        """The name of the ledger, by which all of its keys go."""
        return self.public[-1].name

    def to_text(self) -> str:
        """The keys as lines, secrets among them."""
        secret = {key.public: key.to_text() for key in self.private}
        return "".join(f"{secret.get(key, key)}\n" for key in self.public)

    def signed(self, text: str) -> Note:
        """The text with the signatures of all keys that sign."""
        signatures: tuple[Signature, ...] = tuple(key.sign(text) for key in self.private)
        return Note(text, signatures)


def keys_from_file(path: Path) -> SigningKeys:
    """The keys in a file that only its owner may read; made on first use.

    Raises SigningKeyError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    made = SigningKeys.made()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if path.stat().st_mode & 0o077:
            raise SigningKeyError(
                f"others can read the sealing keys in {path}; run: chmod 600 {path}"
            ) from None
        return SigningKeys.parse(path.read_text(encoding="utf-8"))
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(made.to_text())
        file.flush()
        os.fsync(file.fileno())
    return made
