"""Does the browse page show what its filter means, and does a decision do what it says?"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from app import comparing, decisions_bar, filters, grouping, opened, plots, sample, words
from app.filters import value_name
from app.grouping import Grouping
from app.views import VIEWS
from recipe_core import recipe
from recipe_core.data.browse import Browser, Filter, Order
from recipe_core.reporting.palette import LIGHT
from tests.app.making import HOSTILE_CLASS, HOSTILE_FILE, N_SAMPLES
from tests.app.test_pages import drawn, said

HOSTILE = "<img src=x onerror=alert(1)> ![x](http:) **b** $x$"


@pytest.fixture
def own(scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the scanned workspace, open, to be written to."""
    place = tmp_path / "own"
    shutil.copytree(scanned, place)
    monkeypatch.setenv("RECIPE_WORKSPACE", str(place))
    yield place


def in_view(test: AppTest) -> tuple[Filter, Order]:
    state = test.session_state
    return (
        state["browse-filter"] if "browse-filter" in state else Filter(),
        state["browse-order"] if "browse-order" in state else Order(),
    )


def shown_rows(test: AppTest) -> list[int]:
    """The rows that the grid was given."""
    return recipe.browser(opened.workspace()).rows(*in_view(test)).tolist()


def address(test: AppTest) -> dict[str, list[str]]:
    return {k: v if isinstance(v, list) else [v] for k, v in test.query_params.items()}


# -- the filter and the address -----------------------------------------------------------------


def test_a_link_from_the_findings_page_shows_that_finding(workspace: Path) -> None:
    test = drawn("browse", finding=words.spoken("corruption"))
    assert not test.exception
    assert in_view(test)[0] == Filter().with_values("finding", ("corruption",))
    assert words.escaped(opened.findings()["corruption"].summary) in said(test)
    assert shown_rows(test) == sorted(set(opened.findings()["corruption"].subjects.rows.tolist()))


def test_a_late_request_with_the_address_before_undoes_nothing(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "SECONDS_UNDER_WAY", 60.0)
    test = drawn("browse")
    for text in ("a", "no such name"):
        test.text_input(key="text").set_value(text).run()
    test.query_params["text"] = "a"  # the browser has not heard of the second address yet
    test.run()
    assert in_view(test)[0] == Filter(search="no such name")
    assert address(test) == {"text": ["no such name"]}
    monkeypatch.setattr(filters, "SECONDS_UNDER_WAY", 0.0)
    test.query_params["text"] = "a"  # somebody went back
    test.run()
    assert in_view(test)[0] == Filter(search="a")


def test_a_link_from_another_page_is_followed_however_soon(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "SECONDS_UNDER_WAY", 60.0)
    test = drawn("browse")
    for text in ("a", "no such name"):
        test.text_input(key="text").set_value(text).run()
    test.switch_page("../pages/report.py").run()
    test.query_params["text"] = "a"
    test.switch_page("../pages/browse.py").run()
    assert in_view(test)[0] == Filter(search="a")


def test_text_that_nothing_has_and_clearing(workspace: Path) -> None:
    test = drawn("browse", finding=words.spoken("corruption"))
    test.text_input(key="text").set_value("no such name").run()
    assert "No sample fits" in said(test)
    assert address(test) == {"finding": ["Corruption"], "text": ["no such name"]}
    test.button(key="chips-clear").click().run()
    assert "No sample fits" not in said(test)
    assert in_view(test) == (Filter(), Order()) and address(test) == {}


def test_a_hostile_label_in_the_address(workspace: Path) -> None:
    test = drawn("browse", label=HOSTILE_CLASS)
    assert not test.exception
    labels = opened.evidence().texts("label")
    assert shown_rows(test) == np.flatnonzero(labels == HOSTILE_CLASS).tolist()
    assert HOSTILE_CLASS not in said(test)


def test_a_link_to_columns_that_are_not_there_says_so(workspace: Path) -> None:
    test = drawn("browse", colour="red")
    assert not test.exception
    assert "does not have: colour" in said(test)


