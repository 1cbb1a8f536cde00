"""Does the loop train as plain PyTorch would, and go on exactly where it stopped?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from recipe_core.kernel.errors import Cancelled
from recipe_core.training import checkpoints
from recipe_core.training.bench import Bench, epoch_seed, open_bench
from recipe_core.training.images import Images
from recipe_core.training.loop import Diverged, train
from recipe_core.training.task import load_task
from tests.training.conftest import SMALL
from tests.training.making import Remembered, stopped, stopping_after


def with_config(bench: Bench, **changes: object) -> Bench:
    """The same images under a changed configuration."""
    config = bench.config.but(**changes)  # type: ignore[arg-type]
    return Bench(load_task(config.task, bench.images, config), config, bench.images)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """The model's state in a run's last checkpoint."""
    found = checkpoints.latest(folder)
    assert found is not None
    kept = torch.load(found / "model.pt", weights_only=True)
    return kept["model"]


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    assert [k for k in a if not torch.equal(a[k], b[k])] == []


# -- against PyTorch's own loop -----------------------------------------------------------------


def plain_losses(bench: Bench, images: Images, epochs: int) -> list[float]:
    """The losses of a loop written with nothing but PyTorch: the order and the seed are ours."""
    torch.manual_seed(bench.seed)
    model = bench.task.build_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=bench.config.lr)
    assert images.pixels is not None
    x = torch.from_numpy(images.pixels.take(images.train)).float() / 255
    mean = x.mean(dim=(0, 2, 3)).tolist()
    std = x.double().std(dim=(0, 2, 3), unbiased=False).tolist()
    assert np.allclose(bench.task.product.normalization.mean, mean, atol=1e-6)
    assert np.allclose(bench.task.product.normalization.std, std, atol=1e-6)
    ours = bench.task.product.normalization
    x = (x - torch.tensor(ours.mean)[:, None, None]) / torch.tensor(ours.std)[:, None, None]
    y = torch.from_numpy(images.labels[images.train])
    found = []
    for epoch in range(epochs):
        seed = epoch_seed(bench.seed, epoch)
        order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
        for k in range(0, len(y), bench.config.batch_size):
            i = order[k : k + bench.config.batch_size]
            loss = F.cross_entropy(model(x[i]), y[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found.append(loss.item())
    return found


def test_the_losses_are_those_of_a_plain_pytorch_loop(small: Bench, tmp_path: Path) -> None:
    bench = with_config(small, channels_last="off")
    log = Remembered()
    train(bench, tmp_path, log)
    assert log.series("train/loss") == plain_losses(bench, bench.images, bench.config.epochs)
    assert bench.steps(bench.model(), 12).tolist() == log.series("train/loss")


def test_a_run_leaves_what_its_pages_show(small: Bench, tmp_path: Path) -> None:
    log = Remembered()
    found = train(with_config(small, per_sample=True), tmp_path, log)
    steps = 2 * small.steps_per_epoch
    assert found["steps"] == steps and found["epochs"] == 2
    assert sorted(log.points["train/loss"]) == list(range(1, steps + 1))
    assert set(log.epochs) == {1, 2}
    assert {"train/loss", "eval/loss", "eval/accuracy", "eval/balanced_accuracy"} <= set(
        log.epochs[2]
    )
    with np.load(tmp_path / "predictions.npz") as seen:
        hits = (seen["logits"].argmax(axis=1) == seen["targets"]).mean()
        assert list(seen["rows"]) == list(small.images.rows[small.images.eval])
    assert found["accuracy"] == pytest.approx(hits)
    with np.load(tmp_path / "dynamics.npz") as seen:
        assert list(seen["steps"]) == [0, small.steps_per_epoch, 10, steps]
        assert np.allclose(seen["probabilities"].sum(axis=2), 1, atol=1e-5)
    ratios = [n for n in log.points if n.startswith("update_ratio/")]
    assert ratios and all(0 < v < 1 for n in ratios for v in log.series(n))


def test_per_sample_numbers_are_those_of_the_training_pass(small: Bench, tmp_path: Path) -> None:
    """Their mean over an epoch is the epoch's loss, weighted by the sizes of the batches."""
    log = Remembered()
    bench = with_config(small, per_sample=True, limit=0, epochs=1)
    train(bench, tmp_path, log)
    with np.load(tmp_path / "samples" / "epoch-0001.npz") as seen:
        assert str(seen["pass"]) == "training"
        assert list(seen["rows"]) == list(bench.images.rows[bench.images.train])
        assert np.array_equal(seen["correct"], seen["margin"] > 0)
        mean = seen["loss"].mean()
    sizes = [len(batch[1]) for batch in bench.train_loader()]
    assert mean == pytest.approx(np.average(log.series("train/loss"), weights=sizes), rel=1e-5)


