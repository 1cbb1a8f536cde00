"""Is the sample data what its script makes, and does a scan find what was planted in it?"""

from __future__ import annotations

import csv
import importlib.util
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recipe_core import recipe

FOLDER = Path(__file__).parents[1] / "sample_data"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("sample_data_make", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def album(script):
    return script.make()


@pytest.fixture(scope="module")
def truth():
    return list(csv.DictReader((FOLDER / "truth.csv").open(encoding="utf-8")))


def committed() -> dict[str, bytes]:
    paths = [p for d in ("digits", "boxes") for p in (FOLDER / d).rglob("*") if p.is_file()]
    return {p.relative_to(FOLDER).as_posix(): p.read_bytes() for p in paths}


def test_made_twice_it_is_the_same(script, album, tmp_path):
    script.write(album, tmp_path / "first")
    script.write(script.make(), tmp_path / "again")
    first, again = (
        {
            p.relative_to(tmp_path / d): p.read_bytes()
            for p in (tmp_path / d).rglob("*")
            if p.is_file()
        }
        for d in ("first", "again")
    )
    assert first == again


def test_the_committed_files_are_what_the_script_makes(script, album, truth):
    """Bytes may differ with another version of an encoder, so pictures are compared decoded.

    The damaged ones are searched for bit by bit until a decoder objects: their bytes depend on it.
    """
    files = committed()
    assert files.keys() == album.files.keys()
    assert script.truth_csv(album) == (FOLDER / "truth.csv").read_text(encoding="utf-8")
    broken = {r["path"] for r in truth if r["flaw"] == "corruption"}
    for path, data in files.items():
        if path not in broken and data != album.files[path]:
            assert not path.endswith(".xml")
            ours, theirs = (pixels(d).astype(int) for d in (data, album.files[path]))
            assert np.abs(ours - theirs).mean() < 2, path


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_it_is_small_and_large_enough():
    files = committed()
    assert sum(map(len, files.values())) < 8e6
    assert sum(p.startswith("digits/") for p in files) >= 1200


def test_truth_names_what_is_there(truth):
    known = {c.id for c in recipe.checks("data")} | {"label_noise"}
    assert {r["flaw"] for r in truth} <= known
    assert len({tuple(r.values()) for r in truth}) == len(truth)
    for row in truth:
        assert (FOLDER / row["path"]).exists(), row
    for group in {r["group"] for r in truth if r["group"]}:
        assert len({r["path"] for r in truth if r["group"] == group}) >= 2


# ---------------------------------------------------------------------------- end to end


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """check id -> paths of its subjects, and its finding, after a scan of both sets."""
    found = {}
    for part in ("digits", "boxes"):
        workspace = tmp_path_factory.mktemp(part) / ".recipe"
        report = recipe.scan(FOLDER / part, workspace)
        paths = recipe.evidence(workspace).texts("path")
        for finding in report.findings:
            subjects = {f"{part}/{paths[row]}" for row in finding.subjects.rows.tolist()}
            found[part, finding.check] = (finding, subjects)
    return found


def planted(truth, check: str) -> set[str]:
    return {r["path"] for r in truth if r["flaw"] == check}


PLANTED = (
    "class_balance", "image_quality", "split_drift", "shortcut", "corruption", "exact_duplicates",
    "near_duplicates", "split_leak", "conflicting_labels", "format_forensics",
)  # fmt: skip


@pytest.mark.parametrize("check", PLANTED)
def test_no_planted_flaw_passes(named, check):
    assert named["digits", check][0].verdict in ("warn", "fail")


def test_what_was_not_planted_passes(named):
    assert named["digits", "image_variation"][0].verdict == "pass"


@pytest.mark.parametrize(
    ("check", "recall", "precision"),
    [
        ("corruption", 1.0, 1.0),
        # Grey pictures among coloured ones are named too, for information.
        ("image_quality", 1.0, 0.85),
        ("shortcut", 1.0, 1.0),
        ("exact_duplicates", 1.0, 1.0),
        # On 64 pixels a strong recompression leaves little fine detail to verify a copy by.
        ("near_duplicates", 0.9, 0.9),
        ("split_leak", 0.95, 0.95),
        ("conflicting_labels", 0.95, 0.95),
        ("format_forensics", 0.6, 1.0),
    ],
)
def test_planted_samples_are_named_and_few_others(named, truth, check, recall, precision):
    true, said = planted(truth, check), named["digits", check][1]
    assert len(true & said) / len(true) >= recall, f"missed: {sorted(true - said)}"
    assert len(true & said) / len(said) >= precision, f"extra: {sorted(said - true)}"


def test_the_dark_split_is_named(named):
    assert "brightness in test" in named["digits", "split_drift"][0].numbers["drifted"]


def test_the_rare_classes_are_named(named):
    numbers = named["digits", "class_balance"][0].numbers
    assert numbers["classes_missing"] == ["nine"]
    assert numbers["classes_too_few"] == ["eight", "nine"]
    assert numbers["classes_outnumbered"] == ["nine"]


def test_the_faulty_boxes_are_named(named, truth):
    true = {r["path"] for r in truth if r["flaw"] == "annotations" and r["kind"] != "no_boxes"}
    finding, said = named["boxes", "annotations"]
    assert finding.verdict in ("warn", "fail")
    assert true <= said, f"missed: {sorted(true - said)}"
