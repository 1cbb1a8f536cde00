"""Does a worker see the same in a file, whatever else is in its chunk, and survive any file?"""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_image

from recipe_core.images.columns import PASS_FIELDS
from recipe_core.images.look import ROW_FIELDS, FileRef, Look, look, lost, read_bytes

PHOTO = Image.fromarray(load_sample_image("china.jpg"))


def quiet(i: int) -> None:
    """Nobody watches the worker."""


def refs_of(paths: list[Path]) -> list[FileRef]:
    return [FileRef(i, os.fsencode(p)) for i, p in enumerate(paths)]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> list[FileRef]:
    """Photos of few and of many sizes, several formats, and broken files."""
    folder = tmp_path_factory.mktemp("mixed")
    r = random.Random(2)
    paths = []
    for k in range(30):
        x, y = r.randrange(300), r.randrange(200)
        size = (300, 200) if k % 2 else (r.randrange(2, 340), r.randrange(2, 220))
        kind = ("jpg", "png", "webp", "bmp")[k % 4 if k % 3 else 0]
        image = PHOTO.crop((x, y, x + size[0], y + size[1]))
        if kind == "png" and k % 5 == 0:
            image.putalpha(128)
        paths.append(folder / f"{k}.{kind}")
        image.save(paths[-1])
    (folder / "cut.jpg").write_bytes(paths[0].read_bytes()[:2000])
    (folder / "empty.png").touch()
    paths.extend([folder / "cut.jpg", folder / "empty.png", folder / "gone.jpg"])
    return refs_of(paths)


def cuts(n: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(1, n - 1), max_size=8, unique=True).map(sorted)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(places=cuts(33), seed=st.integers(0, 9))
def test_rows_do_not_depend_on_the_cut(mixed: list[FileRef], places: list[int], seed: int) -> None:
    whole = look(mixed, quiet)
    order = random.Random(seed).sample(mixed, len(mixed))
    parts = [look(p, quiet) for p in pieces(order, places)]
    table = pa.concat_tables([p.table for p in parts]).sort_by("row")
    assert table.equals(whole.table)
    thumbnails = {row: t for p in parts for row, t in zip(rows_of(p), p.thumbnails, strict=True)}
    assert [thumbnails[r.row] for r in mixed] == whole.thumbnails


def pieces(files: list[FileRef], places: list[int]) -> Iterator[list[FileRef]]:
    for start, end in zip([0, *places], [*places, len(files)], strict=True):
        yield files[start:end]


def rows_of(seen: Look) -> list[int]:
    return [int(r) for r in seen.table["row"].to_pylist()]


def test_every_column_of_a_photo_is_filled(tmp_path: Path) -> None:
    PHOTO.save(tmp_path / "A.JPG", quality=83)
    seen = look(refs_of([tmp_path / "A.JPG"]), quiet)
    assert seen.table.schema.equals(ROW_FIELDS)
    assert ROW_FIELDS.names == ["row", *PASS_FIELDS.names]
    (row,) = seen.table.to_pylist()
    assert None not in row.values()
    assert (row["extension"], row["error"], row["jpeg_quality"]) == ("jpg", "", 83)
    assert row["file_size"] == (tmp_path / "A.JPG").stat().st_size
    assert row["megapixels"] == pytest.approx(640 * 427 / 1e6)
    assert 0 < row["brightness"] < 1


