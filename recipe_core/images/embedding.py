"""How is every picture described by numbers, so that like ones lie close together?

    patches                        learned on the data set itself, no weights needed (the default)
    backbone:resnet18:FILE.pth     a torchvision model with weights from a file
    backbone:resnet18              ... with torchvision's own weights, from its cache or the network
    task:FILE.py:WEIGHTS           the user's model as the task file builds it, with the weights of
                                   a file or of a run's folder; without WEIGHTS as it is built
    run:ID                         the net of a training run of this workspace
    FILE.npy                       (n, d) numbers made elsewhere, in the order of the sample table

What was worked out is kept under the pictures it was worked out for, block by block: a run that was
stopped goes on where it was. `compact` keeps MOST_DIRECTIONS numbers a picture, `embedding` all of
them until `tidied`. torch is imported where a picture is described, not before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from recipe_core.images.principal import Directions, directions
from recipe_core.kernel.errors import Misuse
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.progress import Progress
from recipe_core.store.workspace import replaced, write_arrays, write_json

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Rows = npt.NDArray[np.int64]

VERSION = 1
"""Raise it when the same pictures would be described differently."""
MOST_BYTES = 1_300_000_000
"""What the descriptions of a data set may take: the more pictures, the fewer filters."""
FILTERS, FEWEST_FILTERS, SMALL_SET = 1500, 128, 500
A_FILTER = (28, 36)
"""Bytes a picture that a filter takes, of one layer and of two."""
COMPACT_FILTERS = 256
"""For the main directions alone, one layer: neighbours are as good by these as by 2,000 in a sixth
of the time, and nearly as good as by two layers."""
HELD = 20_000
"""Pictures whose small squares are held in memory; of more, so many say what the filters are."""
BLOCK = 1024
FITTED_ON = 4 * BLOCK
"""Pictures that the main directions are found on: 16 for each of 256."""
MOST_DIRECTIONS, FEWEST_DIRECTIONS, COMPACT_BYTES = 256, 64, 256_000_000
"""Numbers kept of a picture: as many as let the whole data set take no more than this."""
KEPT_BYTES = 100_000_000
"""What full descriptions may go on to take on disk once the run that needed them is done."""


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


class Describer(Protocol):
    """Describes pictures."""

    name: str
    """In words, for people."""

    def of(self, places: Rows) -> Floats:
        """(k, d) float32 of the pictures at these places among those that it was made for."""

    def of_pictures(self, picture: Callable[[int], bytes], n: int) -> Floats:
        """(n, d) float32 of other files."""


@dataclass(frozen=True)
class Compact:
    """The main directions of an embedding, small enough to be kept.

    vectors   (k, d) float16, d at most MOST_DIRECTIONS, of unit size in the mean
    rows      (k,) int64 sample rows, ascending
    file      where the vectors lie, None where nothing is kept
    describe  (picture, n) -> (n, d) float32 of n further files, by the same directions; None for
              vectors that were given
    """

    name: str
    vectors: Halves
    rows: Rows
    file: Path | None
    describe: Callable[[Callable[[int], bytes], int], Floats] | None


def describable(evidence: Evidence) -> Rows:
    """(k,) int64 rows whose picture decodes."""
    decodes = np.isin(evidence.texts("error"), ("", "damaged"))
    return np.flatnonzero(decodes).astype(np.int64)


def resolved(kind: str, workspace: Path) -> str:
    """The same kind with absolute paths. Raises Misuse for a file or run that is not there."""
    what, _, rest = kind.partition(":")
    if kind.endswith(".npy"):
        return _there(kind)
    if what == "run" and rest:
        return f"run:{_there(workspace / 'runs' / rest)}"
    if what == "task" and rest:
        path, weights = _task_parts(rest)
        return f"task:{_there(path)}" + (f":{_there(weights)}" if weights else "")
    if what == "backbone" and rest.count(":"):
        model, _, weights = rest.partition(":")
        return f"backbone:{model}:{_there(weights)}" if weights else f"backbone:{model}"
    return kind


def _there(path: Path | str) -> str:
    found = Path(path).expanduser()
    if not found.exists():
        raise Misuse(f"There is no file {found}.")
    return str(found.resolve())


def _task_parts(rest: str) -> tuple[str, str]:
    """FILE.py and WEIGHTS of FILE.py:WEIGHTS."""
    head, mark, weights = rest.partition(".py:")
    return (f"{head}.py", weights) if mark else (rest, "")


# -- the whole description ----------------------------------------------------------------------


def embedding(
    evidence: Evidence, files: Files, kind: str, *, folder: Path | None, device: str = "cpu",
    seed: int = 0, progress: Progress,
) -> Embedding:  # fmt: skip
    """The description of every picture that decodes, in full; see the module for `kind`.

    folder  where descriptions are kept, None: nowhere

    Raises Misuse for a kind, file or weights that do not fit, and whatever `progress` raises.
    """
    rows = describable(evidence)
    if kind.endswith(".npy"):
        return Embedding(f"vectors of {Path(kind).name}", _given(Path(kind), evidence, rows), rows)
    way = _way(evidence, files, rows, kind, device, seed, progress)
    path = folder / f"{_key(evidence, rows, way.identity)}.npy" if folder else None
    if path is not None and path.exists():
        return Embedding(_name(path), np.asarray(np.load(path, mmap_mode="r")), rows)
    describer = way.start()
    everything = np.arange(len(rows))
    whole = _by_blocks(path, everything, lambda p, _: describer.of(p), progress, len(rows))
    return Embedding(describer.name, _whole(path, whole, describer.name), rows)


def tidied(folder: Path | None, keep: Path | None = None) -> None:
    """Deletes descriptions that nobody needs any more: full ones beyond KEPT_BYTES, what stopped
    runs left behind, compact ones but for `keep` and the newest."""
    if folder is None or not folder.is_dir():
        return
    files = sorted(folder.glob("*.np[yz]"), key=lambda p: -p.stat().st_mtime)
    full = [p for p in files if p.suffix == ".npy" and p.name.count(".") == 1]
    compacts = [p for p in files if p.name.endswith(".compact.npy")]
    stay = {keep, *compacts[:1]} & set(compacts)
    stay |= {p.with_name(p.name.replace(".compact.npy", ".axes.npz")) for p in stay if p}
    left = KEPT_BYTES
    for path in full:
        left -= path.stat().st_size
        stay |= {path} if left >= 0 else set()
    for path in files:
        if path not in stay:
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)


@dataclass(frozen=True)
class _Way:
    """What starts describing, and what its results depend on beside the pictures."""

    start: Callable[[], Describer]
    identity: str


def _way(
    evidence: Evidence, files: Files, rows: Rows, kind: str, device: str, seed: int,
    progress: Progress, filters: int = 0,
) -> _Way:  # fmt: skip
    """`filters`: of one layer of patches; 0 for two layers, as many as there is room for."""
    what, _, rest = kind.partition(":")
    if what == "patches" and not rest:
        # more filters than pictures describe noise; a small data set is described in seconds
        layers = 1 if filters else 2
        most = min(filters or FILTERS, max(SMALL_SET, len(rows)))
        room = MOST_BYTES / (A_FILTER[layers - 1] * max(len(rows), 1))
        n_filters = int(np.clip(room, FEWEST_FILTERS, most))
        return _Way(
            lambda: _Patches(evidence, files, rows, layers, n_filters, device, seed, progress),
            f"patches {n_filters} {seed}" if filters else f"two layers {n_filters} {seed}",
        )
    if what == "backbone" and rest:
        model, _, weights = rest.partition(":")
        return _Way(
            lambda: _backbone(model, weights, device, rows, files),
            f"backbone {model} {_of_file(weights)}",
        )
    if what in ("task", "run") and rest:
        path, weights = _task_parts(rest) if what == "task" else ("", rest)
        return _Way(
            lambda: _task(path, weights, device, evidence, rows, files, seed, progress),
            f"task {_of_file(path)} {_of_weights(weights)} {seed}",
        )
    raise Misuse(
        f"{kind!r} is no embedding. Say patches, backbone:MODEL, backbone:MODEL:WEIGHTS.pth, "
        "task:FILE.py, task:FILE.py:WEIGHTS, run:ID or the name of an .npy file."
    )


class _Patches:
    """Whitened patches of the data set itself; the squares of a large one are read as needed."""

    def __init__(
        self, evidence: Evidence, files: Files, rows: Rows, layers: int, n_filters: int,
        device: str, seed: int, progress: Progress,
    ) -> None:  # fmt: skip
        from recipe_core.images.embedding_patches import PatchEmbedding
        from recipe_core.images.embedding_two_layers import TwoLayers
        from recipe_core.images.squares import side_for, squares

        side = side_for(evidence, rows)
        some = rows if len(rows) <= HELD else _some(rows, HELD, seed)
        drawn, _ = squares(evidence, files, some, side, progress)
        self._squares: Callable[[Rows], npt.NDArray[np.uint8]] = (
            drawn.__getitem__ if len(rows) <= HELD
            else lambda places: squares(evidence, files, rows[places], side, _unsaid(progress))[0]
        )  # fmt: skip
        way = PatchEmbedding if layers == 1 else TwoLayers
        self._made = way(drawn, n_filters=n_filters, seed=seed, device=device)
        self._side = side
        layered = "" if layers == 1 else " in two layers"
        self.name = f"{n_filters:,} whitened patches{layered} of the data set itself"

    def of(self, places: Rows) -> Floats:
        return self._made.of(self._squares(places))

    def of_pictures(self, picture: Callable[[int], bytes], n: int) -> Floats:
        from recipe_core.images.squares import square

        return self._made.of(np.stack([square(picture(i), self._side) for i in range(n)]))


def _unsaid(progress: Progress) -> Progress:
    """A block is read within a longer activity: its own counts would jump about, a stop counts."""
    return lambda what, done, of: progress("describing pictures", 0, 0) if not done else None


def _some(rows: Rows, n: int, seed: int) -> Rows:
    return np.sort(np.random.default_rng(seed).permutation(rows)[:n])


def _backbone(model: str, weights: str, device: str, rows: Rows, files: Files) -> Describer:
    from recipe_core.images.embedding_backbone import Backbone

    return Backbone(model, weights, device, rows, files)


def _task(
    path: str, weights: str, device: str, evidence: Evidence, rows: Rows, files: Files, seed: int,
    progress: Progress,
) -> Describer:  # fmt: skip
    from recipe_core.training.describing import TaskModel

    file = Path(path) if path else None
    return TaskModel(file, weights, device, evidence, rows, files, seed, progress)


def _of_weights(path: str) -> str:
    """What the weights of a file, or the newest of a run's folder, depend on."""
    newest = Path(path) / "checkpoints" / "latest"
    if path and newest.is_file():
        return f"{Path(path).name} {newest.read_text(encoding='ascii').strip()}"
    return _of_file(path)


