"""How is a network trained? The only training loop of the house.

    found = train(bench, folder, log)

One loop for the product's own pipeline and for a task's: batches come from the task's loader, a
step is the task's `train_step`. Resuming gives the same numbers, to the last bit on a CPU, as never
having stopped: order and augmentation are functions of the seed, and the generators are kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from recipe_core.kernel.errors import Cancelled, RecipeError
from recipe_core.kernel.progress import Progress, silent
from recipe_core.training import checkpoints
from recipe_core.training.bench import Bench, checked, epoch_seed
from recipe_core.training.evaluate import Predictions, predictions
from recipe_core.training.recorders import (
    Dynamics,
    Log,
    Losses,
    PerSample,
    Updates,
    moments,
    save_arrays,
)
from recipe_core.training.schedules import total_steps
from recipe_core.training.seeds import restore, states, undisturbed
from recipe_core.training.sets import PixelLoader
from recipe_core.training.team import ALONE, Team

SECONDS_BETWEEN_CHECKPOINTS = 20.0
"""Epochs may be shorter than writing a checkpoint; the last step and a stop always write one."""
KEPT_BYTES = 4_000_000
"""Predictions of one evaluation that are kept for each; larger ones only for the last and best."""


class Diverged(RecipeError):
    """The loss is no number any more; the text says at which step and what to try."""


@dataclass
class _State:
    """Where a run is. Everything that a checkpoint holds beside the task's own part."""

    step: int = 0
    epoch: int = 0
    in_epoch: int = 0
    best_loss: float = float("inf")
    best_epoch: int = 0
    worse: int = 0
    samples: int = 0
    seconds: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    best_metrics: dict[str, float] = field(default_factory=dict)


def train(
    bench: Bench, folder: Path, log: Log, *, stop_asked: Callable[[], bool] = lambda: False,
    progress: Progress = silent, resume: bool = False, team: Team = ALONE,
) -> dict[str, Any]:  # fmt: skip
    """Trains until the configured end; the numbers of the run, for its ledger.

    folder  of the run: checkpoints, predictions and the like go there
    resume  from the folder's newest checkpoint, where there is one
    team    of this process; only the one that leads writes and can be stopped

    Raises Cancelled after a stop (a checkpoint is written first), Diverged where the loss is no
    number any more, TaskError and whatever the user's file raises, torch's own errors.
    """
    run = _Run(bench, folder, log, stop_asked, progress, team)
    if resume:
        run.go_on()
    try:
        return run.whole()
    finally:
        run.close()


