"""How is every picture described by numbers, so that like ones lie close together?

    patches                        learned on the data set itself, no weights needed (the default)
    backbone:resnet18:FILE.pth     a torchvision model with weights from a file
    backbone:resnet18              ... with torchvision's own weights, from its cache or the network
    task:FILE.py:CHECKPOINT        the user's model, as the task file builds and loads it
    FILE.npy                       (n, d) numbers made elsewhere, in the order of the sample table

What was worked out is kept under the pictures it was worked out for, block by block: a run that was
stopped goes on where it was. torch is imported where a picture is described, not before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recipe_core.kernel.errors import Misuse
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.progress import Progress
from recipe_core.store.workspace import replaced

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Rows = npt.NDArray[np.int64]

VERSION = 1
"""Raise it when the same pictures would be described differently."""
MOST_BYTES = 1_300_000_000
"""What the descriptions of a data set may take: the more pictures, the fewer filters."""
FILTERS, FEWEST_FILTERS, SMALL_SET = 2000, 128, 500
BLOCK = 1024


@dataclass(frozen=True)
class Embedding:
    """How pictures were described.

    name     in words, for people
    vectors  (k, d) float16 or float32
    rows     (k,) int64 sample rows, ascending
    """

    name: str
    vectors: npt.NDArray[np.floating]
    rows: Rows


def describable(evidence: Evidence) -> Rows:
    """(k,) int64 rows whose picture decodes."""
    decodes = np.isin(evidence.texts("error"), ("", "damaged"))
    return np.flatnonzero(decodes).astype(np.int64)


def embedding(
    evidence: Evidence, files: Files, kind: str, *, folder: Path | None, device: str = "cpu",
    seed: int = 0, progress: Progress,
) -> Embedding:  # fmt: skip
    """The description of every picture that decodes; see the module for `kind`.

    folder  where descriptions are kept, None: nowhere

    Raises Misuse for a kind, file or weights that do not fit, and whatever `progress` raises.
    """
    rows = describable(evidence)
    if kind.endswith(".npy"):
        return Embedding(f"vectors of {Path(kind).name}", _given(Path(kind), evidence, rows), rows)
    describe, name, identity = _describer(evidence, files, rows, kind, device, seed, progress)
    path = folder / f"{_key(evidence, rows, identity)}.npy" if folder else None
    return Embedding(name, _kept(path, len(rows), describe, progress), rows)


Describe = Callable[[Rows], Floats]
"""Places below len(rows) -> (k, d) float32."""


def _describer(
    evidence: Evidence, files: Files, rows: Rows, kind: str, device: str, seed: int,
    progress: Progress,
) -> tuple[Callable[[], Describe], str, str]:  # fmt: skip
    """What starts describing, its name, and what its results depend on beside the pictures."""
    what, _, rest = kind.partition(":")
    if what == "patches" and not rest:
        # more filters than pictures describe noise; a small data set is described in seconds
        most = min(FILTERS, max(SMALL_SET, len(rows)))
        n_filters = int(np.clip(MOST_BYTES / (28 * max(len(rows), 1)), FEWEST_FILTERS, most))
        identity = f"patches {n_filters} {seed}"

        def start() -> Describe:
            from recipe_core.images.embedding_patches import PatchEmbedding
            from recipe_core.images.squares import side_for, squares

            pixels, _ = squares(evidence, files, rows, side_for(evidence, rows), progress)
            made = PatchEmbedding(pixels, n_filters=n_filters, seed=seed, device=device)
            return made.of

        return start, f"{n_filters:,} whitened patches of the data set itself", identity
    if what == "backbone" and rest:
        from recipe_core.images.embedding_backbone import Backbone

        model, _, weights = rest.partition(":")
        return (
            lambda: Backbone(model, weights, device, rows, files).of,
            f"torchvision's {model}",
            f"backbone {model} {_of_file(weights)}",
        )
    raise Misuse(
        f"{kind!r} is no embedding. Say patches, backbone:MODEL, backbone:MODEL:WEIGHTS.pth or the "
        "name of an .npy file."
    )


def _of_file(path: str) -> str:
    if not path:
        return "torchvision"
    try:
        return hashlib.blake2b(Path(path).read_bytes(), digest_size=12).hexdigest()
    except OSError as e:
        raise Misuse(f"The weights {path} cannot be read: {e.strerror or e}.") from None


def _given(path: Path, evidence: Evidence, rows: Rows) -> Floats:
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as e:
        raise Misuse(f"{path} cannot be read as an .npy file: {e}.") from None
    if found.ndim != 2 or len(found) != len(evidence) or found.dtype.kind != "f":
        raise Misuse(
            f"{path} must hold one row of floats for each of the {len(evidence):,} samples in the "
            f"order of `recipe samples`; it holds {found.dtype} of shape {found.shape}."
        )
    taken = np.asarray(found[rows], np.float32)
    if not np.isfinite(taken).all():
        bad = int(rows[~np.isfinite(taken).all(1)][0])
        raise Misuse(f"{path} holds a number that is not finite, first in row {bad}.")
    return taken


def _key(evidence: Evidence, rows: Rows, identity: str) -> str:
    digest = hashlib.blake2b(f"{VERSION} {identity}\n".encode(), digest_size=12)
    for text in evidence.texts("content_hash")[rows]:
        digest.update(text.encode())
    return digest.hexdigest()


def _kept(
    path: Path | None, n: int, start: Callable[[], Describe], progress: Progress
) -> Halves | Floats:
    """The vectors stored at `path`; what is missing is described and stored block by block."""
    if path is not None and path.exists():
        return np.asarray(np.load(path, mmap_mode="r"))
    describe = start()
    blocks = []
    for first in range(0, n, BLOCK):
        progress("describing pictures", first, n)
        part = path.with_name(f"{path.stem}.{first}.part.npy") if path else None
        if part is not None and part.exists():
            blocks.append(np.load(part))
            continue
        block = describe(np.arange(first, min(first + BLOCK, n))).astype(np.float16)
        blocks.append(block)
        if part is not None:
            _store(part, block)
    whole = np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float16)
    if path is not None:
        _store(path, whole)
        for part in path.parent.glob(f"{path.stem}.*.part.npy"):
            part.unlink(missing_ok=True)
    return whole


def _store(path: Path, values: Halves) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as f:  # np.save would add an ending of its own to the name
            np.save(f, values)

    replaced(path, write)
