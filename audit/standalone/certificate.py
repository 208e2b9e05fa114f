"""What the certificate of an erasure proves, and what it does not."""

from __future__ import annotations

import hashlib
import json
import struct
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Literal, Optional, Sequence, Tuple

from audit.standalone.bundle import Verdict, check_known, check_signature
from audit.standalone.events import events_of, line_of
from audit.standalone.proofs import (
    Checkpoint,
    Wrong,
    hash_bytes,
    instant,
    microseconds,
    read_checkpoint,
    register_hash,
    root_of_some,
    sized,
)

CERTIFICATE: Literal["servicetrail erasure"] = "servicetrail erasure"
CERTIFICATE_VERSION: Literal[2] = 2
_ERASED = "customer.erased.v1"
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def check_certificate(
    data: bytes,
    *,
    keys: Sequence[str] = (),
    witnesses: Sequence[str] = (),
    checkpoints: Sequence[str] = (),
    growths: Sequence[str] = (),
) -> Verdict:
    """Check the certificate of an erasure; what may be given besides is as in `check`.

    Raises Wrong.
    """
    told = json.loads(data, object_pairs_hook=_once)
    if (told["certificate"], told["version"]) != (CERTIFICATE, CERTIFICATE_VERSION):
        raise Wrong(f"this is not version {CERTIFICATE_VERSION} of the certificate of an erasure")
    if told["sha256"] != digest_of(told):
        raise Wrong("the certificate was changed after it was made")
    proof = told["proof"]
    if proof is None:
        raise Wrong(
            "the erasure was not sealed yet when this certificate was made, so it has no proof: "
            "ask for the certificate again"
        )
    checkpoint = read_checkpoint(proof["checkpoint"])
    verdict = Verdict([], [])
    check_signature(verdict, checkpoint, proof["keys"], keys, witnesses)
    _check_event(verdict, checkpoint, told, proof)
    _check_key(verdict, checkpoint, told, proof)
    check_known(verdict, [checkpoint], checkpoints, growths)
    verdict.not_proven.extend(_NOT_PROVEN)
    return verdict


_NOT_PROVEN = (
    "that no copy of the data key is left elsewhere, such as in a backup",
    "that the key was not put back afterwards: checking the whole ledger would find it",
    "how many events and inputs had personal data: the certificate's numbers are the word of "
    "whoever made it",
)


def digest_of(told: Dict[str, Any]) -> str:
    """The SHA-256 of a certificate: of everything in it besides, as JSON without blanks, sorted."""
    rest = {name: value for name, value in told.items() if name != "sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _once(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Wrong("a member is there twice")
    return found


def _check_event(
    verdict: Verdict, checkpoint: Checkpoint, told: Dict[str, Any], proof: Dict[str, Any]
) -> None:
    row = proof["event"]
    [leaf] = events_of(line_of(row)).leaves
    hashes = [hash_bytes(each) for each in proof["inclusion"]]
    if root_of_some([(row["position"] - 1, leaf)], checkpoint.size, hashes) != checkpoint.root:
        raise Wrong("the event is not the one that the checkpoint was signed for")
    same = ("position", "event_id", "customer_id")
    if row["type"] != _ERASED or any(row[name] != told[name] for name in same):
        raise Wrong("the event does not record this erasure")
    if instant(row["occurred_at"]) != instant(told["erased_at"]) or (
        hash_bytes(row["facts"], None) != _facts(told)
    ):
        raise Wrong("the event records an erasure at another time, or on another ground")
    verdict.proven.append(
        f"the erasure of customer {told['customer_id']} at {told['erased_at']}, on the ground "
        f"{told['basis']!r}, stands in this ledger, at position {told['position']:,}"
    )


def _facts(told: Dict[str, Any]) -> bytes:
    """The facts of such an event in Avro: two strings, and an instant or null."""
    requested_at = told["requested_at"]
    asked = b"\0"
    if requested_at is not None:
        asked = b"\2" + _long((instant(requested_at) - _UNIX_EPOCH) // timedelta(microseconds=1))
    return _string(told["customer_id"]) + _string(told["basis"]) + asked


def _string(text: str) -> bytes:
    data = text.encode()
    return _long(len(data)) + data


def _long(number: int) -> bytes:
    """A number as Avro writes it: zigzag, seven bits to a byte."""
    left, written = number << 1 if number >= 0 else (-number << 1) - 1, bytearray()
    while left > 0x7F:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    written.append(left)
    return bytes(written)


def _check_key(
    verdict: Verdict, checkpoint: Checkpoint, told: Dict[str, Any], proof: Dict[str, Any]
) -> None:
    key, subject = proof["key"], f"customer:{told['customer_id']}"
    columns: List[Optional[bytes]] = [subject.encode(), None, key["master_key"].encode()]
    columns += [struct.pack(">q", microseconds(instant(key[at]))) for at in _KEY_INSTANTS]
    digest = hashlib.sha256(sized(*columns)).digest()
    at = microseconds(instant(key["at"]))
    leaf = register_hash(key["number"], at, "key_destroyed", subject, digest)
    hashes = [hash_bytes(each) for each in key["inclusion"]]
    found = root_of_some([(key["number"] - 1, leaf)], checkpoint.register_size, hashes)
    if found != checkpoint.register_root:
        raise Wrong("the register that the checkpoint was signed for does not say so of the key")
    verdict.proven.append(
        f"the data key of customer {told['customer_id']} was destroyed at {key['destroyed_at']}, "
        "as the ledger's register of keys says"
    )


_KEY_INSTANTS = ("created_at", "destroyed_at")
