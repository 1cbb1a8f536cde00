"""Which pictures does a run train on and which is it judged by? The labelled ones of two splits.

images = open_images(workspace, config, progress)
images.train, images.eval      positions, e.g. images.labels[images.train]
images.picture(i)              the Pillow image, for a task's own transforms
images.pixels                  uint8, decoded and resized once, for the product's own
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recipe_core.execution.executor import Executor
from recipe_core.images.look import FileRef, read_bytes
from recipe_core.images.rgb import rgb
from recipe_core.kernel.errors import Misuse, UnknownName
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.progress import Progress, silent
from recipe_core.training.config import RunConfig
from recipe_core.training.pixels import MANY, Pixels, decoded

if TYPE_CHECKING:
    from PIL import Image

TRUSTED = ("", "damaged")
"""Error classes of pictures that load; the others have no pixels."""
HELD_OUT = 0.2
SPLIT_SEED = 0
"""What is held out or left out never depends on a run's seed: another seed is not other data."""
SAME_PICTURE = 0.85
"""Likeness from which two pictures stay on one side of a split: where near_duplicates begins."""
SMALL_BYTES, KEPT_BYTES = 2**16, 2**27
"""Of a picture that is kept, and of all of them in a process, at most."""

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Images:
    """The samples of a run; n of them, training and evaluation together.

    rows         (n,) int64 into the sample table
    labels       (n,) int64 into class_names
    train, eval  (k,) int64 positions below n; no sample is in both
    splits       the names of the two, for people
    files        n files
    hashes       n content hashes
    notes        sentences that the user should read
    pixels       of all n, None until `with_pixels`
    """

    rows: Indices
    labels: Indices
    class_names: tuple[str, ...]
    train: Indices
    eval: Indices
    splits: tuple[str, str]
    files: Sequence[FileRef]
    hashes: Sequence[str]
    notes: tuple[str, ...] = ()
    pixels: Pixels | None = None
    _kept: dict[int, Image.Image] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def picture(self, i: int) -> Image.Image:
        """The picture in RGB as it is displayed, full size. Raises OSError where it is gone.

        One of a few pixels takes longer to open than to copy: such are kept, up to KEPT_BYTES.
        """
        known = self._kept.get(i)
        if known is not None:
            return known.copy()
        found = rgb(read_bytes(self.files[i]))
        size = 4 * found.width * found.height  # what Pillow holds of a colour picture
        if size <= SMALL_BYTES and len(self._kept) < KEPT_BYTES // SMALL_BYTES:
            self._kept[i] = found.copy()
        return found

    def counts(self) -> npt.NDArray[np.int64]:
        """(num_classes,) training samples of each class."""
        return np.bincount(self.labels[self.train], minlength=self.num_classes)

    def path(self, i: int) -> str:
        """The file as a person reads it."""
        return os.fsdecode(self.files[i].file)


def open_images(
    workspace: Path | str,
    config: RunConfig,
    progress: Progress = silent,
    *,
    pixels: bool = True,
    executor: Executor | None = None,
) -> Images:
    """The images of a workspace with its decisions applied, decoded where `pixels`.

    Raises WorkspaceError before the first scan, Misuse where there is nothing to train on.
    """
    from recipe_core.store.decisions import Decisions
    from recipe_core.store.results import read_evidence
    from recipe_core.store.workspace import Workspace

    place = Workspace(Path(workspace))
    images = chosen(read_evidence(place), config, Decisions(place.decisions).current())
    if not pixels:
        return images
    return with_pixels(images, config.image_size, place.path / "pixels", progress, executor)


def with_pixels(
    images: Images, size: int, folder: Path, progress: Progress, executor: Executor | None = None
) -> Images:
    """The images with their pixels at this size; those that are gone left out, with a note."""
    from dataclasses import replace

    executor = executor or _engine(len(images))
    found, gone = decoded(images.files, images.hashes, size, folder, executor, progress)
    images = replace(images, pixels=found)
    return _without(images, gone) if gone else images


def _engine(n: int) -> Executor:
    from recipe_core.execution.engines import engine

    return engine("here" if n < MANY else "local")


