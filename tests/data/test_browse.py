"""Does browsing give the rows, counts and orders that brute force over the sample table gives?"""

from __future__ import annotations

import csv
import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe_core import recipe
from recipe_core.data import similar
from recipe_core.data.browse import (
    DECISIONS,
    EVERYTHING,
    MOST_SHOWN,
    Browser,
    Decided,
    Filter,
    Order,
    Sources,
)
from recipe_core.data.vectors import Marks, Vectors
from recipe_core.kernel.errors import Misuse, UnknownName, WorkspaceError
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import Dataset
from tests.data.test_survey import photos

CAMERAS = ("", "Canon", "Ñikon", "O'Brien; drop table samples; --")
UNICODE = "cat/Ünïcode 猫 100%_[a].jpg"
TWIN_OF_UNICODE = "cat/0001.jpg"
WHERE: dict[str, Callable[[dict[str, Any]], bool]] = {
    "age > 4": lambda r: r["age"] is not None and r["age"] > 4,
    "brightness >= 0.5 or brightness is null": lambda r: (
        r["brightness"] is None or r["brightness"] >= 0.5
    ),
    "label = 'cat' and split <> 'test'": lambda r: r["label"] == "cat" and r["split"] != "test",
    "camera is null -- those without": lambda r: r["camera"] is None,
    "path like '%00%'": lambda r: "00" in r["path"],
}


def manifest(folder: Path) -> Path:
    """83 pictures with null labels, ages and cameras, one broken, one empty, one exact copy."""
    photos(folder, 80, seed=1)
    copy = (folder / TWIN_OF_UNICODE).read_bytes()
    (folder / UNICODE).write_bytes(copy)
    (folder / "cat" / "empty.jpg").write_bytes(b"")
    (folder / "cat" / "broken.jpg").write_bytes((folder / "cat" / "0002.jpg").read_bytes()[:700])
    paths = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.jpg"))
    table = folder / "m.csv"
    with table.open("w", newline="", encoding="utf-8") as f:
        out = csv.writer(f)
        out.writerow(["path", "label", "split", "camera", "age"])
        for i, path in enumerate(paths):
            label = "" if i % 11 == 0 else path.split("/")[0]
            age = "" if i % 5 == 0 else i % 17 - 3
            out.writerow([path, label, ("train", "val", "test")[i % 3], CAMERAS[i % 4], age])
    return table


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browse")
    table = manifest(folder / "photos")
    recipe.scan(table, folder / "w", engine="here", check_ids=["corruption", "class_balance"])
    return folder / "w"


@pytest.fixture(scope="module")
def records(workspace: Path) -> list[dict[str, Any]]:
    """The stored sample table, one plain dict per row: what brute force goes over."""
    found: list[dict[str, Any]] = recipe.evidence(workspace).samples.to_pylist()
    return found


@pytest.fixture(scope="module")
def named(workspace: Path) -> dict[int, set[str]]:
    """row -> ids of the checks that name it, from the report."""
    report, found = recipe.last_report(workspace), dict[int, set[str]]()
    assert report is not None
    for finding in report.findings:
        for row in finding.subjects.rows.tolist():
            found.setdefault(row, set()).add(finding.check)
    return found


@pytest.fixture
def own(workspace: Path, tmp_path: Path) -> Path:
    """A workspace of this test alone, to decide in."""
    return Path(shutil.copytree(workspace, tmp_path / "own"))


def spoken(value: Any) -> str | None:
    """A stored value as a category shows it."""
    if value is None or isinstance(value, str):
        return value
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def values_of(
    records: list[dict[str, Any]], named: dict[int, set[str]], column: str
) -> list[set[str | None]]:
    """Every row's values of a category, by brute force (nothing decided)."""
    if column == "finding":
        return [set(named.get(i, ())) or {None} for i in range(len(records))]
    if column in ("tag", "decision"):
        return [{None if column == "tag" else "undecided"} for _ in records]
    return [{spoken(r[column])} for r in records]


