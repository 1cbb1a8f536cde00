"""Do two fresh processes with one seed do the same, step by step and tensor by tensor?

`python -m recipe_core.skeleton.probes.twice WORKSPACE CONFIG STEPS OUT` is one of them: it trains
STEPS steps as the loop would and writes what it saw, as hashes, to OUT.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading
from recipe_core.skeleton.probes.common import affordable_batch

STEPS = 5
SECONDS = 600.0
HASH_SEEDS = ("1", "2")
"""PYTHONHASHSEED of the two: by default Python draws it anew in every process."""


def twice(bench: Any, progress: Progress) -> Reading:
    """Trains STEPS steps in two fresh processes side by side.

    numbers  steps (one per step: x, y, loss, lr: whether equal; tensors: names that differ after
             it; losses of both), start (names of tensors that differ before the first step),
             tensors (how many there are), seed, device
    """
    with tempfile.TemporaryDirectory(prefix="recipe-twice-") as folder:
        outs = [Path(folder) / f"{i}.json" for i in range(2)]
        logs = [Path(folder) / f"{i}.log" for i in range(2)]
        processes = [_started(bench, *given) for given in zip(outs, logs, HASH_SEEDS, strict=True)]
        try:
            _wait(processes, progress)
        finally:
            for process in processes:
                process.kill()
                process.wait()
        for log, out, process in zip(logs, outs, processes, strict=True):
            if not out.exists():
                return _failed(bench, log.read_text(errors="replace"), process.returncode)
        one, other = (json.loads(out.read_text()) for out in outs)
    return Reading(compared(one, other) | {"seed": bench.seed, "device": bench.device.type})


def _started(bench: Any, out: Path, log: Path, hash_seed: str) -> subprocess.Popen[bytes]:
    size = affordable_batch(bench) or bench.config.batch_size
    config = json.dumps(bench.config.to_json() | {"batch_size": size})
    command = [sys.executable, "-m", "recipe_core.skeleton.probes.twice", str(bench.workspace),
               config, str(STEPS), str(out)]  # fmt: skip
    with log.open("wb") as f:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )  # fmt: skip


def _wait(processes: list[subprocess.Popen[bytes]], progress: Progress) -> None:
    start = time.monotonic()
    while any(p.poll() is None for p in processes):
        if time.monotonic() - start > SECONDS:
            return
        progress("two processes with one seed", int(time.monotonic() - start), 0)
        time.sleep(0.1)


def _failed(bench: Any, said: str, code: int) -> Reading:
    lines = said.strip().splitlines()
    last = lines[-1] if lines else "it ended without a word"
    if code == -9:
        return Reading(error="one of the two processes took too long or too much memory",
                       whose="time")  # fmt: skip
    if code < 0:
        return Reading(error=f"{signal.Signals(-code).name}: {last}", traceback=said[-8000:],
                       whose="crash")  # fmt: skip
    own = bench.task.path and str(bench.task.path) in said
    return Reading(error=last, traceback=said[-8000:], whose="task" if own else "recipe")


def compared(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What differs between two traces, step by step."""
    steps = [
        {
            **{k: a[k] == b[k] for k in ("x", "y", "loss", "lr")},
            "tensors": _differing(a["tensors"], b["tensors"]),
            "losses": [float.fromhex(a["loss"]), float.fromhex(b["loss"])],
        }
        for a, b in zip(one["steps"], other["steps"], strict=True)
    ]
    return {
        "start": _differing(one["start"], other["start"]), "steps": steps,
        "tensors": len(one["start"]),
    }  # fmt: skip


def _differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    return [n for n in [*one, *(k for k in other if k not in one)] if one.get(n) != other.get(n)]


# -- one of the two -----------------------------------------------------------------------------


def trace(bench: Any, steps: int) -> dict[str, Any]:
    """Hashes of every batch and of every tensor after every step."""
    model = bench.model()
    optimizer = bench.optimizer(model)
    scheduler = bench.scheduler(optimizer)
    per_epoch = bench.steps_per_epoch
    start = _hashes(model)
    found = []
    model.train()
    for step, batch in zip(range(steps), bench.epochs(), strict=False):
        x, y = _hash(batch[0]), _hash(batch[1])
        loss = bench.step(model, batch, optimizer)
        lr = [float(g["lr"]).hex() for g in optimizer.param_groups]
        bench.advance(scheduler, step, loss, per_epoch)
        found.append({
            "x": x, "y": y, "loss": float(loss).hex(), "lr": lr, "tensors": _hashes(model),
        })  # fmt: skip
    return {"start": start, "steps": found}


def _hashes(model: Any) -> dict[str, str]:
    named = [*model.named_parameters(), *model.named_buffers()]
    return {name: _hash(tensor) for name, tensor in named}


def _hash(tensor: Any) -> str:
    import torch

    plain = tensor.detach().cpu().contiguous().reshape(-1)
    data = plain.view(torch.uint8).numpy() if plain.numel() else plain.numpy()
    return hashlib.blake2b(data.tobytes(), digest_size=8).hexdigest()


def main() -> None:
    """Writes the trace of one process."""
    from recipe_core.skeleton.bench_process import opened

    workspace, config, steps, out = sys.argv[1:]
    bench = opened(Path(workspace), json.loads(config))
    text = json.dumps(trace(bench, int(steps)))
    temporary = Path(f"{out}.part")
    temporary.write_text(text)
    temporary.rename(out)


if __name__ == "__main__":
    main()
