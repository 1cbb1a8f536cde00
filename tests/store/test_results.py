"""Do findings come back from the workspace as they went in, pictures and tables with them?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from recipe_core.kernel.nouns import Chart, Finding, Picture, Table
from recipe_core.kernel.report import Report
from recipe_core.store import results
from recipe_core.store.workspace import Workspace, commit, prepare


def test_a_finding_with_all_it_can_hold_comes_back(tmp_path: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    finding = Finding(
        "fail", "Seen.", "Do this.", {"n": 3}, value=0.5, expected="1", because=("other",),
        charts=(Chart("line", "Loss", "step", "loss", [0, 1], {"loss": [2.0, 1.0]}, [1.5]),),
        tables=(Table("By layer", ("layer", "moved"), (("head", 0.0), ("body", 1.5))),),
        pictures=(Picture("Input", pixels, "first"), Picture("Again", pixels + 1)),
        check="made", stage="data",
    )  # fmt: skip
    plain = Finding("pass", "Fine.", check="other", stage="data")
    place = Workspace(tmp_path / "w")
    prepare(place)
    report = Report({}, (finding, plain), {}, "2026-01-01T00:00:00+00:00")
    commit(place, lambda folder: results.write_report(folder, report))

    read = results.read_report(place)
    assert read is not None
    first, second = read.findings
    for a, b in zip(first.pictures, finding.pictures, strict=True):
        assert np.array_equal(a.pixels, b.pixels) and (a.title, a.caption) == (b.title, b.caption)
    bare = {"pictures": (), "subjects": finding.subjects}
    assert replace(first, **bare) == replace(finding, **bare)
    assert replace(second, **bare) == replace(plain, **bare)