def meant(
    filter: Filter, records: list[dict[str, Any]], named: dict[int, set[str]]
) -> npt.NDArray[np.int64]:
    """The rows of a filter, one by one."""
    found = np.ones(len(records), bool)
    for column, accepted in filter.values:
        held = values_of(records, named, column)
        found &= [bool(v & set(accepted)) for v in held]
    for column, low, high in filter.ranges:
        found &= [
            (v := r[column]) is not None
            and (low is None or v >= low)
            and (high is None or v <= high)
            for r in records
        ]
    sought = filter.search.lower()
    found &= [sought in r["path"].lower() or sought in (r["label"] or "").lower() for r in records]
    if filter.where:
        found &= [WHERE[filter.where](r) for r in records]
    return np.flatnonzero(found)


def some_filter(browser: Browser, records: list[dict[str, Any]], rng: random.Random) -> Filter:
    """A random filter whose values and bounds occur in the table."""
    filter = EVERYTHING
    for column in rng.sample(browser.categorical, rng.choice([0, 1, 1, 2])):
        known = [v for v, _ in browser.facet(EVERYTHING, column)]
        filter = filter.with_values(column, rng.sample(known, rng.randint(1, len(known))))
    for column in rng.sample(browser.numeric, rng.choice([0, 0, 1, 2])):
        numbers = [r[column] for r in records if r[column] is not None]
        low, high = sorted(rng.choices(numbers, k=2))
        filter = filter.with_range(
            column, rng.choice([low, low, None]), rng.choice([high, high, None])
        )
    search = rng.choice(["", "", "", "CAT", "dog", "00", "ÜNÏ", "猫", "%_[", "0.jpg"])
    return filter.but(search=search, where=rng.choice(["", "", "", *WHERE]))


def but_values(filter: Filter, column: str) -> Filter:
    """The filter without its accepted values of a column, by hand."""
    return filter.but(values=tuple(v for v in filter.values if v[0] != column))


def but_range(filter: Filter, column: str) -> Filter:
    """The filter without its range of a column, by hand."""
    return filter.but(ranges=tuple(r for r in filter.ranges if r[0] != column))


# -- the table is the manifest's ------------------------------------------------------------------


def test_the_columns_are_those_of_the_manifest(
    workspace: Path, records: list[dict[str, Any]]
) -> None:
    with (recipe.evidence(workspace).dataset.root / "m.csv").open(encoding="utf-8") as f:
        told = {row["path"]: row for row in csv.DictReader(f)}
    assert len(told) == len(records) == 83
    for r in records:
        row = told[r["path"]]
        assert (r["label"] or "") == row["label"]
        assert (r["camera"] or "") == row["camera"]
        assert ("" if r["age"] is None else str(r["age"])) == row["age"]
        assert r["split"].startswith(row["split"])


# -- which ----------------------------------------------------------------------------------------


def test_random_filters_give_the_rows_of_brute_force(
    workspace: Path, records: list[dict[str, Any]], named: dict[int, set[str]]
) -> None:
    browser, rng, sizes = recipe.browser(workspace), random.Random(0), []
    for _ in range(400):
        filter = some_filter(browser, records, rng)
        expected = meant(filter, records, named)
        assert browser.rows(filter).tolist() == expected.tolist(), filter
        assert browser.count(filter) == len(expected)
        sizes.append(len(expected))
    assert sum(0 < n < browser.n for n in sizes) > 100  # not all of them trivial


def test_both_ends_of_a_range_are_included_and_nulls_are_not(workspace: Path) -> None:
    browser = recipe.browser(workspace)
    ages = [r["age"] for r in recipe.evidence(workspace).samples.to_pylist()]
    filter = EVERYTHING.with_range("age", 4, 4)
    assert browser.rows(filter).tolist() == [i for i, a in enumerate(ages) if a == 4]
    everyone = EVERYTHING.with_range("age", -3, 13)
    assert browser.rows(everyone).tolist() == [i for i, a in enumerate(ages) if a is not None]
    assert browser.count(EVERYTHING.with_range("age", 5, 1)) == 0