def test_sorting_goes_into_the_address_and_comes_back(workspace: Path) -> None:
    test = drawn("browse")
    test.selectbox(key="sort").set_value("brightness").run()
    test.toggle(key="down").set_value(True).run()
    assert address(test) == {"sort": ["brightness"], "down": ["true"]}
    again = drawn("browse", **{k: v[0] for k, v in address(test).items()})
    assert in_view(again)[1] == Order("brightness", descending=True)
    found = opened.evidence().numbers("brightness")[shown_rows(again)]
    known = found[~np.isnan(found)]
    assert len(known) > 20 and (np.diff(known) <= 0).all()


def test_shuffling_is_the_same_for_the_same_seed(workspace: Path) -> None:
    test = drawn("browse")
    test.selectbox(key="sort").set_value("shuffled").run()
    first = shown_rows(test)
    test.number_input(key="seed").set_value(7).run()
    assert address(test) == {"seed": ["7"]}
    assert sorted(first) == list(range(N_SAMPLES)) and shown_rows(test) != first
    assert shown_rows(drawn("browse", seed="7")) == shown_rows(test)


def test_an_expression_that_does_not_work_is_said_where_it_was_typed(workspace: Path) -> None:
    test = drawn("browse", label="dog")
    test.text_input(key="where").set_value("width >").run()
    assert not test.exception
    assert "r-problem" in said(test)
    assert test.text_input(key="where").value == "width >"
    assert in_view(test)[0] == Filter().with_values("label", ("dog",))
    test.text_input(key="where").set_value("split = 'test'").run()
    assert "r-problem" not in said(test)
    assert address(test) == {"label": ["dog"], "where": ["split = 'test'"]}
    assert len(shown_rows(test)) == 4


@pytest.mark.parametrize("where", ["1; drop table samples", "nope = 1", "(select 1"])
def test_a_link_with_a_bad_expression_can_be_left(where: str, workspace: Path) -> None:
    test = drawn("browse", where=where)
    assert not test.exception
    assert "r-problem" in said(test)
    next(b for b in test.button if b.label == "Clear the filters").click().run()
    assert "r-problem" not in said(test) and in_view(test)[0] == Filter()


def test_saved_views_survive_the_session(own: Path) -> None:
    test = drawn("browse", label="dog", sort="brightness")
    test.text_input(key="view-name").set_value(HOSTILE).run()
    test.button(key="view-save").click().run()
    wanted = (Filter().with_values("label", ("dog",)), Order("brightness"))
    assert recipe.views(own) == {HOSTILE: wanted}
    later = drawn("browse")
    later.selectbox(key="view-chosen").set_value(HOSTILE).run()
    later.button(key="view-open").click().run()
    assert in_view(later) == wanted
    later.button(key="view-delete").click().run()
    assert recipe.views(own) == {} and not later.exception


def test_groups_are_sections_of_the_view(workspace: Path) -> None:
    place = recipe.browser(workspace)
    view = grouping.open_view(place, Filter(), Order("brightness"), Grouping("label"))
    rows = VIEWS.get(view.key)
    assert rows is not None and sorted(rows.tolist()) == list(range(N_SAMPLES))
    codes, names = opened.evidence().codes("label")
    assert sum(n for _, n in view.groups) == N_SAMPLES and len(view.groups) == 2
    assert [n for _, n in view.groups] == [int((codes == i).sum()) for i in range(len(names))]
    ordered = place.rows(Filter(), Order("brightness"))
    for i in range(len(names)):
        mine = rows[codes[rows] == i]
        assert mine.tolist() == ordered[codes[ordered] == i].tolist()


def test_copies_of_a_finding_stand_together(workspace: Path) -> None:
    place = recipe.browser(workspace)
    copies = Filter().with_values("finding", ("exact_duplicates",))
    view = grouping.open_view(place, copies, Order(), Grouping(grouping.BY_FINDING))
    assert view.groups == (("Group 1", 2),) and view.total == 2