def _without(images: Images, gone: list[int]) -> Images:
    """The images without these positions."""
    from dataclasses import replace

    stays = np.setdiff1d(np.arange(len(images)), gone)
    new = np.full(len(images), -1)
    new[stays] = np.arange(len(stays))
    first = images.path(gone[0])
    note = f"{len(gone):,} pictures cannot be read any more and are left out, {first} first."
    pixels = images.pixels and Pixels(images.pixels.array, images.pixels.slots[stays])
    return replace(
        images, rows=images.rows[stays], labels=images.labels[stays], pixels=pixels,
        train=_kept(new[images.train]), eval=_kept(new[images.eval]),
        files=[images.files[i] for i in stays], hashes=[images.hashes[i] for i in stays],
        notes=(*images.notes, note),
    )  # fmt: skip


def _kept(positions: Indices) -> Indices:
    return positions[positions >= 0]


# -- which samples ------------------------------------------------------------------------------


def chosen(evidence: Evidence, config: RunConfig, decisions: pa.Table | None = None) -> Images:
    """The labelled, readable samples of the two splits that `config` names.

    decisions  store.decisions.DECISION_FIELDS: what is excluded stays out, relabels are applied

    Raises UnknownName for a split that does not exist, Misuse where there is nothing to train on.
    """
    usable, labels, names = _labelled(evidence, _decided(decisions))
    train, held, splits, notes = _split(evidence, usable, labels, config)
    train = _limited(train, labels, config)
    _refuse_nothing(train, held, labels, names, evidence)
    rows = np.concatenate([train, held])
    n = len(train)
    return Images(
        rows=rows, labels=labels[rows], class_names=names, train=np.arange(n),
        eval=np.arange(n, len(rows)), splits=splits, files=_files(evidence, rows),
        hashes=evidence.column("content_hash").take(pa.array(rows)).to_pylist(),
        notes=tuple(notes),
    )  # fmt: skip


def images_of(
    evidence: Evidence, rows: Indices, labels: Indices, class_names: tuple[str, ...]
) -> Images:
    """These samples as one set, without pixels; whoever parts them sets `train` and `eval`."""
    every = np.arange(len(rows))
    return Images(
        rows=rows, labels=labels, class_names=class_names, train=every, eval=every,
        splits=("all", "all"), files=_files(evidence, rows),
        hashes=evidence.column("content_hash").take(pa.array(rows)).to_pylist(),
    )  # fmt: skip


def _decided(decisions: pa.Table | None) -> Mapping[str, Mapping[str, Any]]:
    if decisions is None:
        return {}
    return {row["sample_id"]: row for row in decisions.to_pylist()}


def _labelled(
    evidence: Evidence, decided: Mapping[str, Mapping[str, Any]]
) -> tuple[npt.NDArray[np.bool_], Indices, tuple[str, ...]]:
    """(n,) which samples can be used, (n,) their class, -1 without; the classes' names."""
    texts = evidence.texts("label").copy()
    usable = np.isin(evidence.texts("error"), TRUSTED) & (evidence.texts("content_hash") != "")
    if decided:
        ids = evidence.texts("sample_id")
        for i in np.flatnonzero(np.isin(ids, list(decided))):
            decision = decided[ids[i]]
            texts[i] = decision["label"] or texts[i]
            usable[i] &= not decision["excluded"]
    usable &= texts != ""
    used = set(texts[usable])
    known = [c for c in evidence.dataset.class_names if c in used]
    names = (*known, *sorted(used - set(known)))
    place = {name: k for k, name in enumerate(names)}
    return usable, np.array([place.get(t, -1) for t in texts], dtype=np.int64), names


def _split(
    evidence: Evidence, usable: npt.NDArray[np.bool_], labels: Indices, config: RunConfig
) -> tuple[Indices, Indices, tuple[str, str], list[str]]:
    codes, names = evidence.codes("split")
    for asked in (config.train_split, config.eval_split):
        if asked and asked not in names:
            raise UnknownName("split", asked, names)
    filled = {n for k, n in enumerate(names) if (usable & (codes == k)).any()}
    train_name = config.train_split or ("train" if "train" in filled else "")
    others = [n for n in ("validation", "test") if n in filled and n != train_name]
    eval_name = config.eval_split or (others[0] if others and train_name else "")
    inside = codes == names.index(train_name) if train_name else np.ones(len(codes), bool)
    if eval_name and eval_name != train_name:
        outside = codes == names.index(eval_name)
        inside &= ~outside
        return (
            np.flatnonzero(usable & inside), np.flatnonzero(usable & outside),
            (train_name or f"all but {eval_name}", eval_name), [],
        )  # fmt: skip
    pool = np.flatnonzero(usable & inside)
    held = _held_out(pool, labels, _pictures(evidence), SPLIT_SEED)
    name = train_name or "all samples"
    note = (
        f"There is no split to evaluate on: {len(held):,} of the {len(pool):,} samples of {name} "
        f"({HELD_OUT:.0%}, an equal share of each class) are held out."
    )
    return np.setdiff1d(pool, held), held, (f"{name}, not held out", f"{name}, held out"), [note]