@pytest.mark.parametrize("bound", [0.1, 0.3, 1 / 3, 2 / 3, 0.5])
def test_a_bound_that_float32_cannot_hold_is_exact(workspace: Path, bound: float) -> None:
    near = np.float32(bound)
    held = np.array([np.nextafter(near, np.float32(0)), near, np.nextafter(near, np.float32(1))])
    browser = made(pa.table({"x": pa.array(held, pa.float32())}))
    above = [i for i, v in enumerate(held) if float(v) >= bound]
    below = [i for i, v in enumerate(held) if float(v) <= bound]
    assert browser.rows(EVERYTHING.with_range("x", bound, None)).tolist() == above
    assert browser.rows(EVERYTHING.with_range("x", None, bound)).tolist() == below


def made(table: pa.Table) -> Browser:
    """A Browser over a table of this test, without findings or decisions."""
    n = table.num_rows
    names = pa.array([f"{i}.jpg" for i in range(n)])
    nulls = pa.nulls(n, pa.string()).dictionary_encode()
    for name, column in (("sample_id", names), ("path", names), ("split", nulls), ("label", nulls)):
        table = table.append_column(name, column)
    no_boxes = pa.table({"row": pa.array([], pa.int64())})
    dataset = Dataset("made", Path("made"), "folder", table, no_boxes, (), ())
    found = Evidence(dataset, table, no_boxes)
    undecided = Decided(Marks({}, n), Marks({"undecided": np.arange(n)}, n))
    sources = Sources(lambda where: np.arange(0), lambda p: np.full((n, similar.WIDTH), np.nan))
    return Browser(Vectors(found, {}), undecided, sources)


@pytest.mark.parametrize(
    "search",
    ["'", '"', ";", "\\", "%", "_", ".*", "(", "[a]", "' or '1'='1", "'; drop table samples; --",
     "a\0b", "\n", "\u202e", "é" * 5000, "read_csv('/etc/passwd')"],
)  # fmt: skip
def test_hostile_search_is_plain_text(
    workspace: Path, records: list[dict[str, Any]], search: str
) -> None:
    expected = [
        i
        for i, r in enumerate(records)
        if search.lower() in r["path"].lower() or search.lower() in (r["label"] or "").lower()
    ]
    assert recipe.browser(workspace).rows(Filter(search=search)).tolist() == expected


@pytest.mark.parametrize(
    "where",
    ["true; drop table samples", "true); attach ':memory:' as x; select (1",
     "exists (select 1 from read_csv('{file}'))", "exists (from '{file}')",
     "(select content from read_text('{file}')) <> ''", "exists (from glob('{file}'))",
     "exists (from duckdb_settings())", "exists (select 1 from information_schema.tables)",
     "exists (with x as (from read_blob('{file}')) from x)", "label = 'cat", "nothing = 1",
     "copy samples to '{file}'", "pragma database_list", "install httpfs", "set threads = 99",
     "file is null", "thumb_offset > 0",
     "true) union all select 99 where (true", "true) union all from range(3) where (true"],
)  # fmt: skip
def test_hostile_sql_is_refused_and_harms_nothing(
    workspace: Path, tmp_path: Path, where: str
) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n")
    browser = recipe.browser(workspace)
    with pytest.raises(Misuse):
        browser.rows(Filter(where=where.format(file=file)))
    assert file.read_text() == "a\n1\n"
    assert browser.count(Filter(where="true")) == browser.n == 83


def test_unknown_columns_name_the_known_ones(workspace: Path) -> None:
    browser = recipe.browser(workspace)
    asked: list[Callable[[], object]] = [
        lambda: browser.rows(EVERYTHING.with_values("nope", ["x"])),
        lambda: browser.rows(EVERYTHING.with_range("nope", 0, 1)),
        lambda: browser.rows(EVERYTHING, Order("nope")),
        lambda: browser.histogram(EVERYTHING, "label"),
        lambda: browser.crosstab(EVERYTHING, "label", "brightness"),
        lambda: browser.scatter(EVERYTHING, "brightness", "nope"),
    ]
    for ask in asked:
        with pytest.raises(UnknownName):
            ask()


