"""Does evaluate report what a plain loop over the whole evaluation set finds?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.utils.data import Dataset, Subset

from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading
from recipe_core.skeleton.probes.made_up import kind_of, one_hot, pushed
from recipe_core.skeleton.probes.seen import hooked, on_device, precision, warmed
from recipe_core.training.images import stratified

STEPS = 10
MOST = 2_000
LARGEST_BATCH = 256
SURE = 20.0


def metrics(bench: Any, progress: Progress) -> Reading:
    """numbers  loader: wanted, given, from_evaluation (share of what it gives that is in the set),
             repeatable (the set gives the same twice); predict: share of made-up logits whose
             label it finds, with its error; reported: what evaluate returned; drawn: samples that
             evaluate took; calls: forward passes per batch; overlap: samples in both splits
    arrays   targets, guesses, plain (n,): labels, what predict and what argmax make of the outputs
             that evaluate itself saw (none where it does not look once at each sample);
             own (N,), truth (N,): guesses and labels of a plain loop over the whole set
    """
    picked = stratified(bench.labels("eval"), MOST, 0)
    whole = len(picked) == len(bench.eval_set)
    dataset: Dataset[Any] = bench.eval_set if whole else Subset(bench.eval_set, picked.tolist())
    batch = ragged(len(picked))
    numbers: dict[str, Any] = {"batch": batch, "overlap": _overlap(bench)}
    numbers["predict"] = _predicted(bench)
    next(iter(bench.train_batches()), None)  # a loader that caches may have cached by now
    numbers["loader"] = _loaded(bench, dataset, batch)
    model = warmed(bench, STEPS)
    numbers["coarse"] = precision(model, bench.sample(4)[0], bench) != "float32"
    progress("a plain loop", 1, 3)
    own, truth = _plain_loop(bench, model, dataset, batch)
    progress("the task's evaluate", 2, 3)
    # what is wrong comes last: a short last batch then differs from the others
    order = np.argsort(own != truth, kind="stable")
    ordered: Dataset[Any] = Subset(dataset, order.tolist())
    seen, arrays = _evaluated(bench, model, ordered, batch)
    return Reading(numbers | seen, arrays | {"own": own, "truth": truth})


def ragged(n: int) -> int:
    """A batch size that leaves a short last batch after three or more full ones.

    Not of one sample: loaders may join that to the batch before, for the sake of batch norm.
    """
    sizes = [b for b in range(2, min(LARGEST_BATCH, max(2, n // 3)) + 1) if n % b]
    return min(sizes, key=lambda b: (n % b == 1, (n % b) / b, -b), default=1)


def _overlap(bench: Any) -> int:
    return len(np.intersect1d(bench.positions("train"), bench.positions("eval")))


def _predicted(bench: Any) -> dict[str, Any]:
    """Whether predict finds the label of made-up outputs, in batches of another size than C."""
    classes = bench.task.num_classes
    draw = torch.Generator().manual_seed(0)
    kind, right, total = kind_of(bench), 0, 0
    for n in (classes, classes + 3, 1):
        y = torch.randint(classes, (n,), generator=draw)
        z = one_hot(y, classes, SURE) + torch.randn(n, classes, generator=draw)
        guess = bench.task.predict(pushed(z, kind).to(bench.device))
        total += n
        if isinstance(guess, torch.Tensor) and guess.shape == y.shape:
            right += int((guess.cpu() == y).sum())
    return {"right": right, "n": total}


def _loaded(bench: Any, dataset: Dataset[Any], batch: int) -> dict[str, Any]:
    """What the evaluation loader gives, against what is in the set."""
    first = [_digest(dataset[i][0]) for i in range(len(dataset))]  # type: ignore[arg-type]
    again = [_digest(dataset[i][0]) for i in range(min(16, len(first)))]
    given, labels = [], []
    for x, y, *_ in bench.task.eval_loader(dataset, batch):
        given += [_digest(v) for v in x]
        labels += [int(v) for v in y]
    wanted = np.bincount([int(dataset[i][1]) for i in range(len(first))],
                         minlength=bench.task.num_classes)  # fmt: skip
    counted = np.bincount(np.array(labels, dtype=np.int64).clip(0), minlength=len(wanted))
    inside = set(first)
    return {
        "wanted": len(first), "given": len(given), "repeatable": again == first[: len(again)],
        "from_evaluation": float(np.mean([g in inside for g in given])) if given else 0.0,
        "same_labels": len(counted) == len(wanted) and bool((counted == wanted).all()),
    }  # fmt: skip


def _digest(x: torch.Tensor) -> str:
    return hashlib.blake2b(
        x.detach().cpu().float().contiguous().numpy().tobytes(), digest_size=12
    ).hexdigest()


def _plain_loop(
    bench: Any, model: nn.Module, dataset: Dataset[Any], batch: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    guesses, truth = [], []
    n = len(dataset)  # type: ignore[arg-type]
    for start in range(0, n, batch):
        pairs = [dataset[i] for i in range(start, min(n, start + batch))]
        x = torch.stack([p[0] for p in pairs]).to(bench.device)
        guesses.append(bench.logits(model, x).argmax(1).cpu().numpy())
        truth += [int(p[1]) for p in pairs]
    return np.concatenate(guesses), np.array(truth, dtype=np.int64)


class _Counted:
    """A loader that notes what is drawn from it; it is the loader itself in all else."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader
        self.targets: list[torch.Tensor] = []

    def __iter__(self) -> Iterator[Any]:
        for batch in self.loader:
            self.targets.append(batch[1])
            yield batch

    def __len__(self) -> int:
        return len(self.loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)


def _evaluated(
    bench: Any, model: nn.Module, dataset: Dataset[Any], batch: int
) -> tuple[dict[str, Any], dict[str, npt.NDArray[np.int64]]]:
    """What evaluate reports, and what it should have made of the outputs that it saw itself.

    Its own outputs, for it may evaluate averaged weights; the arithmetic is under test here.
    """
    outputs: list[torch.Tensor] = []

    def seen(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 2:
            outputs.append(output.detach().float().cpu())

    loader = _Counted(on_device(bench, bench.task.eval_loader(dataset, batch)))
    model.train()
    with hooked({"": model}, seen):
        found = bench.task.evaluate(model, loader)
    torch.set_grad_enabled(True)
    reported = {str(k): float(v) for k, v in found.items()} if isinstance(found, dict) else {}
    none = torch.empty(0, dtype=torch.int64)
    targets = torch.cat(loader.targets).cpu() if loader.targets else none
    per_batch = len(outputs) / max(1, len(loader.targets))
    numbers = {"reported": reported, "drawn": len(targets), "calls": per_batch}
    guesses, plain = none, none
    if per_batch == 1 and sum(map(len, outputs)) == len(targets):
        labels = [bench.task.predict(o.to(bench.device)) for o in outputs]
        shaped = all(isinstance(g, torch.Tensor) and len(g) == len(o)
                     for g, o in zip(labels, outputs, strict=True))  # fmt: skip
        plain = torch.cat([o.argmax(1) for o in outputs])
        guesses = torch.cat(labels).cpu() if shaped else plain
    by_name = {"targets": targets, "guesses": guesses, "plain": plain}
    return numbers, {k: v.numpy().astype(np.int64) for k, v in by_name.items()}