def test_a_copy_to_keep_is_shown_with_its_group_but_not_blamed(workspace: Path) -> None:
    place, finding = recipe.browser(workspace), opened.findings()["exact_duplicates"]
    (blamed,) = finding.subjects.blamed().tolist()
    copies = Filter().with_values("finding", ("exact_duplicates",))
    assert place.rows(copies).tolist() == [blamed]
    whole = drawn("browse", finding="Exact duplicates")
    assert "It blames 1 sample; beside them 1 sample that may stay" in said(whole)
    assert set(VIEWS.get(grouping.open_view(place, copies, Order(), Grouping()).key)) == set(
        finding.subjects.rows.tolist()
    )
    whole.toggle(key="whole").set_value(False).run()
    assert address(whole) == {"finding": ["Exact duplicates"], "whole": ["false"]}
    alone = grouping.open_view(place, copies, Order(), Grouping(), whole=False)
    assert VIEWS.get(alone.key).tolist() == [blamed]
    again = drawn("browse", finding="Exact duplicates", whole="false")
    assert again.toggle(key="whole").value is False


def test_facet_badges_and_sql_name_the_same_samples(workspace: Path) -> None:
    from app import marks

    place = recipe.browser(workspace)
    badged = [row.get("findings", []) for row in marks.described(np.arange(N_SAMPLES))]
    facet = dict(place.facet(Filter(), "finding"))
    for check, finding in opened.findings().items():
        by_facet = place.rows(Filter().with_values("finding", (check,))).tolist()
        where = f"list_contains(string_split(findings, ', '), '{check}')"
        assert (
            by_facet == recipe.rows(workspace, where).tolist() == finding.subjects.blamed().tolist()
        )
        assert by_facet == [i for i, names in enumerate(badged) if check in names]
        assert facet.get(check, 0) == len(by_facet)
    clean = place.rows(Filter().with_values("finding", (None,))).tolist()
    assert clean == recipe.rows(workspace, "findings = ''").tolist()


def test_clusters_are_sections_named_by_their_labels(workspace: Path) -> None:
    test = drawn("browse", group="cluster", clusters="3", split="train")
    assert not test.exception and test.number_input(key="clusters").value == 3
    place, train = recipe.browser(workspace), Filter().with_values("split", ("train",))
    view = grouping.open_view(place, train, Order(), Grouping(grouping.BY_LIKENESS, 3))
    rows = VIEWS.get(view.key)
    assert rows is not None and sorted(rows.tolist()) == place.rows(train).tolist()
    assert [n for _, n in view.groups] == np.unique(place.clusters(3)[rows], return_counts=True)[1][
        [1, 2, 3, 0]
    ].tolist(), "the picture that cannot be decoded comes last"
    assert view.groups[-1] == ("Without a picture", 1)
    assert view.groups[0][0].startswith("Cluster 1: ") and "%" in view.groups[0][0]
    test.number_input(key="clusters").set_value(5).run()
    assert address(test) == {"group": ["cluster"], "clusters": ["5"], "split": ["train"]}


# -- beside the pictures ------------------------------------------------------------------------


@pytest.mark.parametrize("beside", ["plots", "differences"])
def test_what_stands_beside_the_pictures(beside: str, workspace: Path) -> None:
    test = drawn("browse", beside=beside, label="dog")
    assert not test.exception
    assert address(test)["beside"] == [beside]
    if beside == "differences":
        assert "r-differences" in said(test) or "No column tells" in said(test)


@pytest.mark.parametrize(
    ("x", "y", "colour"),
    [("brightness", "", ""), ("brightness", "", "label"), ("brightness", "contrast", ""),
     ("brightness", "contrast", "label"), ("label", "", ""), ("label", "", "split"),
     ("label", "split", ""), ("finding", "label", ""), ("label", "", "finding")],
)  # fmt: skip
def test_every_kind_of_plot_draws_itself(x: str, y: str, colour: str, workspace: Path) -> None:
    test = drawn("browse", beside="plots")
    test.selectbox(key="across").set_value(x).run()
    if y:
        test.selectbox(key="up").set_value(y).run()
    if colour:
        test.selectbox(key="paint").set_value(colour).run()
    assert not test.exception
    assert HOSTILE_CLASS not in said(test)


def points_of(ground: dict[str, Any]) -> tuple[Any, Any]:
    """((k, 2) values, (k,) series) as the browser draws them."""
    places, codes = (base64.b64decode(part) for part in ground["points"].split("."))
    shares = np.frombuffer(places, "<u2").reshape(-1, 2) / 65535
    low, high = (np.array([ground[a][end] for a in "xy"]) for end in ("low", "high"))
    return low + shares * (high - low), np.frombuffer(codes, np.uint8)


