"""How many silent bugs are caught, by the right check, and how often is a healthy pipeline accused?

    python benchmarks/planted_bugs.py [--tasks FOLDER] [--must] [--jobs 2] [--only NAME]…
        [--check ID]… [--without-rival]

Every task of tests/planted/tasks (or of FOLDER/bugs and FOLDER/healthy, with the same first lines)
meets every check (--check: these alone; --must: bugs meet only the checks of which one must fail;
--only-rival: none). The same tasks are judged by the five rules of neural_net_checklist.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from recipe_core import recipe
from recipe_core.kernel.intervals import wilson
from tests.planted import catalogue
from tests.planted.catalogue import PlantedTask
from tests.planted.examining import BATCH, examined, workspace_of

LETTER = {"fail": "F", "warn": "w", "error": "E", "pass": "·", "skipped": " "}
RULES = ("loss_at_init", "dependency", "zero_input", "overfit", "zero_gradient")
OVERFIT_STEPS = 65_536


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--must", action="store_true")
    parser.add_argument("--check", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--without-rival", action="store_true")
    parser.add_argument("--only-rival", action="store_true")
    parser.add_argument("--rival-steps", type=int, default=OVERFIT_STEPS)
    parser.add_argument("--tasks", type=Path, default=catalogue.TASKS)
    asked = parser.parse_args()
    tasks = [t for t in (*catalogue.bugs(asked.tasks), *catalogue.healthy(asked.tasks))
             if not asked.only or t.name in asked.only]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for data in {t.data for t in tasks}:
            workspace_of(data, Path(folder))
        steps = 0 if asked.without_rival else asked.rival_steps
        checks = "must" if asked.must else "none" if asked.only_rival else ",".join(asked.check)
        work = [(t, folder, checks, steps) for t in tasks]
        # Not multiprocessing.Pool: its workers may have no children, and loaders have workers.
        with ProcessPoolExecutor(
            asked.jobs, multiprocessing.get_context("spawn"), max_tasks_per_child=1
        ) as pool:
            rows = []
            for row in pool.map(one, work):
                rows.append(row)
                print_row(*row)
    print_figures(rows, asked.rival_steps)


Row = tuple[PlantedTask, dict[str, Any], dict[str, bool], float]


def one(work: tuple[PlantedTask, str, str, int]) -> Row:
    """One task: what the checks say, which rules of the rival it breaks, seconds of the checks."""
    import torch

    task, folder, checks, steps = work
    # A spawned process would spawn the workers of its loaders, too; a run's own process forks them.
    multiprocessing.set_start_method(None, force=True)
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    asked = [c for c in recipe.checks("skeleton") if c.id != "human_baseline" and checks != "none"]
    if checks == "must" and not task.healthy:
        asked = [c for c in asked if c.id in task.must]
    elif checks not in ("", "must", "none"):
        asked = [c for c in asked if c.id in checks.split(",")]
    start = time.perf_counter()
    try:
        found = {k: (f.verdict, f.summary) for k, f in examined(task, asked, Path(folder)).items()}
    except Exception as e:
        found = {"opening": ("error", repr(e))}
    seconds = time.perf_counter() - start
    return task, found, rival(task, Path(folder), steps) if steps else {}, seconds


def print_row(
    task: PlantedTask, found: dict[str, Any], broken: dict[str, bool], seconds: float
) -> None:
    marks = " ".join(
        f"{k}:{LETTER[v]}" for k, (v, _) in found.items() if v not in ("pass", "skipped")
    )
    named = "healthy" if task.healthy else "caught" if caught(task, found) else "MISSED"
    rules = ",".join(k for k, b in broken.items() if b)
    print(f"| {task.name} | {named} | {marks} | {rules} | {seconds:.1f} |", flush=True)
    for name, (verdict, summary) in found.items():
        if verdict in ("fail", "warn", "error") and name not in task.must + task.may:
            print(f"|   unexpected {name} | {verdict} | {summary} | | |", flush=True)


def caught(task: PlantedTask, found: dict[str, Any]) -> bool:
    return any(found.get(k, ("",))[0] == "fail" for k in task.must)


def accused(task: PlantedTask, found: dict[str, Any]) -> list[str]:
    return [k for k, (v, _) in found.items() if v in ("fail", "warn", "error")]


def print_figures(rows: list[Row], steps: int) -> None:
    bugs = [r for r in rows if not r[0].healthy]
    sound = [r for r in rows if r[0].healthy]
    print("\n| | n | k | rate, 95 % interval |\n|---|---|---|---|")
    if any(f for _, f, _, _ in rows):
        print_ours(bugs, sound)
    if any(b for _, _, b, _ in rows):
        print_rival(bugs, sound, steps)


def print_ours(bugs: list[Row], sound: list[Row]) -> None:
    line("bugs caught by a right check", len(bugs), sum(caught(t, f) for t, f, _, _ in bugs))
    aside = sum(any(k not in t.must + t.may for k in accused(t, f)) for t, f, _, _ in bugs)
    line("bugs with an accusation beside the point", len(bugs), aside)
    line("healthy tasks accused", len(sound), sum(bool(accused(t, f)) for t, f, _, _ in sound))
    judged = sum(len(f) for _, f, _, _ in sound)
    line("healthy findings that accuse", judged, sum(len(accused(t, f)) for t, f, _, _ in sound))


def print_rival(bugs: list[Row], sound: list[Row], steps: int) -> None:
    line(f"rival: bugs that break a rule (overfit in {steps:,} steps)", len(bugs),
         sum(any(b.values()) for _, _, b, _ in bugs))  # fmt: skip
    line("rival: healthy tasks that break a rule", len(sound),
         sum(any(b.values()) for _, _, b, _ in sound))  # fmt: skip


def line(what: str, n: int, k: int) -> None:
    low, high = wilson(k, n)
    print(f"| {what} | {n} | {k} | {k / max(1, n):.3f} [{low:.3f}, {high:.3f}] |")


# -- the rival ----------------------------------------------------------------------------------


def rival(task: PlantedTask, below: Path, steps: int) -> dict[str, bool]:
    """Which of the five rules of neural_net_checklist the pipeline breaks (True: broken)."""
    import torch

    from recipe_core.training.bench import open_bench
    from recipe_core.training.config import RunConfig

    torch.set_grad_enabled(True)
    config = RunConfig(task=str(task.path), batch_size=BATCH, image_size=32, device="cpu")
    bench = open_bench(workspace_of(task.data, below), config)
    broken = {}
    for rule in (_loss_at_init, _dependency, _zero_input, _overfit, _zero_gradient):
        try:
            broken[rule.__name__.strip("_")] = bool(rule(bench, steps))
        except Exception:
            broken[rule.__name__.strip("_")] = True
    return broken


def _loss_at_init(bench: Any, steps: int) -> bool:
    import torch

    x, y, _ = bench.sample(min(128, bench.task.num_classes), split="train")
    with torch.no_grad():
        loss = float(bench.loss_fn(bench.model()(x), y))
    return loss / math.log(bench.task.num_classes) - 1 > 0.75


def _dependency(bench: Any, steps: int) -> bool:
    import torch
    from torch import nn

    model = bench.model()
    for name, module in list(model.named_modules()):
        if "Norm" in type(module).__name__ and name:
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, nn.Identity())
    x, _, _ = bench.sample(8, split="train")
    x = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(model(x)[0].sum(), x)
    return bool(g[1].abs().max() > 0)


def _zero_input(bench: Any, steps: int) -> bool:
    ends = []
    for zero in (False, True):
        model = bench.model()
        batches = [(x * 0 if zero else x, y) for x, y, *_ in islice(_forever(bench), 128)]
        ends.append(float(bench.steps(model, 128, batches=batches)[-1]))
    return ends[1] <= ends[0]


def _forever(bench: Any) -> Iterator[Any]:
    while True:
        yield from bench.train_batches()


def _overfit(bench: Any, steps: int) -> bool:
    import torch

    model = bench.model().train()
    x, y, *_ = next(iter(bench.train_batches()))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = bench.loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        if float(loss) < 1e-4:
            return False
    return True


def _zero_gradient(bench: Any, steps: int) -> bool:
    model = bench.model()
    x, _, _ = bench.sample(8, split="train")
    model(x).sum().backward()
    return any(p.grad is None or not p.grad.any() for p in model.parameters())


if __name__ == "__main__":
    main()
