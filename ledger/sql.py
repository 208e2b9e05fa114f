"""Statements from `.sql` files, and how many values travel in one parameter of theirs.

In a file every statement has a name: it starts after a line ``-- name: <name>`` and ends before
the next one.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def named_queries(path: Path) -> Mapping[str, str]:
    """The statements of one file by their names, without surrounding space.

    Raises `ValueError` for a name used twice and for a file without names.
    """
    parts = _NAME.split(path.read_text(encoding="utf-8"))
    names, statements = parts[1::2], parts[2::2]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"{path} must name every statement, and use a name once: {names}")
    return MappingProxyType(dict(zip(names, map(str.strip, statements), strict=True)))


def text_array(values: Iterable[str]) -> str:
    """The values as one PostgreSQL array literal, for a parameter written `%(name)s::text[]`.

    A list would travel as an expression of as many constants, which takes the server longer to
    parse than it takes to look them all up.
    """
    return "{" + ",".join([f'"{_QUOTED.sub(_escape, value)}"' for value in values]) + "}"


_QUOTED = re.compile(r'["\\]')


def _escape(found: re.Match[str]) -> str:
    return "\\" + found[0]
