"""What is written down while a run trains, without the run waiting for it?

Values stay on the device as tensors and are fetched together a few times a second: a `.item()` at
every step would make the processor wait for the GPU at every step.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from recipe_core.store.workspace import replaced
from recipe_core.training.bench import Bench
from recipe_core.training.evaluate import predictions
from recipe_core.training.seeds import undisturbed
from recipe_core.training.sets import PixelLoader
from recipe_core.training.team import ALONE, Team

SECONDS_BETWEEN_FETCHES = 0.25
MOST_WAITING = 2000
"""Steps that wait to be fetched: beyond that their tensors would cost more than the fetch."""
WATCHED_SAMPLES = 36
TIMES_PER_EPOCH = 4
FEWEST_STEPS_BETWEEN = 10


class Log(Protocol):
    """Where a run's numbers go (runs.log.RunLog); every call returns at once."""

    def scalars(self, step: int, values: Mapping[str, float], epoch: float | None = None) -> None:
        """Values at an optimisation step, counted from 1: after that many steps."""

    def epoch(self, epoch: int, values: Mapping[str, float], step: int | None = None) -> None:
        """Values of an epoch, counted from 1."""

    def event(self, kind: str, text: str, **data: Any) -> None:
        """Something that happened, in a sentence."""

    def rewind(self, step: int) -> None:
        """Forgets what was logged after this step."""

    def flush(self) -> None:
        """Returns when everything is written."""


