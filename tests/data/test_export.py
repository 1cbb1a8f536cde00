"""Does an export read back as what was decided, and can it never leave half a folder?"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from recipe_core import recipe
from recipe_core.data.cleaning import cleaned, preview
from recipe_core.data.export import export, original_paths
from recipe_core.images.boxes import pixel_boxes
from recipe_core.images.columns import PASS_FIELDS
from recipe_core.images.sources.detect import read_dataset
from recipe_core.kernel.errors import Cancelled, Misuse, UnknownName, WorkspaceError
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import Dataset, Finding, Subjects
from recipe_core.store.decisions import DECISION_FIELDS, Decisions

NOW = datetime(2025, 1, 31, tzinfo=UTC)
NONE_DECIDED = DECISION_FIELDS.empty_table()


@dataclass(frozen=True)
class Opened:
    """The bytes behind the rows of a data set on disk, read as they are."""

    evidence: Evidence

    def original(self, row: int) -> bytes:
        path = original_paths(self.evidence)[row]
        if path is not None:
            return path.read_bytes()
        samples = self.evidence.dataset.samples
        container = self.evidence.dataset.root / os.fsdecode(samples["file"][row].as_py())
        cell = pq.read_table(container)["image"][samples["member"][row].as_py()].as_py()
        return bytes(cell["bytes"])

    def thumbnail(self, row: int) -> bytes | None:
        return None


def measured(dataset: Dataset) -> Evidence:
    """Evidence with the columns that an export looks at, measured by Pillow."""
    bare = Evidence(dataset, dataset.samples, dataset.boxes)
    columns: dict[str, list[Any]] = {"width": [], "height": [], "orientation": [], "format": []}
    for row in range(len(bare)):
        for name, value in _looked_at(Opened(bare), row).items():
            columns[name].append(value)
    samples = dataset.samples
    for f in PASS_FIELDS:
        values = columns.get(f.name, [None] * samples.num_rows)
        samples = samples.append_column(f.name, pa.array(values, f.type))
    return Evidence(dataset, samples, pixel_boxes(dataset.boxes, samples))


def _looked_at(files: Opened, row: int) -> dict[str, Any]:
    try:
        image = Image.open(io.BytesIO(files.original(row)))
    except OSError:
        return dict.fromkeys(("width", "height", "orientation", "format"))
    size = {"width": image.width, "height": image.height}
    return size | {"orientation": 1, "format": image.format}


def picture(path: Path, colour: int = 0, size: tuple[int, int] = (16, 12)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (colour % 256, 90, 200)).save(path, "PNG")


def tree(root: Path) -> Evidence:
    """Two splits, two classes, five pictures each, all different."""
    for n, (split, label) in enumerate((s, c) for s in ("train", "test") for c in ("cat", "dog")):
        for i in range(5):
            picture(root / split / label / f"{i}.png", n * 10 + i)
    return measured(read_dataset(root))


def row_of(evidence: Evidence, path: str) -> int:
    return int(evidence.samples["path"].to_pylist().index(path))


def id_of(evidence: Evidence, path: str) -> str:
    return str(evidence.samples["sample_id"][row_of(evidence, path)].as_py())


def finding(
    evidence: Evidence, check: str, scores: Mapping[str, float], group: int | None = 0
) -> Finding:
    rows = np.array([row_of(evidence, p) for p in scores], np.int64)
    groups = None if group is None else np.full(len(rows), group, np.int64)
    details = [f"score {s}" for s in scores.values()]
    subjects = Subjects(rows, np.array(list(scores.values()), np.float32), details, groups)
    return Finding("fail", "seen", subjects=subjects, check=check)


def listed(dest: Path) -> dict[str, dict[str, str]]:
    with (dest / "excluded.csv").open(encoding="utf-8", newline="") as f:
        return {row["path"]: row for row in csv.DictReader(f)}


def contents(dataset: Dataset) -> list[tuple[Any, ...]]:
    """(label, split, bytes) of every sample, in no order: what a round trip must keep."""
    files = Opened(Evidence(dataset, dataset.samples, dataset.boxes))
    labels, splits = dataset.samples["label"].to_pylist(), dataset.samples["split"].to_pylist()
    rows = [(labels[i] or "", splits[i] or "", files.original(i)) for i in range(len(labels))]
    return sorted(rows)


def box_contents(evidence: Evidence) -> list[tuple[Any, ...]]:
    """(split, bytes, label, corners) of every box, in no order."""
    files, splits = Opened(evidence), evidence.samples["split"].to_pylist()
    return sorted(
        (splits[b["row"]] or "", files.original(b["row"]), b["label"],
         *(round(b[c], 6) for c in ("xmin", "ymin", "xmax", "ymax")))
        for b in evidence.boxes.to_pylist()
    )  # fmt: skip


def boxed(root: Path, rows: Sequence[tuple[str, str, list[tuple[str, list[float]]]]]) -> Evidence:
    """A COCO data set: (split, file name, boxes as (class, x y w h)), and a picture without any."""
    names = ["cat", "dog", 'odd "name": [x]']
    for split in dict.fromkeys(r[0] for r in rows):
        images, annotations = [], []
        for i, (_, name, boxes) in enumerate(r for r in rows if r[0] == split):
            picture(root / "images" / name, len(name) + 7 * i, (40 + i, 30))
            images.append({"id": i, "file_name": name, "width": 40 + i, "height": 30})
            annotations += [
                {"id": len(annotations) + k, "image_id": i, "category_id": names.index(label) + 1,
                 "bbox": bbox, "area": 1, "iscrowd": 0}
                for k, (label, bbox) in enumerate(boxes)
            ]  # fmt: skip
        categories = [{"id": i + 1, "name": n} for i, n in enumerate(names)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (root / "annotations").mkdir(exist_ok=True)
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))
    return measured(read_dataset(root))


def boxes_of_two_splits(root: Path) -> Evidence:
    return boxed(
        root,
        [
            ("train", "a.png", [("cat", [1.5, 2, 10, 20.25]), ("dog", [0, 0, 40, 30])]),
            ("train", "a.jpg", [("cat", [3, 3, 3, 3])]),
            ("train", "sub/images/b.png", [('odd "name": [x]', [5, 5, 7.125, 9])]),
            ("train", "empty.png", []),
            ("val", "c.png", [("dog", [2, 2, 8, 8])]),
        ],
    )


# -- what stays in -------------------------------------------------------------------------------


def test_nothing_decided_leaves_everything_in(tmp_path: Path) -> None:
    evidence = tree(tmp_path / "s")
    clean = cleaned(evidence, NONE_DECIDED, [])
    assert clean.reasons == [""] * 20
    assert clean.n_relabelled == 0


def test_decisions_and_findings_leave_out_what_they_name(tmp_path: Path) -> None:
    evidence, log = tree(tmp_path / "s"), Decisions(tmp_path / "d.db")
    log.record("exclude", [id_of(evidence, "train/cat/0.png")], "blurred", "eva", NOW)
    log.record("relabel", [id_of(evidence, "train/cat/1.png")], "dog", "eva", NOW)
    log.record("include", [id_of(evidence, "test/dog/1.png")], None, "eva", NOW)
    copies = finding(
        evidence,
        "exact_duplicates",
        {"train/dog/2.png": 1.0, "test/dog/2.png": 0.0, "test/dog/1.png": 0.1},
    )
    clean = cleaned(evidence, log.current(), [copies], ["exact_duplicates"])
    out = {p: r for p, r in zip(clean.paths, clean.reasons, strict=True) if r}
    assert out == {
        "train/cat/0.png": "excluded by hand: blurred",
        "test/dog/2.png": "exact_duplicates: score 0.0",
    }
    assert clean.labels[row_of(evidence, "train/cat/1.png")] == "dog"
    assert clean.n_relabelled == 1
    assert any("included them by hand" in n for n in clean.notes)


def test_a_finding_that_is_not_named_drops_nothing(tmp_path: Path) -> None:
    evidence = tree(tmp_path / "s")
    copies = finding(evidence, "exact_duplicates", {"train/dog/2.png": 0.0})
    assert cleaned(evidence, NONE_DECIDED, [copies]).reasons == [""] * 20


def test_a_group_that_goes_out_whole_is_told(tmp_path: Path) -> None:
    evidence, log = tree(tmp_path / "s"), Decisions(tmp_path / "d.db")
    copies = finding(evidence, "near_duplicates", {"train/dog/2.png": 1.0, "test/dog/2.png": 0.0})
    assert not cleaned(evidence, NONE_DECIDED, [copies], ["near_duplicates"]).notes
    log.record("exclude", [id_of(evidence, "train/dog/2.png")], None, "eva", NOW)
    notes = cleaned(evidence, log.current(), [copies], ["near_duplicates"]).notes
    assert ["near_duplicates" in n and "1 group" in n for n in notes] == [True]


def test_the_preview_counts_classes_before_and_after(tmp_path: Path) -> None:
    evidence, log = tree(tmp_path / "s"), Decisions(tmp_path / "d.db")
    log.record("exclude", [id_of(evidence, "train/cat/0.png")], None, "eva", NOW)
    log.record("relabel", [id_of(evidence, "train/cat/1.png")], "lion", "eva", NOW)
    rows = {
        (r["label"], r["split"]): (r["before"], r["after"])
        for r in preview(evidence, log.current(), []).to_pylist()
    }
    assert rows == {
        ("cat", "train"): (5, 3), ("dog", "train"): (5, 5), ("lion", "train"): (0, 1),
        ("cat", "test"): (5, 5), ("dog", "test"): (5, 5),
    }  # fmt: skip


def test_a_check_that_was_not_judged_or_does_not_exist_is_refused(tmp_path: Path) -> None:
    evidence = tree(tmp_path / "s")
    skipped = Finding("skipped", "Not judged: no splits.", check="split_leak")
    with pytest.raises(Misuse, match="no splits"):
        cleaned(evidence, NONE_DECIDED, [skipped], ["split_leak"])
    with pytest.raises(UnknownName, match="split_leak"):
        cleaned(evidence, NONE_DECIDED, [skipped], ["split_leek"])


# -- round trips ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["manifest", "imagefolder"])
def test_a_cleaned_folder_reads_back(tmp_path: Path, kind: Any) -> None:
    evidence, log = tree(tmp_path / "s"), Decisions(tmp_path / "d.db")
    log.record("exclude", [id_of(evidence, "train/cat/0.png")], "blurred", "eva", NOW)
    log.record("relabel", [id_of(evidence, "train/cat/1.png")], "dog", "eva", NOW)
    log.record("tag", [id_of(evidence, "train/cat/1.png")], "odd", "eva", NOW)
    before = contents(evidence.dataset)
    dest = tmp_path / "out"
    summary = export(evidence, Opened(evidence), dest, kind, decisions=log.current())
    blurred = (tmp_path / "s/train/cat/0.png").read_bytes()
    relabelled = (tmp_path / "s/train/cat/1.png").read_bytes()
    wanted = [r for r in before if r[2] not in (blurred, relabelled)]
    back = read_dataset(dest)
    assert contents(back) == sorted([*wanted, ("dog", "train", relabelled)])
    assert set(back.splits) == {"train", "test"}
    assert (summary.n_exported, summary.n_excluded, summary.n_relabelled) == (19, 1, 1)
    assert set(listed(dest)) == {"train/cat/0.png"}
    assert listed(dest)["train/cat/0.png"]["reason"] == "excluded by hand: blurred"
    assert contents(evidence.dataset) == before


def test_a_manifest_keeps_relative_paths_and_further_columns(tmp_path: Path) -> None:
    picture(tmp_path / "s/x/a.png", 1)
    picture(tmp_path / "s/x/b.png", 2)
    lines = ("x/a.png,cat,train,web,0.1", "x/b.png,dog,,,", "x/a.png,dog,test,cam,3")
    (tmp_path / "s/m.csv").write_text("\n".join(["path,label,split,source,score", *lines]) + "\n")
    evidence = measured(read_dataset(tmp_path / "s/m.csv"))
    export(evidence, Opened(evidence), tmp_path / "out", "manifest", decisions=NONE_DECIDED)
    back = read_dataset(tmp_path / "out")
    assert back.format == "manifest"
    assert back.samples["path"].to_pylist() == [
        "images/x/a.png",
        "images/x/b.png",
        "images/x/a.png",
    ]
    assert back.samples["label"].to_pylist() == ["cat", "dog", "dog"]
    assert back.samples["split"].to_pylist() == ["train", None, "test"]
    assert back.samples["source"].to_pylist() == ["web", None, "cam"]
    assert back.samples["score"].to_pylist() == [0.1, None, 3.0]
    assert back.samples["original_path"].to_pylist() == ["x/a.png", "x/b.png", "x/a.png"]


@pytest.mark.parametrize("kind", ["coco", "yolo"])
def test_boxes_read_back(tmp_path: Path, kind: Any) -> None:
    evidence = boxes_of_two_splits(tmp_path / "s")
    assert evidence.boxes.num_rows == 5
    summary = export(evidence, Opened(evidence), tmp_path / "out", kind, decisions=NONE_DECIDED)
    back = measured(read_dataset(tmp_path / "out"))
    assert back.dataset.format == kind
    assert box_contents(back) == box_contents(evidence)
    assert contents(back.dataset) == contents(evidence.dataset)
    assert back.dataset.class_names == evidence.dataset.class_names
    assert summary.n_boxes == 5


@pytest.mark.parametrize("kind", ["coco", "yolo"])
def test_boxes_of_an_excluded_picture_go_with_it(tmp_path: Path, kind: Any) -> None:
    evidence, log = boxes_of_two_splits(tmp_path / "s"), Decisions(tmp_path / "d.db")
    gone = next(p for p in evidence.samples["path"].to_pylist() if p.endswith("a.png"))
    log.record("exclude", [id_of(evidence, gone)], None, "eva", NOW)
    export(evidence, Opened(evidence), tmp_path / "out", kind, decisions=log.current())
    back = measured(read_dataset(tmp_path / "out"))
    row = row_of(evidence, gone)
    kept = Evidence(
        evidence.dataset, evidence.samples,
        evidence.boxes.filter(pa.array([r != row for r in evidence.boxes["row"].to_pylist()])),
    )  # fmt: skip
    assert box_contents(back) == box_contents(kept)


@pytest.mark.parametrize("kind", ["coco", "yolo"])
def test_data_without_boxes_has_no_place_in_box_formats(tmp_path: Path, kind: Any) -> None:
    evidence = tree(tmp_path / "s")
    with pytest.raises(Misuse, match="manifest or imagefolder"):
        export(evidence, Opened(evidence), tmp_path / "out", kind, decisions=NONE_DECIDED)
    assert not (tmp_path / "out").exists()


def test_embedded_pictures_become_files(tmp_path: Path) -> None:
    cells = []
    for i in range(4):
        buffer = io.BytesIO()
        Image.new("RGB", (9, 7), (i * 50, 0, 0)).save(buffer, ("PNG", "JPEG")[i % 2])
        cells.append({"bytes": buffer.getvalue(), "path": "x"})
    table = pa.table({"image": cells, "label": ["cat", "dog", "cat", "dog"]})
    (tmp_path / "s/data").mkdir(parents=True)
    pq.write_table(table, tmp_path / "s/data/train-00000.parquet")
    evidence = measured(read_dataset(tmp_path / "s"))
    before = contents(evidence.dataset)
    for kind in ("imagefolder", "manifest"):
        dest = tmp_path / kind
        export(evidence, Opened(evidence), dest, kind, decisions=NONE_DECIDED, link="symlink")  # type: ignore[arg-type]
        assert contents(read_dataset(dest)) == before
        found = sorted(p.suffix for p in dest.rglob("*") if p.suffix in (".png", ".jpg"))
        assert found == [".jpg", ".jpg", ".png", ".png"]


# -- names ---------------------------------------------------------------------------------------

HOSTILE = (
    b"plain.png", b"with space.png", b"line\nbreak.png", b"caf\xe9.png", "café.png".encode(),
    b'"quoted", and, comma.png', b"<script>alert(1)</script".replace(b"/", b"_") + b".png",
    b"-rf.png", b"back\\slash.png", b"UPPER.png", b"upper.png", "日本語.png".encode(),
)  # fmt: skip


@pytest.mark.parametrize("kind", ["manifest", "imagefolder"])
def test_hostile_names_arrive(tmp_path: Path, kind: Any) -> None:
    for label in ("cat", "dog"):
        for i, name in enumerate(HOSTILE):
            picture(tmp_path / "s" / label / os.fsdecode(name), i + 100 * (label == "dog"))
    evidence = measured(read_dataset(tmp_path / "s"))
    assert len(evidence) == 2 * len(HOSTILE)
    dest = tmp_path / "out"
    export(evidence, Opened(evidence), dest, kind, decisions=NONE_DECIDED)
    assert contents(read_dataset(dest)) == contents(evidence.dataset)
    names = [os.fsencode(p) for p in dest.rglob("*.png")]
    assert len({n.lower() for n in names}) == len(names)
    assert all(n.decode("utf-8") for n in names)


def test_one_name_in_many_folders_gets_numbers_in_order(tmp_path: Path) -> None:
    for i, folder in enumerate(("a", "b", "c")):
        picture(tmp_path / "s" / folder / "x.png", i)
    lines = ["path,label,split", *(f"{f}/x.png,cat,train" for f in "abc"), "a/x.png,cat,train"]
    (tmp_path / "s/m.csv").write_text("\n".join(lines) + "\n")
    evidence = measured(read_dataset(tmp_path / "s/m.csv"))
    export(evidence, Opened(evidence), tmp_path / "out", "imagefolder", decisions=NONE_DECIDED)
    found = {p.name: p.read_bytes() for p in (tmp_path / "out/train/cat").iterdir()}
    source = {f: (tmp_path / "s" / f / "x.png").read_bytes() for f in "abc"}
    assert found == {
        "x.png": source["a"],
        "x_2.png": source["b"],
        "x_3.png": source["c"],
        "x_4.png": source["a"],
    }


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    """Neither a class called ../../x nor a picture that lies outside the root."""
    picture(tmp_path / "elsewhere/deep/a.png", 1)
    picture(tmp_path / "s/b.png", 2)
    outside = tmp_path / "elsewhere/deep/a.png"
    text = f"path,label\n{outside},../../../evil\nb.png,..\nb.png,a/../b\n"
    (tmp_path / "s/m.csv").write_text(text)
    evidence = measured(read_dataset(tmp_path / "s/m.csv"))
    before = {p for p in tmp_path.rglob("*") if p.is_file()}
    for kind in ("imagefolder", "manifest"):
        dest = tmp_path / "1/2/3/4" / kind
        summary = export(evidence, Opened(evidence), dest, kind, decisions=NONE_DECIDED)  # type: ignore[arg-type]
        assert summary.n_exported == 3
        new = {p for p in tmp_path.rglob("*") if p.is_file()} - before
        assert len(new) == 4  # a manifest's rows share b.png, and it has a file more
        assert all(dest in p.parents for p in new)
        before |= new
    assert contents(read_dataset(tmp_path / "1/2/3/4/manifest")) == contents(evidence.dataset)


# -- what a format cannot hold, and files that cannot be read ------------------------------------


def test_what_cannot_be_held_is_listed_with_its_reason(tmp_path: Path) -> None:
    picture(tmp_path / "s/a.png", 1)
    picture(tmp_path / "s/b.png", 2)
    (tmp_path / "s/m.csv").write_text("path,label\na.png,cat\nb.png,\ngone.png,cat\n")
    evidence = measured(read_dataset(tmp_path / "s/m.csv"))
    summary = export(
        evidence, Opened(evidence), tmp_path / "out", "imagefolder", decisions=NONE_DECIDED
    )
    reasons = {path: row["reason"] for path, row in listed(tmp_path / "out").items()}
    assert summary.n_exported == 1
    assert "no label" in reasons["b.png"]
    assert "cannot be read" in reasons["gone.png"]
    assert set(reasons) == {"b.png", "gone.png"}


def test_yolo_lists_pictures_without_size_and_other_splits(tmp_path: Path) -> None:
    rows = [
        ("train", "a.png", [("cat", [1.0, 1.0, 5.0, 5.0])]),
        ("holdout", "b.png", [("cat", [1.0, 1.0, 5.0, 5.0])]),
    ]
    evidence = boxed(tmp_path / "s", rows)
    (tmp_path / "s/images/a.png").write_bytes(b"broken")
    evidence = measured(evidence.dataset)
    splits = evidence.samples["split"].to_pylist()
    if splits[1] is None:
        pytest.skip("the source does not take 'holdout' for a split")
    export(evidence, Opened(evidence), tmp_path / "out", "yolo", decisions=NONE_DECIDED)
    assert len(listed(tmp_path / "out")) == 2


# -- links ---------------------------------------------------------------------------------------


def test_links_point_at_the_source(tmp_path: Path) -> None:
    evidence = tree(tmp_path / "s")
    source = tmp_path / "s/train/cat/0.png"
    for link in ("hardlink", "symlink", "copy"):
        export(
            evidence,
            Opened(evidence),
            tmp_path / link,
            "imagefolder",
            decisions=NONE_DECIDED,
            link=link,
        )  # type: ignore[arg-type]
    assert (tmp_path / "hardlink/train/cat/0.png").samefile(source)
    assert (tmp_path / "symlink/train/cat/0.png").readlink() == source
    copy = tmp_path / "copy/train/cat/0.png"
    assert not copy.samefile(source)
    assert copy.read_bytes() == source.read_bytes()


def test_hard_links_to_another_disk_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test cannot mount a second disk: the system call is made to answer as it would."""
    evidence = tree(tmp_path / "s")

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(Misuse, match="--link copy"):
        export(
            evidence,
            Opened(evidence),
            tmp_path / "out",
            "imagefolder",
            decisions=NONE_DECIDED,
            link="hardlink",
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s"]


# -- all or nothing ------------------------------------------------------------------------------


def test_who_leaves_out_what_only_needs_converting_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for i in range(4):
        picture = Image.effect_noise((40, 30), 40 + i).convert("CMYK" if i == 3 else "RGB")
        picture.save(tmp_path / "data" / f"{i}.jpg")
    recipe.scan(tmp_path / "data", tmp_path / "w", engine="here")
    for drop, told in ((["format_forensics"], True), (["corruption"], False), ([], False)):
        dest = tmp_path / "-".join(["clean", *drop])
        written = recipe.export(tmp_path / "w", dest, kind="manifest", drop=drop)
        assert written.n_excluded == told
        assert any("only need converting" in note for note in written.notes) == told


def test_a_folder_that_is_not_empty_is_refused_and_kept(tmp_path: Path) -> None:
    evidence = tree(tmp_path / "s")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for dest in (tmp_path / "out", tmp_path / "file", tmp_path / "s/inside", tmp_path / "s"):
        with pytest.raises(Misuse):
            export(evidence, Opened(evidence), dest, "manifest", decisions=NONE_DECIDED)
    assert (tmp_path / "out/mine.txt").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "out", "s"]
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == ["test", "train"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    evidence = tree(tmp_path / "s")
    (tmp_path / "out").mkdir()
    assert (
        export(
            evidence, Opened(evidence), tmp_path / "out", "manifest", decisions=NONE_DECIDED
        ).n_exported
        == 20
    )


def test_unknown_words_are_refused(tmp_path: Path) -> None:
    evidence = tree(tmp_path / "s")
    with pytest.raises(UnknownName, match="imagefolder"):
        export(evidence, Opened(evidence), tmp_path / "o", "imagefolders", decisions=NONE_DECIDED)  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="hardlink"):
        export(
            evidence,
            Opened(evidence),
            tmp_path / "o",
            "manifest",
            decisions=NONE_DECIDED,
            link="hard",
        )  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [Cancelled("stop"), KeyboardInterrupt()])
