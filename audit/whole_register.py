"""Data keys and schemas, checked against the register of everything that happened to them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from audit.standalone.proofs import register_hash, sized
from audit.whole_checkpoints import Target
from audit.whole_found import Found
from audit.whole_rows import instant_of_bytes
from audit.whole_trees import GrowingTree
from ledger.datastore import PgCursor

_NEVER = {
    "key_removed": "was removed",
    "key_restored": "was destroyed and put back",
}


def check_register(
    cursor: PgCursor,
    sql: Any,
    found: Found,
    targets: Sequence[Target],
    entries: int,
    erased: set[str],
    unwrap: Callable[[str, bytes], object] | None,
) -> GrowingTree:
    """Check the register against its checkpoints, and keys and schemas against the register.

    `entries` is how many there must be, `erased` the customers that events say were erased. Gives
    the tree as of the newest checkpoint in the database.
    """
    tree = GrowingTree()
    waiting = sorted(targets, key=lambda target: target.checkpoint.register_size)
    last: dict[str, tuple[str, bytes | None]] = {}
    _compare(found, tree, waiting)
    cursor.execute(sql["register"])
    for number, at, what, subject, digest in cursor.fetchall():
        if number != found.register + 1:
            found.fault(None, f"entry {found.register + 1} of the register of keys is missing")
            break
        found.register = number
        digest = None if digest is None else bytes(digest)
        if waiting:
            tree.append(register_hash(number, instant_of_bytes(at), what, subject, digest))
            _compare(found, tree, waiting)
        if what in _NEVER:
            found.fault(None, f"the data key of {subject} {_NEVER[what]} (entry {number})")
        elif what in ("key_made", "schema_defined") and subject in last:
            found.fault(None, f"{subject} is there a second time (entry {number} of the register)")
        elif what == "key_destroyed" and subject.removeprefix("customer:") not in erased:
            found.fault(None, f"the data key of {subject} was destroyed, and no event says why")
        last[subject] = (what, digest)
    if found.register != entries:
        found.fault(None, f"the register ends at {found.register}, and not at {entries}")
    for target in waiting:
        found.fault(None, f"{target.place} was signed for more entries of the register of keys")
    _check_keys(cursor, sql, found, last, unwrap)
    _check_schemas(cursor, sql, found, last)
    return tree


def _compare(found: Found, tree: GrowingTree, waiting: list[Target]) -> None:
    while waiting and waiting[0].checkpoint.register_size == tree.size:
        target = waiting.pop(0)
        if target.checkpoint.register_root != tree.root():
            found.fault(
                None,
                f"the first {tree.size} entries of the register of keys are not those that "
                f"{target.place} was signed for",
            )


def _check_keys(
    cursor: PgCursor,
    sql: Any,
    found: Found,
    last: dict[str, tuple[str, bytes | None]],
    unwrap: Callable[[str, bytes], object] | None,
) -> None:
    expected = {subject for subject, (what, _) in last.items() if what.startswith("key_")}
    cursor.execute(sql["keys"])
    for subject, wrapped, master_key, created_at, destroyed_at in cursor.fetchall():
        wrapped, destroyed_at = _bytes(wrapped), _bytes(destroyed_at)
        columns = (subject.encode(), wrapped, master_key.encode(), _bytes(created_at), destroyed_at)
        if last.get(subject, ("", None))[1] != hashlib.sha256(sized(*columns)).digest():
            found.fault(None, f"the data key of {subject} is not the one that was registered")
        elif wrapped is not None and unwrap is not None:
            try:
                unwrap(subject, wrapped)
            except Exception:
                found.fault(None, f"the data key of {subject} is not one of this master key")
        expected.discard(subject)
    for subject in sorted(expected):
        found.fault(None, f"the data key of {subject} is missing")


def _check_schemas(
    cursor: PgCursor, sql: Any, found: Found, last: dict[str, tuple[str, bytes | None]]
) -> None:
    expected = {subject for subject, (what, _) in last.items() if what == "schema_defined"}
    cursor.execute(sql["schemas"])
    for fingerprint, type_, definition in cursor.fetchall():
        subject = bytes(fingerprint).hex()
        columns = (bytes(fingerprint), type_.encode(), definition.encode())
        if last.get(subject, ("", None))[1] != hashlib.sha256(sized(*columns)).digest():
            found.fault(None, f"the schema {subject} ({type_}) is not the one that was registered")
        expected.discard(subject)
    for subject in sorted(expected):
        found.fault(None, f"the schema {subject} is missing")


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
