"""Does format_forensics warn of what silently changes a picture, and of nothing else?"""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from recipe_core.data.checks import format_forensics
from recipe_core.data.checks.format_forensics import CHECK, DEEP_MODES, EXTENSIONS
from recipe_core.images.look import FileRef, look
from recipe_core.kernel.check import judged
from tests.making import make_evidence
from tests.planted import plant_format_forensics

PLAIN = {
    "format": "JPEG", "mode": "RGB", "bits": 8, "extension": "jpg", "orientation": 1, "n_frames": 1,
    "has_alpha": False, "alpha_used": False, "grey_in_rgb": False, "jpeg_quality": 90.0,
    "error": "",
}  # fmt: skip


def pictures(n: int = 20, **odd: object):
    """n plain RGB JPEGs, the last of them with the given columns instead."""
    columns = {name: [value] * (n - 1) + [odd.get(name, value)] for name, value in PLAIN.items()}
    return make_evidence(columns)


def every(n: int = 20, **odd: object):
    return make_evidence({name: [odd.get(name, value)] * n for name, value in PLAIN.items()})


def test_plain_rgb_jpegs_pass():
    finding = judged(CHECK, pictures())
    assert finding.verdict == "pass" and finding.next_step == ""
    assert not len(finding.subjects)
    assert finding.numbers["formats"] == [{"format": "JPEG", "mode": "RGB", "n": 20}]
    assert not any(finding.numbers["traits"].values())
    assert finding.numbers["jpeg_quality"] == {"n": 20, "p5": 90, "median": 90, "p95": 90}


SURPRISES = [
    ("wrong_extension", {"format": "PNG"}, "named .jpg but it is PNG"),
    ("exif_orientation", {"orientation": 6}, "lying on its side"),
    ("cmyk", {"mode": "CMYK"}, "CMYK"),
    ("deep", {"format": "PNG", "extension": "png", "mode": "I;16", "bits": 16}, "clips"),
    ("alpha_in_use", {"format": "PNG", "extension": "png", "mode": "RGBA", "has_alpha": True,
                      "alpha_used": True}, "transparent"),
    ("animated", {"format": "GIF", "extension": "gif", "n_frames": 7}, "7 frames"),
]  # fmt: skip


@pytest.mark.parametrize(("trait", "columns", "words"), SURPRISES, ids=[s[0] for s in SURPRISES])
def test_one_surprise_is_a_warning_with_its_remedy(trait, columns, words):
    finding = judged(CHECK, pictures(**columns))
    assert finding.verdict == "warn"
    assert finding.subjects.rows.tolist() == [19]
    assert words in finding.subjects.details[0]
    assert finding.numbers["traits"][trait] == 1
    assert sum(finding.numbers["traits"].values()) == 1
    assert finding.next_step
    assert judged(CHECK, pictures(**columns), {"tolerated": 0.05}).verdict == "pass"


@pytest.mark.parametrize(
    "columns",
    [
        {"format": "MPO", "n_frames": 2},
        {"extension": "jpeg"},
        {"extension": "jfif"},
        {"extension": ""},
        {"extension": "dat"},
        {"format": "PNG", "extension": "png", "mode": "P"},
        {"format": "PNG", "extension": "png", "mode": "RGBA", "has_alpha": True},
        {"format": "PNG", "extension": "png", "mode": "RGB", "bits": 16},
        {"mode": "L"},
        {"grey_in_rgb": True},
        {"jpeg_quality": 15.0},
        {"orientation": None, "n_frames": None, "alpha_used": None, "bits": None},
    ],
    ids=str,
)
def test_what_a_plain_loader_gets_right_is_no_warning(columns):
    finding = judged(CHECK, pictures(40, **columns))
    assert finding.verdict == "pass", finding.summary
    assert not len(finding.subjects)


def test_grey_throughout_is_information():
    finding = judged(CHECK, every(grey_in_rgb=True))
    assert finding.verdict == "pass"
    assert finding.numbers["traits"]["grey_saved_as_rgb"] == 20
    assert "20 grey saved in colour" in finding.summary


@pytest.mark.parametrize(
    ("n_grey", "named"), [(0, []), (1, []), (3, [0, 1, 2]), (17, [17, 18, 19]), (19, []), (20, [])]
)
def test_grey_and_colour_in_earnest_names_the_rarer(n_grey, named):
    grey = [i < n_grey for i in range(20)]
    columns = {name: [value] * 20 for name, value in PLAIN.items()} | {"grey_in_rgb": grey}
    finding = judged(CHECK, make_evidence(columns))
    assert finding.subjects.rows.tolist() == named
    assert finding.verdict == ("warn" if named else "pass")