def test_points_arrive_where_their_values_are(workspace: Path) -> None:
    place = recipe.browser(workspace)
    found = place.scatter(Filter(), "brightness", "contrast", "label")
    ground = plots.scatter_ground(found, "brightness", "contrast", "label")
    values, series = points_of(ground)
    assert np.allclose(values, np.stack([found.x, found.y], axis=1), atol=2e-5)
    assert ground["shade"] is None and ground["shown"] == ground["of"] == found.n_total
    named = [value_name("label", v, 24) for v in found.colour.tolist()]
    assert [ground["series"][i] for i in series] == named


def test_of_many_points_a_few_are_drawn_over_a_shade_of_all(workspace: Path) -> None:
    found = recipe.browser(workspace).scatter(Filter(), "brightness", "contrast", most=5)
    ground = plots.scatter_ground(found, "brightness", "contrast", "")
    values, _ = points_of(ground)
    assert (ground["shown"], ground["of"], len(values)) == (5, found.n_total, 5)
    assert np.allclose(values, np.stack([found.x, found.y], axis=1), atol=2e-5)
    shade = ground["shade"]
    levels = np.frombuffer(base64.b64decode(shade["counts"]), np.uint8)
    levels = levels.reshape(shade["lines"], shade["columns"])
    assert np.count_nonzero(levels) == np.count_nonzero(found.density) and levels.max() == 255
    for axis, at in (("x", found.x_edges), ("y", found.y_edges)):
        assert {*shade[axis]} <= {*at.tolist()} and shade[axis] == [
            ground[axis]["low"], ground[axis]["high"]]  # fmt: skip


def test_colours_beyond_the_common_ones_are_the_others() -> None:
    values = [f"v{i % 9}" for i in range(100)] + [None]
    names, codes = plots.coded(values, len(values), "label")
    assert len(names) == plots.MOST_COLOURS + 1 and names[-1] == "others"
    assert codes[-1] == codes[8] == plots.MOST_COLOURS and codes[1] == 1
    assert len(set(plots.colours(LIGHT, len(names))["series"])) == len(names)


def test_stacked_bars_add_up_to_the_facet(workspace: Path) -> None:
    place = recipe.browser(workspace)
    counted = [(v, n) for v, n in place.facet(Filter(), "label") if n]
    values = [v for v, _ in counted]
    series = plots.stacked(place.crosstab(Filter(), "label", "split"), values, "split")
    assert [sum(line[i] for _, line in series) for i in range(len(values))] == [
        n for _, n in counted
    ]


def test_a_brush_becomes_ranges_and_what_makes_no_sense_nothing(workspace: Path) -> None:
    place, filter = recipe.browser(workspace), Filter(search="dog")
    box = [{"column": "brightness", "low": 0.25, "high": 0.51234567},
           {"column": "contrast", "low": None, "high": 2}]  # fmt: skip
    after = plots.acted(place, filter, {"kind": "ranges", "ranges": box})
    assert after.range_of("brightness") == (0.25, 0.5123) and after.search == "dog"
    assert after.range_of("contrast") == (None, 2.0)
    free = [{"column": c, "low": None, "high": None} for c in ("brightness", "contrast")]
    assert plots.acted(place, after, {"kind": "ranges", "ranges": free}) == filter
    bar = {"kind": "values", "column": "label", "values": ["dog"]}
    assert plots.acted(place, filter, bar) == filter.with_values("label", ("dog",))
    for odd in ({}, {"kind": "ranges"}, {"kind": "ranges", "ranges": [1, {}, {"column": "label"}]},
                {"kind": "ranges", "ranges": [{"column": "brightness", "low": "x", "high": True}]},
                {"kind": "ranges", "ranges": [{"column": "brightness", "low": float("nan")}]},
                {"kind": "values", "column": "brightness", "values": ["x"]}):  # fmt: skip
        assert plots.acted(place, filter, odd) == filter


