"""What does `recipe noise` do? Says which labels are probably wrong, how many, how surely."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from recipe_core.commands import printed
from recipe_core.commands.following import followed
from recipe_core.kernel.errors import Misuse

if TYPE_CHECKING:
    from recipe_core.kernel.nouns import Finding


def add(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    parser.add_argument(
        "--probabilities", default="", metavar="FILE.npy",
        help="your own out-of-sample probabilities, float (n, C), in the order of recipe samples",
    )  # fmt: skip
    parser.add_argument(
        "--embedding", default="patches", metavar="KIND",
        help="how pictures are described: patches (default, needs no weights), backbone:MODEL, "
        "backbone:MODEL:WEIGHTS.pth, task:FILE.py:WEIGHTS (your model), run:ID, FILE.npy, or none "
        "(with --probabilities)",
    )  # fmt: skip
    parser.add_argument(
        "--cnn", nargs="?", const="small_cnn", default="", metavar="MODEL",
        help="also train a network on each four fifths and ask it about the fifth part: small_cnn, "
        "resnet18, … (minutes on a GPU, longer on a CPU)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="seed of folds, filters and planting")
    parser.add_argument("--detach", action="store_true", help="only start it and print its id")
    parser.add_argument("--json", action="store_true", help="print the finding as JSON on stdout")


def run(asked: argparse.Namespace) -> int:
    """Starts the run, follows it, prints what was found. Raises Misuse and the like."""
    from recipe_core import pipeline, recipe

    place = asked.workspace or recipe.default_workspace()
    run_id = pipeline.start_noise(
        place, embedding=asked.embedding, probabilities=asked.probabilities, device=asked.device,
        seed=asked.seed, cnn=asked.cnn,
    )  # fmt: skip
    if asked.detach:
        print(run_id)
        return 0
    followed(place, run_id)
    finding = recipe.judge(place, "label_noise")
    _print_json(place, finding) if asked.json else _tell(finding)
    return printed.BROKE if finding.verdict == "error" else 0


def _print_json(place: Path, finding: Finding) -> None:
    """The JSON report of this one check, and its three numbers on top."""
    from recipe_core import recipe

    report = recipe.last_report(place)
    if report is None:
        raise Misuse(f"{place} holds no findings yet. Run: recipe scan SOURCE -w {place}")
    found = json.loads(recipe.to_json(replace(report, findings=(finding,))))
    rates = {k: finding.numbers.get(k) for k in ("noise_rate", "noise_rate_low", "noise_rate_high")}
    print(json.dumps(found | rates, ensure_ascii=False))


def _tell(finding: Finding) -> None:
    from recipe_core.reporting.terminal import PLAIN, finding_block

    print(finding_block(finding, printed.width(), PLAIN), flush=True)
