"""Are curves grouped, smoothed and drawn without hiding what went wrong?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import curves
from app.curves import Looks, options, panels, points, smoothed
from recipe_core.reporting.palette import DARK, LIGHT
from recipe_core.runs.curves import Curve


def curve(name: str, per: str = "step", values: object = (3.0, 2.0, 1.0)) -> Curve:
    y = np.asarray(values, np.float64)
    steps = np.arange(1, len(y) + 1, dtype=np.int64)
    return Curve(name, per, steps, steps * 0.1, y, 1e9 + steps * 0.5)


def test_sides_share_a_chart_and_the_loss_comes_first() -> None:
    found = panels([curve("lr"), curve("update_ratio/a"), curve("update_ratio/b"),
                    curve("eval/accuracy", "epoch"), curve("eval/f1", "epoch"),
                    curve("train/loss"), curve("train/loss", "epoch"), curve("eval/loss", "epoch"),
                    curve("empty", values=())])  # fmt: skip
    assert [p.name for p in found] == ["loss", "accuracy", "f1", "lr", "update_ratio"]
    assert list(found[0].lines) == ["train", "train, epoch mean", "eval"]
    assert list(found[-1].lines) == ["a", "b"]


@given(st.floats(0, 0.99), st.floats(-5, 5), st.integers(1, 30))
def test_a_constant_stays_constant_from_its_first_point_on(w: float, c: float, n: int) -> None:
    assert smoothed(np.full(n, c), w) == pytest.approx(np.full(n, c))


def test_smoothing_is_pandas_adjusted_exponential_mean() -> None:
    import pandas as pd

    y = np.random.default_rng(0).normal(size=50)
    wanted = pd.Series(y).ewm(alpha=0.1, adjust=True).mean().to_numpy()
    assert smoothed(y, 0.9) == pytest.approx(wanted)


def test_a_gap_stays_a_gap_and_does_not_spread() -> None:
    y = np.array([1.0, np.nan, 1.0, np.inf, 1.0])
    out = smoothed(y, 0.5)
    assert np.isnan(out[[1, 3]]).all() and out[[0, 2, 4]] == pytest.approx(1.0)
    assert [p[1] for p in points(np.arange(5), y, log=False)] == [1.0, None, 1.0, None, 1.0]


def test_what_a_logarithmic_axis_cannot_show_is_a_gap() -> None:
    assert [p[1] for p in points(np.arange(3), np.array([0.0, -1, 2]), True)] == [None, None, 2.0]


@pytest.mark.parametrize("paint", [LIGHT, DARK])
@pytest.mark.parametrize("looks", [Looks(), Looks(0.9), Looks(0.5, True, "time")])
def test_options_hold_every_line(paint: object, looks: Looks) -> None:
    panel = panels([curve("train/loss"), curve("eval/loss", "epoch")])[0]
    drawn = options(panel, looks, paint)  # type: ignore[arg-type]
    named = {s["name"] for s in drawn["series"]}
    assert {"train", "eval"} <= named
    assert ("train, as measured" in named) == (looks.smoothing > 0)
    assert drawn["yAxis"]["type"] == ("log" if looks.log else "value")
    train = next(s for s in drawn["series"] if s["name"] == "train")
    assert train["data"][0][0] == (0.0 if looks.x == "time" else 1)


def test_names_are_made_visible() -> None:
    panel = panels([curve("update_ratio/a\u202eb")])[0]
    assert options(panel, Looks(), LIGHT)["series"][0]["name"] == "a\\u202eb"


def test_of_many_layers_the_first_and_the_last_are_drawn() -> None:
    panel = panels([curve(f"update_ratio/{i:02}") for i in range(50)])[0]
    assert [n for n, _ in curves.chosen(panel)] == ["00", "01", "02", "03", "46", "47", "48", "49"]


def test_a_loss_that_is_no_number_is_said() -> None:
    assert curves.not_numbers([curve("train/loss")]) == ""
    said = curves.not_numbers([curve("train/loss", values=(1, np.nan, np.nan))])
    assert said == "train/loss was no number at step 2."
