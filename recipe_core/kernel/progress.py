"""How far is it, and may it go on?"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told how far a long activity is. Raises `errors.Cancelled` to stop it between two steps."""

    def __call__(self, activity: str, done: int, total: int) -> None:
        """`activity`: a short phrase ("reading images"); `done` of `total` units (0 = unknown)."""


def silent(activity: str, done: int, total: int) -> None:
    """Progress for callers that do not want to know."""