# -- in which order -------------------------------------------------------------------------------


def test_every_order_sorts_as_brute_force_with_nulls_last(
    workspace: Path, records: list[dict[str, Any]]
) -> None:
    browser, evidence = recipe.browser(workspace), recipe.evidence(workspace)
    few, some = EVERYTHING.with_range("age", 4, 4), EVERYTHING.with_values("split", ["test"])
    for column in browser.sortable:
        rank = {v: i for i, v in enumerate(evidence.codes("label")[1])}
        if column == "split":
            rank = {v: i for i, v in enumerate(evidence.codes("split")[1])}
        for filter in (few, some, EVERYTHING):  # sorted by itself, or picked from all in order
            for descending in (False, True):
                rows = browser.rows(filter)
                known = [i for i in rows if records[i][column] is not None]
                key = {i: records[i][column] for i in known}
                if column in ("label", "split"):  # these sort as the data set lists them
                    key = {i: rank[v] for i, v in key.items()}
                expected = sorted(known, key=key.__getitem__)
                if descending:  # ties stay in table order: reverse=True of sorted keeps them so
                    expected = sorted(known, key=key.__getitem__, reverse=True)
                expected += [i for i in rows if records[i][column] is None]
                got = browser.rows(filter, Order(column, descending))
                assert got.tolist() == expected, (column, descending)


@pytest.mark.parametrize(
    "values",
    [[0.0, -0.0, -1.5, None, 1e-40, -1e-40, 3e38, -3e38, 0.0],
     [2.0**53, 2.0**53 - 1, None, -(2.0**40), 0.5, 0.25],
     [2.0**40, 2.0**40 + 1, None, 2.0**40 - 7]],
)  # fmt: skip
@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
def test_odd_numbers_sort_as_python_sorts_them(
    values: list[float | None], kind: pa.DataType
) -> None:
    column = pa.array(values, kind)
    browser, held = made(pa.table({"x": column})), column.to_pylist()
    known = [i for i, v in enumerate(held) if v is not None]
    nulls = [i for i, v in enumerate(held) if v is None]
    for down in (False, True):
        expected = sorted(known, key=lambda i: held[i], reverse=down) + nulls
        assert browser.rows(EVERYTHING, Order("x", down)).tolist() == expected


def test_random_order_is_a_permutation_and_the_same_for_every_filter(workspace: Path) -> None:
    browser = recipe.browser(workspace)
    shuffled = browser.rows(EVERYTHING, Order(seed=3))
    assert sorted(shuffled) == list(range(browser.n))
    assert shuffled.tolist() != sorted(shuffled)
    assert browser.rows(EVERYTHING, Order(seed=3)).tolist() == shuffled.tolist()
    assert browser.rows(EVERYTHING, Order(seed=4)).tolist() != shuffled.tolist()
    filter = EVERYTHING.with_values("label", ["dog"])
    dogs = set(browser.rows(filter).tolist())
    expected = [i for i in shuffled.tolist() if i in dogs]
    assert browser.rows(filter, Order(seed=3)).tolist() == expected
    with pytest.raises(Misuse):
        browser.rows(EVERYTHING, Order(seed=-1))


def described(workspace: Path, n: int) -> npt.NDArray[np.float64]:
    """Every thumbnail's descriptor, one at a time."""
    thumbs = [recipe.thumbnail(workspace, i) for i in range(n)]
    rows = [similar.descriptor(t) if t else np.full(similar.WIDTH, np.nan) for t in thumbs]
    return np.array(rows, np.float64)