def test_a_brush_leaves_what_is_drawn_as_it_is(workspace: Path, monkeypatch: Any) -> None:
    asked: list[Filter] = []
    scatter = Browser.scatter
    monkeypatch.setattr(Browser, "scatter", lambda self, filter, *rest: (
        asked.append(filter), scatter(self, filter, *rest))[1])  # fmt: skip
    test = drawn("browse", beside="plots", up="contrast", label="dog")
    brushed = test.session_state["browse-filter"].with_range("brightness", 0.2, None)
    test.session_state["browse-filter"] = brushed
    test.run()
    assert not test.exception and len(asked) == 1
    test.session_state["browse-filter"] = brushed.with_values("label", ())
    test.run()
    assert asked == [Filter().with_values("label", ("dog",)), Filter()]


def test_what_is_different_about_broken_files(workspace: Path) -> None:
    place = recipe.browser(workspace)
    dogs = Filter().with_values("label", ("dog",))
    found = place.compare(dogs, None)
    rest = Filter().with_values("label", (HOSTILE_CLASS,))
    assert found == place.compare(dogs, rest), "the rest of two classes is the other class"
    markup = "".join(comparing.effect_bar(d) for d in found)
    assert markup.count("r-effect") == len(found) > 0
    assert all(comparing.is_clear(d) == (d.low > 0 or d.high < 0) for d in found)
    assert comparing.set_by("label", dogs) and comparing.set_by("label", Filter(), dogs)
    assert not comparing.set_by("width", dogs, None)


def test_two_saved_views_against_each_other(own: Path) -> None:
    cats = Filter().with_values("label", (HOSTILE_CLASS,))
    dogs = Filter().with_values("label", ("dog",))
    recipe.save_view(own, HOSTILE, cats)
    recipe.save_view(own, "the rest", dogs)
    test = drawn("browse", beside="differences", split="train")
    test.selectbox(key="these").set_value(comparing.SAVED + HOSTILE).run()
    test.selectbox(key="against").set_value(comparing.SAVED + "the rest").run()
    assert not test.exception and HOSTILE not in said(test)
    assert "14 samples" in said(test) and "12 samples" in said(test), "not the filter of the page"
    again = drawn("browse", **{k: v[0] for k, v in address(test).items()})
    assert again.selectbox(key="against").value == comparing.SAVED + "the rest"
    recipe.forget_view(own, "the rest")
    gone = drawn("browse", **{k: v[0] for k, v in address(test).items()})
    assert not gone.exception and gone.selectbox(key="against").value == comparing.REST


def test_plots_come_back_from_the_address(workspace: Path) -> None:
    test = drawn("browse", beside="plots", across="label", paint="split", label="dog")
    assert not test.exception
    assert (test.selectbox(key="across").value, test.selectbox(key="paint").value) == (
        "label", "split")  # fmt: skip
    test.selectbox(key="across").set_value("contrast").run()
    test.selectbox(key="up").set_value("brightness").run()
    wanted = {"beside": ["plots"], "across": ["contrast"], "up": ["brightness"],
              "paint": ["split"], "label": ["dog"]}  # fmt: skip
    assert address(test) == wanted
    odd = drawn("browse", beside="plots", across="nonsense", up="label")
    assert not odd.exception and odd.selectbox(key="across").value == "brightness"


# -- decisions ----------------------------------------------------------------------------------


def test_decisions_are_made_undone_and_counted(own: Path) -> None:
    test = drawn("browse")
    recipe.decide(own, "exclude", [1, 2], "blurry")
    recipe.decide(own, "tag", [2, 3], HOSTILE)
    test = drawn("browse")
    assert not test.exception
    assert "2 left out" in said(test) and "2 tagged" in said(test)
    assert HOSTILE not in said(test)
    test.button(key="undo-grid").click().run()
    assert "tagged" not in said(test) and "2 left out" in said(test)
    test.button(key="redo-grid").click().run()
    assert "2 tagged" in said(test)
    assert shown_rows(drawn("browse", tag=HOSTILE)) == [2, 3]
    assert shown_rows(drawn("browse", decision="excluded")) == [1, 2]


def test_nothing_can_be_decided_about_nothing(workspace: Path) -> None:
    test = drawn("browse")
    for kind in ("exclude", "include", "undo", "redo"):
        assert test.button(key=f"{kind}-grid").disabled