def test_stopping_leaves_nothing_behind(tmp_path: Path, error: BaseException) -> None:
    evidence = tree(tmp_path / "s")

    def stop(activity: str, done: int, total: int) -> None:
        if done == 7:
            raise error

    with pytest.raises(type(error)):
        export(
            evidence,
            Opened(evidence),
            tmp_path / "out",
            "manifest",
            decisions=NONE_DECIDED,
            progress=stop,
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s"]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = tree(tmp_path / "s")
    monkeypatch.setattr(shutil, "copyfileobj", _no_room)
    with pytest.raises(WorkspaceError, match="No space left"):
        export(evidence, Opened(evidence), tmp_path / "out", "manifest", decisions=NONE_DECIDED)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s"]


def _no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


KILLED = """
import sys, time
from pathlib import Path
from recipe_core.data.export import export
from tests.data.test_export import NONE_DECIDED, Opened, measured, read_dataset
evidence = measured(read_dataset(sys.argv[1]))
def slow(activity, done, total):
    print(done, flush=True)
    time.sleep(0.02)
dest = Path(sys.argv[2])
export(evidence, Opened(evidence), dest, "imagefolder", decisions=NONE_DECIDED, progress=slow)
"""


def test_a_killed_export_looks_like_none(tmp_path: Path) -> None:
    evidence = tree(tmp_path / "s")
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "s"), str(tmp_path / "out")],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout
    while process.stdout.readline().strip() != "5":
        assert process.poll() is None
    time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "out").exists()
    assert len(list(tmp_path.glob("out.partial-*"))) == 1
    export(evidence, Opened(evidence), tmp_path / "out", "imagefolder", decisions=NONE_DECIDED)
    assert contents(read_dataset(tmp_path / "out")) == contents(evidence.dataset)
