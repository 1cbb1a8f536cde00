"""How does the cleaned data set leave the house? As a new folder; the source is never touched.

    manifest     DEST/manifest.csv and DEST/images/<path as in the source>
    imagefolder  DEST/<split>/<class>/<file name>
    coco         DEST/images/…, DEST/annotations/instances_<split>.json
    yolo         DEST/images/<split>/…, DEST/labels/<split>/…, DEST/data.yaml

Every exclusion and its reason is a line of DEST/excluded.csv (see cleaning.py). Everything is
written beside DEST and renamed at the end, so a DEST that exists is whole.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pyarrow as pa

from recipe_core.data.cleaning import Cleaned, by_sample, cleaned, counts
from recipe_core.data.export_formats import WRITERS, Parcel, write_csv
from recipe_core.data.export_names import LISTING, Item, file_names, laid_out
from recipe_core.images.sources.source import split_of
from recipe_core.kernel.errors import Misuse, UnknownName, WorkspaceError
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.progress import Progress, silent

Kind = Literal["manifest", "imagefolder", "coco", "yolo"]
Link = Literal["copy", "hardlink", "symlink"]
LISTED = ("sample_id", "path", "split", "label", "reason")


@dataclass(frozen=True)
class ExportSummary:
    """What an export wrote.

    counts  label, split, before, after: samples per class and split
    notes   sentences that the user should read
    """

    dest: Path
    kind: str
    n_exported: int
    n_excluded: int
    n_relabelled: int
    n_boxes: int
    counts: pa.Table
    notes: tuple[str, ...] = ()


def original_paths(evidence: Evidence) -> list[Path | None]:
    """The absolute path of each sample's own file; None for a picture inside a container."""
    root = evidence.dataset.root.absolute()
    members = evidence.column("member").to_pylist()
    names = file_names(evidence)
    return [
        root / os.fsdecode(n) if m is None else None for n, m in zip(names, members, strict=True)
    ]


def export(
    evidence: Evidence,
    files: Files,
    dest: Path,
    kind: Kind,
    *,
    decisions: pa.Table,
    findings: Sequence[Finding] = (),
    drop: Sequence[str] = (),
    link: Link = "copy",
    originals: Sequence[Path | None] | None = None,
    progress: Progress = silent,
) -> ExportSummary:
    """Writes the cleaned data set to `dest`, which must not exist or be empty.

    files      gives the bytes of pictures inside containers (they are always written out)
    originals  absolute path per sample, None inside containers; default: `original_paths`
    link       hardlink: no room needed, but who changes the export changes the source

    Raises UnknownName, Misuse (nothing written), WorkspaceError (disk full, no permission), and
    what `progress` raises; whatever is raised, `dest` is as before.
    """
    dest = Path(os.path.abspath(dest))  # noqa: PTH100  resolve() would follow a link at the end
    _check_call(evidence, dest, kind, link)
    clean = cleaned(evidence, decisions, findings, drop)
    clean = _without_unfit(evidence, clean, kind)
    items = laid_out(evidence, clean, kind)
    partial = dest.with_name(f"{dest.name}.partial-{os.getpid()}")
    paths = original_paths(evidence) if originals is None else originals
    with _all_or_nothing(partial, dest):
        lost = _place_all(
            items, partial, lambda row, to: _placed(row, to, paths[row], files, link), progress
        )
        items = [i for i in items if i.row not in lost]
        clean = replace(clean, reasons=[r or lost.get(n, "") for n, r in enumerate(clean.reasons)])
        parcel = Parcel(
            evidence,
            partial,
            items,
            clean.ids,
            clean.paths,
            by_sample(decisions),
            list(clean.notes),
        )
        n_boxes = WRITERS[kind](parcel)
        _write_excluded(partial / LISTING, clean)
    return ExportSummary(
        dest, kind, len(items), sum(map(bool, clean.reasons)), clean.n_relabelled, n_boxes,
        counts(clean), tuple(parcel.notes),
    )  # fmt: skip


def _check_call(evidence: Evidence, dest: Path, kind: str, link: str) -> None:
    if kind not in get_args(Kind):
        raise UnknownName("export format", kind, get_args(Kind))
    if link not in get_args(Link):
        raise UnknownName("way to link", link, get_args(Link))
    if kind in ("coco", "yolo") and evidence.boxes.num_rows == 0:
        raise Misuse(f"{kind} holds boxes and this data set has none: use manifest or imagefolder.")
    if dest.is_symlink() or (dest.exists() and not dest.is_dir()):
        raise Misuse(f"{dest} is no folder: name one that does not exist yet.")
    if dest.is_dir() and any(dest.iterdir()):
        raise Misuse(f"{dest} is not empty: name a folder that does not exist yet.")
    root = evidence.dataset.root.resolve()
    if dest.resolve() == root or root in dest.resolve().parents:
        raise Misuse(f"{dest} lies inside the data set, which stays as it is: name another folder.")


