"""A deliverer's position: claimed, moved on with what it delivers, lost to the next claim."""

import threading

import pytest

from ledger.datastore import Datastore
from ledger.positions import Claim, PositionTaken, claim, move, positions

TOPIC, OTHER = "kafka:touchpoints/0@id", "kafka:touchpoints/1@id"


def claimed(datastore: Datastore, name: str = TOPIC) -> Claim:
    return claim(datastore, [name])[name]


def moved(datastore: Datastore, *moves: tuple[Claim, int]) -> None:
    with datastore.transaction() as cursor:
        move(cursor, [held.to(position) for held, position in moves])


def known(datastore: Datastore) -> dict[str, int]:
    with datastore.transaction() as cursor:
        return positions(cursor, "kafka:")


def test_a_new_position_starts_at_the_beginning(datastore: Datastore) -> None:
    assert claimed(datastore).position == 0
    assert known(datastore) == {TOPIC: 0}


def test_whoever_claims_reads_on_where_the_last_one_stopped(datastore: Datastore) -> None:
    moved(datastore, (claimed(datastore), 17))
    assert claimed(datastore).position == 17


def test_the_former_owner_can_not_move_on(datastore: Datastore) -> None:
    former = claimed(datastore)
    claimed(datastore)
    with pytest.raises(PositionTaken):
        moved(datastore, (former, 17))
    assert known(datastore) == {TOPIC: 0}


def test_a_batch_that_starts_behind_and_ends_ahead_is_refused(datastore: Datastore) -> None:
    held = claimed(datastore)
    moved(datastore, (held, 17))
    with pytest.raises(PositionTaken):
        moved(datastore, (held, 30))


def test_several_positions_move_together_or_not_at_all(datastore: Datastore) -> None:
    both = claim(datastore, [OTHER, TOPIC])
    claimed(datastore, OTHER)
    with pytest.raises(PositionTaken):
        moved(datastore, (both[TOPIC], 5), (both[OTHER], 6))
    assert known(datastore) == {TOPIC: 0, OTHER: 0}


def test_a_claim_waits_for_the_batch_under_way(datastore: Datastore) -> None:
    held = claimed(datastore)
    next_claims: list[Claim] = []
    claimer = threading.Thread(target=lambda: next_claims.append(claimed(datastore)))
    with datastore.transaction() as cursor:
        move(cursor, [held.to(17)])
        claimer.start()
        claimer.join(0.2)
        assert next_claims == []
    claimer.join()
    assert [next_claim.position for next_claim in next_claims] == [17]
