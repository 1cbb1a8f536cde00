"""Is a user's file taken as it is meant, and is what is wrong in it told with its own line?"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from recipe_core.kernel.errors import BadSetting, Misuse
from recipe_core.training.bench import Bench
from recipe_core.training.task import Task, TaskError, load_task

Load = Callable[[str], Task]


@pytest.fixture
def load(small: Bench, tmp_path: Path) -> Load:
    def made(source: str) -> Task:
        file = tmp_path / "my.py"
        file.write_text(textwrap.dedent(source), encoding="utf-8")
        return load_task(file, small.images, small.config)

    return made


def test_what_is_left_out_is_the_products(load: Load, small: Bench) -> None:
    task = load("""
        import torch

        frozen = ["0."]
        scheduler_interval = "step"

        def predict(logits):
            return torch.zeros(len(logits), dtype=torch.int64)
    """)
    assert task.given == {"predict", "frozen", "scheduler_interval"}
    assert task.frozen == ["0."] and task.takes_width
    bench = Bench(task, small.config, small.images)
    share = (small.images.labels[small.images.eval] == 0).mean()
    assert bench.evaluate(bench.model())["accuracy"] == pytest.approx(share)


def test_class_names_and_numbers_go_where_they_are_asked_for(load: Load) -> None:
    task = load("""
        from torch import nn

        def build_model(classes, width=1.0):
            return nn.Linear(int(4 * width), classes)

        def label_map(split, class_names):
            return {name: k for k, name in enumerate(reversed(class_names))}
    """)
    assert task.build_model().weight.shape == (10, 4)
    assert task.build_model(width=2.0).weight.shape == (10, 8)
    assert task.build_model(num_classes=3).weight.shape == (3, 4)
    assert task.label_map("train")[task.class_names[0]] == 9
    assert task.takes_width


def test_a_label_map_changes_the_labels_of_its_split(load: Load, small: Bench) -> None:
    task = load("""
        def label_map(split, class_names):
            names = class_names if split == "train" else class_names[::-1]
            return {name: k for k, name in enumerate(names)}
    """)
    bench = Bench(task, small.config, small.images)
    assert np.array_equal(bench.labels("train"), small.labels("train"))
    assert np.array_equal(bench.labels("eval"), 9 - small.labels("eval"))


BROKEN = {
    "a syntax error": ("def build_model(:\n    pass\n", r"my\.py:1: def build_model\(:\nSyntax"),
    "an import that fails": (
        "import numpy\nimport no_such_module_here\n",
        r"my\.py:2: import no_such_module_here\nModuleNotFoundError",
    ),
    "an exception at import": ("x = {}\ny = x['a']\n", r"my\.py:2: y = x\['a'\]\nKeyError"),
    "nothing of a task": ("x = 1\n", "defines none of the functions"),
    "a function that is none": ("build_loss = 3\n", "build_loss must be a function, not int"),
    "a misspelt function": (
        "def predict(x):\n    return x\n\n\ndef build_optimiser(model):\n    pass\n",
        r"my\.py:5: .*Did you mean build_optimizer",
    ),
    "an interval that is none": (
        'scheduler_interval = "batch"\n', 'must be "step" or "epoch"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_an_error_in_the_file_is_told_with_its_line(load: Load, name: str) -> None:
    source, said = BROKEN[name]
    with pytest.raises(TaskError, match=said):
        load(source)


@pytest.mark.parametrize("changes", [{"mixup": 0.2}, {"augmentation": "mild"}])
def test_a_setting_without_effect_is_refused(
    small: Bench, tmp_path: Path, changes: dict[str, float]
) -> None:
    file = tmp_path / "my.py"
    file.write_text("def build_transform(train):\n    return None\n")
    with pytest.raises(BadSetting, match=r"in the file|vary the pictures there"):
        load_task(file, small.images, small.config.but(**changes))


def test_a_file_that_is_not_there_is_said(small: Bench, tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="no task file"):
        load_task(tmp_path / "none.py", small.images, small.config)


def test_what_the_functions_return_is_checked(load: Load, small: Bench) -> None:
    task = load("""
        import torch
        from torch import nn

        def build_model(num_classes):
            return "resnet18"

        def build_loss():
            return None
    """)
    bench = Bench(task, small.config, small.images)
    with pytest.raises(TaskError, match=r"my\.py:5: build_model must return a torch.nn.Module"):
        bench.model()
    with pytest.raises(TaskError, match="build_loss must return a function"):
        task.build_loss()
    bench = Bench(load("def train_step(*_):\n    return 0.5\n"), small.config, small.images)
    model = torch.nn.Linear(1, 1)
    with pytest.raises(TaskError, match=r"train_step must return the loss, .* not float"):
        bench.step(model, next(bench.train_batches()), torch.optim.SGD(model.parameters(), 0.1))


def test_logits_of_the_wrong_shape_are_refused(load: Load, small: Bench) -> None:
    task = load("""
        from torch import nn

        def build_model(num_classes):
            return nn.Sequential(nn.Flatten(), nn.Linear(768, num_classes + 1))
    """)
    bench = Bench(task, small.config, small.images)
    with pytest.raises(TaskError, match=r"shape \(2, 10\) for 2 pictures .* not \(2, 11\)"):
        bench.logits(bench.model(), bench.sample(2)[0])


def test_the_users_line_of_a_later_error_is_known(load: Load, small: Bench) -> None:
    task = load("""
        def build_model(num_classes):
            return 1 / 0
    """)
    with pytest.raises(ZeroDivisionError) as caught:
        task.build_model()
    assert task.own_line(caught.value).endswith("my.py:3: return 1 / 0")


def test_balanced_weights_are_torchs(small: Bench) -> None:
    config = small.config.but(class_weights="balanced", label_smoothing=0.1)
    loss = load_task(None, small.images, config).build_loss()
    counts = torch.from_numpy(np.bincount(small.images.labels[small.images.train], minlength=10))
    weight = (counts.sum() / (10 * counts.clamp_min(1))).float()
    logits, y = torch.randn(20, 10), torch.randint(10, (20,))
    expected = F.cross_entropy(logits, y, weight=weight, label_smoothing=0.1)
    assert torch.allclose(loss(logits, y), expected)


def test_every_worker_of_a_loader_has_its_own_seed(small: Bench, tmp_path: Path) -> None:
    """A transform that returns a random number gives as many numbers as there are samples."""
    file = tmp_path / "my.py"
    file.write_text(
        "import numpy as np\nimport torch\n\n\ndef build_transform(train):\n"
        "    return lambda picture: torch.full((1, 1, 1), float(np.random.rand()))\n"
    )
    config = small.config.but(workers=2, task=str(file))
    bench = Bench(load_task(file, small.images, config), config, small.images)

    def drawn(seed: int) -> list[float]:
        return torch.cat([x.flatten() for x, _ in bench.train_batches(seed)]).tolist()

    first = drawn(1)
    assert len(set(first)) == len(first) == 44
    assert drawn(1) == first and drawn(2) != first


def test_a_loaders_worker_that_is_not_forked_finds_the_files_own_classes(load: Load) -> None:
    task = load("""
        from pathlib import Path

        from torch.utils.data import DataLoader, Dataset

        class Doubled(Dataset):
            def __init__(self, values):
                self.values = values

            def __len__(self):
                return len(self.values)

            def __getitem__(self, i):
                return 2 * self.values[i], Path(__file__).name

        def train_loader(dataset, batch_size, seed):
            return DataLoader(Doubled([1, 2, 3]), num_workers=1, multiprocessing_context="spawn")
    """)
    seen = [(int(x), name) for x, (name,) in task.train_loader(None, 1, 0)]
    assert seen == [(2, "my.py"), (4, "my.py"), (6, "my.py")]
