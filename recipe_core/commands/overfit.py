"""What does `recipe overfit` do? Trains a model that should learn its training set by heart."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipe_core.commands import printed
from recipe_core.commands.following import followed

if TYPE_CHECKING:
    from recipe_core.runs.watching import Run
    from recipe_core.training.config import RunConfig


def add(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument("--model", default=None, help="network to copy (default: resnet50)")
    parser.add_argument("--lr", type=float, default=None, help="learning rate (default: 3e-4)")
    parser.add_argument(
        "--task", default="", metavar="FILE.py", help="your own pipeline (default: the built-in)"
    )
    parser.add_argument("--device", default="", help="auto (default), cpu, cuda, cuda:N or mps")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE",
        help="any other setting of the run, e.g. image_size=128, epochs=40",
    )  # fmt: skip
    parser.add_argument(
        "--repeat", type=int, default=1, metavar="N", help="run N seeds of it, one after the other"
    )
    parser.add_argument("--detach", action="store_true", help="only start it and print its id")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on stdout")


def run(asked: argparse.Namespace) -> int:
    """Starts the run (or runs), follows it, prints its verdict. Raises Misuse and the like."""
    from recipe_core import pipeline, recipe

    place = asked.workspace or recipe.default_workspace()
    config = configured(asked)
    ids, found = [], []
    for k in range(max(1, asked.repeat)):
        run_id = pipeline.start_overfit(place, config.but(seed=config.seed + k))
        ids.append(run_id)
        if asked.detach:
            continue
        found.append(followed(place, run_id))
        if not asked.json:
            _tell(place, found[-1])
    if asked.detach:
        print("\n".join(ids))
        return 0
    if asked.json:
        _print_json(found)
    return 0


def configured(asked: argparse.Namespace) -> RunConfig:
    """The configuration that the words describe. Raises Misuse, UnknownName, BadSetting."""
    from recipe_core.overfit.planning import OVERFIT

    changes: dict[str, Any] = {
        k: v for k in ("model", "lr", "device") if (v := getattr(asked, k)) not in (None, "")
    }
    if asked.task:
        changes["task"] = str(Path(asked.task).resolve())
    return OVERFIT.but_words(asked.set).but(**changes)


def _tell(place: Path, ended: Run) -> None:
    from recipe_core import pipeline

    printed.finding(pipeline.judge_overfit(place, ended.id))
    result = ended.result
    print(
        f"{'':24}{ended.id}: training loss {result['train_loss']:.3g}, evaluation loss "
        f"{result['loss']:.3g}, accuracy {result['accuracy']:.1%} of "
        f"{result['eval_samples']:,} samples\n"
    )


def _print_json(found: list[Run]) -> None:
    from recipe_core.reporting.json_ import json_text

    rows = [
        {"id": r.id, "status": r.status, "command": r.command, "config": dict(r.config),
         "result": dict(r.result)}
        for r in found
    ]  # fmt: skip
    sys.stdout.write(json_text({"schema": 1, "runs": rows}))