def test_like_orders_by_distance_between_descriptors(
    workspace: Path, records: list[dict[str, Any]]
) -> None:
    browser = recipe.browser(workspace)
    everyone = described(workspace, browser.n)
    pictured = [i for i in range(browser.n) if not np.isnan(everyone[i, 0])]
    assert 0 < len(pictured) < browser.n
    for row in (pictured[0], pictured[-1], pictured[7]):
        apart = np.sqrt(((everyone - everyone[row]) ** 2).mean(1))
        got = browser.rows(EVERYTHING, Order(like=row)).tolist()
        assert got[0] == row and sorted(got) == list(range(browser.n))
        assert np.all(np.diff(apart[got[: len(pictured)]]) >= -1e-4)
        assert got[len(pictured) :] == [i for i in range(browser.n) if i not in pictured]
        close, distances = browser.similar(row, 10)
        assert close.tolist() == got[1:11]
        np.testing.assert_allclose(distances, apart[close], atol=1e-3)
        filter = EVERYTHING.with_values("split", ["train"])
        kept = set(browser.rows(filter).tolist())
        wanted = [i for i in got if i in kept]
        assert browser.rows(filter, Order(like=row)).tolist() == wanted


def test_an_exact_copy_is_the_most_similar(workspace: Path, records: list[dict[str, Any]]) -> None:
    paths = [r["path"] for r in records]
    copy, first = paths.index(UNICODE), paths.index(TWIN_OF_UNICODE)
    rows, distances = recipe.browser(workspace).similar(first, 3)
    assert (rows[0], distances[0]) == (copy, 0)
    assert distances[1] > 0


@pytest.mark.parametrize("row", [-1, 83, 10**20])
def test_a_row_that_does_not_exist_is_misuse(workspace: Path, row: int) -> None:
    browser = recipe.browser(workspace)
    for ask in (browser.similar, browser.quantile, lambda r: browser.rows(order=Order(like=r))):
        with pytest.raises(Misuse):
            ask(row)


# -- what are they like ---------------------------------------------------------------------------


def test_facets_ignore_their_own_choice_and_follow_the_rest(
    workspace: Path, records: list[dict[str, Any]], named: dict[int, set[str]]
) -> None:
    browser, rng = recipe.browser(workspace), random.Random(1)
    for _ in range(30):
        filter = some_filter(browser, records, rng)
        for column, shown in browser.facets(filter).items():
            held = values_of(records, named, column)
            rows = meant(but_values(filter, column), records, named)
            counted = Counter(v for i in rows for v in held[i])
            assert {v: n for v, n in shown if n} == dict(counted), (column, filter)
            assert [n for _, n in shown] == sorted((n for _, n in shown), reverse=True)
            assert len(shown) == browser.n_values(column)


def test_a_facet_with_many_values_keeps_the_chosen_ones_and_can_be_searched() -> None:
    texts = [f"V{i:03d}" for i in range(300) for _ in range(1 + (i >= 100))]
    browser = made(pa.table({"word": texts + ["V000"] * 900}))
    filter = EVERYTHING.with_values("word", ["V001", "V250"])
    shown = browser.facet(filter, "word")
    assert len(shown) == MOST_SHOWN + 1 and shown[0] == ("V000", 901)
    assert shown[-1] == ("V001", 1) and ("V250", 2) in shown
    found = browser.facet(EVERYTHING, "word", search="v29")
    assert sorted(v or "" for v, _ in found) == [f"V29{i}" for i in range(10)]
    assert browser.n_values("word") == 300


def test_histograms_count_as_numpy_does(
    workspace: Path, records: list[dict[str, Any]], named: dict[int, set[str]]
) -> None:
    browser, rng = recipe.browser(workspace), random.Random(2)
    for column in browser.numeric:
        rest = but_range(some_filter(browser, records, rng), column)
        found = browser.histogram(rest.with_range(column, 0, 1), column, bins=12)
        rows = meant(rest, records, named)
        for counts, among in ((found.all_counts, range(browser.n)), (found.counts, rows)):
            known = [records[i][column] for i in among if records[i][column] is not None]
            expected, _ = np.histogram(np.array(known, float), found.edges)
            assert counts.tolist() == expected.tolist(), column
            assert counts.sum() == len(known)


