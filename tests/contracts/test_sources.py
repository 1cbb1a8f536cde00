"""Does every source list every sample, whatever the files are called, and touch nothing?"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from recipe_core.images.columns import PASS_FIELDS
from recipe_core.images.sources import coco, folder, hf, listing, manifest, voc, yolo
from recipe_core.images.sources.detect import FORMATS, SOURCES, read_dataset
from recipe_core.images.sources.source import readable, sample_ids
from recipe_core.kernel.errors import Cancelled, SourceError, UnknownName
from recipe_core.kernel.nouns import BOX_FIELDS, SAMPLE_FIELDS, Dataset

PLAIN = [b"1.jpg", b"2.jpg", b"10.jpg"]
HOSTILE = [
    "grün 写真.jpg".encode(), b"with space.jpg", b"new\nline.jpg", b"quo'te\".jpg", b"a,b;c\t.jpg",
    b"<script>alert(1)<.jpg", b"caf\xe9\xff.jpg", b"\\xe9.jpg", b"100%_#?&.jpg", b"-rf.jpg",
    b"..dots..jpg", b".hidden.jpg", b"UPPER.JPG",
]  # fmt: skip


def picture_bytes() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), (200, 40, 40)).save(buffer, "JPEG")
    return buffer.getvalue()


JPEG = picture_bytes()


def put(root: Path, name: bytes, content: bytes = JPEG) -> None:
    file = root / os.fsdecode(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def stem(name: bytes) -> bytes:
    return name.rpartition(b".")[0]


def write_folder(root: Path, names: Sequence[bytes]) -> set[bytes]:
    files = [(b"cat/" if i % 2 else b"dog/") + n for i, n in enumerate(names)]
    for f in files:
        put(root, f)
    return set(files)


def _in_pics(root: Path, names: Sequence[bytes]) -> list[bytes]:
    files = [b"pics/" + n for n in names]
    for f in files:
        put(root, f)
    return files


def write_csv(root: Path, names: Sequence[bytes]) -> set[bytes]:
    files = _in_pics(root, names)
    with (root / "manifest.csv").open("w", encoding="utf-8", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["path", "label", "split", "weight"])
        writer.writerows([readable(n), "cat", "train", i] for i, n in enumerate(files))
    return set(files)


def write_jsonl(root: Path, names: Sequence[bytes]) -> set[bytes]:
    files = _in_pics(root, names)
    rows = [json.dumps({"image": readable(f), "class": "cat"}) for f in files]
    put(root, b"labels.jsonl", "\n".join(rows).encode())
    return set(files)


def write_parquet(root: Path, names: Sequence[bytes]) -> set[bytes]:
    files = _in_pics(root, names)
    columns = {
        "filename": [readable(f) for f in files],
        "target": [i % 2 for i in range(len(files))],
    }
    pq.write_table(pa.table(columns), root / "dataset.parquet")
    return set(files)


def coco_content(names: Sequence[bytes]) -> dict[str, object]:
    images = [
        {"id": i, "file_name": readable(n), "width": 8, "height": 6} for i, n in enumerate(names)
    ]
    boxes = [
        {"id": i, "image_id": i, "category_id": 1, "bbox": [1, 2, 3, 4]} for i in range(len(names))
    ]
    return {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}


def write_coco(root: Path, names: Sequence[bytes]) -> set[bytes]:
    put(root, b"annotations/instances_train2017.json", json.dumps(coco_content(names)).encode())
    for n in names:
        put(root, b"train2017/" + n)
    return {b"train2017/" + n for n in names}


def voc_xml(name: str, boxes: str = "", size: tuple[int, int] = (8, 6)) -> bytes:
    return (
        f"<annotation><filename>{escape(name)}</filename><size><width>{size[0]}</width>"
        f"<height>{size[1]}</height></size>{boxes}</annotation>"
    ).encode()


def voc_box(label: str, *corners: object) -> str:
    inner = "".join(f"<{k}>{v}</{k}>" for k, v in zip(voc.CORNERS, corners, strict=True))
    return f"<object><name>{label}</name><bndbox>{inner}</bndbox></object>"


def write_voc(root: Path, names: Sequence[bytes]) -> set[bytes]:
    for n in names:
        put(root, b"JPEGImages/" + n)
        text = voc_xml(readable(n).replace("\n", " "), voc_box("cat", 1, 2, 4, 6))
        put(root, b"Annotations/" + stem(n) + b".xml", text)
    return {b"JPEGImages/" + n for n in names}


def write_yolo(root: Path, names: Sequence[bytes]) -> set[bytes]:
    put(root, b"data.yaml", b"train: images/train\nnames: [cat, dog]\n")
    for n in names:
        put(root, b"images/train/" + n)
        put(root, b"labels/train/" + stem(n) + b".txt", b"1 0.5 0.5 0.5 0.25\n")
    return {b"images/train/" + n for n in names}


def write_imagefolder(root: Path, names: Sequence[bytes]) -> set[bytes]:
    rows = [json.dumps({"file_name": readable(n), "label": "cat", "year": 1999}) for n in names]
    put(root, b"train/metadata.jsonl", "\n".join(rows).encode())
    for n in names:
        put(root, b"train/" + n)
    return {b"train/" + n for n in names}


def container(pictures: Sequence[bytes | None], labels: Sequence[int]) -> pa.Table:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": p, "path": f"{i}.jpg"} for i, p in enumerate(pictures)]
    table = pa.table({"image": pa.array(rows, kind), "label": pa.array(labels, pa.int64())})
    features = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    info = json.dumps({"info": {"features": features}})
    return table.replace_schema_metadata({"huggingface": info})


def write_containers(root: Path, names: Sequence[bytes]) -> set[bytes]:
    files = [b"data/" + n + b".parquet" for n in names]
    for f in files:
        buffer = io.BytesIO()
        pq.write_table(container([JPEG], [1]), buffer)
        put(root, f, buffer.getvalue())
    return set(files)


@dataclass(frozen=True)
class Writer:
    """Writes a data set with pictures of these names; returns the files of its samples."""

    name: str
    format: str
    write: Callable[[Path, Sequence[bytes]], set[bytes]]
    names_files: bool = False  # a list names the pictures: a deleted one is missed


WRITERS = [
    Writer("folder", "folder", write_folder),
    Writer("csv", "manifest", write_csv, True),
    Writer("jsonl", "manifest", write_jsonl, True),
    Writer("parquet", "manifest", write_parquet, True),
    Writer("coco", "coco", write_coco, True),
    Writer("voc", "voc", write_voc, True),
    Writer("yolo", "yolo", write_yolo),
    Writer("imagefolder", "hf", write_imagefolder, True),
    Writer("containers", "hf", write_containers),
]
every_source = pytest.mark.parametrize("w", WRITERS, ids=[w.name for w in WRITERS])


def files_of(d: Dataset) -> list[bytes]:
    """The bytes names that a reader of the table would open."""
    rows = zip(d.samples["path"].to_pylist(), d.samples["file"].to_pylist(), strict=True)
    return [path.encode() if file is None else file for path, file in rows]


def kinds(d: Dataset) -> set[str]:
    return {n.kind for n in d.notes}


def noted(d: Dataset, kind: str) -> str:
    """All that the notes of a kind say, items included."""
    return " | ".join(f"{n.text} {n.items}" for n in d.notes if n.kind == kind)


def snapshot(root: Path) -> list[tuple[str, int, int]]:
    found = [root, *root.rglob("*")]
    return sorted((str(p), p.lstat().st_mtime_ns, p.lstat().st_size) for p in found)


def test_every_source_is_written_for() -> None:
    assert {w.format for w in WRITERS} == {s.name for s in SOURCES}


@every_source
@pytest.mark.parametrize("names", [PLAIN, HOSTILE], ids=["plain", "hostile"])
def test_lists_every_file_under_its_own_name(w: Writer, names: list[bytes], tmp_path: Path) -> None:
    expected = w.write(tmp_path, names)
    d = read_dataset(tmp_path)
    assert d.format == w.format
    assert sorted(files_of(d)) == sorted(expected)
    assert all((d.root / os.fsdecode(f)).exists() for f in files_of(d))
    assert "missing_files" not in kinds(d)
    assert "\\xe9" not in "".join(d.samples["path"].to_pylist()) or names is HOSTILE


@every_source
def test_fills_the_columns_of_the_contract(w: Writer, tmp_path: Path) -> None:
    w.write(tmp_path, HOSTILE)
    d = read_dataset(tmp_path)
    first = d.samples.select(SAMPLE_FIELDS.names)
    assert first.schema.equals(SAMPLE_FIELDS)
    assert d.samples.column_names[: len(SAMPLE_FIELDS)] == SAMPLE_FIELDS.names
    assert d.boxes.schema.equals(BOX_FIELDS)
    ids = d.samples["sample_id"].to_pylist()
    assert len(set(ids)) == len(ids) == len(HOSTILE)
    assert all(len(i) == 16 and int(i, 16) >= 0 for i in ids)
    assert d.root == tmp_path and not any(n.kind == "unlabelled" for n in d.notes)
    labels = {v for v in d.samples["label"].to_pylist() if v is not None}
    assert labels | set(d.boxes["label"].to_pylist()) <= set(d.class_names)
    assert {v for v in d.samples["split"].to_pylist() if v is not None} == set(d.splits)
    d.samples.validate(full=True)


@every_source
def test_reads_the_same_twice(w: Writer, tmp_path: Path) -> None:
    w.write(tmp_path, HOSTILE)
    a, b = read_dataset(tmp_path), read_dataset(str(tmp_path))
    assert a.samples.equals(b.samples) and a.boxes.equals(b.boxes) and a.notes == b.notes


@every_source
def test_an_id_stays_when_other_files_come(w: Writer, tmp_path: Path) -> None:
    w.write(tmp_path / "a", PLAIN)
    w.write(tmp_path / "b", [*PLAIN, *HOSTILE])
    before, after = (read_dataset(tmp_path / x) for x in "ab")
    ids = [
        dict(zip(files_of(d), d.samples["sample_id"].to_pylist(), strict=True))
        for d in (before, after)
    ]
    shared = set(ids[0]) & set(ids[1])
    assert shared and all(ids[0][f] == ids[1][f] for f in shared)


_heard: list[list[str]] = []
"""The list that is listening, if any: an audit hook cannot be taken off again."""


def _hear(event: str, args: tuple[object, ...]) -> None:
    if event == "open" and isinstance(args[0], (str, bytes)):
        for opened in _heard:
            opened.append(os.fsdecode(args[0]))


sys.addaudithook(_hear)


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """The files that Python code opens during the test."""
    names: list[str] = []
    _heard.append(names)
    yield names
    _heard.remove(names)


@every_source
def test_opens_no_picture_and_writes_nothing(w: Writer, tmp_path: Path, opened: list[str]) -> None:
    w.write(tmp_path, PLAIN)
    before = snapshot(tmp_path)
    opened.clear()
    read_dataset(tmp_path)
    assert [f for f in opened if f.lower().endswith((".jpg", ".jpeg"))] == []
    assert snapshot(tmp_path) == before
    (tmp_path / "probe.jpg").open("wb").close()
    assert any(f.endswith("probe.jpg") for f in opened), "the listener hears nothing"


@every_source
def test_a_link_to_itself_ends(w: Writer, tmp_path: Path) -> None:
    expected = w.write(tmp_path, PLAIN)
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    inner = next(p for p in tmp_path.iterdir() if p.is_dir() and not p.is_symlink())
    (inner / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    assert sorted(files_of(read_dataset(tmp_path))) == sorted(expected)


@pytest.mark.parametrize("w", [w for w in WRITERS if w.names_files], ids=lambda w: w.name)
def test_a_named_file_that_is_gone_stays_a_sample(w: Writer, tmp_path: Path) -> None:
    expected = w.write(tmp_path, PLAIN)
    gone = min(expected)
    (tmp_path / os.fsdecode(gone)).unlink()
    d = read_dataset(tmp_path, w.format)
    assert sorted(files_of(d)) == sorted(expected)
    assert readable(gone) in noted(d, "missing_files")


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_no_data_set_is_told(format: str, tmp_path: Path) -> None:
    empty, text = tmp_path / "empty", tmp_path / "notes.txt"
    empty.mkdir()
    text.write_text("nothing")
    with pytest.raises(SourceError, match="does not exist"):
        read_dataset(tmp_path / "nowhere", format)
    for path in (empty, text):
        with pytest.raises(SourceError, match=r"[Ee]xpected|needs|end"):
            read_dataset(path, format)


def test_an_unknown_format_names_the_known(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="coco, folder, hf, manifest, voc, yolo"):
        read_dataset(tmp_path, "cocoo")


@every_source
def test_says_what_it_chose_and_can_be_overruled(w: Writer, tmp_path: Path) -> None:
    w.write(tmp_path, PLAIN)
    assert f"Read as {w.format}" in read_dataset(tmp_path).notes[0].text
    if w.name != "containers":
        forced = read_dataset(tmp_path, "folder")
        assert forced.format == "folder" and forced.samples.num_rows == len(PLAIN)


@every_source
def test_progress_may_stop_it(w: Writer, tmp_path: Path) -> None:
    w.write(tmp_path, PLAIN)

    def stop(activity: str, done: int, total: int) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        read_dataset(tmp_path, progress=stop)


@every_source
def test_a_link_to_the_data_set_reads_alike(w: Writer, tmp_path: Path) -> None:
    w.write(tmp_path / "real", PLAIN)
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    real, link = read_dataset(tmp_path / "real"), read_dataset(tmp_path / "link")
    assert real.samples.equals(link.samples) and real.boxes.equals(link.boxes)


# --- folder

LAYOUTS = [
    ("cat/1.jpg dog/2.jpg", ["cat", "dog"], [None, None]),
    ("train/cat/1.jpg val/cat/2.jpg test/dog/3.jpg",
     ["dog", "cat", "cat"], ["test", "train", "validation"]),
    ("Training/cat/1.jpg Testing/cat/2.jpg", ["cat", "cat"], ["test", "train"]),
    ("cat/train/1.jpg cat/test/2.jpg dog/train/3.jpg",
     ["cat"] * 2 + ["dog"], ["test", "train", "train"]),
    ("train/1.jpg dev/2.jpg", [None, None], ["validation", "train"]),
    ("1.jpg 2.jpg", [None, None], [None, None]),
    ("images/1.jpg images/2.jpg", [None, None], [None, None]),
    ("cat/1.jpg", ["cat"], [None]),
    ("pets/cat/1.jpg pets/dog/2.jpg", ["cat", "dog"], [None, None]),
    ("set/train/cat/1.jpg set/test/cat/2.jpg", ["cat", "cat"], ["test", "train"]),
    ("animal/cat/1.jpg animal/dog/2.jpg thing/cup/3.jpg",
     ["animal/cat", "animal/dog", "thing/cup"], [None] * 3),
    ("train/car/1.jpg bus/2.jpg car/3.jpg", ["bus", "car", "train/car"], [None] * 3),
    ("train/1.jpg bus/2.jpg car/3.jpg", ["bus", "car", "train"], [None] * 3),
    ("train/a/1.jpg test/a/2.jpg extra/b/3.jpg", ["b", "a", "a"], ["extra", "test", "train"]),
    ("val/a/1.jpg valid/a/2.jpg train/a/3.jpg", ["a"] * 3, ["train", "val", "valid"]),
    ("train/images/1.jpg test/images/2.jpg", [None, None], ["test", "train"]),
    ("cat/1.jpg 2.jpg", [None, "cat"], [None, None]),
]  # fmt: skip


@pytest.mark.parametrize(("files", "labels", "splits"), LAYOUTS, ids=[x[0] for x in LAYOUTS])
def test_folders_are_classes_and_splits(
    files: str, labels: list[str | None], splits: list[str | None], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    for f in files.split():
        put(root, f.encode())
    d = read_dataset(root)
    assert d.format == "folder"
    assert d.samples["label"].to_pylist() == labels
    assert d.samples["split"].to_pylist() == splits
    assert d.class_names == tuple(sorted({c for c in labels if c}))


def test_splits_come_in_order_and_renames_are_said(tmp_path: Path) -> None:
    for f in (b"Test/a/1.jpg", b"train/a/1.jpg", b"val/a/1.jpg", b"extra/a/1.jpg"):
        put(tmp_path, f)
    d = read_dataset(tmp_path)
    assert d.splits == ("train", "validation", "test", "extra")
    assert "val -> validation" in noted(d, "detection") and "Test -> test" in noted(d, "detection")


def test_files_beside_pictures_are_listed_not_fatal(tmp_path: Path) -> None:
    for f in (b"cat/1.jpg", b"cat/.DS_Store", b"cat/Thumbs.db", b"cat/._1.jpg", b"cat/read me.txt",
              b"labels.h5", b".git/x.jpg", b"__MACOSX/cat/1.jpg",
              b"cat/.ipynb_checkpoints/1.jpg"):  # fmt: skip
        put(tmp_path, f, JPEG if f.endswith(b".jpg") else b"text")
    d = read_dataset(tmp_path)
    assert files_of(d) == [b"cat/1.jpg"] and d.class_names == ("cat",)
    text = noted(d, "other_files")
    assert all(
        n in text for n in (".DS_Store", "Thumbs.db", "._1.jpg", "read me.txt", "labels.h5", ".git")
    )
    assert [n.n_items for n in d.notes if n.kind == "other_files"] == [5, 3]


def test_a_picture_is_known_by_its_name_or_its_first_bytes(tmp_path: Path) -> None:
    png = io.BytesIO()
    Image.new("RGB", (4, 4)).save(png, "PNG")
    put(tmp_path, b"a/photo", JPEG)
    put(tmp_path, b"a/photo.123", png.getvalue())
    put(tmp_path, b"a/empty.jpg", b"")
    put(tmp_path, b"a/page.jpg", b"<html>")
    put(tmp_path, b"a/BMW", b"BMW is a car maker and this is text")
    put(tmp_path, b"a/text", b"text")
    os.mkfifo(tmp_path / "a" / "pipe")
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    d = read_dataset(tmp_path)
    assert files_of(d) == [b"a/empty.jpg", b"a/gone.png", b"a/page.jpg", b"a/photo", b"a/photo.123"]
    assert "a/pipe" in noted(d, "other_files") and "a/gone.png" in noted(d, "missing_files")


@pytest.mark.parametrize(
    "form", ["PNG", "GIF", "WEBP", "BMP", "TIFF", "JPEG", "PPM", "AVIF", "JPEG2000", "ICNS"]
)
def test_pictures_without_extension_are_recognised(form: str, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (9, 99, 9)).save(buffer, form)
    put(tmp_path, b"a/1", buffer.getvalue())
    assert files_of(read_dataset(tmp_path)) == [b"a/1"]


def test_every_extension_that_pillow_loads_takes_part() -> None:
    Image.init()
    no_pictures = {"PDF", "MPEG", "HDF5", "BUFR", "GRIB", "IPTC"}
    known = {e[1:].encode() for e, f in Image.registered_extensions().items()
             if f not in no_pictures and f in Image.OPEN}  # fmt: skip
    assert known <= listing.PICTURE_EXTENSIONS
    assert not listing.PICTURE_EXTENSIONS & listing.OTHER_EXTENSIONS


def test_a_folder_is_recognised_by_its_first_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for k in range(30):
        (tmp_path / f"class{k}").mkdir()
        Image.new("RGB", (4, 4)).save(tmp_path / f"class{k}" / "a.png")
    read: list[object] = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda at: read.append(at) or real(at))
    assert folder.recognise(tmp_path) is not None
    assert len(read) == 2, "the folder and one below it"
    assert len(listing.list_folder(tmp_path, lambda *_: None).pictures) == 30


def test_a_folder_whose_only_picture_lies_behind_a_link_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "there" / "deep").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "there" / "deep" / "a.png")
    (tmp_path / "here" / "empty").mkdir(parents=True)
    assert folder.recognise(tmp_path / "here") is None
    (tmp_path / "here" / "link").symlink_to(tmp_path / "there")
    assert folder.recognise(tmp_path / "here") is not None


def test_empty_and_barren_folders_are_told(tmp_path: Path) -> None:
    put(tmp_path, b"cat/1.jpg")
    put(tmp_path, b"dog/notes.txt", b"")
    (tmp_path / "bird").mkdir()
    assert "bird" in noted(read_dataset(tmp_path), "empty_folder")
    assert "dog" in noted(read_dataset(tmp_path), "empty_folder")


def test_classes_that_differ_by_case_stay_apart_and_are_told(tmp_path: Path) -> None:
    for f in (b"Cat/1.jpg", b"cat/2.jpg", b"dog/3.jpg"):
        put(tmp_path, f)
    d = read_dataset(tmp_path)
    assert d.class_names == ("Cat", "cat", "dog") and "Cat / cat" in noted(d, "case_clash")
    (tmp_path / "Cat" / "1.jpg").unlink()
    assert "case_clash" not in kinds(read_dataset(tmp_path))


def test_a_folder_that_cannot_be_opened_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, b"cat/1.jpg")
    put(tmp_path, b"secret/2.jpg")
    real = os.scandir

    def scandir(path: bytes | str | Path) -> Iterator[os.DirEntry[str]]:
        if os.fsdecode(path).endswith("secret"):
            raise PermissionError(13, "Permission denied")
        return real(path)  # type: ignore[return-value]

    monkeypatch.setattr(os, "scandir", scandir)  # root may open everything: chmod proves nothing
    d = read_dataset(tmp_path)
    assert files_of(d) == [b"cat/1.jpg"] and "secret" in noted(d, "unreadable_folder")


def test_linked_folders_count_once_and_real_names_win(tmp_path: Path) -> None:
    put(tmp_path / "root", b"zebra/1.jpg")
    put(tmp_path / "outside", b"2.jpg")
    (tmp_path / "root" / "antelope").symlink_to(tmp_path / "root" / "zebra")
    (tmp_path / "root" / "bear").symlink_to(tmp_path / "outside")
    d = read_dataset(tmp_path / "root")
    assert files_of(d) == [b"bear/2.jpg", b"zebra/1.jpg"]
    assert "antelope" in noted(d, "symlink_loop") and "bear" not in noted(d, "symlink_loop")


# --- manifest


def manifest_of(tmp_path: Path, text: str | bytes, name: str = "list.csv") -> Path:
    for n in PLAIN:
        put(tmp_path, n)
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_further_columns_keep_their_types_and_never_clash(tmp_path: Path) -> None:
    text = "Path,Label,age,score,code,width,N_boxes,note\n"
    text += "1.jpg,cat,3,0.5,007,9,1,\n2.jpg,2,,1,008,9,2,x\n"
    d = read_dataset(manifest_of(tmp_path, text))
    types = {f.name: f.type for f in d.samples.schema}
    assert (types["age"], types["score"], types["code"]) == (pa.int64(), pa.float64(), pa.string())
    assert d.samples["age"].to_pylist() == [3, None] and d.samples["code"].to_pylist() == [
        "007",
        "008",
    ]
    assert d.samples["source_width"].to_pylist() == [9, 9]
    assert "source_N_boxes" in types and d.samples["label"].to_pylist() == ["cat", "2"]
    ours = {n.lower() for n in PASS_FIELDS.names}
    assert not ours & {n.lower() for n in d.samples.column_names}


def test_no_row_is_lost(tmp_path: Path) -> None:
    text = "path,label\n1.jpg,cat\n1.jpg,cat\n1.jpg,dog\n./1.jpg,cat\ngone.jpg,cat\n2.jpg,\n"
    d = read_dataset(manifest_of(tmp_path, text))
    assert d.samples.num_rows == 6 and len(set(d.samples["sample_id"].to_pylist())) == 6
    assert [n.n_items for n in d.notes if n.kind == "duplicate_rows"] == [2, 1]
    assert "gone.jpg" in noted(d, "missing_files") and "2.jpg" in noted(d, "unlabelled")
    healthy = read_dataset(manifest_of(tmp_path, "path,label\n1.jpg,cat\n2.jpg,dog\n"))
    assert kinds(healthy) == {"detection"}


def test_absolute_paths_below_the_root_are_the_same_samples(tmp_path: Path) -> None:
    relative = read_dataset(manifest_of(tmp_path, "path,label\n1.jpg,a\n"))
    absolute = read_dataset(manifest_of(tmp_path, f"path,label\n{tmp_path}/x/../1.jpg,a\n"))
    assert relative.samples.equals(absolute.samples)
    put(tmp_path.parent, b"out side.jpg")
    outside = read_dataset(manifest_of(tmp_path, "path,label\n../out side.jpg,a\n"))
    assert files_of(outside) == [os.fsencode(tmp_path.parent / "out side.jpg")]


BROKEN = [
    ("name,label\n1.jpg,cat\n", r"'name', 'label'.*'path'"),
    ("path,label\n1.jpg,cat\n2.jpg\n", "line 3 has 1 fields"),
    ("path,label\n1.jpg,cat,dog\n", "line 2 has 3 fields"),
    ("path,label\n1.jpg,cat\n,dog\n", "row 2 names no file"),
    (b"path,label\n1.jpg,caf\xe9\n", "line 2 is not UTF-8"),
    ("path,label\n1.jpg,cat\n".encode("utf-16"), "UTF-16"),
    ('path,label\n"1.jpg,cat\n2.jpg,cat\n', "line"),
    ("path,label\n", "no rows"),
    ("", "no rows"),
]


@pytest.mark.parametrize(("text", "says"), BROKEN)
def test_a_broken_manifest_says_where(text: str | bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=says):
        read_dataset(manifest_of(tmp_path, text), "manifest")


def test_a_broken_json_line_says_where(tmp_path: Path) -> None:
    text = '{"path": "1.jpg"}\n{"path": \n'
    with pytest.raises(SourceError, match="line 2 is no JSON"):
        read_dataset(manifest_of(tmp_path, text, "list.jsonl"))
    mixed = '{"path": "1.jpg", "a": 1}\n{"path": "2.jpg", "a": "x", "b": [1]}\n'
    d = read_dataset(manifest_of(tmp_path, mixed, "list.jsonl"))
    assert d.samples["a"].to_pylist() == ["1", "x"] and d.samples["b"].to_pylist() == [None, "[1]"]


@pytest.mark.parametrize(
    "text",
    ["\ufeffpath,label\n1.jpg,cat\n", "path;label\n1.jpg;cat\n", "path\tlabel\n1.jpg\tcat\n"],
)
def test_spreadsheets_dialects(text: str, tmp_path: Path) -> None:
    d = read_dataset(manifest_of(tmp_path, text))
    assert d.samples["label"].to_pylist() == ["cat"]


def test_split_tables_are_read_together(tmp_path: Path) -> None:
    manifest_of(tmp_path, "path,label\n1.jpg,3\n", "train.csv")
    manifest_of(tmp_path, "path,label\n2.jpg,a\n10.jpg,3\n", "val.csv")
    d = read_dataset(tmp_path)
    assert d.format == "manifest" and d.splits == ("train", "validation")
    assert d.samples["label"].to_pylist() == ["3", "a", "3"]


def test_a_table_about_something_else_is_no_manifest(tmp_path: Path) -> None:
    for i in range(20):
        put(tmp_path, b"cat/%d.jpg" % i)
    for name in ("truth.csv", "labels.csv"):  # another name; too few of the pictures
        (tmp_path / name).write_text("path,label\ncat/1.jpg,dog\n")
        assert read_dataset(tmp_path).format == "folder"
        (tmp_path / name).unlink()


# --- COCO


def coco_at(root: Path, content: object, name: str = "annotations/instances.json") -> None:
    put(root, name.encode(), json.dumps(content).encode())
    put(root, b"images/1.jpg")
    put(root, b"images/2.jpg")


def test_coco_boxes_become_corners(tmp_path: Path) -> None:
    coco_at(tmp_path, {
        "images": [{"id": 7, "file_name": "1.jpg", "width": 8, "height": 6},
                   {"id": 9, "file_name": "2.jpg"}],
        "categories": [{"id": 3, "name": "dog"}, {"id": 1, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3.5, 4]},
            {"id": 2, "image_id": 7, "category_id": 17, "bbox": [0, 0, 1, 1], "iscrowd": 1},
            {"id": 3, "image_id": 99, "category_id": 1, "bbox": [0, 0, 1, 1]},
            {"id": 4, "image_id": 7, "category_id": 1, "bbox": [0, 0, None, 1]},
            {"id": 5, "image_id": 7, "category_id": 1, "segmentation": [[1, 1, 5, 1, 5, 4]]},
            "rubbish",
        ],
    })  # fmt: skip
    d = read_dataset(tmp_path)
    assert d.samples.num_rows == 2 and d.class_names == ("dog", "cat")
    boxes = [(b["label"], b["xmin"], b["ymin"], b["xmax"], b["ymax"]) for b in d.boxes.to_pylist()]
    assert boxes == [("dog", 1, 2, 4.5, 6), ("id 17?", 0, 0, 1, 1), ("cat", 1, 1, 5, 4)]
    assert d.boxes["annotated_width"].to_pylist() == [8, 8, 8] and set(
        d.boxes["row"].to_pylist()
    ) == {0}
    assert "(crowd)" in d.boxes["place"].to_pylist()[1]
    assert all(f"annotation {i}" in noted(d, "bad_annotation") for i in (2, 3, 4))
    assert d.samples["label"].null_count == 2


def test_coco_splits_and_unnamed_pictures(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        put(
            tmp_path,
            f"{split}/_annotations.coco.json".encode(),
            json.dumps(coco_content([b"1.jpg"])).encode(),
        )
        put(tmp_path, f"{split}/1.jpg".encode())
    put(tmp_path, b"valid/stray.jpg")
    d = read_dataset(tmp_path)
    assert files_of(d) == [b"train/1.jpg", b"valid/1.jpg"] and d.splits == ("train", "validation")
    assert "valid/stray.jpg" in noted(d, "other_files")


def test_coco_instances_win_over_keypoints_of_the_same_pictures(tmp_path: Path) -> None:
    coco_at(tmp_path, coco_content([b"1.jpg"]), "annotations/instances_val2017.json")
    coco_at(tmp_path, coco_content([b"1.jpg"]), "annotations/person_keypoints_val2017.json")
    assert read_dataset(tmp_path).samples.num_rows == 1
    alone = read_dataset(tmp_path / "annotations" / "person_keypoints_val2017.json")
    assert files_of(alone) == [b"images/1.jpg"] and alone.splits == ("validation",)


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"a": 1}', '{"images": [], "annotations": {}}', '{"images": []}']
)
def test_coco_that_is_none_says_so(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(SourceError):
        read_dataset(tmp_path / "x.json", "coco")


# --- VOC


def test_voc_boxes_are_kept_as_given(tmp_path: Path) -> None:
    put(tmp_path, b"JPEGImages/1.jpg")
    put(tmp_path, b"JPEGImages/2.jpg")
    put(
        tmp_path,
        b"Annotations/1.xml",
        voc_xml("1.jpg", voc_box("cat", 1, 1, 8, 6) + voc_box("dog", 0.5, 1, 2, 3)),
    )
    put(tmp_path, b"Annotations/gone.xml", voc_xml("gone.jpg", voc_box("cat", 1, "x", 8, 6)))
    put(tmp_path, b"ImageSets/Main/train.txt", b"1\n")
    put(tmp_path, b"ImageSets/Main/val.txt", b"2  -1\n")
    d = read_dataset(tmp_path)
    assert files_of(d) == [b"JPEGImages/1.jpg", b"JPEGImages/2.jpg", b"JPEGImages/gone.jpg"]
    assert [tuple(b[c] for c in voc.CORNERS) for b in d.boxes.to_pylist()] == [
        (1, 1, 8, 6),
        (0.5, 1, 2, 3),
    ]
    assert d.boxes["annotated_height"].to_pylist() == [6, 6] and not any(
        d.boxes["relative"].to_pylist()
    )
    assert d.samples["split"].to_pylist() == ["train", "validation", None]
    assert "gone" in noted(d, "missing_files") and "gone.xml object 1" in noted(d, "bad_annotation")
    assert d.class_names == ("cat", "dog")


BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb">]><annotation>&b;</annotation>'


@pytest.mark.parametrize(("xml", "says"), [
    (BOMB.encode(), "refused"),
    (BOMB.replace("?>", " encoding='UTF-16'?>").encode("utf-16"), "refused"),
    (b"<annotation><object>", "no valid XML"), (b"", "no valid XML"),
])  # fmt: skip
def test_voc_that_cannot_be_read_keeps_its_picture(xml: bytes, says: str, tmp_path: Path) -> None:
    write_voc(tmp_path, PLAIN)
    put(tmp_path, b"Annotations/1.xml", xml)
    d = read_dataset(tmp_path)
    assert d.samples.num_rows == len(PLAIN) and d.boxes.num_rows == len(PLAIN) - 1
    assert says in noted(d, "bad_annotation")


def test_voc_pictures_of_one_name_in_two_splits(tmp_path: Path) -> None:
    for split, right in (("train", 3), ("test", 4)):
        put(tmp_path, f"{split}/1.jpg".encode())
        put(tmp_path, f"{split}/1.xml".encode(), voc_xml("1.jpg", voc_box("cat", 1, 1, right, 3)))
    d = read_dataset(tmp_path)
    assert d.format == "voc" and d.samples["split"].to_pylist() == ["test", "train"]
    assert dict(zip(d.boxes["row"].to_pylist(), d.boxes["xmax"].to_pylist(), strict=True)) == {
        0: 4,
        1: 3,
    }


# --- YOLO


def yolo_at(
    root: Path, lines: str, config: str = "train: images\nnames: {0: cat, 1: dog}\n"
) -> Dataset:
    put(root, b"data.yaml", config.encode())
    put(root, b"images/1.jpg")
    put(root, b"images/2.jpg")
    put(root, b"labels/1.txt", lines.encode())
    return read_dataset(root)


def test_yolo_boxes_become_relative_corners(tmp_path: Path) -> None:
    lines = "0 0.5 0.5 0.5 0.25\n\n1 0.1 0.2 0.9 0.2 0.5 0.8\n7 .5 .5 1 1\nx .5 .5 1 1\n0 .5 .5\n"
    d = yolo_at(tmp_path, lines)
    boxes = [(b["label"], b["xmin"], b["ymin"], b["xmax"], b["ymax"]) for b in d.boxes.to_pylist()]
    assert boxes == [
        ("cat", 0.25, 0.375, 0.75, 0.625),
        ("dog", 0.1, 0.2, 0.9, 0.8),
        ("class 7?", 0, 0, 1, 1),
    ]
    assert all(d.boxes["relative"].to_pylist()) and d.class_names == ("cat", "dog")
    text = noted(d, "bad_annotation")
    assert all(f"labels/1.txt:{i}" in text for i in (4, 5, 6))
    assert d.samples.num_rows == 2 and d.splits == ("train",)


def test_yolo_without_a_yaml(tmp_path: Path) -> None:
    for split in ("train", "val"):
        put(tmp_path, f"images/{split}/1.jpg".encode())
        put(tmp_path, f"labels/{split}/1.txt".encode(), b"1 .5 .5 1 1\n")
    put(tmp_path, b"labels/train/stray.txt", b"1 .5 .5 1 1\n")
    d = read_dataset(tmp_path)
    assert d.format == "yolo" and d.splits == ("train", "validation")
    assert d.class_names == ("class 1",) and "stray.txt" in noted(d, "bad_annotation")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    assert read_dataset(tmp_path).class_names == ("cat", "dog")


def test_yolo_paths_of_another_machine(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        put(tmp_path, f"{split}/images/1.jpg".encode())
        put(tmp_path, f"{split}/labels/1.txt".encode(), b"0 .5 .5 1 1\n")
    config = "path: /content/x\ntrain: ../train/images\nval: ../valid/images\n"
    config += "test: ../test/images\nnames: [cat]\n"
    put(tmp_path, b"data.yaml", config.encode())
    d = read_dataset(tmp_path / "data.yaml")
    assert files_of(d) == [b"train/images/1.jpg", b"valid/images/1.jpg"] and d.boxes.num_rows == 2
    assert "../test/images" in noted(d, "missing_files")


@pytest.mark.parametrize(
    "config",
    [
        "names: [",
        "names: 3\ntrain: images\n",
        "train: images\n",
        "- 1\n",
        "names: [a]\ntrain: nowhere\n",
    ],
)
def test_yolo_that_is_none_says_so(config: str, tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text(config)
    with pytest.raises(SourceError):
        read_dataset(tmp_path / "data.yaml", "yolo")


def test_yaml_runs_no_code(tmp_path: Path) -> None:
    config = "names: !!python/object/apply:os.mkdir [owned]\ntrain: images\n"
    (tmp_path / "data.yaml").write_text(config)
    with pytest.raises(SourceError, match="YAML"):
        read_dataset(tmp_path / "data.yaml", "yolo")
    assert not Path("owned").exists()


# --- Hugging Face


def test_rows_of_containers_are_samples(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    pq.write_table(
        container([JPEG, JPEG, None], [0, 1, -1]),
        tmp_path / "data" / "train-00000-of-00001.parquet",
    )
    pq.write_table(container([JPEG], [1]), tmp_path / "data" / "test-00000-of-00001.parquet")
    d = read_dataset(tmp_path)
    assert d.samples["path"].to_pylist()[1:3] == [
        "data/train-00000-of-00001.parquet::0", "data/train-00000-of-00001.parquet::1"]  # fmt: skip
    assert d.samples["member"].to_pylist() == [0, 0, 1, 2] and d.samples["file"].null_count == 0
    assert d.samples["label"].to_pylist() == ["dog", "cat", "dog", None]
    assert d.class_names == ("cat", "dog") and d.splits == ("train", "test")
    assert d.samples["original_name"].to_pylist() == ["0.jpg", "0.jpg", "1.jpg", "2.jpg"]
    single = read_dataset(tmp_path / "data" / "train-00000-of-00001.parquet")
    assert single.format == "hf" and single.samples.num_rows == 3


CARD = """---
dataset_info:
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
          '0': zero
          '1': one
