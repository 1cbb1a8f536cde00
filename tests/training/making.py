"""How does a test train without a worker? With a log that only remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recipe_core.kernel.errors import Cancelled
from recipe_core.training.bench import Bench
from recipe_core.training.loop import train


class Remembered:
    """A log in memory: the Log that the loop wants, for tests."""

    def __init__(self) -> None:
        self.points: dict[str, dict[int, float]] = {}
        self.epochs: dict[int, dict[str, float]] = {}
        self.events: list[tuple[str, str]] = []

    def scalars(self, step: int, values: Mapping[str, float], epoch: float | None = None) -> None:
        for name, value in values.items():
            self.points.setdefault(name, {})[step] = float(value)

    def epoch(self, epoch: int, values: Mapping[str, float], step: int | None = None) -> None:
        self.epochs[epoch] = dict(values)

    def event(self, kind: str, text: str, **data: Any) -> None:
        self.events.append((kind, text))

    def rewind(self, step: int) -> None:
        for points in self.points.values():
            for later in [s for s in points if s > step]:
                del points[later]

    def flush(self) -> None:
        """Nothing waits."""

    def series(self, name: str) -> list[float]:
        """The values of a curve in the order of the steps."""
        return [v for _, v in sorted(self.points.get(name, {}).items())]


def stopping_after(steps: int) -> Callable[[], bool]:
    """A `stop_asked` that is asked after every step and says yes after that many."""
    asked = iter(range(1, 1_000_000))
    return lambda: next(asked) >= steps


def stopped(bench: Bench, folder: Path, log: Remembered, after: int, *, resume: bool) -> None:
    """Trains that many steps and stops, as if someone had pressed Stop."""
    try:
        train(bench, folder, log, stop_asked=stopping_after(after), resume=resume)
    except Cancelled:
        return
    raise AssertionError("the run ended before it was stopped")