def moments(steps_per_epoch: int) -> int:
    """Steps between two looks at predictions and updates: about four an epoch."""
    return max(FEWEST_STEPS_BETWEEN, steps_per_epoch // TIMES_PER_EPOCH)


class Losses:
    """The losses of the steps, fetched in one go a few times a second.

    `bad` is the first step whose loss is not finite, with that loss; None while all are.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._waiting: list[tuple[int, float, float, torch.Tensor]] = []
        self._extra: list[tuple[int, float, list[str], torch.Tensor]] = []
        self._fetched = time.monotonic()
        self._samples = 0
        self._sum, self._n = 0.0, 0
        self.bad: tuple[int, float] | None = None

    def add(self, step: int, epoch: float, rate: float, samples: int, loss: torch.Tensor) -> bool:
        """Takes the loss (0-d, on any device) of a step; whether it fetched what was waiting."""
        self._waiting.append((step, epoch, rate, loss))
        self._samples += samples
        due = time.monotonic() - self._fetched >= SECONDS_BETWEEN_FETCHES
        if due or len(self._waiting) >= MOST_WAITING:
            self.fetch()
            return True
        return False

    def add_ratios(self, step: int, epoch: float, names: list[str], ratios: torch.Tensor) -> None:
        """Takes (k,) numbers with their names, to be logged with the next fetch."""
        self._extra.append((step, epoch, names, ratios))

    def fetch(self) -> None:
        """Logs everything that waits: loss and rate of each step, samples a second of them all."""
        if not self._waiting:
            return
        values = torch.stack([w[3] for w in self._waiting]).float().cpu().tolist()
        now = time.monotonic()
        speed = self._samples / max(1e-9, now - self._fetched)
        last = len(values) - 1
        for k, ((step, epoch, rate, _), loss) in enumerate(zip(self._waiting, values, strict=True)):
            row = {"train/loss": loss, "lr": rate}
            if k == last:
                row["samples_per_second"] = speed
            self._log.scalars(step, row, epoch)
            if self.bad is None and not np.isfinite(loss):
                self.bad = (step, loss)
        for step, epoch, names, ratios in self._extra:
            self._log.scalars(step, dict(zip(names, ratios.cpu().tolist(), strict=True)), epoch)
        self._sum, self._n = self._sum + sum(values), self._n + len(values)
        self._waiting, self._extra, self._samples = [], [], 0
        self._fetched = now

    def restart_clock(self) -> None:
        """Leaves the time since the last fetch out of the speed (evaluation, checkpoints)."""
        self._fetched = time.monotonic()

    def epoch_mean(self) -> float:
        """The mean loss since the last call, NaN without steps."""
        self.fetch()
        mean = self._sum / self._n if self._n else float("nan")
        self._sum, self._n = 0.0, 0
        return mean


class Updates:
    """How far a step moves each weight matrix, as a share of its norm (about 1e-3 is usual)."""

    def __init__(self, model: nn.Module) -> None:
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad and p.ndim > 1]
        self.names = [f"update_ratio/{n}" for n, _ in named]
        self._parameters = [p for _, p in named]
        self._before: list[torch.Tensor] = []

    def before(self) -> None:
        """Remembers the weights."""
        self._before = [p.detach().clone() for p in self._parameters]

    def after(self) -> torch.Tensor | None:
        """(k,) norm of the change over norm of the weights, on the device."""
        if not self._before:
            return None
        with torch.no_grad():
            found = [
                (p.detach() - b).norm() / b.norm().clamp_min(1e-12)
                for p, b in zip(self._parameters, self._before, strict=True)
            ]
        self._before = []
        return torch.stack(found)


class Dynamics:
    """What the model says about the same few samples again and again while it learns.

    dynamics.npz: steps (t,), probabilities (t, k, classes) float32, rows and targets (k,).
    """

    def __init__(self, bench: Bench, folder: Path) -> None:
        self._bench, self._file = bench, folder / "dynamics.npz"
        with undisturbed():
            self._x, y, self._rows = bench.sample(WATCHED_SAMPLES, "eval", seed=0)
        self._targets = y.cpu().numpy()
        self._seen: list[tuple[int, torch.Tensor]] = []

    def look(self, model: nn.Module, step: int) -> None:
        """Keeps the probabilities after `step` steps."""
        if self._seen and self._seen[-1][0] == step:
            return
        with undisturbed():
            said = self._bench.logits(model, self._x).softmax(dim=1)
        self._seen.append((step, said))

    def save(self) -> None:
        """Writes what was seen so far."""
        if not self._seen:
            return
        found = {
            "steps": np.array([s for s, _ in self._seen], np.int64),
            "probabilities": torch.stack([p for _, p in self._seen]).float().cpu().numpy(),
            "rows": self._rows, "targets": self._targets,
        }  # fmt: skip
        save_arrays(self._file, found)

    def resume(self, step: int) -> None:
        """Goes on from what was written up to this step."""
        if not self._file.exists():
            return
        with np.load(self._file) as found:
            steps, said = found["steps"], found["probabilities"]
        self._seen = [
            (int(s), torch.from_numpy(p).to(self._bench.device))
            for s, p in zip(steps, said, strict=True)
            if s <= step
        ]


class PerSample:
    """Loss, margin and hit of every training sample, once an epoch.

    Of the product's own loader they are those of the training pass itself (the model's output at
    the step that learned from the sample, augmented where the run augments). Of a task's loader,
    and where pictures are mixed, a pass in evaluation mode at the end of the epoch finds them.

    samples/epoch-0001.npz: rows (n,), loss (n,), margin (n,): the label's logit minus the largest
    other one (Pleiss et al. 2020), correct (n,) bool, pass: "training" or "evaluation".
    """

    def __init__(
        self, bench: Bench, model: nn.Module, folder: Path, team: Team = ALONE
    ) -> None:  # fmt: skip
        self._bench, self._folder, self._team = bench, folder / "samples", team
        n = len(bench.positions("train"))
        self._found = torch.full((3, n), float("nan"), device=bench.device)
        self._output: torch.Tensor | None = None
        self._hook = model.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if module.training and isinstance(output, torch.Tensor):
            self._output = output.detach()

    def observe(self, loader: Any, batch: Any) -> None:
        """Takes what the step that has just been made said about its batch."""
        out, self._output = self._output, None
        known = isinstance(loader, PixelLoader) and len(batch) == 2
        if not known or out is None or out.ndim != 2 or len(out) != len(loader.indices):
            return
        where = torch.from_numpy(loader.indices).to(out.device)
        self._found[:, where] = measured(out.float(), batch[1])

    def end_epoch(self, model: nn.Module, epoch: int) -> None:
        """Writes the epoch's numbers, finding them by a pass where the steps could not tell."""
        found, how = self._team.gathered(self._found.clone()).cpu().numpy(), "training"
        self._found.fill_(float("nan"))
        if not self._team.leads:
            return
        if not np.isfinite(found).all():
            found, how = self._by_a_pass(model), "evaluation"
        bench = self._bench
        rows = bench.images.rows[bench.positions("train")]
        self._folder.mkdir(parents=True, exist_ok=True)
        save_arrays(self._folder / f"epoch-{epoch:04d}.npz", {
            "rows": rows, "loss": found[0], "margin": found[1], "correct": found[2] > 0.5,
            "pass": np.array(how),
        })  # fmt: skip

    def _by_a_pass(self, model: nn.Module) -> npt.NDArray[np.float32]:
        bench = self._bench
        with undisturbed():
            loader = bench.task.eval_loader(bench.plain_train_set, bench.config.batch_size)
            seen = predictions(
                model, bench.moved(loader), bench.loss_fn, bench.task.predict, bench.place.autocast
            )
        logits, y = torch.from_numpy(seen.logits), torch.from_numpy(seen.targets)
        return np.asarray(measured(logits, y).numpy())

    def close(self) -> None:
        """Lets go of the model."""
        self._hook.remove()


def measured(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """(3, B) float32 of (B, classes) logits: cross entropy, margin, 1 where the label wins."""
    own = logits.gather(1, y[:, None])[:, 0]
    others = logits.scatter(1, y[:, None], float("-inf")).amax(dim=1)
    margin = own - others
    return torch.stack([F.cross_entropy(logits, y, reduction="none"), margin, (margin > 0).float()])


def save_arrays(file: Path, arrays: Mapping[str, Any]) -> None:
    """Writes an .npz file in one step."""

    def write(path: Path) -> None:
        with path.open("wb") as f:
            np.savez(f, **arrays)

    replaced(file, write)
