"""Is a schedule that was copied or dies early named, and a sound one left alone?"""

from __future__ import annotations

import pytest

from recipe_core.overfit.schedule import schedule
from recipe_core.training.config import RunConfig

N = 3000


def warned(n: int = N, **changes: object) -> str:
    return " ".join(schedule(RunConfig().but(**changes), n).warnings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        ("ImageNet", {"schedule": "step", "epochs": 90, "decay_at": "0.33334,0.66667"}),
        ("ImageNet", {"schedule": "step", "epochs": 100, "decay_at": "0.3,0.6,0.8"}),
        ("next to nothing", {"schedule": "step", "epochs": 40, "decay_at": "0.1,0.2,0.3"}),
        ("are epochs meant", {"schedule": "step", "epochs": 40, "decay_at": "0.01,0.9"}),
        ("warm-up", {"warmup_steps": 400, "epochs": 10}),
        ("zero", {"lr": 0.0}),
    ],
)
def test_what_is_odd_is_said(said: str, changes: dict[str, object]) -> None:
    assert said in warned(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"schedule": "cosine", "warmup_steps": 40},
        {"schedule": "one_cycle"},
        {"schedule": "step", "epochs": 40, "decay_at": "0.5,0.75"},
        {"schedule": "step", "epochs": 60, "decay_at": "0.5,0.75"},
        {"schedule": "plateau"},
    ],
)
def test_a_sound_schedule_is_left_alone(changes: dict[str, object]) -> None:
    assert warned(**changes) == ""


def test_imagenets_own_decays_are_right_on_imagenet() -> None:
    decays = {"schedule": "step", "epochs": 90, "decay_at": "0.33334,0.66667"}
    assert warned(1_281_167, batch_size=256, **decays) == ""


def test_the_drawn_curve_ends_where_the_run_does() -> None:
    drawn = schedule(RunConfig(epochs=500, batch_size=8), N)
    assert len(drawn.steps) <= 2000
    assert (drawn.steps[0], drawn.steps[-1]) == (0, 500 * 375 - 1)