@contextmanager
def _all_or_nothing(partial: Path, dest: Path) -> Iterator[None]:
    """Makes `partial`; it becomes `dest` at the end, and is removed if anything goes wrong."""
    try:
        partial.mkdir(parents=True)
        try:
            yield
            if dest.is_dir():
                dest.rmdir()
            partial.rename(dest)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    except OSError as e:
        raise WorkspaceError(
            f"{dest} cannot be written: {e.strerror or e} ({e.filename}). Nothing was left behind."
        ) from None


def _without_unfit(evidence: Evidence, clean: Cleaned, kind: str) -> Cleaned:
    """Also without what the format cannot hold, with the reason."""
    unfit = _unfit_for(evidence, clean, kind)
    return replace(clean, reasons=[r or unfit(row) for row, r in enumerate(clean.reasons)])


def _unfit_for(evidence: Evidence, clean: Cleaned, kind: str) -> Callable[[int], str]:
    """row -> why the format cannot hold it, '' where it can."""
    if kind == "imagefolder":
        return _unfit_for_folders(clean)
    if kind == "coco":
        return _unfit_for_boxes(evidence)
    return _unfit_for_yolo(evidence, clean) if kind == "yolo" else lambda row: ""


def _unfit_for_folders(clean: Cleaned) -> Callable[[int], str]:
    labelled = any(label is not None for label in clean.labels)
    return lambda row: (
        "no label: an image folder cannot hold it" if labelled and clean.labels[row] is None else ""
    )


def _unfit_for_boxes(evidence: Evidence) -> Callable[[int], str]:
    sizes = np.stack([evidence.numbers("width"), evidence.numbers("height")])
    sized = set(np.flatnonzero(np.isfinite(sizes).all(axis=0)).tolist())
    return lambda row: "" if row in sized else "its size is unknown: the picture cannot be read"


def _unfit_for_yolo(evidence: Evidence, clean: Cleaned) -> Callable[[int], str]:
    sized = _unfit_for_boxes(evidence)
    anywhere = any(s is not None for s in clean.splits)
    return lambda row: (
        "its split has no place in YOLO (train, val, test)"
        if anywhere and split_of(clean.splits[row] or "") is None
        else sized(row)
    )


def _place_all(
    items: Sequence[Item], folder: Path, place: Callable[[int, Path], str], progress: Progress
) -> dict[int, str]:
    """Puts every picture where it belongs; row -> reason for those that cannot be read."""
    lost: dict[int, str] = {}
    placed: set[str] = set()
    made: set[Path] = set()
    for done, item in enumerate(items):
        progress("exporting", done, len(items))
        target = folder / item.name
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        reason = "" if item.name in placed else place(item.row, target)
        if reason:
            lost[item.row] = reason
        else:
            placed.add(item.name)
    progress("exporting", len(items), len(items))
    return lost


def _placed(row: int, target: Path, original: Path | None, files: Files, link: str) -> str:
    """'' once the picture is there, else why it cannot be read. Raises OSError, Misuse."""
    try:
        source = io.BytesIO(files.original(row)) if original is None else original.open("rb")
    except OSError as e:
        return f"the file cannot be read: {e.strerror or e}"
    with source:
        if link == "copy" or original is None:
            with target.open("xb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
            return ""
    _linked(original, target, link)
    return ""


def _linked(original: Path, target: Path, link: str) -> None:
    if link == "symlink":
        target.symlink_to(original.absolute())
        return
    try:
        os.link(os.path.realpath(original), target)
    except OSError as e:
        if e.errno in (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EACCES):
            raise Misuse(
                f"Hard links to {original} are not possible here ({e.strerror}): export to the "
                "disk that holds the data set, or use --link copy or --link symlink."
            ) from None
        raise


def _write_excluded(path: Path, clean: Cleaned) -> None:
    columns = (clean.ids, clean.paths, clean.splits, clean.before, clean.reasons)
    rows = (row for row in zip(*columns, strict=True) if row[-1])
    write_csv(path, LISTED, rows)
