"""Checks evidence from a ledger: with Python alone, no database, no network.

    python3 verify.py [FILE] [--key KEY] [--witness KEY] [--checkpoint FILE] [--proof FILE]

FILE is an archive of evidence, or the certificate of an erasure. Without one, the evidence is the
unpacked folder that verify.py lies in. What is calculated is
described in docs/reference/leaf-and-checkpoint-formats.md of Servicetrail. Written apart from the
program that seals, with Python's standard library (3.9 or newer). Exit status: 0 if everything is
proven that evidence of this kind proves, 1 if something is wrong, 2 if it cannot be read.
"""

from __future__ import annotations

import argparse
import gc
import os
import struct
import sys
import zipfile
import zlib
from typing import IO, Callable, List, Sequence, Tuple

from audit.standalone.bundle import Verdict, check
from audit.standalone.certificate import check_certificate
from audit.standalone.proofs import Wrong


def _opener(path: str) -> Tuple[Callable[[str], IO[bytes]], List[str]]:
    if os.path.isdir(path):
        names = [
            os.path.relpath(os.path.join(folder, name), path).replace(os.sep, "/")
            for folder, _, files in os.walk(path)
            for name in files
        ]

        def open_(name: str) -> IO[bytes]:
            return open(os.path.join(path, *name.split("/")), "rb")

        return open_, names
    archive = zipfile.ZipFile(path)
    names = archive.namelist()
    if len(set(names)) < len(names):
        raise Wrong("the archive has a file twice")
    return archive.open, names


def check_file(path: str, **known: Sequence[str]) -> Verdict:
    """Check an archive, or the folder it was unpacked into, or the certificate of an erasure; see
    `check` and `check_certificate`. Raises Wrong, and OSError where there is no such file.
    """
    try:
        if os.path.isfile(path) and not zipfile.is_zipfile(path):
            with open(path, "rb") as file:
                data = file.read()
            if data.lstrip().startswith(b"{"):
                return check_certificate(data, **known)
        open_, names = _opener(path)
        return check(open_, names, **known)
    except _UNREADABLE as error:
        raise Wrong(f"it cannot be read: {type(error).__name__} {error}") from None
    except OSError as error:
        if error.filename is not None:
            raise
        raise Wrong(f"it cannot be read: {error}") from None  # an archive with impossible places


# Whatever reading raises where somebody has put something else than what belongs there.
_UNREADABLE = (
    ArithmeticError, AttributeError, EOFError, LookupError, RuntimeError, TypeError, ValueError,
    struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def told(verdict: Verdict) -> str:
    """A verdict in lines."""
    lines = ["Proven:", *(f"  + {each}" for each in verdict.proven)]
    lines += ["Not proven by this:", *(f"  - {each}" for each in verdict.not_proven)]
    return "\n".join(lines)


def _text_of(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Check evidence from a ledger.")
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("evidence", nargs="?", default=here, help="a file, or an unpacked folder")
    parser.add_argument("--key", action="append", default=[], help="the ledger's public key")
    parser.add_argument("--witness", action="append", default=[], help="a witness's public key")
    parser.add_argument("--checkpoint", action="append", default=[], help="one that you kept")
    parser.add_argument("--proof", action="append", default=[], help="from it to the evidence's")
    given = parser.parse_args()
    gc.disable()  # nothing here refers to itself, and looking for it takes a third of the time
    try:
        verdict = check_file(
            given.evidence,
            keys=given.key,
            witnesses=given.witness,
            checkpoints=[_text_of(path) for path in given.checkpoint],
            growths=[_text_of(path) for path in given.proof],
        )
    except Wrong as wrong:
        print(f"WRONG: {wrong}")
        return 1
    except OSError as error:
        print(f"cannot be read: {error}")
        return 2
    print(told(verdict))
    return 0


if __name__ == "__main__":
    sys.exit(main())