def test_crosstabs_count_every_pair(
    workspace: Path, records: list[dict[str, Any]], named: dict[int, set[str]]
) -> None:
    browser, rng = recipe.browser(workspace), random.Random(3)
    for _ in range(60):
        filter = some_filter(browser, records, rng)
        a, b = rng.choices(browser.categorical, k=2)
        table = browser.crosstab(filter, a, b)
        first, second = values_of(records, named, a), values_of(records, named, b)
        rows = meant(filter, records, named)
        met = Counter((v, w) for i in rows for v in first[i] for w in second[i])
        got = {
            (v, w): int(table.counts[i, j])
            for i, v in enumerate(table.a_values)
            for j, w in enumerate(table.b_values)
            if table.counts[i, j]
        }
        assert got == dict(met), (a, b, filter)
        assert (table.a_more, table.b_more) == (0, 0)


def test_a_scatter_shows_or_samples_the_filtered_rows(
    workspace: Path, records: list[dict[str, Any]]
) -> None:
    browser = recipe.browser(workspace)
    known = [
        i for i, r in enumerate(records) if r["age"] is not None and r["sharpness"] is not None
    ]
    whole = browser.scatter(EVERYTHING, "age", "sharpness", colour="camera")
    assert whole.rows.tolist() == known and whole.n_total == len(known)
    assert whole.x.tolist() == [records[i]["age"] for i in known]
    assert whole.colour is not None
    assert whole.colour.tolist() == [records[i]["camera"] for i in known]
    x, y = ([records[i][c] for i in known] for c in ("age", "sharpness"))
    expected, _, _ = np.histogram2d(y, x, [whole.y_edges, whole.x_edges])
    assert whole.density.tolist() == expected.tolist()
    part = browser.scatter(EVERYTHING, "age", "sharpness", most=9, seed=1)
    assert len(set(part.rows.tolist())) == 9 and set(part.rows.tolist()) <= set(known)
    assert part.density.sum() == part.n_total == len(known)


def test_quantiles_are_the_share_below(workspace: Path, records: list[dict[str, Any]]) -> None:
    browser = recipe.browser(workspace)
    for row in range(0, browser.n, 9):
        found = browser.quantile(row)
        for column in browser.numeric:
            mine = records[row][column]
            others = [r[column] for r in records if r[column] is not None]
            assert (column in found) == (mine is not None)
            if mine is not None:
                assert found[column] == sum(v < mine for v in others) / len(others)


def test_comparing_gives_cliffs_delta_and_shares(
    workspace: Path, records: list[dict[str, Any]], named: dict[int, set[str]]
) -> None:
    browser, rng, looked_at = recipe.browser(workspace), random.Random(4), Counter[str]()
    for i in range(12):
        first = some_filter(browser, records, rng)
        second = some_filter(browser, records, rng) if i % 2 else None
        a = meant(first, records, named)
        b = np.setdiff1d(np.arange(browser.n), a)
        b = b if second is None else meant(second, records, named)
        found = browser.compare(first, second)
        assert [abs(d.effect) for d in found] == sorted(
            (abs(d.effect) for d in found), reverse=True
        )
        for d in found:
            looked_at[d.kind] += 1
            assert -1 <= d.low <= d.effect <= d.high <= 1
            if d.kind == "share":
                held = values_of(records, named, d.column)
                shares = [np.mean([d.value in held[i] for i in rows]) for rows in (a, b)]
                assert d.effect == pytest.approx(shares[0] - shares[1], abs=1e-12)
                assert (d.n_first, d.n_second) == (len(a), len(b))
                continue
            x, y = (
                np.array([v for i in rows if (v := records[i][d.column]) is not None], float)
                for rows in (a, b)
            )
            assert (d.n_first, d.n_second) == (len(x), len(y))
            assert d.effect == pytest.approx(np.sign(x[:, None] - y).mean(), abs=1e-12)
    assert looked_at["share"] > 50 and looked_at["number"] > 50


# -- JSON -----------------------------------------------------------------------------------------

