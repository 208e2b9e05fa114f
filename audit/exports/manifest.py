"""The manifest beside an exported file: what the file is, such that anybody can check it."""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from audit.exports.exporting import Export
from schemas.codec import instant_text

FORMAT = "servicetrail/export/1"
_BYTES_AT_ONCE = 1024 * 1024
_HOLDS: dict[str, type] = {
    "file": str,
    "bytes": int,
    "sha256": str,
    "as_of": str,
    "known_position": int,
    "events": int,
    "manifest_sha256": str,
}


class ManifestWrong(ValueError):
    """A file is not as its manifest says, or has none."""


def manifest_of(path: Path) -> Path:
    """Where the manifest of a file is."""
    return path.with_name(f"{path.name}.manifest.json")


def write_export(export: Export, path: Path, *, made_at: datetime, version: str) -> dict[str, Any]:
    """Write the file at `path` and its manifest, both new, and give the manifest.

    `version` is that of the program. Raises FileExistsError, and what `Export.chunks` raises;
    nothing is left behind then.
    """
    beside = manifest_of(path)
    with path.open("xb") as stream:
        try:
            digest, size = _write(stream, export)
            manifest = {
                "manifest": FORMAT,
                "file": path.name,
                "bytes": size,
                "sha256": digest,
                **_told(export),
                "made_at": instant_text(made_at),
                "program": f"servicetrail {version}",
            }
            manifest["manifest_sha256"] = _digest_of(manifest)
            with beside.open("xb") as about:
                about.write(json.dumps(manifest, ensure_ascii=False, indent=1).encode() + b"\n")
        except BaseException:
            path.unlink()
            raise
    return manifest


def verify_export(path: Path) -> dict[str, Any]:
    """The manifest of the file; both are as they were exported. Raises ManifestWrong, and OSError
    where the file cannot be read.
    """
    manifest = _read(manifest_of(path))
    if manifest["file"] != path.name:
        raise ManifestWrong(f"the manifest is of a file called {manifest['file']}")
    size = path.stat().st_size
    if manifest["bytes"] != size:
        raise ManifestWrong(f"it has {size:,} bytes, exported were {manifest['bytes']:,}")
    digest = _digest(path)
    if manifest["sha256"] != digest:
        raise ManifestWrong(f"its SHA-256 is {digest}, exported was {manifest['sha256']}")
    return manifest


def _read(beside: Path) -> dict[str, Any]:
    """The manifest in that file, as it was written."""
    try:
        manifest = json.loads(beside.read_bytes())
    except FileNotFoundError:
        raise ManifestWrong(f"there is no manifest {beside.name} beside it") from None
    except (ValueError, RecursionError):
        raise ManifestWrong(f"{beside.name} is not JSON") from None
    if not isinstance(manifest, dict) or manifest.get("manifest") != FORMAT:
        raise ManifestWrong(f"{beside.name} is not a manifest of the form {FORMAT}")
    for name, type_ in _HOLDS.items():
        if type(manifest.get(name)) is not type_:
            what = "text" if type_ is str else "a whole number"
            raise ManifestWrong(f"{beside.name} has no {name} that is {what}; export again")
    told = {name: value for name, value in manifest.items() if name != "manifest_sha256"}
    if manifest["manifest_sha256"] != _digest_of(told):
        raise ManifestWrong(f"{beside.name} was changed: its manifest_sha256 is of other values")
    return manifest


def _digest_of(told: dict[str, Any]) -> str:
    """The SHA-256 of a manifest's values, as JSON without blanks, names sorted."""
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode(errors="replace")).hexdigest()


def _write(stream: IO[bytes], export: Export) -> tuple[str, int]:
    """Write the export; gives the SHA-256 and how many bytes it has."""
    digest = sha256()
    size = 0
    for chunk in export.chunks():
        digest.update(chunk)
        size += len(chunk)
        stream.write(chunk)
    return digest.hexdigest(), size


def _told(export: Export) -> dict[str, Any]:
    tally = export.tally
    return {
        **export.about(),
        "events": tally.events.total(),
        "events_by_type": dict(sorted(tally.events.items())),
        "left_out_by_type": dict(sorted(tally.left_out.items())),
        "schemas": {type_: sorted(found) for type_, found in sorted(tally.fingerprints.items())},
    }


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as stream:
        while some := stream.read(_BYTES_AT_ONCE):
            digest.update(some)
    return digest.hexdigest()