class _Run:
    """A training run under way."""

    def __init__(
        self, bench: Bench, folder: Path, log: Log, stop_asked: Callable[[], bool],
        progress: Progress, team: Team,
    ) -> None:  # fmt: skip
        self.bench, self.folder, self.log, self.team = bench, folder, log, team
        self.stop_asked, self.progress = stop_asked, progress
        self.config, self.task = bench.config, bench.task
        folder.mkdir(parents=True, exist_ok=True)
        self.per_epoch = bench.steps_per_epoch
        self.total = total_steps(self.config, self.per_epoch)
        self.model = bench.model()
        self._check_the_model()
        self.stepping = team.joined(self.model, bench)
        self.optimizer = bench.optimizer(self.model)
        self.scheduler = bench.scheduler(self.optimizer, self.per_epoch)
        self.loss_fn = bench.loss_fn
        self.state = _State()
        self.losses = Losses(log)
        self.updates = Updates(self.model)
        self.dynamics = Dynamics(bench, folder)
        self.per_sample = (
            PerSample(bench, self.model, folder, team) if self.config.per_sample else None
        )
        self.every = moments(self.per_epoch)
        self.stopping = False
        self.best: dict[str, torch.Tensor] | None = None
        self.saved = time.monotonic()
        self.epoch_generators = states()

    def close(self) -> None:
        if self.per_sample:
            self.per_sample.close()

    def _check_the_model(self) -> None:
        """Says at once, not after an hour, that the outputs are no logits of these classes."""
        with undisturbed():
            x, _, _ = self.bench.sample(2, "eval")
            checked(self.bench.logits(self.model, x), len(x), self.task)

    # -- the whole run --------------------------------------------------------------------------

    def whole(self) -> dict[str, Any]:
        self._tell(self.state.step)
        if self.state.step == 0:
            self._see()
        while self.state.step < self.total and not self._patience_ends():
            self._epoch()
        self.losses.fetch()
        self._refuse_no_number()
        self._save()
        return self._result()

    def _epoch(self) -> None:
        """The rest of the epoch that the run is in, and what belongs to its end."""
        if not self.state.in_epoch:
            self.epoch_generators = states()
        self.stepping.train()
        loader, batches = self._batches()
        self.losses.restart_clock()
        started = time.monotonic()
        for batch in batches:
            self._step(loader, batch)
            if self.stopping or self.stop_asked():
                self.state.seconds += time.monotonic() - started
                self._stop()
            if self.state.step >= self.total:
                break
        self.state.seconds += time.monotonic() - started
        self._end_epoch()

    def _batches(self) -> tuple[Any, Iterator[Any]]:
        """The epoch's loader, and its batches from where the run is.

        A task's loader may draw its order from the global generators: they are put back to where
        they were when the epoch began, the batches that are done are drawn again and thrown away,
        and the generators go on from where the run stopped.
        """
        done = self.state.in_epoch
        loader = self.task.train_loader(
            self.bench.train_set, self.config.batch_size,
            epoch_seed(self.config.seed, self.state.epoch),
        )  # fmt: skip
        if isinstance(loader, PixelLoader):
            self.team.share(loader)
            return loader, map(self.bench.move, loader.starting_at(done))
        if not done:
            return loader, map(self.bench.move, iter(loader))
        now = states()
        restore(self.epoch_generators)
        batches = iter(loader)
        for _ in range(done):
            next(batches)
        restore(now)
        return loader, map(self.bench.move, batches)

    def _step(self, loader: Any, batch: Any) -> None:
        state = self.state
        looking = self.team.leads and (state.step + 1) % self.every == 0
        rate = float(self.optimizer.param_groups[0]["lr"])
        if looking:
            self.updates.before()
        loss = self.team.step(
            self.bench, self.stepping, loader, batch, self.optimizer, state.step
        )  # fmt: skip
        state.step += 1
        state.in_epoch += 1
        size = self.team.batch_size(loader, batch)
        state.samples += size
        place = state.epoch + state.in_epoch / self.per_epoch
        if looking:
            self._look(place)
        if self.per_sample:
            self.per_sample.observe(loader, batch)
        if self.scheduler is not None and self.task.scheduler_interval == "step":
            self._advance(loss)
        if self.losses.add(state.step, place, rate, size, loss):
            self._refuse_no_number()
            self._tell(state.step)

    def _look(self, place: float) -> None:
        ratios = self.updates.after()
        if ratios is not None and len(ratios):
            self.losses.add_ratios(self.state.step, place, self.updates.names, ratios)
        self._see()

    def _see(self) -> None:
        if self.team.leads:
            self.dynamics.look(self.model, self.state.step)

    def _advance(self, loss: Any) -> None:
        if isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            if loss is not None:
                self.scheduler.step(float(loss))
        else:
            self.scheduler.step()

    def _refuse_no_number(self) -> None:
        if self.losses.bad is None or not self.team.leads:
            return
        step, loss = self.losses.bad
        raise Diverged(
            f"The loss became {loss} at step {step:,} of {self.total:,} (learning rate "
            f"{self.config.lr:g}). Lower the rate (--set lr={self.config.lr / 10:g}) or look for a "
            "logarithm or a division of zero in the loss; the last checkpoint is from before it."
        )

    def _tell(self, done: int) -> None:
        try:
            self.progress("training", done, self.total)
        except Cancelled:
            self.stopping = True

    def _stop(self) -> None:
        self.losses.fetch()
        self._refuse_no_number()
        self._save()
        step = self.state.step
        self.log.event("stopped", f"Stopped after step {step:,} of {self.total:,}.")
        raise Cancelled(f"Stopped after step {step:,} of {self.total:,}; resuming goes on from it.")

    # -- the end of an epoch --------------------------------------------------------------------

    def _end_epoch(self) -> None:
        state = self.state
        last = state.step >= self.total
        state.epoch, state.in_epoch = state.epoch + 1, 0
        mean = self.losses.epoch_mean()
        self._refuse_no_number()
        values = {
            "train/loss": mean,
            "samples_per_second": state.samples / max(1e-9, state.seconds),
        }
        evaluated = last or state.epoch % self.config.evaluate_every == 0
        if evaluated:
            values |= self._evaluate()
        if self.scheduler is not None and self.task.scheduler_interval == "epoch":
            self._advance(self._watched_by_plateau() if evaluated else None)
        if self.per_sample:
            self.per_sample.end_epoch(self.model, state.epoch)
        self._see()
        self.log.epoch(state.epoch, values, state.step)
        if last or self._checkpoint_due():
            self._save()
        self._tell(state.step)

    def _watched_by_plateau(self) -> float | None:
        """What a ReduceLROnPlateau is told: the accuracy where it waits for a maximum."""
        mode = getattr(self.scheduler, "mode", "min")
        return self.state.metrics.get("accuracy" if mode == "max" else "loss")

    def _evaluate(self) -> dict[str, float]:
        """The task's metrics and ours, which the leader finds and all of a team know."""
        state = self.state
        seen, own = self._seen_and_own() if self.team.leads else (None, {})
        metrics = self.team.agreed(seen.metrics() if seen else None)
        state.metrics = metrics
        better = metrics["loss"] < state.best_loss
        if better:
            state.best_loss, state.best_epoch, state.worse = metrics["loss"], state.epoch, 0
            state.best_metrics = metrics
        else:
            state.worse += 1
        if seen:
            self._keep_predictions(seen, better)
        if seen and better:
            self.best = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        return {f"eval/{k}": v for k, v in (metrics | own).items()}

    def _seen_and_own(self) -> tuple[Predictions, dict[str, float]]:
        """The model on the evaluation set, the generators left as they were."""
        bench = self.bench
        self.progress_quietly("evaluating")
        with undisturbed():
            own = bench.evaluate(self.model) if "evaluate" in self.task.given else {}
            seen = predictions(
                self.model, bench.eval_loader(), self.loss_fn, self.task.predict,
                bench.place.autocast,
            )  # fmt: skip
        return seen, own

    def progress_quietly(self, activity: str) -> None:
        try:
            self.progress(activity, self.state.step, self.total)
        except Cancelled:
            self.stopping = True

    def _keep_predictions(self, seen: Predictions, better: bool) -> None:
        """predictions.npz: the last; predictions-best.npz; predictions/epoch-0001.npz: small ones.

        rows, targets, labels (n,), logits (n, classes), epoch, step.
        """
        rows = self.bench.images.rows[self.bench.positions("eval")]
        found = {
            "rows": rows if len(rows) == len(seen.targets) else np.full(len(seen.targets), -1),
            "targets": seen.targets, "labels": seen.labels, "logits": seen.logits,
            "epoch": np.array(self.state.epoch), "step": np.array(self.state.step),
        }  # fmt: skip
        save_arrays(self.folder / "predictions.npz", found)
        if better:
            save_arrays(self.folder / "predictions-best.npz", found)
        if seen.logits.nbytes <= KEPT_BYTES:
            (self.folder / "predictions").mkdir(exist_ok=True)
            save_arrays(self.folder / "predictions" / f"epoch-{self.state.epoch:04d}.npz", found)

    def _patience_ends(self) -> bool:
        if not self.config.patience or self.state.worse < self.config.patience:
            return False
        self.log.event(
            "early_stop",
            f"Stopped early: {self.state.worse} evaluations without a lower loss than that of "
            f"epoch {self.state.best_epoch}.",
        )
        return True

    # -- checkpoints ----------------------------------------------------------------------------

    def _checkpoint_due(self) -> bool:
        due = self.state.epoch % self.config.checkpoint_every == 0
        return due and time.monotonic() - self.saved >= SECONDS_BETWEEN_CHECKPOINTS

    def _save(self) -> None:
        if not self.team.leads:
            return
        self.log.flush()  # a resumed run goes on from here: curves must not end earlier
        self.dynamics.save()
        scheduler = self.scheduler.state_dict() if self.scheduler is not None else None
        checkpoints.save(
            self.folder, self.state.step,
            lambda path: self.task.save_checkpoint(self.model, self.optimizer, path),
            {
                "state": dict(vars(self.state)), "scheduler": scheduler, "generators": states(),
                "epoch_generators": self.epoch_generators, "config": self.config.to_json(),
            },
        )  # fmt: skip
        if self.best is not None:
            checkpoints.save_best(self.folder, self.best)
            self.best = None
        self.saved = time.monotonic()

    def go_on(self) -> None:
        """Goes back to the newest checkpoint; from the start where there is none."""
        found = checkpoints.latest(self.folder)
        if found is None:
            self.log.rewind(0)
            return
        kept = checkpoints.state_of(found)
        self.task.load_checkpoint(self.model, self.optimizer, found / "model.pt")
        if self.scheduler is not None and kept["scheduler"] is not None:
            self.scheduler.load_state_dict(kept["scheduler"])
        self.state = _State(**kept["state"])
        self.epoch_generators = kept["epoch_generators"]
        restore(kept["generators"])
        self.dynamics.resume(self.state.step)
        self.log.rewind(self.state.step)
        self.log.event("resumed", f"Resumed after step {self.state.step:,} of {self.total:,}.")

    def _result(self) -> dict[str, Any]:
        state = self.state
        return {
            "steps": state.step, "epochs": state.epoch, "parameters": _count(self.model),
            **state.metrics,
            "best": {"epoch": state.best_epoch, **state.best_metrics},
            "train_samples": len(self.bench.positions("train")),
            "eval_samples": len(self.bench.positions("eval")),
            "samples_per_second": state.samples / max(1e-9, state.seconds),
            "training_seconds": state.seconds,
            "class_names": list(self.bench.images.class_names),
            "splits": list(self.bench.images.splits),
        }  # fmt: skip


def _count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