_TEXTS = st.text(max_size=20)
_NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
_FILTERS = st.builds(
    Filter,
    st.lists(st.tuples(_TEXTS, st.lists(st.none() | _TEXTS, max_size=3).map(tuple))).map(tuple),
    st.lists(st.tuples(_TEXTS, _NUMBERS, _NUMBERS)).map(tuple),
    _TEXTS,
    _TEXTS,
)
_ORDERS = st.builds(
    Order, _TEXTS, st.booleans(), st.none() | st.integers(0), st.none() | st.integers(0)
)


@settings(max_examples=60, deadline=None)
@given(_FILTERS, _ORDERS)
def test_filters_and_orders_come_back_from_json(filter: Filter, order: Order) -> None:
    assert Filter.from_json(filter.to_json()) == filter
    assert Order.from_json(order.to_json()) == order


@pytest.mark.parametrize(
    "text",
    ["[]", "null", "3", "{", '{"x":1}', '{"values":3}', '{"values":[["a","b"]]}',
     '{"values":[["a",[1]]]}', '{"values":[[1,["a"]]]}', '{"ranges":[["a",NaN,1]]}',
     '{"ranges":[["a",Infinity,1]]}', '{"ranges":[["a",true,1]]}', '{"ranges":[["a",1]]}',
     '{"ranges":[["a",1' + "0" * 400 + ',2]]}', '{"search":3}', '{"where":null}', "[" * 100_000],
)  # fmt: skip
def test_an_edited_link_is_misuse(text: str) -> None:
    with pytest.raises(Misuse):
        Filter.from_json(text)


@pytest.mark.parametrize(
    "text",
    ["[]", '{"column":1}', '{"seed":1.5}', '{"seed":true}', '{"like":"1"}', '{"descending":1}',
     '{"search":"x"}'],
)  # fmt: skip
def test_an_edited_order_is_misuse(text: str) -> None:
    with pytest.raises(Misuse):
        Order.from_json(text)


# -- decisions ------------------------------------------------------------------------------------


def decision_counts(workspace: Path) -> dict[str | None, int]:
    return dict(recipe.browser(workspace).facet(EVERYTHING, "decision"))


def rows_with(workspace: Path, column: str, value: str | None) -> list[int]:
    found: list[int] = (
        recipe.browser(workspace).rows(EVERYTHING.with_values(column, [value])).tolist()
    )
    return found


def test_a_decision_is_seen_at_once_and_can_be_taken_back(own: Path) -> None:
    assert decision_counts(own) == {"undecided": 83, "excluded": 0, "kept": 0, "relabelled": 0}
    batch = recipe.decide(own, "exclude", [5, 3, 5], "blurred — 猫", who="Zoë")
    assert (batch.n, batch.kind, batch.value, batch.who) == (2, "exclude", "blurred — 猫", "Zoë")
    assert rows_with(own, "decision", "excluded") == [3, 5]
    assert decision_counts(own)["undecided"] == 81
    recipe.decide(own, "include", np.array([5, 6]))
    recipe.decide(own, "relabel", [6, 7], "dog")
    assert [rows_with(own, "decision", d) for d in DECISIONS[:3]] == [[3], [5, 6], [6, 7]]
    assert len(rows_with(own, "decision", "undecided")) == 79
    undone = recipe.undo(own)
    assert undone is not None and (undone.kind, undone.n) == ("relabel", 2)
    assert rows_with(own, "decision", "relabelled") == []
    redone = recipe.redo(own)
    assert redone is not None and redone.batch == undone.batch
    assert rows_with(own, "decision", "relabelled") == [6, 7]
    for _ in range(3):
        assert recipe.undo(own) is not None
    assert recipe.undo(own) is None
    assert decision_counts(own) == {"undecided": 83, "excluded": 0, "kept": 0, "relabelled": 0}
    assert recipe.decided(own).num_rows == 0


