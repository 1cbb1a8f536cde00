"""What does `recipe sanity` do? Examines a training pipeline and says what is wrong with it."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipe_core.commands import printed

if TYPE_CHECKING:
    from recipe_core.pipeline import Sanity
    from recipe_core.training.config import RunConfig


def add(parser: argparse.ArgumentParser) -> None:
    """The words of the command, but for those of every command that judges."""
    parser.add_argument(
        "--task", default="", metavar="FILE.py", help="the pipeline (default: the built-in one)"
    )
    parser.add_argument("--device", default="", help="auto (default), cpu, cuda, cuda:N or mps")
    parser.add_argument("--seed", type=int, help="seed of weights, order and augmentation")
    parser.add_argument("--detach", action="store_true", help="only start it and print its id")


def run(asked: argparse.Namespace) -> int:
    """Prints each finding as it is made. Ctrl-C stops the run; what was read is kept."""
    from recipe_core import pipeline, recipe
    from recipe_core.kernel.params import parse_set

    config = configured(asked)
    thresholds = [w for w in asked.set if _is_threshold(w)]
    overrides = parse_set(thresholds, recipe.parameter_types("skeleton"))
    place = asked.workspace or recipe.default_workspace()
    command = shlex.join(["recipe", *typed(asked, place)])
    if asked.detach:
        print(pipeline.start_sanity(
            place, config, check_ids=asked.check, overrides=overrides, command=command
        ))  # fmt: skip
        return printed.FINE
    found = pipeline.sanity(
        place, config, check_ids=asked.check, overrides=overrides, command=command,
        progress=printed.teller(), tell=None if asked.json else printed.finding,
    )  # fmt: skip
    printed.clear()
    _print(found, asked.json)
    return printed.exit_code({f.verdict for f in found.findings}, asked.fail_on)


def _print(found: Sanity, as_json: bool) -> None:
    if as_json:
        from recipe_core.reporting.json_ import json_text

        sys.stdout.write(json_text(found.to_json()))
        return
    from recipe_core.reporting.terminal import tally_line

    print(f"\n{tally_line(found.findings, printed.paint())}")


def configured(asked: argparse.Namespace) -> RunConfig:
    """The pipeline that the words describe. Raises Misuse, UnknownName, BadSetting."""
    from recipe_core.training.config import RunConfig

    config = RunConfig.from_words([w for w in asked.set if not _is_threshold(w)])
    changes: dict[str, Any] = {}
    if asked.task:
        changes["task"] = str(Path(asked.task).resolve())
    if asked.device:
        changes["device"] = asked.device
    if asked.seed is not None:
        changes["seed"] = asked.seed
    return config.but(**changes) if changes else config


def _is_threshold(word: str) -> bool:
    return "." in word.partition("=")[0]


def typed(asked: argparse.Namespace, place: Path) -> list[str]:
    """What a person would type for this run."""
    words = ["sanity", "-w", str(place)]
    for name in ("task", "device", "seed"):
        value = getattr(asked, name)
        words += [f"--{name}", str(value)] if value not in ("", None) else []
    for name in ("check", "set"):
        words += [w for value in getattr(asked, name) or () for w in (f"--{name}", value)]
    return words
