"""Do the networks have the shapes they claim, and do all weights arrive?"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from recipe_core.kernel.errors import BadSetting, Misuse, UnknownName
from recipe_core.training.config import RunConfig
from recipe_core.training.models import build, evaluating, head_of, set_prior
from recipe_core.training.weights import started

RESNET = RunConfig(model="resnet18", image_size=32)


@pytest.mark.parametrize(
    "config",
    [
        RunConfig(model="linear", image_size=28),
        RunConfig(model="small_cnn", image_size=28),
        RunConfig(model="small_cnn", image_size=64, width=2.0),
        RunConfig(model="resnet18", width=0.25, image_size=64),
        RunConfig(model="resnet50", width=0.125, image_size=40),
        RunConfig(model="mobilenet_v3_small", image_size=32, dropout=0.1),
    ],
    ids=lambda c: f"{c.model}-{c.image_size}",
)
def test_a_model_gives_one_logit_a_class(config: RunConfig) -> None:
    with evaluating(build(config, 7)) as model:
        assert model(torch.zeros(2, 3, config.image_size, config.image_size)).shape == (2, 7)
    found = head_of(model, 7)
    assert found is not None and found[1].out_features == 7


def test_width_one_is_torchvisions_resnet() -> None:
    """Same names, same shapes, same outputs for the same weights."""
    config = RunConfig(model="resnet18", image_size=64, stem="standard")
    ours, theirs = build(config, 5), torchvision.models.resnet18(num_classes=5)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 64, 64)
    with evaluating(ours), evaluating(theirs):
        assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize(("size", "side"), [(32, 32), (64, 32)])
def test_the_small_stem_leaves_four_by_four_to_the_last_stage(size: int, side: int) -> None:
    model = build(RunConfig(model="resnet18", width=0.125, image_size=size), 3)
    seen: dict[str, torch.Size] = {}
    model.layer4.register_forward_hook(lambda m, i, o: seen.update(last=o.shape))
    model.maxpool.register_forward_hook(lambda m, i, o: seen.update(first=o.shape))
    with evaluating(model):
        model(torch.zeros(1, 3, size, size))
    assert seen["last"][-2:] == (4, 4) and seen["first"][-1] == side


def test_what_has_no_width_says_so() -> None:
    with pytest.raises(BadSetting, match="no width"):
        build(RunConfig(model="alexnet", width=2.0), 3)
    with pytest.raises(UnknownName, match="Did you mean 'resnet18'"):
        build(RunConfig(model="resnet81"), 3)


def test_modes_are_put_back_module_by_module() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout())
    model.train()
    model[1].eval()
    with evaluating(model):
        assert not any(m.training for m in model.modules())
    assert model.training and model[0].training and not model[1].training


def test_a_bias_at_the_log_of_the_shares_predicts_the_shares() -> None:
    model = build(RunConfig(model="linear", image_size=8), 3)
    assert set_prior(model, [0.7, 0.2, 0.1])
    said = model(torch.zeros(1, 3, 8, 8)).softmax(dim=1)[0]
    assert said.tolist() == pytest.approx([0.7, 0.2, 0.1])


# -- weights ------------------------------------------------------------------------------------


def saved(tmp_path: Path, state: object) -> RunConfig:
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    return RESNET.but(weights=str(path), width=1.0)


def test_torchvisions_state_dict_arrives_whole(tmp_path: Path) -> None:
    """stem=auto follows the file; a head for other classes stays random, and that is said."""
    theirs = torchvision.models.resnet18(num_classes=1000)
    config = saved(tmp_path, {"state_dict": {f"module.{k}": v for k, v in
                                            theirs.state_dict().items()}})  # fmt: skip
    model, notes = started(config, 5)
    own, given = model.state_dict(), theirs.state_dict()
    assert [k for k in own if not k.startswith("fc") and not torch.equal(own[k], given[k])] == []
    assert own["fc.weight"].shape == (5, 512)
    assert any("The stem is standard" in n for n in notes)
    assert any("head" in n and "1000x512" in n for n in notes) or any(
        "The head" in n and "left out" in n for n in notes
    )


def test_gaps_stop_the_run_with_their_names(tmp_path: Path) -> None:
    state = build(RESNET, 5).state_dict()
    del state["layer1.0.conv1.weight"]
    with pytest.raises(Misuse, match=r"1 parameters are missing: layer1\.0\.conv1\.weight"):
        started(saved(tmp_path, state), 5)


def test_entries_without_a_place_are_named(tmp_path: Path) -> None:
    state = build(RESNET, 5).state_dict() | {"projector.weight": torch.zeros(2)}
    _, notes = started(saved(tmp_path, state), 5)
    assert any("projector.weight" in n for n in notes)


def test_a_stem_of_another_kind_says_which_setting_takes_it(tmp_path: Path) -> None:
    config = saved(tmp_path, torchvision.models.resnet18(num_classes=5).state_dict())
    with pytest.raises(BadSetting, match="stem=standard"):
        started(config.but(stem="small"), 5)


class Danger:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("code ran",))


def test_a_pickle_that_would_run_code_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Misuse, match="Save the state dict alone"):
        started(saved(tmp_path, {"a": Danger()}), 5)
    assert "code ran" not in capsys.readouterr().out


def test_weights_that_are_nowhere_are_said() -> None:
    with pytest.raises(Misuse, match="no file"):
        started(RESNET.but(weights="nowhere/w.pt"), 5)
    with pytest.raises(Misuse, match="IMAGENET1K_V1"):
        started(RESNET.but(weights="IMAGENET22K"), 5)


def test_weights_that_cannot_be_fetched_name_their_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network without a way out, at the lowest place that torchvision asks."""
    from urllib.error import URLError

    def no_network(*a: object, **k: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torch.hub.download_url_to_file", no_network)
    monkeypatch.setenv("TORCH_HOME", "/nonexistent-recipe-test")
    with pytest.raises(Misuse, match=r"--set weights=resnet18-\w+\.pth"):
        started(RESNET.but(weights="IMAGENET1K_V1"), 5)
