"""Evidence: events with everything that proves them, in one archive that needs no trust in us."""

from __future__ import annotations

import base64
import json
import re
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import IO, Any, NamedTuple

from audit import proofs
from audit.answers import texts
from audit.merkle import proof_of_many
from audit.report import report
from audit.standalone.bundle import EVENTS_FILE, FORMAT
from audit.tiles import EVENTS, REGISTER, stored_nodes
from ledger.datastore import Datastore, PgCursor
from ledger.sql import named_queries
from schemas.codec import instant_text

KINDS = ("customer", "complaint", "promise")
_QUERIES = named_queries(Path(__file__).with_name("evidence.sql"))
_SQL = {name: query.replace("{columns}", _QUERIES["columns"]) for name, query in _QUERIES.items()}
_STAND_ALONE = ("ed25519", "proofs", "events", "bundle", "certificate", "command")
_COLUMNS = (
    "position", "originator_version", "occurred_at", "recorded_at", "event_id", "shard",
    "time_assumed", "originator_id", "type", "source", "id", "fingerprint", "facts", "customer_id",
    "correlation_id", "causation_id", "sequence", "personal",
)  # fmt: skip
# A date that every machine writes alike; what counts stands in the manifest.
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


class About(NamedTuple):
    """What evidence is asked for: a `kind` (customer, complaint or promise), and its id."""

    kind: str
    id: str


class Made(NamedTuple):
    """Evidence that was written: how many events of which customer, under which checkpoint."""

    events: int
    sealed: proofs.Sealed
    customer_id: str | None


def write_evidence(datastore: Datastore, about: About, stream: IO[bytes]) -> Made:
    """Write an archive about a customer, a complaint or a promise, as of the newest checkpoint.

    Raises NothingSealed where there is no checkpoint yet, or no such complaint or promise.
    """
    with datastore.transaction() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        sealed = proofs.newest(cursor)
        rows = _rows(cursor, about, sealed.checkpoint.size)
        if not rows and about.kind != "customer":
            raise proofs.NothingSealed(f"there is no {about.kind} {about.id} under a checkpoint")
        schemas = _schemas(cursor, rows)
        proof = _proof(cursor, about, sealed, rows, schemas)
        keys = proofs.signers(cursor)
    made_at = datetime.now(UTC)
    files = {
        EVENTS_FILE: b"".join(_line(row) for row in rows),
        "checkpoint.txt": str(sealed.note).encode(),
        "keys.txt": "".join(f"{each.key}\n" for each in keys).encode(),
        "proof.json": _json(proof),
        "report.html": report(about, rows, sealed, made_at).encode(),
        "verify.py": stand_alone().encode(),
        **{f"schemas/{name}.avsc": text.encode() for name, _, text in schemas},
    }
    manifest = {
        "format": FORMAT,
        "about": {about.kind: about.id},
        "made_at": instant_text(made_at),
        "files": {name: sha256(data).hexdigest() for name, data in files.items()},
    }
    _write(stream, {"manifest.json": _json(manifest), **files})
    return Made(len(rows), sealed, rows[0]["customer_id"] if rows else None)


def stand_alone() -> str:
    """The verifier as one file: the modules of `audit.standalone`, one behind the other."""
    folder = resources.files("audit.standalone")
    texts = {name: (folder / f"{name}.py").read_text(encoding="utf-8") for name in _STAND_ALONE}
    header = _docstring(texts["command"])
    parts = []
    for name, text in texts.items():
        body = text.removeprefix(_docstring(text)).replace(
            "from __future__ import annotations\n", ""
        )
        body = re.sub(r"from audit\.[\w.]+ import (\([^)]*\)|[^\n(]*)\n", "", body)
        parts.append(f"# ---- {name}\n\n{body.strip()}\n")
    return f"{header}\nfrom __future__ import annotations\n\n" + "\n\n".join(parts)


def _docstring(text: str) -> str:
    return text[: text.index('"""\n', 3) + 4] if '"""\n' in text[3:] else ""


def _rows(cursor: PgCursor, about: About, size: int) -> list[dict[str, Any]]:
    query, name = ("of_customer", about.id) if about.kind == "customer" else (
        "of_thing", f"{about.kind}:{about.id}"
    )  # fmt: skip
    cursor.execute(_SQL[query], {"name": name, "size": size})
    return [dict(zip(_COLUMNS, row, strict=True)) for row in cursor.fetchall()]


def _schemas(cursor: PgCursor, rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    cursor.execute(_SQL["schemas"], {"fingerprints": sorted({row["fingerprint"] for row in rows})})
    return cursor.fetchall()


def _proof(
    cursor: PgCursor,
    about: About,
    sealed: proofs.Sealed,
    rows: list[dict[str, Any]],
    schemas: list[tuple[str, str, str]],
) -> dict[str, Any]:
    checkpoint = sealed.checkpoint
    node = stored_nodes(cursor, EVENTS)
    types = {fingerprint: type_ for fingerprint, type_, _ in schemas}
    entries = proofs.registered_schemas(cursor, list(types))
    indexes = [number - 1 for number, _, _ in entries]
    register = proof_of_many(indexes, checkpoint.register_size, stored_nodes(cursor, REGISTER))
    proof: dict[str, Any] = {
        "inclusion": texts(
            proof_of_many([row["position"] - 1 for row in rows], checkpoint.size, node)
        ),
        "schemas": [
            {
                "number": number,
                "at": instant_text(at),
                "fingerprint": fingerprint,
                "type": types[fingerprint],
            }
            for number, at, fingerprint in entries
        ],
        "register": texts(register),
        "earlier": _earlier(cursor, sealed, rows),
    }
    if about.kind == "customer":
        place = proofs.place_of(cursor, f"customer:{about.id}")
        other = None if rows or place.found is None else place.found
        proof["customer"] = {
            "beside": texts(place.beside),
            "found": other
            and {
                "key": _text(other.key),
                "events": other.events,
                "head": _text(other.head),
            },
        }
    return proof


def _earlier(
    cursor: PgCursor, sealed: proofs.Sealed, rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The checkpoints that the first and the last event were sealed by, if others came since."""
    found = {}
    for row in rows[:1] + rows[-1:]:
        first = proofs.first_covering(cursor, row["position"])
        if first.checkpoint.size < sealed.checkpoint.size:
            found[first.number] = first
    return [
        {
            "note": str(each.note),
            "consistency": texts(
                proofs.consistency(cursor, each.checkpoint.size, sealed.checkpoint.size)
            ),
        }
        for each in found.values()
    ]


def event_at(cursor: PgCursor, position: int) -> dict[str, Any]:
    """The row of an event, column by column. Raises ValueError where there is none."""
    cursor.execute(_SQL["at_position"], {"position": position})
    [row] = cursor.fetchall()
    return dict(zip(_COLUMNS, row, strict=True))


def event_told(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row of an event in values that JSON has."""
    return {
        **row,
        "occurred_at": instant_text(row["occurred_at"]),
        "recorded_at": instant_text(row["recorded_at"]),
        "facts": _text(row["facts"]),
        "personal": None if row["personal"] is None else _text(row["personal"]),
    }


def _line(row: Mapping[str, Any]) -> bytes:
    told = event_told(row)
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _write(stream: IO[bytes], files: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, _ZIP_DATE)
            info.external_attr = 0o644 << 16
            archive.writestr(info, data, zipfile.ZIP_DEFLATED)
