"""Does a filter find the rows it means, and nothing outside the table?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from recipe_core.kernel.errors import Misuse, UnknownName
from recipe_core.store.query import SampleQuery

TABLE = pa.table({
    "path": ["a.jpg", "b.jpg", "c'; drop table samples; --.jpg", None],
    "label": pa.array(["cat", "dog", "cat", None]).dictionary_encode(),
    "brightness": [0.9, 0.1, None, 0.5],
    "file": pa.array([None, None, b"\xff", None]),
})  # fmt: skip


@pytest.fixture(scope="module")
def query() -> SampleQuery:
    return SampleQuery(TABLE)


@pytest.mark.parametrize(
    ("where", "rows"),
    [("", [0, 1, 2, 3]), ("label = 'cat'", [0, 2]), ("brightness > 0.2", [0, 3]),
     ("label is null -- and more", [3]), ("path like '%drop table%'", [2]), ("false", [])],
)  # fmt: skip
def test_where(query: SampleQuery, where: str, rows: list[int]) -> None:
    assert query.rows(where).tolist() == rows


def test_sorting_puts_nulls_last_both_ways_and_ties_in_table_order(query: SampleQuery) -> None:
    assert query.rows(sort="brightness").tolist() == [1, 3, 0, 2]
    assert query.rows(sort="-brightness").tolist() == [0, 3, 1, 2]
    assert query.rows(sort="label", limit=2).tolist() == [0, 2]


@pytest.mark.parametrize(
    "where",
    ["brightness >", "nothing = 1", "true); drop table samples; select (1", "file is null",
     "true) union all select 1 from range(3) where (true); select 1 where (true",
     "true) union all select 99 where (true"],
)  # fmt: skip
def test_a_bad_expression_is_misuse_and_harms_nothing(query: SampleQuery, where: str) -> None:
    with pytest.raises(Misuse) as said:
        query.rows(where)
    assert "\n" not in str(said.value)  # one paragraph on a page, no \\n in it
    assert len(query.rows()) == 4


def test_files_are_out_of_reach(query: SampleQuery, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    for where in (f"exists (select 1 from read_csv('{secret}'))", f"exists (from '{secret}')",
                  f"(select content from read_text('{secret}')) <> ''"):  # fmt: skip
        with pytest.raises(Misuse):
            query.rows(where)


def test_an_unknown_column_names_the_known_ones(query: SampleQuery) -> None:
    with pytest.raises(UnknownName, match="brightness"):
        query.rows(sort="brightnes")


def test_threads_share_it(query: SampleQuery) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: query.rows("label = 'cat'").tolist(), range(64)))
    assert found == [[0, 2]] * 64


def test_many_rows_agree_with_numpy() -> None:
    values = np.random.default_rng(0).normal(size=20_000)
    query = SampleQuery(pa.table({"v": values}))
    expected = np.flatnonzero(values > 1)
    expected = expected[np.argsort(values[expected], kind="stable")]
    np.testing.assert_array_equal(query.rows("v > 1", "v"), expected)
