"""Trees kept in the database as tiles: 256 hashes of one level in a row, as in C2SP's tlog-tiles.

Level 0 of tiles holds the hashes of leaves, level 1 the nodes above 256 leaves each, and so on.
What lies between is calculated from them. A full tile never changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from audit.merkle import HASH_BYTES, Node, levels_above, root_of
from ledger.datastore import PgCursor
from ledger.sql import named_queries

HEIGHT = 8
WIDTH = 1 << HEIGHT
EVENTS, REGISTER = 0, 1
"""The two trees: over the events of the ledger, and over what happened to keys and schemas."""

_SQL = named_queries(Path(__file__).with_name("tiles.sql"))


class Tile(NamedTuple):
    """Up to 256 hashes of one level of tiles, from number * 256 on."""

    level: int
    number: int
    hashes: bytes


class Edge:
    """The right edge of a tree, which is what appending to it takes.

    `size` is the number of leaves. In memory, without the database.
    """

    def __init__(self, size: int = 0, tiles: Iterable[Tile] = ()) -> None:
        self.size = size
        by_level = {tile.level: tile for tile in tiles}
        self._levels: list[list[bytes]] = []
        self._below: list[int] = []
        """For each level the number of full tiles, and the hashes behind them."""
        while not self._levels or size >> (HEIGHT * len(self._levels)):
            level = len(self._levels)
            full, wanted = divmod(size >> (HEIGHT * level), WIDTH)
            tile = by_level.get(level, Tile(level, full, b""))
            hashes = split(tile.hashes)[:wanted]
            if tile.number != full or len(hashes) < wanted:
                raise TreeBroken(f"the stored tree lacks its tile {full} of level {level}")
            self._levels.append(hashes)
            self._below.append(full)

    def append(self, leaf_hashes: Sequence[bytes]) -> list[Tile]:
        """Append leaves; gives the tiles that are new or longer than before."""
        written = []
        level, added = 0, list(leaf_hashes)
        self.size += len(added)
        while added:
            if level == len(self._levels):
                self._levels.append([])
                self._below.append(0)
            hashes = self._levels[level] + added
            above = []
            while len(hashes) >= WIDTH:
                full, hashes = hashes[:WIDTH], hashes[WIDTH:]
                written.append(Tile(level, self._below[level], b"".join(full)))
                above.append(levels_above(full)[-1][0])
                self._below[level] += 1
            if hashes:
                written.append(Tile(level, self._below[level], b"".join(hashes)))
            self._levels[level] = hashes
            level, added = level + 1, above
        return written

    def root(self) -> bytes:
        """The root of the tree."""
        levels: dict[int, list[list[bytes]]] = {}

        def node(level: int, index: int) -> bytes:
            height, within = divmod(level, HEIGHT)
            if height == len(self._levels):
                raise TreeBroken("a node above the tree was asked for")
            if height not in levels:
                levels[height] = levels_above(self._levels[height])
            return levels[height][within][index - (self._below[height] << HEIGHT >> within)]

        return root_of(self.size, node)


class TreeBroken(Exception):
    """What is stored of a tree cannot be right. `servicetrail verify` says what is wrong."""


def edge_of(size: int) -> list[tuple[int, int, int]]:
    """The tiles at the right edge of a tree that are not full: level, number, hashes in it."""
    edge, level = [], 0
    while size >> (HEIGHT * level):
        hashes = size >> (HEIGHT * level)
        if hashes % WIDTH:
            edge.append((level, hashes >> HEIGHT, hashes % WIDTH))
        level += 1
    return edge


def split(hashes: bytes) -> list[bytes]:
    """The hashes of a tile."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def load_edge(cursor: PgCursor, tree: int, size: int) -> Edge:
    """The edge of a stored tree. Raises TreeBroken."""
    edge = edge_of(size)
    return Edge(size, _load(cursor, tree, [(level, number) for level, number, _ in edge]))


def store(cursor: PgCursor, tree: int, tiles: Sequence[Tile]) -> None:
    """Write tiles; a tile that is there already becomes longer."""
    if tiles:
        cursor.execute(
            _SQL["store"],
            {
                "tree": tree,
                "levels": [tile.level for tile in tiles],
                "numbers": [tile.number for tile in tiles],
                "hashes": [tile.hashes for tile in tiles],
            },
        )


def stored_nodes(cursor: PgCursor, tree: int) -> Node:
    """The nodes of a stored tree; each tile is read once. The function raises TreeBroken."""
    tiles: dict[tuple[int, int], list[list[bytes]]] = {}

    def node(level: int, index: int) -> bytes:
        height, within = divmod(level, HEIGHT)
        number = index << within >> HEIGHT
        if (height, number) not in tiles:
            [*found] = _load(cursor, tree, [(height, number)])
            tiles[height, number] = levels_above(split(found[0].hashes)) if found else []
        levels = tiles[height, number]
        place = index - (number << HEIGHT >> within)
        if within >= len(levels) or place >= len(levels[within]):
            raise TreeBroken(f"the stored tree lacks its node {index} of level {level}")
        return levels[within][place]

    return node


def _load(cursor: PgCursor, tree: int, wanted: Sequence[tuple[int, int]]) -> list[Tile]:
    if not wanted:
        return []
    cursor.execute(
        _SQL["load"],
        {
            "tree": tree,
            "levels": [level for level, _ in wanted],
            "numbers": [number for _, number in wanted],
        },
    )
    return [Tile(level, number, bytes(hashes)) for level, number, hashes in cursor.fetchall()]
