"""Where does every random number come from? From the run's seed and what it is for.

derived(seed, "augment", epoch, step)     a number of its own for each purpose
seed_everything(seed)                     Python, NumPy and torch, for whatever draws from them
with undisturbed(): …                     what happens inside leaves the generators as they were
"""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch


def derived(seed: int, *purpose: str | int) -> int:
    """A number below 2^63 for this purpose: neighbouring seeds and steps share nothing."""
    words = "\0".join(str(p) for p in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A CPU generator for this purpose: its numbers are the same whatever the device."""
    return torch.Generator().manual_seed(derived(seed, *purpose) if purpose else seed)


def seed_everything(seed: int) -> None:
    """Seeds Python's, NumPy's and torch's own generators (those of all devices)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def seed_worker(worker: int) -> None:
    """`worker_init_fn` of a DataLoader: torch seeds itself, NumPy and Python follow it."""
    seed = torch.initial_seed()
    random.seed(seed)
    np.random.seed(seed % 2**32)


def states() -> dict[str, Any]:
    """The state of every generator, as values that `torch.load(weights_only=True)` reads back."""
    version, numbers, gauss = random.getstate()
    name, keys, place, has_gauss, cached = np.random.get_state()
    found: dict[str, Any] = {
        "python": [version, list(numbers), gauss],
        "numpy": [name, torch.from_numpy(np.asarray(keys).astype(np.int64)), place, has_gauss,
                  float(cached)],
        "torch": torch.get_rng_state(),
    }  # fmt: skip
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        found["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        found["mps"] = torch.mps.get_rng_state()
    return found


def restore(found: dict[str, Any]) -> None:
    """Puts every generator back to `states()`."""
    version, numbers, gauss = found["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, place, has_gauss, cached = found["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), place, has_gauss, cached))
    torch.set_rng_state(found["torch"].cpu())
    if "cuda" in found and torch.cuda.is_available():
        kept = found["cuda"][: torch.cuda.device_count()]
        torch.cuda.set_rng_state_all([s.cpu() for s in kept])
    if "mps" in found and torch.backends.mps.is_available():
        torch.mps.set_rng_state(found["mps"].cpu())


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """What is drawn inside does not change what is drawn afterwards."""
    before = states()
    try:
        yield
    finally:
        restore(before)
