"""What did the probes of a training pipeline read? Numbers and arrays, by the probe's name.

A probe runs in another process, touches the model and has no thresholds; a judge gets what it read
and never the model. A probe that raised, hung or died is a reading with an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from recipe_core.kernel.errors import MissingInput, ProbeFailed

Whose = Literal["", "task", "recipe", "time", "memory", "crash"]
"""Whose fault an error is: the user's task file, a bug of ours, the probe's time limit, the memory
of the device, or nobody's that could be told (the process died). '' where there is none."""


@dataclass(frozen=True)
class Reading:
    """What one probe read.

    numbers    JSON values by name (NaN and infinities allowed: they are part of what was read)
    arrays     arrays by name, any dtype but object
    missing    why the probe had nothing to read ("build_model takes no width"); '' where it did
    error      one line of what went wrong; '' where nothing did
    traceback  the user's own lines first where the task file raised
    seconds    how long it took
    """

    numbers: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    missing: str = ""
    error: str = ""
    traceback: str = ""
    whose: Whose = ""
    seconds: float = 0.0

    def __getitem__(self, name: str) -> Any:
        """A number, or an array, by name. Raises MissingInput where the probe did not read it."""
        if name in self.arrays:
            return self.arrays[name]
        if name not in self.numbers:
            raise MissingInput(f"{name!r} has not been read by this version; run the check again")
        return self.numbers[name]

    def get(self, name: str, default: Any = None) -> Any:
        """A number or an array; `default` where the probe did not read it."""
        return self.arrays.get(name, self.numbers.get(name, default))


@dataclass(frozen=True)
class Readings:
    """Everything read of one pipeline under one configuration.

    about    facts of the pipeline that no probe measures: task, device, seed, num_classes,
             class_names, given (names that the task file defines), n_train, n_eval, …
    by_name  probe name -> its reading
    """

    by_name: Mapping[str, Reading] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)

    def need(self, name: str) -> Reading:
        """What a probe read.

        Raises MissingInput where it did not run or had nothing to read, ProbeFailed where it
        raised, hung or died.
        """
        reading = self.by_name.get(name)
        if reading is None:
            raise MissingInput(f"the probe {name!r} has not run")
        if reading.whose:
            raise ProbeFailed(name, reading)
        if reading.missing:
            raise MissingInput(reading.missing)
        return reading

    def found(self, name: str) -> Reading | None:
        """What a probe read; None where it did not run, had nothing to read, or failed."""
        try:
            return self.need(name)
        except (MissingInput, ProbeFailed):
            return None


def as_picture(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """(H, W) or (H, W, 1 or 3) floats from 0 to 1, or uint8, as (H, W, 3) uint8; clipped."""
    grey = pixels[..., None] if pixels.ndim == 2 else pixels
    if grey.dtype != np.uint8:
        grey = (np.nan_to_num(grey.astype(np.float64)).clip(0, 1) * 255).round()
    return np.ascontiguousarray(np.broadcast_to(grey, (*grey.shape[:2], 3)).astype(np.uint8))
