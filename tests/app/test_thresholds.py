"""Does a slider meet its default exactly, and is it fine enough?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.thresholds import STEPS, decimals, slider_step
from recipe_core import recipe


@pytest.mark.parametrize(
    ("low", "high", "default", "step"),
    [(0, 1, 0.25, 0.01), (0, 1, 0.005, 0.005), (0.0, 0.5, 0.05, 0.005), (0, 100, 3.0, 1.0),
     (0, 255, 20.0, 2.0), (1, 50, 10.0, 0.2), (0, 1, 0.00037, None),
     (None, 1, 0.5, None), (0, None, 0.5, None)],
)  # fmt: skip
def test_step(low: float | None, high: float | None, default: float, step: float | None) -> None:
    assert slider_step(low, high, (default,)) == step


@given(st.integers(0, 400), st.integers(1, 4), st.integers(1, 50))
def test_a_step_reaches_the_mark_and_divides_the_range_finely(
    n: int, places: int, high: int
) -> None:
    mark = min(n / 10**places, float(high))
    step = slider_step(0.0, float(high), (mark,))
    if step is not None:
        assert abs(mark / step - round(mark / step)) < 1e-6
        assert STEPS * 0.99 <= high / step <= 5001


@pytest.mark.parametrize(
    ("step", "shown"),
    [(1.0, "%.0f"), (0.5, "%.1f"), (0.02, "%.2f"), (0.005, "%.3f"), (20, "%.0f")],
)
def test_a_step_is_shown_with_its_digits(step: float, shown: str) -> None:
    assert decimals(step) == shown


def test_every_real_setting_gets_a_widget_that_can_hold_its_default() -> None:
    for check in recipe.checks():
        for s in check.settings:
            if isinstance(s.default, float):
                step = slider_step(s.low, s.high, (s.default,))
                assert step is None or float(decimals(step) % s.default) == pytest.approx(s.default)
