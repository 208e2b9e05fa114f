"""Checkpoints in a directory outside the database, where a rollback of the database shows.

One file for each day, with the newest checkpoint of that day: `<ledger>-2026-03-01.checkpoint`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from audit.files import write_whole
from audit.notes import Checkpoint, Note, NoteWrong

SUFFIX = ".checkpoint"


class OutsideWrong(Exception):
    """A file that should hold a checkpoint holds none. The text says which."""


class Directory:
    """The directory; made on first use."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, note: Note, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint as the newest of its day."""
        self.path.mkdir(parents=True, exist_ok=True)
        name = f"{_prefix(checkpoint.origin)}{checkpoint.sealed_at:%Y-%m-%d}{SUFFIX}"
        write_whole(self.path / name, str(note).encode())

    def all(self, origin: str) -> Iterator[tuple[Path, Note, Checkpoint]]:
        """Every checkpoint of a ledger, in the order of its files. Raises OutsideWrong."""
        for path in self._files(origin):
            yield (path, *_read(path))

    def newest(self, origin: str) -> tuple[str, Note] | None:
        """The checkpoint of the newest day, and the file it is in. Raises OutsideWrong."""
        paths = self._files(origin)
        return (str(paths[-1]), _read(paths[-1])[0]) if paths else None

    def _files(self, origin: str) -> list[Path]:
        return sorted(self.path.glob(f"{_prefix(origin)}*{SUFFIX}"))


def _prefix(origin: str) -> str:
    return origin.replace("/", "-") + "-"


def _read(path: Path) -> tuple[Note, Checkpoint]:
    try:
        note = Note.parse(path.read_text(encoding="utf-8"))
        return note, Checkpoint.parse(note.text)
    except (NoteWrong, UnicodeDecodeError) as error:
        raise OutsideWrong(f"{path} holds no checkpoint: {error}") from None
