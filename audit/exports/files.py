"""Formats whose files are not written from the beginning to the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

_BYTES_AT_ONCE = 1024 * 1024


def made_in_a_file(name: str, write: Callable[[Path], None]) -> Iterator[bytes]:
    """What `write` writes into a file of this name, piece by piece; nothing of it stays on disk."""
    with TemporaryDirectory(prefix="servicetrail-export-") as directory:
        path = Path(directory) / name
        write(path)
        with path.open("rb") as stream:
            while some := stream.read(_BYTES_AT_ONCE):
                yield some