def test_sharpness_compares_between_the_sizes_of_a_jpeg(tmp_path: Path) -> None:
    paths = []
    for width in (300, 400, 500, 640, 800, 1000, 1600, 2400):
        paths.append(tmp_path / f"{width}.jpg")
        PHOTO.resize((width, width * 2 // 3), Image.Resampling.LANCZOS).save(paths[-1], quality=92)
    values = look(refs_of(paths), quiet).table["sharpness"].to_pylist()
    assert max(values) / min(values) < 1.5


def test_copies_share_a_hash_and_others_do_not(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        PHOTO.save(tmp_path / name)
    PHOTO.save(tmp_path / "c.jpg", quality=60)
    table = look(refs_of([tmp_path / n for n in ("a.jpg", "b.jpg", "c.jpg")]), quiet).table
    a, b, c = table["content_hash"].to_pylist()
    assert a == b != c
    assert len(a) == 32


FIRST = """
import json, sys
from recipe_core.execution.without import hide
hide(("pandas",))
from recipe_core.images.look import FileRef, look, warm_up
if sys.argv[2] == "warm":
    warm_up()
before = set(sys.modules)
look([FileRef(0, sys.argv[1].encode())], lambda i: None)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.mark.parametrize("how", ["warm", "cold"])
def test_the_first_photo_of_a_warm_worker_waits_for_no_import(tmp_path: Path, how: str) -> None:
    pixels = np.asarray(PHOTO).copy()
    pixels[:200, :300] = (255, 40, 40)  # clamped colours have the file looked at twice
    Image.fromarray(pixels).save(tmp_path / "a.jpg")
    said = subprocess.run(
        [sys.executable, "-c", FIRST, str(tmp_path / "a.jpg"), how],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert bool(json.loads(said.stdout)) is (how == "cold")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    names = ("gone.jpg", "folder.jpg", "pipe.jpg")
    table = look(refs_of([tmp_path / n for n in names]), quiet).table
    assert table["error"].to_pylist() == ["missing", "unreadable", "unreadable"]
    assert table["content_hash"].null_count == 3


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read anything"
)
def test_a_file_without_permission(tmp_path: Path) -> None:
    PHOTO.save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").chmod(0)
    assert look(refs_of([tmp_path / "a.jpg"]), quiet).table["error"][0].as_py() == "unreadable"


def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\n.jpg"
    data = io.BytesIO()
    PHOTO.save(data, "JPEG")
    try:
        with open(path, "wb") as f:  # noqa: PTH123
            f.write(data.getvalue())
    except OSError:
        pytest.skip("this file system takes no such name")
    assert look([FileRef(0, path)], quiet).table["error"][0].as_py() == ""


def test_the_beat_comes_before_every_file(mixed: list[FileRef]) -> None:
    beats: list[int] = []
    look(mixed, beats.append)
    n = len(mixed)
    assert beats[:n] == list(range(n))
    again = beats[n:]  # those whose colours need a second look
    assert again == sorted(set(again)) and len(again) < n / 2


def test_grey_stored_in_colour(tmp_path: Path) -> None:
    grey = PHOTO.convert("L")
    made = {
        "jpeg.jpg": grey.convert("RGB"),
        "png.png": grey.convert("RGB"),
        "l.png": grey,
        "c.png": PHOTO,
    }
    tinted = np.array(grey.convert("RGB"))
    tinted[..., 2] = np.minimum(tinted[..., 2], 250) + 5
    made["tinted.png"] = Image.fromarray(tinted)
    for name, image in made.items():
        image.save(tmp_path / name)
    table = look(refs_of([tmp_path / n for n in made]), quiet).table
    assert table["grey_in_rgb"].to_pylist() == [True, True, False, False, False]


def test_any_bytes_make_a_row(tmp_path: Path) -> None:
    """Sound files of many formats with bytes changed: a row each, never an exception."""
    r = random.Random(3)
    paths = []
    for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "ICO", "PPM", "TGA", "JPEG2000"):
        data = io.BytesIO()
        PHOTO.resize((60, 40)).save(data, kind)
        for k in range(12):
            changed = bytearray(data.getvalue())
            for _ in range(r.choice((1, 4, 30))):
                changed[r.randrange(min(len(changed), 400))] = r.randrange(256)
            paths.append(tmp_path / f"{kind}{k}.bin")
            paths[-1].write_bytes(changed[: r.choice((len(changed), len(changed) // 2))])
    table = look(refs_of(paths), quiet).table
    assert table.num_rows == len(paths)
    assert table["error"].null_count == 0
    broken = np.array(table["error"].to_pylist()) != ""
    assert 0.3 < broken.mean() < 1
    measured = np.array([h is not None for h in table["phash"].to_pylist()])
    damaged = np.array(table["error"].to_pylist()) == "damaged"
    assert np.array_equal(measured, ~broken | damaged)


def test_a_lost_file_is_a_row(tmp_path: Path) -> None:
    PHOTO.save(tmp_path / "a.png")
    seen = lost(FileRef(7, os.fsencode(tmp_path / "a.png")), "timeout", "no answer within 20 s")
    (row,) = seen.table.to_pylist()
    assert (row["row"], row["error"], row["extension"]) == (7, "timeout", "png")
    assert row["file_size"] > 0
    assert row["phash"] is None
    assert seen.thumbnails == [b""]
    assert seen.table.schema.equals(ROW_FIELDS)


@pytest.mark.parametrize("shape", ["struct", "bytes"])
def test_pictures_in_a_container(tmp_path: Path, shape: str) -> None:
    data = []
    for k in range(7):
        out = io.BytesIO()
        PHOTO.crop((k, 0, k + 100, 80)).save(out, "PNG")
        data.append(out.getvalue())
    cells = (
        data if shape == "bytes" else [{"bytes": d, "path": f"{k}.PNG"} for k, d in enumerate(data)]
    )
    pq.write_table(
        pa.table({"label": range(7), "image": cells}), tmp_path / "t.parquet", row_group_size=3
    )
    path = os.fsencode(tmp_path / "t.parquet")
    refs = [FileRef(k, path, k) for k in (6, 0, 3, 2, 5, 1, 4, 9)]
    assert [read_bytes(r) for r in refs[:-1]] == [data[r.row] for r in refs[:-1]]
    table = look(refs, quiet).table
    assert table["error"].to_pylist() == [""] * 7 + ["missing"]
    assert table["extension"][0].as_py() == ("png" if shape == "struct" else "")


def test_a_container_that_names_files(tmp_path: Path) -> None:
    PHOTO.save(tmp_path / "x.png")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = pa.array([{"bytes": None, "path": "x.png"}, {"bytes": None, "path": None}, None], kind)
    pq.write_table(pa.table({"image": cells}), tmp_path / "t.parquet")
    refs = [FileRef(k, os.fsencode(tmp_path / "t.parquet"), k) for k in range(3)]
    assert look(refs, quiet).table["error"].to_pylist() == ["", "missing", "missing"]