def test_said_what_was_done_is_no_markup() -> None:
    batch = decisions_bar.Batch(1, "tag", HOSTILE, 1200, "ada", "2026-11-22T21:00:00+00:00")
    text = decisions_bar.said(batch, "Tagged")
    assert text.startswith("Tagged") and text.endswith("1,200 samples.")
    assert "<img" not in text and "![x](" not in text and "**b**" not in text
    assert decisions_bar.said(batch, "Taken back").startswith("Taken back: tagged")
    assert "nothing" in decisions_bar.said(None, "Taken back")


def test_history_shows_what_was_undone_and_escapes_notes(own: Path) -> None:
    recipe.decide(own, "note", [4], HOSTILE, who="<b>ada</b>")
    recipe.decide(own, "exclude", [4])
    recipe.undo(own)
    markup = sample.history(recipe.history(own, 4).to_pylist())
    assert markup.index("Left out") < markup.index("Noted"), "newest first"
    assert "<s>Left out</s>" in markup and "<img" not in markup and "<b>ada" not in markup


def suggest(own: Path) -> None:
    labels = [*["dog"] * 6, None, *["<b>new</b>"] * (N_SAMPLES - 7)]
    rows = pa.array(range(N_SAMPLES))
    recipe.add_columns(own, "noise", pa.table({"row": rows, "suggested_label": labels}))


def test_suggested_labels_are_offered_and_taken_as_one_act(own: Path) -> None:
    before = drawn("browse")
    assert "suggested-grid" not in [b.key for b in before.button], "nothing was estimated"
    suggest(own)
    labels = opened.evidence().texts("label")
    wanted = [i for i in range(N_SAMPLES) if i != 6 and not (i < 6 and labels[i] == "dog")]
    batch = recipe.relabel_as_suggested(own, range(N_SAMPLES))
    assert batch is not None and batch.n == len(wanted) and batch.value is None
    relabelled = Filter().with_values("decision", ("relabelled",))
    assert recipe.browser(own).rows(relabelled).tolist() == wanted
    recipe.undo(own)
    assert len(recipe.browser(own).rows(relabelled)) == 0
    assert recipe.relabel_as_suggested(own, [6]) is None
    test = drawn("browse")
    assert not test.exception and test.button(key="suggested-grid").disabled


def test_a_suggested_label_beside_one_sample(own: Path) -> None:
    suggest(own)
    script = "from app.sample import sample_dialog\nsample_dialog(20, '')\n"
    test = AppTest.from_string(script, default_timeout=60).run()
    assert "Suggested: &lt;b&gt;new&lt;/b&gt; for 1" in said(test)
    test.button(key="suggested-sample").click().run()
    assert recipe.decided(own).to_pylist()[0]["label"] == "<b>new</b>"
    assert not test.exception


