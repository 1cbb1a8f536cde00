"""Does the curve say how many to look at, and do decisions change what is expected?"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from recipe_core.data.label_noise.curve import found_by, look_at, precision_at
from recipe_core.data.label_noise.measure import NAME, labelled, summary_of
from recipe_core.data.label_noise.review import UNSURE, advice, queue
from recipe_core.kernel.errors import MissingInput
from tests.making import make_evidence

WRONG = np.array([0.1, 0.9, 0.4, 0.6])


def test_the_curve_counts_expected_wrong_labels_from_the_most_probable_down() -> None:
    np.testing.assert_allclose(found_by(WRONG), [0.45, 0.75, 0.95, 1.0])
    assert [look_at(WRONG, s) for s in (0.45, 0.5, 0.95, 1.0)] == [1, 2, 3, 4]
    assert precision_at(WRONG, 2) == pytest.approx(0.75)


def test_what_people_found_takes_the_place_of_what_was_expected() -> None:
    decided = np.array([np.nan, 0.0, np.nan, 1.0])
    np.testing.assert_allclose(found_by(WRONG, decided), [0, 1 / 1.5, 1.4 / 1.5, 1.0])


def made(n: int = 60) -> tuple[object, np.ndarray]:
    wrong = np.linspace(0.99, 0.0, n).astype(np.float32)
    about = b'{"class_names": ["cat", "dog"], "typical": [[1], [0]]}'
    table = pa.table({
        "row": np.arange(n)[::-1], "label_error_probability": wrong,
        "suggested_label": ["dog"] * n, "neighbours": [[0, 1]] * n,
    }).replace_schema_metadata({"recipe": about})  # fmt: skip
    labels = ["cat" if i % 2 else "dog" for i in range(n)]
    return make_evidence({"label": labels}, tables={NAME: table}), wrong


def decisions(**by_row: dict[str, object]) -> pa.Table:
    blank = {"excluded": None, "label": None, "tags": []}
    rows = [{"row": int(k[1:]), **blank, **v} for k, v in by_row.items()]
    fields = [("row", pa.int64()), ("excluded", pa.bool_()), ("label", pa.string()),
              ("tags", pa.list_(pa.string()))]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def test_the_queue_knows_what_was_decided() -> None:
    evidence, _ = made()
    found = queue(evidence, decisions(
        r59={"label": "mouse"}, r58={"excluded": False}, r57={"tags": [UNSURE]},
        r56={"excluded": True}, r55={"label": "cat"},
    ))  # fmt: skip
    assert found.rows[:6].tolist() == [59, 58, 57, 56, 55, 54]
    np.testing.assert_array_equal(found.decided[:5], [1, 0, np.nan, 1, np.nan])
    assert found.seen[:6].tolist() == [True, True, True, True, False, False]
    k, n, low, high = found.precision()
    assert (k, n) == (2, 3) and 0 < low < 2 / 3 < high < 1
    assert found.pairs(0.5).sum() == 15  # every other one, given cat, of the 30 most probable


def test_the_advice_learns_from_what_was_judged() -> None:
    evidence, wrong = made()
    nobody = advice(queue(evidence, decisions()))
    assert nobody[0] == 0 and nobody[1] == pytest.approx(wrong.sum(), rel=1e-3)
    all_right = {f"r{r}": {"excluded": False} for r in range(59, 29, -1)}
    found, total, ahead = advice(queue(evidence, decisions(**all_right)))
    assert (found, total, ahead) == (0, 0, 0)


def test_too_little_to_learn_from_is_said() -> None:
    with pytest.raises(MissingInput, match="no labels"):
        labelled(make_evidence({"label": [None] * 50}))
    with pytest.raises(MissingInput, match="two classes"):
        labelled(make_evidence({"label": ["a"] * 50}))
    rows, labels, names = labelled(make_evidence({"label": ["a"] * 30 + ["b"] * 30 + ["c"] * 2}))
    assert (len(rows), labels.max(), names) == (60, 1, ("a", "b"))
    assert summary_of(pa.table({"row": [1]})) == {}
