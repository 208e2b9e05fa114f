"""Ids that turn out to be one person, and two after all."""

from datetime import datetime
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.datastore import Datastore
from projections.answers import snapshot
from projections.customers.persons import Merge, all_persons, ever_together, together
from projections.knowing import knowing
from projections.registry import read_models
from projections.timeline.queries import timeline
from tests.projections.history import Happened, at, happened, inbound, project, tell
from tests.projections.history import runner as prepared_runner

LATER = at("2024-12-31")


def merged(when: str, one: str, other: str) -> Happened:
    return happened("customer.merged.v1", when, customer_id=one, merged_customer_id=other)


def unmerged(when: str, one: str, other: str) -> Happened:
    return happened("customer.unmerged.v1", when, customer_id=one, merged_customer_id=other)


def merge(when: str, one: str, other: str, *, taken_back: bool = False) -> Merge:
    said = f"{when} {one} {other} {taken_back}"
    return Merge(said, one, other, at(when), 61 if taken_back else 60, not taken_back)


def ids(customer_id: str, *merges: Merge) -> list[str]:
    return [identity.customer_id for identity in together(customer_id, merges)]


def test_nobody_else_without_a_merge() -> None:
    assert ids("Ada") == ["Ada"]
    assert ids("Ada", merge("2024-03-01", "Ben", "Cleo")) == ["Ada"]
    assert ids("Ada", merge("2024-03-01", "Ada", "Ada")) == ["Ada"]


def test_a_person_is_reached_from_each_of_its_ids_over_any_number_of_steps() -> None:
    chain = [merge(f"2024-03-0{n}", f"C{n}", f"C{n + 1}") for n in range(1, 9)]
    whole = {f"C{n}" for n in range(1, 10)}
    for customer in whole:
        assert set(ids(customer, *chain)) == whole
        assert ids(customer, *chain)[0] == customer
    broken = [*chain, merge("2024-04-01", "C6", "C5", taken_back=True)]
    assert set(ids("C1", *broken)) == {"C1", "C2", "C3", "C4", "C5"}
    assert set(ids("C9", *broken)) == {"C6", "C7", "C8", "C9"}
    assert all_persons(chain) == dict.fromkeys(whole, "C1")
    assert all_persons(broken) == {f"C{n}": "C1" if n < 6 else "C6" for n in range(1, 10)}
    assert all_persons([merge("2024-03-01", "Ada", "Ada")]) == {}


def test_a_circle_holds_where_one_link_is_taken_back() -> None:
    circle = [
        merge("2024-03-01", "Ada", "Ben"),
        merge("2024-03-02", "Ben", "Cleo"),
        merge("2024-03-03", "Cleo", "Ada"),
    ]
    assert ids("Ada", *circle) == ["Ada", "Ben", "Cleo"]
    undone = merge("2024-03-04", "Ben", "Ada", taken_back=True)
    assert ids("Ada", *circle, undone) == ["Ada", "Ben", "Cleo"]


def test_it_says_since_when() -> None:
    first, again = merge("2024-03-01", "Ada", "Ben"), merge("2024-03-02", "Ben", "Ada")
    [_, ben] = together("Ada", [again, first])
    assert (ben.merged_at, ben.merged_by) == (at("2024-03-01"), first.event_id)
    undone = merge("2024-03-03", "Ada", "Ben", taken_back=True)
    anew = merge("2024-03-04", "Ada", "Ben")
    [_, ben] = together("Ada", [anew, undone, again, first])
    assert ben.merged_at == at("2024-03-04")


@given(
    st.lists(
        st.builds(
            merge,
            st.sampled_from(["2024-03-01", "2024-03-02", "2024-03-03"]),
            st.sampled_from("ABCD"),
            st.sampled_from("ABCD"),
            taken_back=st.booleans(),
        ),
        max_size=5,
        unique_by=lambda merge: merge.event_id,
    )
)
def test_it_is_blind_to_order_and_the_same_from_every_id(merges: list[Merge]) -> None:
    for customer in "ABCD":
        told = together(customer, merges)
        assert all(together(customer, order) == told for order in permutations(merges))
        for identity in told:
            assert {each.customer_id for each in told} == set(ids(identity.customer_id, *merges))


STORY = [
    inbound("2024-03-01 09:00", "A1"),
    inbound("2024-03-02 09:00", "B1", customer_id="Ben"),
    inbound("2024-03-04 09:00", "A2"),
    inbound("2024-03-05 09:00", "B2", customer_id="Ben"),
    inbound("2024-03-01 12:00", "C1", customer_id="Cleo"),
]
MERGED = merged("2024-03-03", "Ada", "Ben")


def told(datastore: Datastore, customer: str, as_of: datetime = LATER, **how: object) -> list[str]:
    """Whose events a timeline holds, and which."""
    with snapshot(datastore) as cursor:
        rows = timeline(cursor, customer, as_of=as_of, **how).rows  # type: ignore[arg-type]
    return [
        f"{row['customer_id']}: {row['data'].get('touchpoint_id', row['type'])}" for row in rows
    ]


def test_the_timeline_of_a_merged_customer_is_the_persons(datastore: Datastore) -> None:
    project(datastore, [*STORY, MERGED])
    person = [
        "Ada: A1",
        "Ben: B1",
        "Ada: customer.merged.v1",
        "Ada: A2",
        "Ben: B2",
    ]
    assert told(datastore, "Ada") == person
    assert told(datastore, "Ben") == person
    assert told(datastore, "Ben", only_this_id=True) == ["Ben: B1", "Ben: B2"]
    assert told(datastore, "Cleo") == ["Cleo: C1"]
    # Before they were merged they were two; who asks as of then is told so.
    assert told(datastore, "Ben", at("2024-03-02 23:00")) == ["Ben: B1"]


def test_what_was_known_of_a_merge_counts_for_a_timeline_known_then(datastore: Datastore) -> None:
    project(datastore, [*STORY, MERGED])

    def whose(known_at: int) -> list[str]:
        with snapshot(datastore) as cursor:
            ids = ever_together(cursor, "Ben")
        with knowing(datastore, read_models(), ids, known_at) as cursor:
            return [row["customer_id"] for row in timeline(cursor, "Ben", as_of=LATER).rows]

    before = len(STORY)
    assert whose(before) == ["Ben", "Ben"]
    assert len(whose(before + 1)) == 5


def test_pages_of_a_persons_timeline_go_on_where_they_ended(datastore: Datastore) -> None:
    project(datastore, [*STORY, MERGED])
    seen, token = [], None
    with snapshot(datastore) as cursor:
        while True:
            page = timeline(cursor, "Ada", as_of=LATER, limit=2, token=token)
            seen += [row["position"] for row in page.rows]
            token = page.next
            if token is None:
                break
        assert seen == [row["position"] for row in timeline(cursor, "Ada", as_of=LATER).rows]


@pytest.mark.parametrize("one", ["Ada", "Ben"])
def test_taking_a_merge_back_restores_both_timelines(datastore: Datastore, one: str) -> None:
    """Whichever of the two it is told of; only the events that say so are added."""
    other = "Ben" if one == "Ada" else "Ada"
    project(datastore, STORY)
    before = {customer: told(datastore, customer) for customer in ("Ada", "Ben", "Cleo")}
    tell(datastore, [MERGED, unmerged("2024-03-06", one, other)])
    prepared_runner(datastore).catch_up()
    for customer, rows in before.items():
        after = told(datastore, customer)
        assert [row for row in after if "customer." not in row] == rows
    assert told(datastore, "Cleo") == before["Cleo"]