def test_any_added_column_is_filtered_sorted_and_plotted(own: Path) -> None:
    n, rng = N_SAMPLES, np.random.default_rng(3)
    loss, kinds = rng.uniform(0, 9, n).astype(np.float32), rng.choice(["hard", "easy"], n)
    learned, forgotten = rng.integers(0, 4000, n), rng.integers(0, 2, n).astype(bool)
    recipe.add_columns(own, "dynamics", pa.table({
        "row": pa.array(range(n)), "training_loss": loss, "kind": kinds, "up": kinds,
        "first_learned": pa.array(learned, mask=np.arange(n) == 3), "forgotten": forgotten,
    }))  # fmt: skip
    low = float(np.sort(loss)[n // 2])
    test = drawn("browse", training_loss=f"{low}..", sort="training_loss", forgotten="yes")
    assert not test.exception and "does not have" not in said(test)
    wanted = [i for i in np.argsort(loss, kind="stable") if loss[i] >= low and forgotten[i]]
    assert shown_rows(test) == wanted
    by_kind = drawn("browse", kind="hard", **{"c.up": "hard"})
    assert shown_rows(by_kind) == np.flatnonzero(kinds == "hard").tolist()
    place = recipe.browser(own)
    offered = [c for c, _ in panel_data(place)["more"]]
    assert {"training_loss", "first_learned"} <= set(offered)
    assert {"kind", "forgotten"} <= {f["column"] for f in panel_data(place)["facets"]}
    drawn_plot = drawn("browse", beside="plots", across="training_loss", **{"up": "first_learned"},
                       paint="kind")  # fmt: skip
    assert not drawn_plot.exception
    assert drawn_plot.selectbox(key="up").value == "first_learned"
    assert len(place.scatter(Filter(), "training_loss", "first_learned", "kind").rows) == n - 1
    for across in ("kind", "first_learned", "forgotten"):
        assert not drawn("browse", beside="plots", across=across).exception
    assert {"training_loss", "kind"} <= {d.column for d in place.compare(
        Filter().with_values("kind", ("hard",)))}  # fmt: skip
    assert recipe.rows(own, "training_loss > 5 and not forgotten").tolist() == (
        np.flatnonzero((loss > 5) & ~forgotten).tolist()
    )


def panel_data(place: Any) -> dict[str, Any]:
    from app import panel

    shown = list(panel.FIRST_RANGES)
    return {"facets": panel.facets(place, Filter()),
            "more": [[c, c] for c in sorted(place.numeric) if c not in shown]}  # fmt: skip


# -- one sample ---------------------------------------------------------------------------------


def test_the_dialog_shows_everything_about_a_sample(own: Path) -> None:
    script = "from app.sample import sample_dialog\nsample_dialog({row}, '')\n"
    for row in range(0, N_SAMPLES, 5):
        test = AppTest.from_string(script.format(row=row), default_timeout=60).run()
        assert not test.exception
        markup = said(test)
        assert words.escaped(sample.columns_of(row)["path"]) in markup
        assert HOSTILE_CLASS not in markup and HOSTILE_FILE not in markup
    gone = AppTest.from_string(script.format(row=10_000), default_timeout=60).run()
    assert "no longer part" in said(gone)


def test_kin_of_a_copy(workspace: Path) -> None:
    finding = opened.findings()["exact_duplicates"]
    first, second = (int(r) for r in finding.subjects.rows)
    assert second in sample.copies_of(first).rows.tolist()
    near = sample.neighbours_of(first)
    assert near.rows[0] == second and first not in near.rows and len(near) <= sample.NEIGHBOURS


def test_measures_have_their_place() -> None:
    markup = sample.measures({"brightness": 0.5, "path": "<b>"}, {"brightness": 0.75})
    assert "more than 75% of samples" in markup and "<b>" not in markup


def test_exif_in_words() -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "<b>Maker</b>", 6
    exif.get_ifd(0x8825)[1] = "N"
    found = sample.named_exif(exif)
    assert found["Make"] == "<b>Maker</b>" and found["Orientation"] == "6" and "Position" in found
    assert "<b>Maker" not in words.table(found)


def test_the_place_in_a_view() -> None:
    rows = np.array([5, 3, 9])
    assert sample.place_of(9, rows) == 2
    assert sample.place_of(4, rows) is None and sample.place_of(4, None) is None


# -- export -------------------------------------------------------------------------------------


def test_export_shows_first_what_it_will_write_and_writes_that(own: Path, tmp_path: Path) -> None:
    recipe.decide(own, "exclude", [0, 1])
    test = drawn("export")
    assert f"<b>{N_SAMPLES - 2} samples</b> of {N_SAMPLES}" in said(test)
    test.multiselect(key="export-drop").set_value(["corruption"]).run()
    assert f"<b>{N_SAMPLES - 3} samples</b>" in said(test)
    dest = tmp_path / "clean"
    test.text_input(key="export-dest").set_value(str(dest)).run()
    test.selectbox(key="export-kind").set_value("manifest").run()
    test.button(key="export-go").click().run(timeout=120)
    assert not test.exception
    assert f"<b>{N_SAMPLES - 3} samples</b> written to" in said(test)
    assert (dest / "manifest.csv").exists() and (dest / "excluded.csv").exists()
    assert HOSTILE_CLASS not in said(test)


@pytest.mark.parametrize("bad", ["relative/folder", "\0", "FULL", "FILE"])
def test_a_bad_destination_is_refused_before_anything_is_written(
    bad: str, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine")
    named = {"FULL": str(tmp_path / "full"), "FILE": str(tmp_path / "full" / "x")}.get(bad, bad)
    test = drawn("export")
    test.text_input(key="export-dest").set_value(named).run()
    assert not test.exception
    assert "r-problem" in said(test) and test.button(key="export-go").disabled
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["x"]
