"""Does corruption weigh every error class rightly, and leave sound files alone?"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from recipe_core.data.checks import corruption
from recipe_core.data.checks.corruption import CHECK
from recipe_core.images.look import FileRef, look
from recipe_core.kernel.check import judged
from tests.making import make_evidence
from tests.planted import plant_corruption

REAL = Path(
    os.environ.get("RECIPE_REAL_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")
)


def errors(*names: str, **columns: list):
    n = len(names)
    loads = [name in ("", "damaged") for name in names]
    paths = [f"{i}.jpg" for i in range(n)]
    return make_evidence({"error": list(names), "pillow_ok": loads, "path": paths, **columns})


def test_sound_files_pass():
    finding = judged(CHECK, errors("", "", ""))
    assert finding.verdict == "pass"
    assert finding.next_step == "" and not len(finding.subjects) and not finding.charts
    assert finding.numbers["classes"] == {} and finding.numbers["n"] == 3


@pytest.mark.parametrize("name", [c.name for c in corruption.CLASSES if c.name != "damaged"])
def test_one_file_without_a_picture_fails(name):
    finding = judged(CHECK, errors(*[""] * 999, name))
    assert finding.verdict == "fail"
    assert finding.subjects.rows.tolist() == [999]
    assert finding.numbers["classes"] == {name: 1}
    assert finding.numbers["n_unreadable"] == 1 and finding.numbers["share"] == 0.001
    assert "1 file cannot be loaded" in finding.summary


def test_an_unknown_class_counts_as_broken():
    finding = judged(CHECK, errors("", "eaten_by_moths"))
    assert finding.verdict == "fail" and "1 eaten by moths" in finding.summary


def test_damage_that_loads_warns_up_to_its_share_and_fails_above():
    some = errors(*[""] * 98, "damaged", "damaged")
    assert judged(CHECK, some, {"max_damaged": 0.02}).verdict == "warn"
    assert judged(CHECK, some, {"max_damaged": 0.019}).verdict == "fail"
    assert "2 load but are damaged" in judged(CHECK, some).summary


def test_a_cut_file_that_loads_is_damaged_not_absent():
    finding = judged(CHECK, errors("", "truncated", pillow_ok=[True, True]), {"max_damaged": 0.5})
    assert finding.verdict == "warn"
    assert (finding.numbers["n_damaged"], finding.numbers["n_unreadable"]) == (1, 0)


def test_a_tolerated_share_is_still_a_warning():
    finding = judged(CHECK, errors("", "", "", "empty"), {"max_unreadable": 0.25})
    assert finding.verdict == "warn" and len(finding.subjects) == 1


def test_warnings_about_metadata_are_counted_only():
    said = [
        "Corrupt EXIF data.  Expecting to read 2 bytes but only got 0. ",
        "",
        None,
        "Tag offset",
    ]
    finding = judged(CHECK, errors("", "", "", "", warning=said))
    assert finding.verdict == "pass"
    assert finding.numbers["warnings"] == {"Corrupt EXIF data": 1, "Tag offset": 1}


def test_details_hold_the_class_the_decoders_words_and_the_remedy():
    evidence = errors(
        "empty", "damaged", "", error_detail=[None, "Corrupt JPEG data: bad code.", None]
    )
    subjects = judged(CHECK, evidence).subjects
    assert subjects.details[0].startswith("empty: empty. Fetch it again")
    assert subjects.details[1].startswith("damaged: Corrupt JPEG data: bad code. Look at it")
    assert subjects.scores[0] == 0 < subjects.scores[1] < 1


def test_the_chart_filters_by_the_error_column():
    (chart,) = judged(CHECK, errors("empty", "missing", "empty", "")).charts
    assert (chart.kind, chart.column) == ("bar", "error")
    assert dict(zip(chart.x, chart.series["files"], strict=True)) == {"missing": 1, "empty": 2}


def test_files_not_yet_looked_at_are_not_judged():
    assert judged(CHECK, errors("", None, None, "empty")).numbers["n"] == 2
    assert judged(CHECK, make_evidence({"error": [None, None]})).verdict == "skipped"


def scanned(paths: list[Path]):
    table = look([FileRef(i, os.fsencode(p)) for i, p in enumerate(paths)], lambda i: None).table
    columns = {name: table[name].to_pylist() for name in table.column_names if name != "row"}
    return make_evidence(columns | {"path": [p.name for p in paths]})


@pytest.mark.parametrize("plant", plant_corruption.PLANTS, ids=lambda p: p.name)
def test_planted_files(plant, tmp_path):
    (tmp_path / "fault").mkdir()
    (tmp_path / "healthy").mkdir()
    plant.fault(tmp_path / "fault")
    plant.healthy(tmp_path / "healthy")
    fault = scanned(sorted((tmp_path / "fault").iterdir()))
    finding = judged(CHECK, fault)
    assert finding.verdict in plant.verdicts
    assert {fault.texts("path")[r] for r in finding.subjects.rows} == plant.subjects
    healthy = judged(CHECK, scanned(sorted((tmp_path / "healthy").iterdir())))
    assert healthy.verdict == "pass", healthy.summary


@pytest.mark.real_data
def test_every_file_that_pillow_cannot_load_is_named():
    root = REAL / "corrupt"
    if not (root / "truth.csv").exists():
        pytest.skip("no `corrupt` data set below RECIPE_REAL_DATA")
    with (root / "truth.csv").open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if (root / r["path"]).exists()]
    finding = judged(CHECK, scanned([root / r["path"] for r in rows]))
    named = {rows[i]["path"] for i in finding.subjects.rows}
    # The truth was written by Pillow alone; HEIF has a decoder here.
    lost = {r["path"] for r in rows if r["load_ok"] == "False" and not r["path"].endswith(".heif")}
    assert lost <= named
    assert finding.verdict == "fail"
