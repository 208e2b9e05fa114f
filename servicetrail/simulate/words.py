"""Invented words of invented people, for the personal fields. Nobody here exists.

Addresses end in domains reserved for examples, numbers lie in a range reserved for fiction.
"""

from random import Random

_FIRST = (
    "Ada",
    "Bram",
    "Chiara",
    "Dieter",
    "Elif",
    "Femke",
    "Goran",
    "Hana",
    "Ivo",
    "Jonas",
    "Keiko",
)
_LAST = ("Appelboom", "Brandsma", "Castellane", "Dorrestein", "Ekwueme", "Fjordvik", "Grauwens")
_WISHES = ("wants to be called back", "asks for the invoice again", "will be out on Friday")
_STATES = (
    "sounded upset",
    "was friendly",
    "had called before",
    "was in a hurry",
    "has a baby at home",
)
_COMPLAINTS = (
    "Nobody came, and I had taken the day off.",
    "It is the third time that I have to explain this.",
    "The machine broke again a week after the repair.",
    "I was told another price on the telephone.",
    "The refund has still not arrived.",
)
_OPINIONS = (
    "Quick and kind.",
    "Had to wait for ever.",
    "Fine.",
    "Please call when you say you will.",
)
_REGRETS = ("We are sorry that this happened to you.", "This was our mistake, and we regret it.")


def name(rng: Random) -> str:
    """A first and a last name."""
    return f"{_pick(rng, _FIRST)} {_pick(rng, _LAST)}"


def contact(rng: Random) -> str:
    """An address or a telephone number."""
    if rng.random() < 0.5:
        return f"{name(rng).lower().replace(' ', '.')}@example.org"
    return f"+44 1632 960{int(rng.random() * 1000):03}"


def note(rng: Random) -> str:
    """What an employee writes down after a contact."""
    return f"{name(rng)} {_pick(rng, _STATES)}, {_pick(rng, _WISHES)}."


def complaint(rng: Random) -> str:
    """A complaint in the customer's words."""
    return f"{_pick(rng, _COMPLAINTS)} {name(rng)}"


def opinion(rng: Random) -> str:
    """What a customer writes under a score."""
    return _pick(rng, _OPINIONS)


def regret(rng: Random, customer: str) -> str:
    """An apology to a customer by name."""
    return f"Dear {customer}, {_pick(rng, _REGRETS)}"


def _pick(rng: Random, texts: tuple[str, ...]) -> str:
    return texts[int(rng.random() * len(texts))]