def _of_file(path: str) -> str:
    if not path:
        return "torchvision"
    try:
        with Path(path).open("rb") as f:
            return hashlib.file_digest(f, "blake2b").hexdigest()[:24]
    except OSError as e:
        raise Misuse(f"{path} cannot be read: {e.strerror or e}.") from None


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


def _name(path: Path) -> str:
    """How the pictures of a stored description were described."""
    try:
        return str(json.loads(path.with_suffix(".json").read_text(encoding="ascii"))["name"])
    except (OSError, ValueError, KeyError):
        return "an embedding made earlier"


# -- its main directions ------------------------------------------------------------------------


def compact(
    evidence: Evidence, files: Files, kind: str, *, folder: Path | None, device: str = "cpu",
    seed: int = 0, progress: Progress,
) -> Compact:  # fmt: skip
    """The main directions of the description of every picture that decodes.

    Never more than FITTED_ON pictures are described in full at a time: the first, drawn at random,
    say what the directions are. Arguments and errors as in `embedding`.
    """
    rows = describable(evidence)
    width = int(np.clip(COMPACT_BYTES / (2 * max(len(rows), 1)), FEWEST_DIRECTIONS,
                        MOST_DIRECTIONS))  # fmt: skip
    if kind.endswith(".npy"):
        full = _given(Path(kind), evidence, rows)
        kept = directions(full, width, seed)
        digest = f"{_of_file(kind)}"
        path = folder / f"{_key(evidence, rows, digest)}.compact.npy" if folder else None
        found = kept.of(full).astype(np.float16)
        name = f"vectors of {Path(kind).name}"
        return Compact(name, _whole(path, found, name), rows, path, None)
    way = _way(evidence, files, rows, kind, device, seed, progress, COMPACT_FILTERS)
    key = _key(evidence, rows, f"{way.identity} {width}")
    path = folder / f"{key}.compact.npy" if folder else None
    started: list[Describer] = []

    def describer() -> Describer:
        if not started:
            started.append(way.start())
        return started[0]

    # the order in which pictures are described: the first say what the directions are
    order = np.random.default_rng(seed).permutation(len(rows))
    first = order[:FITTED_ON]
    axes_at = path.with_name(f"{key}.axes.npz") if path else None

    def describe(picture: Callable[[int], bytes], n: int) -> Floats:
        axes = _kept_axes(axes_at) or directions(_first(None, first, describer, progress), width)
        return axes.of(describer().of_pictures(picture, n))

    if path is not None and path.exists():
        return Compact(_name(path), np.load(path, mmap_mode="r"), rows, path, describe)
    axes, ready = _kept_axes(axes_at), None
    if axes is None:
        ready = _first(axes_at, first, describer, progress)
        axes = directions(ready, width)
        _keep_axes(axes_at, axes)
    found = _by_blocks(path, order, _along(axes, describer, ready), progress, len(rows))
    back = np.empty_like(found)
    back[order] = found
    return Compact(describer().name, _whole(path, back, describer().name), rows, path, describe)