# -- resuming -----------------------------------------------------------------------------------

PRODUCT = {
    "plain": {},
    "dropout, augmentation, schedule": {
        "dropout": 0.3, "augmentation": "strong", "schedule": "one_cycle", "lr": 3e-3,
        "label_smoothing": 0.1, "per_sample": True,
    },
    "mixup, sgd": {"mixup": 0.4, "optimizer": "sgd", "weight_decay": 1e-3, "warmup_steps": 4},
    "plateau": {"schedule": "plateau", "epochs": 3, "dropout": 0.1},
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCT)
def test_n_and_n_steps_are_2n_steps(small: Bench, tmp_path: Path, name: str) -> None:
    bench = with_config(small, **PRODUCT[name])
    once, twice = Remembered(), Remembered()
    whole = train(bench, tmp_path / "once", once)
    stopped(bench, tmp_path / "twice", twice, bench.steps_per_epoch + 2, resume=False)
    parts = train(bench, tmp_path / "twice", twice, resume=True)
    assert_same(weights(tmp_path / "once"), weights(tmp_path / "twice"))
    assert twice.series("train/loss") == once.series("train/loss")
    assert twice.series("lr") == once.series("lr")
    assert parts["loss"] == whole["loss"] and parts["best"] == whole["best"]


TASK = '''
import random

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader


class Noisy:
    """Draws from all three generators, as transforms in the wild do."""

    def __call__(self, picture):
        x = torch.from_numpy(np.array(picture.resize((12, 12)), dtype=np.float32)) / 255
        x = x.permute(2, 0, 1) * (1 + 0.1 * random.random()) + 0.1 * np.random.rand()
        return (x + 0.1 * torch.randn(3, 1, 1)).float()


def build_transform(train):
    return Noisy()


def build_model(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(432, 16), nn.ReLU(), nn.Dropout(0.5),
                         nn.Linear(16, num_classes))


def train_loader(dataset, batch_size, seed):
    LOADER


def build_scheduler(optimizer, steps_per_epoch, epochs):
    return torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
'''
LOADERS = {
    "its own generator": "return DataLoader(dataset, batch_size, shuffle=True,\n"
    "                      generator=torch.Generator().manual_seed(seed))",
    "the global generator": "return DataLoader(dataset, batch_size, shuffle=True)",
    "worker processes": "return DataLoader(dataset, batch_size, shuffle=True, num_workers=2)",
}


@pytest.mark.parametrize("loader", LOADERS)
def test_a_task_with_a_loader_of_its_own_resumes_exactly(
    digits: Path, tmp_path: Path, loader: str
) -> None:
    file = tmp_path / "my.py"
    file.write_text(TASK.replace("LOADER", LOADERS[loader]), encoding="utf-8")
    config = SMALL.but(task=str(file), evaluate_every=2)
    bench = open_bench(digits, config)
    once, twice = Remembered(), Remembered()
    train(bench, tmp_path / "once", once)
    stopped(bench, tmp_path / "twice", twice, bench.steps_per_epoch + 2, resume=False)
    train(bench, tmp_path / "twice", twice, resume=True)
    assert twice.series("train/loss") == once.series("train/loss")
    assert twice.series("lr") == once.series("lr")
    assert twice.series("lr")[-1] == pytest.approx(twice.series("lr")[0] / 2)
    assert_same(weights(tmp_path / "once"), weights(tmp_path / "twice"))


