"""Shares, and how sure one can be of them."""

from math import sqrt

Z = 1.959963984540054
"""97.5 % of a standard normal distribution lies below it."""


def wilson(successes: int, n: int) -> tuple[float, float] | tuple[None, None]:
    """The 95 % interval of a share, from 0 to 1, after Wilson (1927); None where n is 0.

    It stays within 0 and 1 and says something of small groups too.
    """
    if n == 0:
        return None, None
    share, spread = successes / n, Z * Z / n
    middle = (share + spread / 2) / (1 + spread)
    half = sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
