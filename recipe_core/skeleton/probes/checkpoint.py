"""Does a model that was saved and loaded go on as the one that never stopped?"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading
from recipe_core.skeleton.probes.common import affordable_batch, eval_logits

BEFORE, AFTER = 6, 4
SAMPLES = 32


def checkpoint(bench: Any, progress: Progress) -> Reading:
    """Trains, saves, loads into a net with other weights, and trains both on.

    numbers  output_difference (largest, between the outputs in evaluation mode), output_scale;
             reference_* the same for a copy made through plain state dicts, which bounds what the
             device itself does; changed_by_saving; tensors: those that differ after loading (name,
             largest difference), lacking: names that the loaded model does not have; optimizer:
             what of its state differs; continued and reference_continued: largest difference of
             the losses after going on; reseeded: loading puts the generators to a fixed place;
             restored: loading puts them to where they were at saving
    """
    from recipe_core.training.seeds import restore, seed_everything, states

    size = affordable_batch(bench)
    batches = list(islice(bench.epochs(bench.seed, size), BEFORE + AFTER))
    x, _, _ = bench.sample(SAMPLES, "eval")
    model = bench.model()
    optimizer = bench.optimizer(model)
    model.train()
    for i, batch in enumerate(batches[:BEFORE]):
        progress("training before the checkpoint", i, BEFORE)
        bench.step(model, batch, optimizer)
    outputs = eval_logits(bench, model, x)
    kept = _copied(bench, model, optimizer)
    with tempfile.TemporaryDirectory(prefix="recipe-checkpoint-") as folder:
        path = Path(folder) / "checkpoint.pt"
        progress("saving", 0, 0)
        bench.task.save_checkpoint(model, optimizer, path)
        generators = states()
        loaded: list[tuple[Any, Any]] = []
        drawn: list[list[float]] = []
        for seed in (bench.seed + 7919, bench.seed + 104729):
            fresh = bench.model(seed)
            fresh_optimizer = bench.optimizer(fresh)
            seed_everything(seed)
            progress("loading", len(loaded), 2)
            bench.task.load_checkpoint(fresh, fresh_optimizer, path)
            drawn.append(_draw())
            loaded.append((fresh, fresh_optimizer))
    restore(generators)
    following = _draw()
    fresh, fresh_optimizer = loaded[0]
    _to_device(fresh_optimizer, bench)
    after = eval_logits(bench, fresh, x)
    saved = eval_logits(bench, model, x)
    reference = eval_logits(bench, kept[0], x)
    tensors, lacking = _states_compared(model, fresh)
    state = optimizer_difference(optimizer, fresh_optimizer)
    losses = [
        _continued(bench, m, o, batches[BEFORE:], progress)
        for m, o in ((model, optimizer), kept, (fresh, fresh_optimizer))
    ]
    return Reading({
        "output_difference": _most(after, outputs), "output_scale": float(outputs.abs().max()),
        "reference_difference": _most(reference, outputs),
        "changed_by_saving": _most(saved, outputs),
        "tensors": tensors, "lacking": lacking, "n_tensors": len(model.state_dict()),
        "optimizer": state,
        "continued": _gap(losses[2], losses[0]),
        "reference_continued": _gap(losses[1], losses[0]),
        "reseeded": drawn[0] == drawn[1] and drawn[0] != following,
        "restored": drawn[0] == drawn[1] == following,
        "before": BEFORE, "after": AFTER,
    }, {"losses": np.array(losses)})  # fmt: skip


def _draw() -> list[float]:
    import random

    state = torch.get_rng_state(), random.getstate(), np.random.get_state()
    drawn = [float(torch.rand(1)), random.random(), float(np.random.rand())]
    torch.set_rng_state(state[0])
    random.setstate(state[1])
    np.random.set_state(state[2])
    return drawn


def _copied(bench: Any, model: Any, optimizer: Any) -> tuple[Any, Any]:
    twin = copy.deepcopy(model)
    twin_optimizer = bench.optimizer(twin)
    twin_optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    return twin, twin_optimizer


def _to_device(optimizer: Any, bench: Any) -> None:
    """Momentum that was loaded by hand to another device would stop the training, not bend it."""
    for state in optimizer.state.values():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.ndim and value.device != bench.device:
                state[name] = value.to(bench.device)


def _most(a: Any, b: Any) -> float:
    return float((a.double() - b.double()).abs().max())


def _gap(a: Any, b: Any) -> float:
    return float(np.max(np.abs(np.asarray(a) - np.asarray(b))))


def _states_compared(model: Any, loaded: Any) -> tuple[list[list[Any]], list[str]]:
    ours, theirs = model.state_dict(), loaded.state_dict()
    differing = [
        [n, _most(v, theirs[n]) if v.shape == theirs[n].shape else float("inf")]
        for n, v in ours.items()
        if n in theirs and isinstance(v, torch.Tensor) and not _same(v, theirs[n])
    ]
    return differing, [n for n in ours if n not in theirs]


def _same(a: Any, b: Any) -> bool:
    return a.shape == b.shape and torch.equal(a.cpu(), b.cpu())


def optimizer_difference(one: Any, other: Any) -> list[str]:
    """Names of what differs between two optimizers' states ("exp_avg of tensor 3", "lr")."""
    a, b = one.state_dict(), other.state_dict()
    if not {"param_groups", "state"} <= a.keys():  # an optimizer of the user's own
        theirs = dict(_leaves(b))
        return [n for n, v in _leaves(a) if n not in theirs or not _equal(v, theirs[n])]
    found = []
    for k, group in enumerate(a["param_groups"]):
        held = b["param_groups"][k] if k < len(b["param_groups"]) else {}
        found += [
            f"{name} of group {k}" for name, value in group.items()
            if name != "params" and isinstance(value, int | float | bool | tuple | list)
            and held.get(name) != value
        ]  # fmt: skip
    for k, state in a["state"].items():
        held = b["state"].get(k, {})
        found += [
            f"{name} of tensor {k}" for name, value in state.items()
            if isinstance(value, torch.Tensor)
            and not (name in held and _same(torch.as_tensor(value), torch.as_tensor(held[name])))
        ]  # fmt: skip
    return found


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """(name, tensor or number) of everything in nested mappings and lists."""
    if isinstance(value, Mapping | list | tuple):
        inside = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, held in inside:
            yield from _leaves(held, f"{name}.{key}" if name else str(key))
    elif isinstance(value, torch.Tensor | int | float):
        yield name, value


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return _same(a, b)
    return type(a) is type(b) and bool(a == b)


def _continued(
    bench: Any, model: Any, optimizer: Any, batches: list[Any], progress: Progress
) -> list[float]:
    from recipe_core.training.seeds import seed_everything

    seed_everything(bench.seed)
    model.train()
    losses = []
    for i, batch in enumerate(batches):
        progress("going on", i, len(batches))
        losses.append(float(bench.step(model, batch, optimizer)))
    return losses
