"""How sure is a share that was counted on n samples?"""

from __future__ import annotations

import math

Z95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


def wilson(successes: float, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share, (0, 1) at n = 0.

    Keeps its level at small n and near 0 and 1, where the textbook ± interval does not.
    """
    if n == 0:
        return 0.0, 1.0
    p = successes / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def accuracy_half_width(n: int, accuracy: float = 0.8) -> float:
    """Half the width of the 95 % interval of an accuracy that was measured on n samples."""
    low, high = wilson(accuracy * n, n)
    return (high - low) / 2
