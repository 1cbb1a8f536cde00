"""Are pixels that do not fit on the device the same batches in the same order, read ahead?"""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from recipe_core.training import sets
from recipe_core.training.bench import Bench
from recipe_core.training.sets import AHEAD, DevicePixels, PixelLoader, PixelSet
from tests.training.test_loop import with_config


def source(bench: Bench, monkeypatch: pytest.MonkeyPatch, *, held: bool) -> DevicePixels:
    dataset = bench.train_set
    assert isinstance(dataset, PixelSet)
    monkeypatch.setattr(sets, "FITS", 0.5 if held else 0.0)
    found = DevicePixels(dataset, bench.device)
    assert (found.held is not None) == held
    return found


def readers() -> int:
    return sum(t.name.startswith("pixels") for t in threading.enumerate())


@pytest.mark.parametrize("start", [0, 2, 6])
def test_streamed_batches_are_those_that_are_held(
    small: Bench, monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    bench = with_config(small, augmentation="strong")
    held, streamed = (
        PixelLoader(source(bench, monkeypatch, held=h), 8, 3, True) for h in (True, False)
    )
    n = 0
    for a, b in zip(held.starting_at(start), streamed.starting_at(start), strict=True):
        assert np.array_equal(held.indices, streamed.indices)
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
        n += 1
    assert n == 6 - start and readers() == 0


def test_reading_is_ahead_by_so_much_and_ends_with_the_loop(
    small: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_file = source(small, monkeypatch, held=False)
    read: list[int] = []
    plain = from_file._read

    def counted(indices: sets.Indices) -> torch.Tensor:
        read.append(int(indices[0]))
        return plain(indices)

    monkeypatch.setattr(from_file, "_read", counted)
    loader = PixelLoader(from_file, 8)
    batches = iter(loader)
    next(batches)
    batches.close()  # type: ignore[attr-defined]  # as a stopped run does
    assert read == [8 * k for k in range(len(read))] and 1 <= len(read) <= AHEAD + 1
    assert readers() == 0


def test_what_reading_raises_reaches_the_loop(
    small: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_file = source(small, monkeypatch, held=False)

    def broken(indices: sets.Indices) -> torch.Tensor:
        raise OSError("the disk is gone")

    monkeypatch.setattr(from_file, "_read", broken)
    with pytest.raises(OSError, match="the disk is gone"):
        next(iter(PixelLoader(from_file, 8)))
