"""The certificate of an erasure: what it proves, and that nothing in it can be changed."""

import json
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audit.certificate import NotErased, certificate
from audit.evidence import stand_alone
from audit.standalone.certificate import check_certificate, digest_of
from audit.standalone.command import check_file
from audit.standalone.proofs import Wrong
from ledger.erasing import Eraser
from ledger.keys import MasterKey
from tests.audit.sealed import Ledger, a_day, policy
from tests.audit.test_evidence import bare

Told = dict[str, Any]
ASKED_AT = datetime(2026, 3, 1, 9, 30, 0, 250_000, tzinfo=UTC)


def certified(of: Ledger, customer: str = "C-2") -> Told:
    with of.datastore.transaction() as cursor:
        return certificate(cursor, customer).model_dump(mode="json")


def erase(of: Ledger, customer: str = "C-2", basis: str = 'the "right" to be forgotten') -> None:
    Eraser(of.datastore, of.keyring, of.intake).erase(customer, basis=basis, requested_at=ASKED_AT)


@pytest.fixture
def erased(sealed: Ledger) -> Ledger:
    """A customer of three sealed days was erased, and more has happened since."""
    erase(sealed)
    sealed.take(*a_day(4))
    sealed.sealer.seal()
    return sealed


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., list[str]]:
    """Verify a certificate; gives what it proves."""

    def checked(told: Told | str, **known: list[str]) -> list[str]:
        path = tmp_path / "erased.json"
        path.write_text(told if isinstance(told, str) else json.dumps(told, indent=2))
        return check_file(str(path), **known).proven

    return checked


def test_it_proves_that_the_erasure_is_recorded_and_the_key_destroyed(
    erased: Ledger, check: Callable[..., list[str]]
) -> None:
    told = certified(erased)
    assert (told["customer_id"], told["position"], told["personal_events"]) == ("C-2", 49, 4)
    assert told["requested_at"] == "2026-03-01T09:30:00.250000Z"
    proven = check(
        told, keys=[str(erased.keys.public[0])], checkpoints=[told["proof"]["checkpoint"]]
    )
    ledger, event, key, kept = proven
    assert ledger.startswith("the ledger servicetrail/")
    assert event.startswith("the erasure of customer C-2 at ")
    assert event.endswith("on the ground 'the \"right\" to be forgotten', "
                          "stands in this ledger, at position 49")  # fmt: skip
    assert key.startswith("the data key of customer C-2 was destroyed at ")
    assert kept == "your checkpoint of 65 events is of the same ledger"


def test_an_altered_byte_is_refused(erased: Ledger) -> None:
    told = certified(erased)
    text = json.dumps(told).encode()
    assert check_certificate(text)
    accepted = []
    for at in range(len(text)):
        altered = text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :]
        with suppress(Wrong, ValueError, LookupError, TypeError):
            check_certificate(altered)
            accepted.append(altered)
    assert [each for each in accepted if json.loads(each) != told] == []


FORGERIES: dict[str, Callable[[Told], object]] = {
    "the customer": lambda told: told.update(customer_id="C-3"),
    "the ground": lambda told: told.update(basis="none"),
    "when it was asked for": lambda told: told.update(requested_at=None),
    "when it was done": lambda told: told.update(erased_at="2026-03-01T00:00:00Z"),
    "the position": lambda told: told.update(position=48),
    "the event's id": lambda told: told.update(event_id="00" * 16),
    "the version": lambda told: told.update(version=1),
    "another event": lambda told: told["proof"]["event"].update(source="other"),
    "an event with more columns": lambda told: told["proof"]["event"].update(more=1),
    "an event with less columns": lambda told: told["proof"]["event"].pop("sequence"),
    "the path": lambda told: told["proof"]["inclusion"].pop(),
    "the path of the key": lambda told: told["proof"]["key"]["inclusion"].pop(),
    "when the key was destroyed": lambda told: told["proof"]["key"].update(
        destroyed_at="2026-03-01T00:00:00Z"
    ),
    "another entry": lambda told: told["proof"]["key"].update(number=1),
    "no entry": lambda told: told["proof"].pop("key"),
    "the checkpoint": lambda told: told["proof"].update(
        checkpoint=told["proof"]["checkpoint"].replace("sealed 2", "sealed 1")
    ),
    "no key": lambda told: told["proof"].update(keys=[]),
}


def test_a_forgery_whose_digest_fits_is_refused(
    erased: Ledger, check: Callable[..., list[str]]
) -> None:
    right = certified(erased)
    for name, forge in FORGERIES.items():
        told = deepcopy(right)
        forge(told)
        assert told != right, name
        try:
            check(told | {"sha256": digest_of(told)})
        except Wrong:
            continue
        pytest.fail(f"{name} was not found to be forged")


def test_it_goes_on_holding_when_keys_are_replaced(
    erased: Ledger, check: Callable[..., list[str]]
) -> None:
    before, known = certified(erased), [str(erased.keys.public[0])]
    erased.keyring.rewrap(MasterKey(bytes(range(1, 33))))
    erased.keys = erased.keys.rotated()
    erased.take(policy(9))
    erased.sealer.seal()
    after = certified(erased)
    assert before["proof"]["checkpoint"] != after["proof"]["checkpoint"]
    for told in (before, after):
        assert len(check(told, keys=known)) == 3


@pytest.mark.parametrize("has_checkpoints", [True, False])
def test_before_the_event_is_sealed_there_is_no_proof(
    has_checkpoints: bool, fresh: Ledger, check: Callable[..., list[str]]
) -> None:
    if has_checkpoints:
        fresh.take(policy(1))
        fresh.sealer.seal()
    erase(fresh)
    told = certified(fresh)
    assert told["proof"] is None
    with pytest.raises(Wrong, match="ask for the certificate again"):
        check(told)
    fresh.sealer.seal()
    assert check(certified(fresh))


def test_the_newest_of_several_erasures_is_certified(
    erased: Ledger, check: Callable[..., list[str]]
) -> None:
    erase(erased, basis="once more")
    erased.sealer.seal()
    told = certified(erased)
    assert (told["basis"], told["position"]) == ("once more", 66)
    assert check(told)
    with pytest.raises(NotErased, match="C-1"):
        certified(erased, "C-1")


def test_a_bare_python_verifies_it(erased: Ledger, tmp_path: Path) -> None:
    (tmp_path / "verify.py").write_text(stand_alone())
    told = certified(erased)
    (tmp_path / "erased.json").write_text(json.dumps(told))
    done = bare(["verify.py", "erased.json"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the data key of customer C-2 was destroyed" in done.stdout
    (tmp_path / "erased.json").write_text(json.dumps(told | {"basis": "other"}))
    forged = bare(["verify.py", "erased.json"], tmp_path)
    assert (forged.returncode, forged.stdout) == (
        1, "WRONG: the certificate was changed after it was made\n",
    )  # fmt: skip
