"""The tree over customers: one definition, calculated in three ways."""

from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from audit.customers import (
    NOBODY,
    Crown,
    Entry,
    bucket_number,
    entry_hash,
    place_in,
    root_above,
    subtree,
    unpacked,
)
from audit.standalone.proofs import customer_hash, customers_root
from audit.whole_trees import CustomersTree

# Keys that share long beginnings, so that paths become long, and ordinary ones.
keys = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.builds(
        lambda a, b: bytes(a) + sha256(bytes([b])).digest()[a:],
        st.integers(0, 31),
        st.integers(0, 5),
    ),
)
entries = st.builds(Entry, keys, st.integers(1, 2**40), st.binary(min_size=32, max_size=32))
several = st.lists(entries, max_size=40, unique_by=lambda entry: entry.key)


def by_definition(some: list[Entry], depth: int = 0) -> bytes:
    """The root as `docs/reference/leaf-and-checkpoint-formats.md` defines it."""
    if not some:
        return bytes(32)
    if len(some) == 1:
        key, events, head = some[0]
        return sha256(b"\x10" + key + events.to_bytes(8) + head).digest()
    sides: tuple[list[Entry], list[Entry]] = ([], [])
    for entry in some:
        sides[int.from_bytes(entry.key) >> (255 - depth) & 1].append(entry)
    both = b"".join(by_definition(side, depth + 1) for side in sides)
    return sha256(b"\x11" + both).digest()


def crown_of(some: list[Entry]) -> tuple[Crown, dict[int, list[Entry]]]:
    buckets: dict[int, list[Entry]] = {}
    for entry in sorted(some):
        buckets.setdefault(bucket_number(entry.key), []).append(entry)
    return Crown((n, len(each), subtree(each, 16)) for n, each in buckets.items()), buckets


@settings(max_examples=50, deadline=None)
@given(some=several, asked=keys)
def test_every_way_leads_to_the_same_root_and_the_same_places(
    some: list[Entry], asked: bytes
) -> None:
    root = by_definition(some)
    assert subtree(sorted(some), 0) == root
    crown, buckets = crown_of(some)
    assert (crown.root, crown.customers) == (root, len(some))
    for key in [asked, *(entry.key for entry in some)]:
        bucket = crown.bucket_of(key)
        place = crown.place(key, buckets.get(-1 if bucket is None else bucket, []))
        assert place == place_in(sorted(some), key)
        assert root_above(key, place) == root
        found = NOBODY if place.found is None else customer_hash(*place.found)
        assert customers_root(key, found, place.beside) == root
        known = {entry.key: entry for entry in some}.get(key)
        assert (place.found == known) if known else (place.found is None or place.found.key != key)


@settings(max_examples=30, deadline=None)
@given(first=several, then=several)
def test_a_crown_that_changed_is_that_of_the_new_customers(
    first: list[Entry], then: list[Entry]
) -> None:
    crown, _ = crown_of(first)
    now = sorted({entry.key: entry for entry in [*first, *then]}.values())
    _, buckets = crown_of(now)
    crown.update((n, len(each), subtree(each, 16)) for n, each in buckets.items())
    assert crown.root == by_definition(now)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.binary(min_size=32, max_size=32)), max_size=40))
def test_the_checker_s_tree_is_the_same(events: list[tuple[int, bytes]]) -> None:
    tree, heads = CustomersTree(), dict[bytes, Entry]()
    for number, leaf in events:
        key = sha256(bytes([number])).digest()
        tree.append(key, leaf)
        _, count, head = heads.get(key, Entry(key, 0, bytes(32)))
        heads[key] = Entry(key, count + 1, sha256(b"\x12" + head + leaf).digest())
        if leaf[0] % 3 == 0:
            assert tree.root() == by_definition([*heads.values()])
    assert tree.root() == by_definition([*heads.values()])
    for bucket in {bucket_number(key) for key in heads}:
        there = [entry for key, entry in sorted(heads.items()) if bucket_number(key) == bucket]
        assert len(there) != 1 or tree.root_below(bucket) == entry_hash(there[0])


@given(several)
def test_buckets_are_read_as_they_were_written(some: list[Entry]) -> None:
    written = [entry.key + entry.events.to_bytes(8) + entry.head for entry in some]
    assert unpacked(b"".join(written)) == some