def test_how_often_it_is_looked_at_changes_nothing(small: Bench, tmp_path: Path) -> None:
    """Evaluations, per-sample numbers and checkpoints leave the generators as they were."""
    often, seldom = Remembered(), Remembered()
    changes = {"dropout": 0.5, "epochs": 3}
    train(with_config(small, **changes, per_sample=True), tmp_path / "a", often)
    train(with_config(small, **changes, evaluate_every=3), tmp_path / "b", seldom)
    assert often.series("train/loss") == seldom.series("train/loss")


def test_resuming_without_a_checkpoint_starts_anew(small: Bench, tmp_path: Path) -> None:
    log = Remembered()
    log.scalars(5, {"train/loss": 9.0})
    found = train(small, tmp_path, log, resume=True)
    assert found["steps"] == 2 * small.steps_per_epoch
    assert 9.0 not in log.series("train/loss")


# -- ending -------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_ends_the_run_with_its_step(small: Bench, tmp_path: Path) -> None:
    file = tmp_path / "my.py"
    file.write_text(
        "import torch\n\n\ndef build_loss():\n"
        "    return lambda logits, y: torch.log(0.9 - logits.softmax(1)).sum()\n"
    )
    bench = with_config(small, task=str(file), lr=0.1, epochs=10)
    with pytest.raises(Diverged, match=r"became (nan|inf) at step \d+ of 60") as caught:
        train(bench, tmp_path, Remembered())
    assert "--set lr=0.01" in str(caught.value)
    assert checkpoints.latest(tmp_path) is None


def test_a_stop_before_the_first_step_ends_is_obeyed(small: Bench, tmp_path: Path) -> None:
    with pytest.raises(Cancelled, match="after step 1 of 12"):
        train(small, tmp_path, Remembered(), stop_asked=lambda: True)
    assert checkpoints.state_of(checkpoints.latest(tmp_path) or tmp_path)["state"]["step"] == 1


def test_steps_end_a_run_within_an_epoch(small: Bench, tmp_path: Path) -> None:
    found = train(with_config(small, steps=9), tmp_path, Remembered())
    assert found["steps"] == 9 and "accuracy" in found


def test_patience_ends_a_run_that_gets_no_better(small: Bench, tmp_path: Path) -> None:
    log = Remembered()
    found = train(with_config(small, lr=0.0, patience=2, epochs=50, optimizer="sgd",
                              model="linear", width=1.0), tmp_path, log)  # fmt: skip
    assert found["epochs"] == 3
    assert found["best"]["epoch"] == 1
    assert [k for k, _ in log.events] == ["early_stop"]


def test_a_checkpoint_that_cannot_be_finished_leaves_the_one_before(
    small: Bench, tmp_path: Path
) -> None:
    stopped(small, tmp_path, Remembered(), 3, resume=False)

    def dies(path: Path) -> None:
        path.write_bytes(b"half of it")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(tmp_path, 4, dies, {})
    found = checkpoints.latest(tmp_path)
    assert found is not None and checkpoints.state_of(found)["state"]["step"] == 3
    assert [p.name for p in (tmp_path / "checkpoints").glob(".*")] == []


def test_the_stop_is_asked_after_every_step(small: Bench, tmp_path: Path) -> None:
    with pytest.raises(Cancelled, match="after step 7"):
        train(small, tmp_path, Remembered(), stop_asked=stopping_after(7))


def test_learning_works(small: Bench, tmp_path: Path) -> None:
    """ln 10 at the start, and far below it once the few samples are learned by heart."""
    log = Remembered()
    train(with_config(small, epochs=15, lr=3e-3), tmp_path, log)
    assert log.series("train/loss")[0] == pytest.approx(np.log(10), abs=0.4)
    assert log.epochs[15]["train/loss"] < 0.2