def test_redo_ends_where_something_new_is_decided(own: Path) -> None:
    recipe.decide(own, "exclude", [1])
    recipe.undo(own)
    recipe.decide(own, "exclude", [2])
    assert recipe.redo(own) is None
    assert rows_with(own, "decision", "excluded") == [2]


def test_tags_are_counted_filtered_and_taken_off(own: Path) -> None:
    recipe.decide(own, "tag", [1, 2, 80], "späte Aufnahme; --")
    recipe.decide(own, "tag", [2, 4], "猫")
    shown = recipe.browser(own).facet(EVERYTHING, "tag")
    assert shown == [(None, 79), ("späte Aufnahme; --", 3), ("猫", 2)]
    both = EVERYTHING.with_values("tag", ["猫", "späte Aufnahme; --"])
    assert recipe.browser(own).rows(both).tolist() == [1, 2, 4, 80]
    assert 2 not in rows_with(own, "tag", None)
    recipe.decide(own, "untag", [2], "猫")
    assert rows_with(own, "tag", "猫") == [4]
    met = recipe.browser(own).crosstab(EVERYTHING, "tag", "decision")
    assert met.counts.sum() == 83


def test_an_earlier_browser_keeps_its_own_answer(own: Path) -> None:
    before, filter = recipe.browser(own), EVERYTHING.with_values("decision", ["excluded"])
    assert before.count(filter) == 0
    recipe.decide(own, "exclude", [0])
    assert recipe.browser(own).count(filter) == 1
    assert before.count(filter) == 0


def test_the_history_of_a_sample_tells_everything(own: Path) -> None:
    recipe.decide(own, "tag", [7, 8], "later", who="Ann")
    recipe.decide(own, "exclude", [7], "blurred", who="Bob")
    recipe.undo(own, who="Cem")
    told = recipe.history(own, 7).to_pylist()
    assert [(e["who"], e["kind"], e["value"], e["undone"]) for e in told] == [
        ("Ann", "tag", "later", False),
        ("Bob", "exclude", "blurred", True),
    ]
    assert recipe.history(own, 9).num_rows == 0
    with pytest.raises(Misuse):
        recipe.history(own, 83)


@pytest.mark.parametrize("rows", [[], [-1], [83], [0, 10**6]])
def test_rows_that_do_not_exist_decide_nothing(own: Path, rows: list[int]) -> None:
    with pytest.raises(Misuse):
        recipe.decide(own, "exclude", rows)
    assert recipe.decided(own).num_rows == 0


def test_decisions_survive_a_new_process_and_its_own_are_seen_here(own: Path) -> None:
    recipe.decide(own, "exclude", [3, 5], "猫")
    recipe.browser(own)
    code = (
        "import json, sys; from recipe_core import recipe; w = sys.argv[1];"
        "from recipe_core.data.browse import EVERYTHING;"
        "rows = recipe.browser(w).rows(EVERYTHING.with_values('decision', ['excluded']));"
        "print(json.dumps([rows.tolist(), recipe.decided(w)['reason'].to_pylist()]));"
        "recipe.decide(w, 'include', [9])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(own)], capture_output=True, text=True, check=True
    )
    assert json.loads(told.stdout) == [[3, 5], ["猫", "猫"]]
    assert rows_with(own, "decision", "kept") == [9]


def test_a_workspace_without_results_cannot_be_browsed(tmp_path: Path) -> None:
    with pytest.raises((WorkspaceError, Misuse)):
        recipe.browser(tmp_path / "nothing")


def test_half_a_surrogate_pair_is_found_nowhere(workspace: Path) -> None:
    browser = recipe.browser(workspace)
    assert len(browser.rows(Filter(search="\ud800"))) == 0
    with pytest.raises(Misuse):
        browser.rows(Filter(where="path = '\ud800'"))


@pytest.mark.parametrize("rows", [[True, False], [1.7], np.array([False, True])])
def test_only_row_numbers_name_samples(workspace: Path, rows: Any) -> None:
    with pytest.raises(Misuse, match="row numbers"):
        recipe.decide(workspace, "exclude", rows)