---
# A data card
"""


def test_class_names_from_the_data_card(tmp_path: Path) -> None:
    pq.write_table(
        container([JPEG, JPEG], [1, 5]).replace_schema_metadata(), tmp_path / "train.parquet"
    )
    (tmp_path / "README.md").write_text(CARD)
    d = read_dataset(tmp_path)
    assert d.class_names == ("zero", "one") and d.samples["label"].to_pylist() == [
        "one",
        "class 5?",
    ]


def test_imagefolder_boxes(tmp_path: Path) -> None:
    put(tmp_path, b"train/1.jpg")
    put(tmp_path, b"train/stray.jpg")
    row = {"file_name": "1.jpg", "objects": {"bbox": [[1, 2, 3, 2], [1]], "categories": [0, 1]}}
    put(tmp_path, b"train/metadata.jsonl", json.dumps(row).encode())
    d = read_dataset(tmp_path)
    assert [tuple(b[c] for c in voc.CORNERS) for b in d.boxes.to_pylist()] == [(1, 2, 4, 4)]
    assert (
        d.format == "hf"
        and d.class_names == ("0",)
        and "row 0 object 1" in noted(d, "bad_annotation")
    )
    assert "train/stray.jpg" in noted(d, "other_files")


def test_imagefolder_takes_labels_from_folders_where_the_metadata_has_none(tmp_path: Path) -> None:
    for f in (b"train/cat/1.jpg", b"train/dog/2.jpg"):
        put(tmp_path, f)
    put(tmp_path, b"train/metadata.csv", b"file_name,year\ncat/1.jpg,1999\ndog/2.jpg,2000\n")
    d = read_dataset(tmp_path)
    assert d.format == "hf" and d.samples["label"].to_pylist() == ["cat", "dog"]
    assert d.samples["year"].to_pylist() == [1999, 2000] and d.splits == ("train",)


# --- ids, and real data


def test_ids_tell_members_and_occurrences_apart() -> None:
    assert len(set(sample_ids([b"a", b"a", b"a"], [0, 0, 1]))) == 3
    assert sample_ids([b"b", b"a", b"a"], None)[1:] == sample_ids([b"a", b"a"], None)


def test_modules_state_their_source() -> None:
    modules = (coco, voc, yolo, hf, manifest, folder)
    assert tuple(m.SOURCE for m in modules) == SOURCES


def real(name: str) -> Path:
    default = Path(__file__).parents[2].parent / "shared" / "data"
    path = Path(os.environ.get("RECIPE_REAL_DATA", default)) / name
    if not path.exists():
        pytest.skip(f"no {name} in RECIPE_REAL_DATA")
    return path


@pytest.mark.real_data
def test_the_raccoons_boxes_are_those_of_the_list() -> None:
    root = real("raccoon")
    d = read_dataset(root)
    paths = d.samples["path"].to_pylist()
    columns = ("xmin", "ymin", "xmax", "ymax", "annotated_width", "annotated_height")
    read = [(paths[b["row"]], b["label"], *(b[c] for c in columns)) for b in d.boxes.to_pylist()]
    with (root / "boxes.csv").open() as f:
        truth = [
            (r["path"], r["label"], *(float(v) for v in list(r.values())[2:]))
            for r in csv.DictReader(f)
        ]
    assert d.format == "voc" and sorted(read) == sorted(truth) and len(truth) == 217


@pytest.mark.real_data
def test_the_clothing_photos_have_classes_and_splits() -> None:
    d = read_dataset(real("clothing"))
    assert d.samples.num_rows == 3781 and len(d.class_names) == 10
    assert d.splits == ("train", "validation", "test") and d.samples["label"].null_count == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [("x,y\n1,2\n", "no column that names files: its columns are 'x', 'y'"),
     ("path,label\n", "has no rows"), ("", "has no rows")],
)  # fmt: skip
def test_a_table_that_is_no_manifest_says_what_it_lacks(
    text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(SourceError, match=said):
        read_dataset(tmp_path / "table.csv")
