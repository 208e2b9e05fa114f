"""What evidence proves, and what it does not."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from operator import ge, gt
from typing import IO, Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from audit.standalone.events import Events, read_events
from audit.standalone.proofs import (
    Checkpoint,
    Wrong,
    check_consistency,
    customer_hash,
    customers_root,
    hash_bytes,
    instant,
    microseconds,
    read_checkpoint,
    register_hash,
    root_of_some,
    signed_by,
    sized,
)

FORMAT = "servicetrail evidence 1"
EVENTS_FILE = "events.jsonl"


class Verdict(NamedTuple):
    """What evidence proves and what it does not, in sentences, and what else to know."""

    proven: List[str]
    not_proven: List[str]


def check(
    open_: Callable[[str], IO[bytes]],
    names: Sequence[str],
    *,
    keys: Sequence[str] = (),
    witnesses: Sequence[str] = (),
    checkpoints: Sequence[str] = (),
    growths: Sequence[str] = (),
) -> Verdict:
    """Check evidence whose files `open_` opens by their names.

    `keys` are public keys of the ledger that came another way, `witnesses` those of witnesses,
    `checkpoints` signed checkpoints that came another way, `growths` proofs of consistency, as
    JSON, between one of these and that of the evidence. Raises Wrong.
    """

    @lru_cache(maxsize=None)
    def read(name: str) -> bytes:
        with open_(name) as file:
            return file.read()

    manifest = _manifest(read, names)
    events = _events(open_, manifest["files"][EVENTS_FILE])
    about = manifest["about"]
    proof = _json(read("proof.json"), "proof.json")
    checkpoint = read_checkpoint(read("checkpoint.txt").decode())
    verdict = Verdict([], [])
    check_signature(verdict, checkpoint, read("keys.txt").decode().split(), keys, witnesses)
    _check_inclusion(verdict, checkpoint, proof, events)
    _check_selection(verdict, about, events)
    if "customer" in about:
        _check_completeness(verdict, checkpoint, proof, about["customer"], events)
    else:
        verdict.not_proven.append(
            f"that these are all events of {_thing(about)}: ask for the evidence of the customer, "
            "which proves that"
        )
    _check_schemas(verdict, checkpoint, proof, read, events)
    earlier = [read_checkpoint(each["note"]) for each in proof["earlier"]]
    for each, said in zip(earlier, proof["earlier"]):  # noqa: B905 - no strict= in Python 3.9
        _check_earlier(verdict, each, checkpoint, [hash_bytes(h) for h in said["consistency"]])
        check_signature(None, each, read("keys.txt").decode().split(), keys, ())
    check_known(verdict, [checkpoint, *earlier], checkpoints, growths)
    verdict.not_proven.extend(_BEYOND)
    return verdict


_BEYOND = (
    "that what was reported is true: an event shows who reported what, and when it was recorded",
    "that nothing else happened that nobody reported",
    "that the report for people was made from these events without a mistake: the events "
    "themselves are in events.jsonl",
)


def _manifest(read: Callable[[str], bytes], names: Sequence[str]) -> Dict[str, Any]:
    manifest = _json(read("manifest.json"), "manifest.json")
    if manifest.get("format") != FORMAT:
        raise Wrong(f"this is not {FORMAT}, it needs another version of verify.py")
    files = manifest["files"]
    for name, digest in files.items():
        if name not in names:
            raise Wrong(f"{name} is missing")
        if name == EVENTS_FILE:
            continue  # looked at as it is read
        if hashlib.sha256(read(name)).hexdigest() != digest:
            raise Wrong(f"{name} was changed after the evidence was made")
    unknown = set(names) - set(files) - {"manifest.json"}
    if unknown:
        raise Wrong(f"files were added that the manifest does not know: {sorted(unknown)}")
    return dict(manifest)


def _events(open_: Callable[[str], IO[bytes]], expected: str) -> Events:
    """The events, if their file has this digest. Raises Wrong."""
    changed = Wrong(f"{EVENTS_FILE} was changed after the evidence was made")
    with open_(EVENTS_FILE) as file:
        try:
            events, digest = read_events(file)
        except Wrong:
            with open_(EVENTS_FILE) as again:
                if hashlib.sha256(again.read()).hexdigest() != expected:
                    raise changed from None
            raise
    if digest != expected:
        raise changed
    return events


def _json(data: bytes, name: str) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise Wrong(f"{name} cannot be read: {error}") from None


def check_signature(
    verdict: Optional[Verdict],
    checkpoint: Checkpoint,
    enclosed: Sequence[str],
    trusted: Sequence[str],
    witnesses: Sequence[str],
) -> None:
    """Check who signed a checkpoint, and say so unless there is no verdict. Raises Wrong."""
    signers = [key for key in (trusted or enclosed) if signed_by(checkpoint, key)]
    if not signers:
        raise Wrong(
            "the checkpoint is signed by none of the keys "
            + ("that you gave" if trusted else "in keys.txt")
        )
    cosigners = [key for key in witnesses if signed_by(checkpoint, key)]
    if verdict is None:
        return
    sealed = f"the ledger {checkpoint.origin} with {checkpoint.size:,} events, as signed at "
    verdict.proven.append(f"{sealed}{checkpoint.sealed_at} by the key {signers[-1]}")
    if not trusted:
        verdict.not_proven.append(
            "whose key that is: compare it with the one that you got another way, and give it with "
            "--key"
        )
    for key in cosigners:
        verdict.proven.append(f"the witness {key.partition('+')[0]} has seen the same checkpoint")
    if not cosigners:
        verdict.not_proven.append(
            "that others were shown the same ledger: compare the checkpoint with copies that you "
            "or others kept (--checkpoint), or with a witness (--witness)"
        )


def _check_inclusion(
    verdict: Verdict, checkpoint: Checkpoint, proof: Dict[str, Any], events: Events
) -> None:
    if not events:
        return
    hashes = [hash_bytes(each) for each in proof["inclusion"]]
    leaves = [(place - 1, leaf) for place, leaf in zip(events.positions, events.leaves)]  # noqa: B905
    if root_of_some(leaves, checkpoint.size, hashes) != checkpoint.root:
        raise Wrong("the events are not those that the checkpoint was signed for: one was changed")
    verdict.proven.append(
        f"each of the {len(events):,} events stands in this ledger, unchanged in every column, at "
        "its position"
    )


def _check_selection(verdict: Verdict, about: Dict[str, str], events: Events) -> None:
    if any(map(ge, events.positions, events.positions[1:])):
        raise Wrong("the events are not in the order of their positions")
    if any(map(gt, events.recorded_at, events.recorded_at[1:])):
        raise Wrong("the times of recording do not grow with the positions")
    if "customer" in about:
        wanted, there = f"customer:{about['customer']}", events.subjects
    else:
        wanted, there = _thing(about), events.things
        if events.versions != list(range(1, len(events) + 1)):
            raise Wrong(f"the events of {wanted} are not numbered from 1 without a gap")
    if there - {wanted}:
        raise Wrong(f"not all events are about {wanted}: {sorted(there - {wanted})}")
    if "customer" not in about and events:
        verdict.proven.append(f"they are the first {len(events):,} about {wanted}, none left out")


def _thing(about: Dict[str, str]) -> str:
    [(kind, name)] = about.items()
    return f"{kind}:{name}"


def _check_completeness(
    verdict: Verdict,
    checkpoint: Checkpoint,
    proof: Dict[str, Any],
    customer: str,
    events: Events,
) -> None:
    key = hashlib.sha256(f"customer:{customer}".encode()).digest()
    if events:
        found = customer_hash(key, len(events), events.head)
    elif proof["customer"]["found"] is None:
        found = bytes(32)
    else:
        other = proof["customer"]["found"]
        if hash_bytes(other["key"]) == key:
            raise Wrong("the customer has events, and the evidence has none")
        found = customer_hash(hash_bytes(other["key"]), other["events"], hash_bytes(other["head"]))
    beside = [hash_bytes(each) for each in proof["customer"]["beside"]]
    if customers_root(key, found, beside) != checkpoint.customers_root:
        raise Wrong(
            f"these are not all events of the customer {customer} that the checkpoint was signed "
            "for"
        )
    if events:
        verdict.proven.append(
            f"the {len(events):,} events are all that the ledger had of customer {customer} then: "
            "none left out"
        )
    else:
        verdict.proven.append(f"the ledger had no event of customer {customer} then")


def _check_schemas(
    verdict: Verdict,
    checkpoint: Checkpoint,
    proof: Dict[str, Any],
    read: Callable[[str], bytes],
    events: Events,
) -> None:
    if not events:
        return
    entries = {}
    for each in proof["schemas"]:
        definition = read(f"schemas/{each['fingerprint']}.avsc")
        digest = hashlib.sha256(
            sized(bytes.fromhex(each["fingerprint"]), each["type"].encode(), definition)
        ).digest()
        at = microseconds(instant(each["at"]))
        entries[each["fingerprint"]] = (
            each["number"] - 1,
            register_hash(each["number"], at, "schema_defined", each["fingerprint"], digest),
        )
    missing = events.schemas - entries.keys()
    if missing:
        raise Wrong(f"schemas that events are written in are missing: {sorted(missing)}")
    hashes = [hash_bytes(each) for each in proof["register"]]
    found = root_of_some(entries.values(), checkpoint.register_size, hashes)
    if found != checkpoint.register_root:
        raise Wrong("the schemas are not those that the checkpoint was signed for")
    verdict.proven.append(
        f"the {len(entries)} enclosed schemas are those that the events were recorded with"
    )


def _check_earlier(
    verdict: Verdict, earlier: Checkpoint, checkpoint: Checkpoint, proof: Sequence[bytes]
) -> None:
    check_consistency(earlier.size, earlier.root, checkpoint.size, checkpoint.root, proof)
    verdict.proven.append(
        f"the first {earlier.size:,} events were sealed by {earlier.sealed_at}, and are unchanged "
        "since"
    )


def check_known(
    verdict: Verdict,
    enclosed: Sequence[Checkpoint],
    known: Sequence[str],
    growths: Sequence[str],
) -> None:
    """Compare with checkpoints that came another way; `enclosed[0]` is the one that everything
    else was compared with. Raises Wrong.
    """
    proofs = [_json(each.encode(), "the proof of consistency") for each in growths]
    for each in map(read_checkpoint, known):
        same = [other for other in enclosed if other.size == each.size]
        if each.origin != enclosed[0].origin:
            raise Wrong(f"your checkpoint is of another ledger, {each.origin}")
        first, second = sorted((each, enclosed[0]), key=lambda checkpoint: checkpoint.size)
        if not same and _has_grown(first, second, proofs):
            verdict.proven.append(
                f"your checkpoint of {each.size:,} events is of the same ledger, "
                + ("which has only grown since" if first is each else "which only grew until then")
            )
        elif not same:
            verdict.not_proven.append(
                f"that your checkpoint of {each.size:,} events is of the same ledger: ask for "
                f"a consistency proof from {first.size} to {second.size}, and give it with --proof"
            )
        elif same[0].root != each.root:
            raise Wrong(f"your checkpoint of {each.size:,} events is of a ledger with other events")
        else:
            verdict.proven.append(f"your checkpoint of {each.size:,} events is of the same ledger")


def _has_grown(first: Checkpoint, second: Checkpoint, proofs: Sequence[Dict[str, Any]]) -> bool:
    """Whether one of the proofs shows that one ledger is the beginning of the other. Raises Wrong
    for one that should and does not.
    """
    for proof in proofs:
        if (proof["first_size"], proof["second_size"]) == (first.size, second.size):
            hashes = [hash_bytes(each) for each in proof["hashes"]]
            check_consistency(first.size, first.root, second.size, second.root, hashes)
            return True
    return False