def _along(
    axes: Directions, describer: Callable[[], Describer], ready: Halves | None
) -> Callable[[Rows, int], Floats]:
    """(places, how many came before them) -> along the axes; the first are described already."""

    def of(places: Rows, before: int) -> Floats:
        if ready is not None and before + len(places) <= len(ready):
            return axes.of(ready[before : before + len(places)])
        return axes.of(_in_order(describer().of, places))

    return of


def _first(
    path: Path | None, places: Rows, describer: Callable[[], Describer], progress: Progress
) -> Halves:
    """The pictures at these places in full; their blocks are kept until the axes are."""
    return _by_blocks(
        path, places, lambda p, _: _in_order(describer().of, p), progress, len(places)
    )


def _kept_axes(path: Path | None) -> Directions | None:
    if path is None or not path.exists():
        return None
    with np.load(path) as stored:
        mean, axes = (stored[k].astype(np.float32) for k in ("mean", "axes"))
        return Directions(mean, axes, float(stored["size"]))


def _keep_axes(path: Path | None, axes: Directions) -> None:
    if path is None:
        return
    half = {"mean": axes.mean.astype(np.float16), "axes": axes.axes.astype(np.float16)}
    write_arrays(path, {**half, "size": np.array(axes.size)})
    _forget_parts(path)


