"""Does a configuration refuse what makes no sense, and is its schedule the one torch would run?"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from recipe_core.kernel.errors import BadSetting, Misuse, UnknownName
from recipe_core.training.config import SETTINGS, RunConfig
from recipe_core.training.devices import device_of, out_of_memory, place_of
from recipe_core.training.optim import optimizer_for, parameter_groups, scheduler_for
from recipe_core.training.schedules import lr_curve


def test_a_configuration_survives_json_and_words() -> None:
    config = RunConfig(model="resnet50", lr=1e-3, seed=7, note="wider")
    assert RunConfig.from_json(config.to_json()) == config
    assert RunConfig.from_words(["model=resnet50", "lr=1e-3", "seed=7", "note=wider"]) == config
    assert RunConfig.from_words(["per_sample=true"]).per_sample
    assert config.differences(RunConfig())["lr"] == (1e-3, 3e-4)


def test_a_fingerprint_tells_repeats_apart_and_knows_no_notes() -> None:
    config = RunConfig()
    assert config.but(note="x").fingerprint() == config.fingerprint()
    changed = [config.but(seed=1), config.but(repeat=1), config.but(lr=1), config]
    assert len({c.fingerprint() for c in changed}) == 4


@pytest.mark.parametrize(
    ("values", "error", "said"),
    [
        ({"lrr": 1.0}, UnknownName, "Did you mean 'lr'"),
        ({"lr": -1.0}, BadSetting, "between 0.0"),
        ({"lr": math.nan}, BadSetting, "config.lr"),
        ({"epochs": 1.5}, BadSetting, "must be int"),
        ({"device": "tpu"}, BadSetting, "cuda:N"),
        ({"schedule": "linear"}, BadSetting, "one_cycle"),
        ({"decay_at": "0.9,0.5"}, BadSetting, "ascending"),
        ({"model": " "}, BadSetting, "name a model"),
    ],
)
def test_nonsense_is_refused_with_what_is_valid(
    values: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        RunConfig.from_json(values)


def test_words_that_are_none_are_refused() -> None:
    with pytest.raises(Misuse, match="FIELD=VALUE"):
        RunConfig.from_words(["lr"])
    with pytest.raises(BadSetting, match="is not int"):
        RunConfig.from_words(["epochs=many"])


def test_every_setting_says_why() -> None:
    assert [s.name for s in SETTINGS if len(s.why) < 10] == []


# -- schedules against torch's ------------------------------------------------------------------


def rates(config: RunConfig, per_epoch: int) -> list[float]:
    """The rate at every step of a run as the optimizer sees it."""
    model = nn.Linear(2, 2)
    optimizer = optimizer_for(model, config)
    scheduler = scheduler_for(optimizer, config, per_epoch, config.epochs)
    found = []
    for _ in range(config.epochs * per_epoch):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    return found


def torch_rates(make: object, n: int, lr: float) -> list[float]:
    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=lr)
    scheduler = make(optimizer)  # type: ignore[operator]
    found = []
    for _ in range(n):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


ORACLES = {
    "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 40),
    "step": lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [20, 30]),
    "one_cycle": lambda o: torch.optim.lr_scheduler.OneCycleLR(
        o, 0.1, total_steps=40, cycle_momentum=False
    ),
    "constant": lambda o: torch.optim.lr_scheduler.ConstantLR(o, 1.0),
}


@pytest.mark.parametrize("name", ORACLES)
def test_a_schedule_is_torchs(name: str) -> None:
    config = RunConfig(schedule=name, lr=0.1, epochs=4)
    expected = torch_rates(ORACLES[name], 40, 0.1)
    assert rates(config, 10) == pytest.approx(expected, rel=1e-9, abs=1e-15)
    assert lr_curve(config, 10) == pytest.approx(np.array(expected), rel=1e-9, abs=1e-15)


def test_warm_up_rises_linearly_before_the_schedule() -> None:
    curve = lr_curve(RunConfig(schedule="cosine", warmup_steps=10, lr=1.0, epochs=4), 10)
    assert curve[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert curve[10] == 1.0 and (np.diff(curve[10:]) < 0).all()


# -- optimizers ---------------------------------------------------------------------------------


def test_norms_and_biases_do_not_decay() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    decayed, others = parameter_groups(model, 0.1)
    assert [p.ndim for p in decayed["params"]] == [4, 2]
    assert len(others["params"]) == 4 and others["weight_decay"] == 0
    assert len(parameter_groups(model, 0.0)) == 1


def test_frozen_parameters_are_left_out() -> None:
    model = nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    groups = optimizer_for(model, RunConfig()).param_groups
    assert [p.shape for g in groups for p in g["params"]] == [(2, 2)]


# -- devices ------------------------------------------------------------------------------------


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_said() -> None:
    with pytest.raises(Misuse, match=r"cuda was asked for, but torch sees none: .*--device cpu"):
        device_of("cuda")
    place = place_of(RunConfig(device="auto"))
    assert place.dtype is torch.float32


def test_a_cpu_gets_channels_last_only_where_it_is_safe() -> None:
    """oneDNN corrupts memory with 3, 6 or 13 channels, which a task's own network may have."""
    assert place_of(RunConfig(device="cpu")).channels_last
    assert not place_of(RunConfig(device="cpu", width=0.05)).channels_last
    assert not place_of(RunConfig(device="cpu", task="my.py")).channels_last
    assert not place_of(RunConfig(device="cpu", model="shufflenet_v2_x0_5")).channels_last


def test_running_out_of_memory_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**55, dtype=torch.uint8)
    assert out_of_memory(caught.value)
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