def test_a_loader_that_turns_is_not_surprised():
    finding = judged(CHECK, pictures(orientation=8), {"loader_turns": True})
    assert finding.verdict == "pass"
    assert finding.numbers["traits"]["exif_orientation"] == 1


def test_one_picture_with_two_surprises_is_one_subject_with_the_worse_score():
    subjects = judged(CHECK, pictures(orientation=3, format="PNG")).subjects
    assert subjects.rows.tolist() == [19]
    assert "upside down" in subjects.details[0] and "named .jpg" in subjects.details[0]
    assert subjects.scores[0] == pytest.approx(0.4)


def test_files_without_a_picture_are_left_to_corruption():
    assert judged(CHECK, pictures(error="truncated", orientation=6)).verdict == "pass"
    assert judged(CHECK, every(error="empty", format=None)).verdict == "skipped"


def test_formats_and_modes_are_counted_together():
    finding = judged(CHECK, pictures(10, format="PNG", extension="png", mode="P"))
    assert finding.numbers["formats"] == [
        {"format": "JPEG", "mode": "RGB", "n": 9},
        {"format": "PNG", "mode": "P", "n": 1},
    ]
    formats, modes = finding.charts[:2]
    assert (formats.column, formats.x) == ("format", ["JPEG", "PNG"])
    assert (modes.column, modes.x) == ("mode", ["RGB", "P"])


def test_pillow_knows_every_format_of_the_extension_table():
    """Oracle: Pillow's own table of extensions. Where both know an extension, they agree."""
    Image.init()
    theirs = {e[1:]: f for e, f in Image.registered_extensions().items()}
    shared = set(theirs) & set(EXTENSIONS)
    assert len(shared) > 25
    assert {e: theirs[e] for e in shared if theirs[e] not in EXTENSIONS[e]} == {}


def test_plain_convert_does_what_the_details_say(tmp_path):
    """Oracle: Pillow itself. Deep pictures clip, EXIF is ignored, what lay under alpha shows."""
    deep = Image.fromarray(np.array([[0, 255, 256, 20_000]], dtype=np.uint16))
    assert deep.mode in DEEP_MODES
    assert np.asarray(deep.convert("RGB"))[0, :, 0].tolist() == [0, 255, 255, 255]

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert Image.open(tmp_path / "a.jpg").convert("RGB").size == (40, 20)

    hidden = Image.new("RGBA", (1, 1), (255, 0, 255, 0))
    assert hidden.convert("RGB").getpixel((0, 0)) == (255, 0, 255)


@pytest.mark.parametrize(("value", "turn"), [
    (2, "FLIP_LEFT_RIGHT"), (3, "ROTATE_180"), (4, "FLIP_TOP_BOTTOM"), (6, "ROTATE_90"),
    (8, "ROTATE_270"),
])  # fmt: skip
def test_the_words_for_an_orientation_say_how_it_looks_unturned(value, turn):
    """Oracle: exif_transpose undoes exactly the turn that the words name."""
    from PIL import ImageOps

    upright = Image.fromarray(np.arange(18, dtype=np.uint8).reshape(2, 3, 3))
    stored = upright.transpose(Image.Transpose[turn])
    stored.getexif()[0x0112] = value
    assert np.array_equal(np.asarray(ImageOps.exif_transpose(stored)), np.asarray(upright))
    words = {"FLIP_LEFT_RIGHT": "left to right", "ROTATE_180": "upside down",
             "FLIP_TOP_BOTTOM": "top to bottom", "ROTATE_90": "counter-clockwise",
             "ROTATE_270": "90° clockwise"}[turn]  # fmt: skip
    assert words in format_forensics.SHOWN_TURNED[value]


def scanned(folder):
    paths = sorted(folder.iterdir())
    table = look([FileRef(i, os.fsencode(p)) for i, p in enumerate(paths)], lambda i: None).table
    columns = {name: table[name].to_pylist() for name in table.column_names if name != "row"}
    return make_evidence(columns | {"path": [p.name for p in paths]})


@pytest.mark.parametrize("plant", plant_format_forensics.PLANTS, ids=lambda p: p.name)
def test_planted_files(plant, tmp_path):
    (tmp_path / "fault").mkdir()
    (tmp_path / "healthy").mkdir()
    plant.fault(tmp_path / "fault")
    plant.healthy(tmp_path / "healthy")
    fault = scanned(tmp_path / "fault")
    finding = judged(CHECK, fault)
    assert finding.verdict in plant.verdicts, finding.summary
    assert {fault.texts("path")[r] for r in finding.subjects.rows} == plant.subjects
    healthy = judged(CHECK, scanned(tmp_path / "healthy"))
    assert healthy.verdict == "pass", healthy.summary
