"""Which words contradict each other. Pure.

A *word* is a stretch of time in which one channel stands by one value of a claim. Two words of one
claim contradict each other where they overlap and their values differ. Thousands of statements that
say the same are one word, and words are gone through once, in order of time: the work grows with
the words and with the contradictions that are asked for, not with the square of the statements.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import heappop, heappush
from typing import NamedTuple


class Word(NamedTuple):
    """What a channel says of a claim from `begins_at` until `ends_at` (END: until further notice).

    `event_id`, `kind` (statement or promise), `id`, `customer_id` and `employee_id` are of the
    statement that began it; `told` is how many statements said it.
    """

    claim_key: str
    value: str
    channel: str | None
    begins_at: datetime
    ends_at: datetime
    event_id: str
    kind: str
    id: str
    customer_id: str
    employee_id: str | None
    told: int


class _Standing:
    """The words of one claim that are in force."""

    def __init__(self) -> None:
        self.words: dict[str, Word] = {}
        self.of_channel: Counter[str | None] = Counter()
        self.of_value: Counter[tuple[str | None, str]] = Counter()
        self._ends: list[tuple[datetime, str]] = []

    def add(self, word: Word) -> None:
        self.words[word.event_id] = word
        self.of_channel[word.channel] += 1
        self.of_value[word.channel, word.value] += 1
        heappush(self._ends, (word.ends_at, word.event_id))

    def end(self, at: datetime) -> None:
        """Forget the words that ended by then."""
        while self._ends and self._ends[0][0] <= at:
            word = self.words.pop(heappop(self._ends)[1])
            self.of_channel[word.channel] -= 1
            self.of_value[word.channel, word.value] -= 1


def _meetings(words: Iterable[Word]) -> Iterator[tuple[Word, _Standing]]:
    """Each word with those of the same claim that stand when it begins; words come in order."""
    standing: dict[str, _Standing] = defaultdict(_Standing)
    for word in words:
        others = standing[word.claim_key]
        others.end(word.begins_at)
        yield word, others
        others.add(word)


def contradicting(words: Iterable[Word], since: datetime) -> Iterator[tuple[Word, Word]]:
    """Every two words that contradict each other, the earlier one first, by when the later began.

    Only where the later one began at or after `since`. `words` are ordered by (`begins_at`,
    `event_id`), and so is what is found.
    """
    for word, others in _meetings(words):
        if word.begins_at >= since:
            for other in others.words.values():
                if other.value != word.value:
                    yield other, word


class ChannelPair(NamedTuple):
    """Two channels in order of their names; a channel may contradict itself."""

    channel: str | None
    other_channel: str | None


def counted(words: Iterable[Word], since: datetime) -> dict[ChannelPair, tuple[int, set[str]]]:
    """How many contradictions there are between channels, and of which claims.

    As `contradicting`, without going through them one by one.
    """
    pairs: Counter[ChannelPair] = Counter()
    claims: dict[ChannelPair, set[str]] = defaultdict(set)
    for word, others in _meetings(words):
        if word.begins_at < since:
            continue
        for channel, standing in others.of_channel.items():
            number = standing - others.of_value[channel, word.value]
            if number:
                pair = ChannelPair(*sorted((channel, word.channel), key=_by_name))
                pairs[pair] += number
                claims[pair].add(word.claim_key)
    return {pair: (number, claims[pair]) for pair, number in pairs.items()}


def _by_name(channel: str | None) -> tuple[bool, str]:
    return channel is None, channel or ""
