"""Merkle trees against their definition, known figures, and every proof that is not quite right."""

from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.merkle import (
    EMPTY_ROOT,
    ProofWrong,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_of,
    proof_of_many,
    root_of,
)
from audit.standalone import proofs
from audit.tiles import Edge, Tile, split
from audit.whole_trees import GrowingTree

# The eight leaves, and the roots over the first n of them, that the tests of Certificate
# Transparency's implementations share (github.com/transparency-dev/merkle, testonly).
KNOWN_LEAVES = [
    bytes.fromhex(leaf) for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")
] + [bytes(range(0x60, 0x70))]
KNOWN_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(str(number).encode()) for number in range(1_100)]
sizes = st.integers(1, len(LEAVES))


def by_definition(leaves: list[bytes]) -> bytes:
    """The root as RFC 9162, 2.1.1, defines it."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    both = by_definition(leaves[:middle]) + by_definition(leaves[middle:])
    return sha256(b"\1" + both).digest()


@pytest.mark.parametrize("size", range(9))
def test_known_roots(size: int) -> None:
    hashes = [leaf_hash(leaf) for leaf in KNOWN_LEAVES[:size]]
    assert root_of(size, node_of(hashes)).hex() == KNOWN_ROOTS[size]
    growing = GrowingTree()
    for each in hashes:
        growing.append(each)
    assert growing.root().hex() == KNOWN_ROOTS[size]


@given(size=sizes, data=st.data())
def test_proofs_prove(size: int, data: st.DataObject) -> None:
    node = node_of(LEAVES[:size])
    root = root_of(size, node)
    assert root == by_definition(LEAVES[:size])
    index = data.draw(st.integers(0, size - 1))
    check_inclusion(LEAVES[index], index, size, inclusion_proof(index, size, node), root)
    first = data.draw(st.integers(1, size))
    old, proof = root_of(first, node), consistency_proof(first, size, node)
    check_consistency(first, old, size, root, proof)
    proofs.check_consistency(first, old, size, root, proof)
    some = data.draw(st.sets(st.integers(0, size - 1), min_size=1))
    together = proof_of_many(some, size, node)
    assert proofs.root_of_some([(each, LEAVES[each]) for each in some], size, together) == root


def test_every_small_tree() -> None:
    for size in range(1, 20):
        node = node_of(LEAVES[:size])
        root = root_of(size, node)
        for index in range(size):
            proof = inclusion_proof(index, size, node)
            check_inclusion(LEAVES[index], index, size, proof, root)
            assert proofs.root_of_some([(index, LEAVES[index])], size, proof) == root
        for first in range(1, size + 1):
            proof = consistency_proof(first, size, node)
            check_consistency(first, root_of(first, node), size, root, proof)
    check_consistency(0, EMPTY_ROOT, 5, root_of(5, node), [])


Mutation = Callable[[list[bytes], Random], list[bytes]]


def flip(proof: list[bytes], chance: Random) -> list[bytes]:
    place, bit = chance.randrange(len(proof)), chance.randrange(256)
    flipped = (int.from_bytes(proof[place]) ^ 1 << bit).to_bytes(32)
    return [*proof[:place], flipped, *proof[place + 1 :]]


MUTATIONS: dict[str, Mutation] = {
    "a bit flipped": flip,
    "the first missing": lambda proof, _: proof[1:],
    "the last missing": lambda proof, _: proof[:-1],
    "nothing": lambda proof, _: proof[:0],
    "one more behind": lambda proof, _: [*proof, proof[-1]],
    "zeros behind": lambda proof, _: [*proof, bytes(32)],
    "one more before": lambda proof, _: [proof[0], *proof],
    "the wrong way round": lambda proof, _: proof[::-1] if proof[::-1] != proof else [],
    "trailing bytes": lambda proof, _: [*proof[:-1], proof[-1] + b"\0"],
    "a short hash": lambda proof, _: [proof[0][:-1], *proof[1:]],
}


@pytest.mark.parametrize("mutate", MUTATIONS.values(), ids=MUTATIONS)
@settings(max_examples=60)
@given(size=st.integers(3, 300), chance=st.randoms(use_true_random=False))
def test_mutated_proofs_are_refused(mutate: Mutation, size: int, chance: Random) -> None:
    node = node_of(LEAVES[:size])
    root, index, first = root_of(size, node), chance.randrange(size), chance.randrange(1, size)
    inclusion = mutate(inclusion_proof(index, size, node), chance)
    with pytest.raises(ProofWrong):
        check_inclusion(LEAVES[index], index, size, inclusion, root)
    with suppress(proofs.Wrong):
        assert proofs.root_of_some([(index, LEAVES[index])], size, inclusion) != root
    consistency = mutate(consistency_proof(first, size, node), chance)
    with pytest.raises(ProofWrong):
        check_consistency(first, root_of(first, node), size, root, consistency)
    with pytest.raises(proofs.Wrong):
        proofs.check_consistency(first, root_of(first, node), size, root, consistency)


@given(size=st.integers(2, 300), data=st.data())
def test_a_proof_for_another_place_or_size_is_refused(size: int, data: st.DataObject) -> None:
    node = node_of(LEAVES[:size])
    root = root_of(size, node)
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(-1, 2 * size).filter(lambda each: each != index))
    proof = inclusion_proof(index, size, node)
    with pytest.raises(ProofWrong):
        check_inclusion(LEAVES[index], other, size, proof, root)
    wrong_leaf = LEAVES[(index + 1) % size]
    with pytest.raises(ProofWrong):
        check_inclusion(wrong_leaf, index, size, proof, root)
    first = data.draw(st.integers(1, size - 1))
    old, consistency = root_of(first, node), consistency_proof(first, size, node)
    with pytest.raises(ProofWrong):
        check_consistency(first, root, size, root, consistency)
    with pytest.raises(ProofWrong):
        check_consistency(first, old, size, old, consistency)
    with pytest.raises(ProofWrong):
        check_consistency(size, root, first, old, consistency)
    with pytest.raises(ProofWrong):
        check_consistency(size, old, size, root, [])


def test_a_proof_of_size_that_does_not_fit_leads_elsewhere() -> None:
    """A tree's root does not name its size; that the checkpoint does. Another size, where the
    path has another length, is refused."""
    node = node_of(LEAVES[:13])
    for index in range(13):
        proof = inclusion_proof(index, 13, node)
        for size in (1, index, index + 1 + 32, 200):
            with pytest.raises(ProofWrong):
                check_inclusion(LEAVES[index], index, size, proof, root_of(13, node))


@settings(max_examples=40)
@given(batches=st.lists(st.integers(0, 700), max_size=5), cut=st.integers(0, 4))
def test_a_tree_in_tiles_is_the_same_tree(batches: list[int], cut: int) -> None:
    """However it grew, and also when it goes on from what was stored."""
    leaves = [leaf_hash(bytes([number % 251])) for number in range(sum(batches))]
    edge, stored, start = Edge(), dict[tuple[int, int], bytes](), 0
    for number, batch in enumerate(batches):
        for level, place, hashes in edge.append(leaves[start : start + batch]):
            stored[level, place] = hashes
        start += batch
        if number == cut:
            newest = dict(sorted(stored))
            edge = Edge(
                start,
                [
                    Tile(k, n, stored[k, n])
                    for k, n in newest.items()
                    if len(stored[k, n]) < 256 * 32
                ],
            )
    assert edge.root() == by_definition(leaves)
    growing = GrowingTree()
    for leaf in leaves:
        growing.append(leaf)
    for level, expected in growing.tiles.items():
        found = b"".join(stored[key] for key in sorted(stored) if key[0] == level)
        assert found == bytes(expected)
    assert sum(len(split(stored[key])) for key in stored if key[0] == 0) == len(leaves)