def _pictures(evidence: Evidence) -> Indices:
    """(n,) equal numbers for copies of one picture, exact or near, as far as that is known."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    hashes = evidence.texts("content_hash")
    _, first, code = np.unique(hashes, return_index=True, return_inverse=True)
    tied = [(np.arange(len(hashes)), first[code])]
    if "near_pairs" in evidence.tables:
        pairs = evidence.tables["near_pairs"]
        alike = pairs["similarity"].to_numpy() >= SAME_PICTURE
        tied.append((pairs["row_a"].to_numpy()[alike], pairs["row_b"].to_numpy()[alike]))
    a, b = (np.concatenate([pair[k] for pair in tied]) for k in (0, 1))
    n = len(hashes)
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _held_out(pool: Indices, labels: Indices, pictures: Indices, seed: int) -> Indices:
    """About a fifth of the pool, of each class; all copies of a picture on one side."""
    order = pool[np.random.default_rng(seed).permutation(len(pool))]
    held: list[Indices] = []
    taken: set[int] = set()
    for k in np.unique(labels[pool]):
        members = order[labels[order] == k]
        wanted = round(HELD_OUT * len(members))
        for picture in dict.fromkeys(pictures[members].tolist()):
            if picture in taken:
                continue
            copies = members[pictures[members] == picture]
            if wanted < len(copies):
                continue
            taken.add(picture)
            held.append(pool[pictures[pool] == picture])
            wanted -= len(copies)
    return np.sort(np.concatenate(held)) if held else np.empty(0, np.int64)


def _limited(train: Indices, labels: Indices, config: RunConfig) -> Indices:
    """`config.limit` of the samples, an equal share of each class; the same under every seed."""
    if not config.limit or config.limit >= len(train):
        return train
    return np.sort(train[stratified(labels[train], config.limit, SPLIT_SEED)])


def stratified(labels: Indices, n: int, seed: int) -> Indices:
    """(n,) positions: of each class as many as its share of `labels`, drawn by the seed."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    _, code, counts = np.unique(labels[order], return_inverse=True, return_counts=True)
    rank = np.empty(len(order))
    for k, count in enumerate(counts):  # the j-th of a class of m comes at (j + 1/2) / m
        rank[code == k] = (np.arange(count) + 0.5) / count
    return np.asarray(order[np.argsort(rank, kind="stable")[:n]], dtype=np.int64)


def _files(evidence: Evidence, rows: Indices) -> list[FileRef]:
    root = os.fsencode(evidence.dataset.root)
    wanted = evidence.samples.select(["file", "path", "member"]).take(pa.array(rows))
    columns = (wanted[c].to_pylist() for c in ("file", "path", "member"))
    return [
        FileRef(i, os.path.join(root, path.encode() if file is None else file), member)
        for i, (file, path, member) in enumerate(zip(*columns, strict=True))
    ]


def _refuse_nothing(
    train: Indices, held: Indices, labels: Indices, names: tuple[str, ...], evidence: Evidence
) -> None:
    if not len(names):
        raise Misuse(
            f"Nothing to train on: none of the {len(evidence):,} samples has a class label and a "
            "picture that can be read. Training needs one label per picture (boxes are not enough)."
        )
    present = len(np.unique(labels[train]))
    if present < 2 or not len(held):
        raise Misuse(
            f"Nothing to train on: {len(train):,} training samples of {present} classes, "
            f"{len(held):,} to evaluate on. Training needs two classes and an evaluation split; "
            "see `recipe samples`, and --set train_split=… eval_split=…."
        )
