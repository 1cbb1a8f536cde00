"""Does an expression mean the samples that were chosen? DuckDB over a table says so."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.filters import NO_SPLIT, UNLABELLED, expression, literal, sortable
from recipe_core.store.query import SampleQuery
from tests.making import make_evidence

LABELS = ["cat", "it's", None, "dog"]
SPLITS = ["train", None, "test", "train"]
PATHS = ["a/Cat 1.jpg", "b/100%_sure.jpg", "c/'); drop table samples; --.jpg", "d/x.jpg"]


@pytest.fixture(scope="module")
def query() -> SampleQuery:
    return SampleQuery(make_evidence({"label": LABELS, "split": SPLITS, "path": PATHS}).samples)


@pytest.mark.parametrize(
    ("labels", "splits", "text", "wanted"),
    [([], [], "", [0, 1, 2, 3]), (["cat"], [], "", [0]), (["it's", "dog"], [], "", [1, 3]),
     ([UNLABELLED], [], "", [2]), (["cat", UNLABELLED], [], "", [0, 2]), (["gone"], [], "", []),
     ([], ["train"], "", [0, 3]), ([], [NO_SPLIT, "test"], "", [1, 2]),
     (["dog"], ["train"], "", [3]), ([], [], "CAT", [0]), ([], [], "dog", [3]),
     ([], [], "%_", [1]), ([], [], "'); drop", [2]), ([], [], "\\", [])],
)  # fmt: skip
def test_choices(
    query: SampleQuery, labels: list[str], splits: list[str], text: str, wanted: list[int]
) -> None:
    assert query.rows(expression(labels, splits, text)).tolist() == wanted


@given(st.text(max_size=40))
def test_a_literal_is_that_text_and_nothing_else(text: str) -> None:
    query = SampleQuery(pa.table({"path": ["x"], "n": [1]}))
    assert query.rows(f"{literal(text)} = {literal(text)} and n = 1").tolist() == [0]


def test_only_measured_numbers_and_names_can_be_sorted_by() -> None:
    table = make_evidence({"label": LABELS, "brightness": [0.1, None, 0.2, 0.3]}).samples
    offered = sortable(table)
    assert {"path", "label", "brightness"} <= set(offered)
    assert not {"phash", "sample_id", "width", "split", "file"} & set(offered)
    query = SampleQuery(table)
    for column in offered:
        assert sorted(query.rows("", column)) == list(np.arange(4))