def _whole(path: Path | None, found: Halves, name: str) -> Halves:
    if path is None:
        return found
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path.with_suffix(".json"), {"name": name})
    _store(path, found)
    _forget_parts(path)
    return np.asarray(np.load(path, mmap_mode="r"))


def _in_order(of: Callable[[Rows], Floats], places: Rows) -> Floats:
    """What is read in the order of the files is read faster."""
    order = np.argsort(places)
    found = of(places[order])
    back = np.empty_like(found)
    back[order] = found
    return back


# -- block by block -----------------------------------------------------------------------------


def _by_blocks(
    path: Path | None, places: Rows, of: Callable[[Rows, int], Floats], progress: Progress, n: int
) -> Halves:
    """(k, d) of these places; what is missing is described and stored block by block.

    of  (places, how many came before them) -> (k, d)
    """
    blocks: list[Halves] = []
    for first in range(0, len(places), BLOCK):
        progress("describing pictures", first, n)
        part = path.with_name(f"{path.stem}.{first}.part.npy") if path else None
        if part is not None and part.exists():
            blocks.append(np.load(part))
            continue
        block = of(places[first : first + BLOCK], first).astype(np.float16)
        blocks.append(block)
        if part is not None:
            _store(part, block)
    return np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float16)


def _forget_parts(path: Path) -> None:
    for part in path.parent.glob(f"{path.stem}.*.part.npy"):
        part.unlink(missing_ok=True)


def _store(path: Path, values: npt.NDArray[np.floating]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as f:  # np.save would add an ending of its own to the name
            np.save(f, values)

    replaced(path, write)
