"""What does `recipe embed` do? Says which pictures look alike, and draws a map of all of them."""

from __future__ import annotations

import argparse
import json
from typing import Any

from recipe_core.commands.following import followed


def add(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument(
        "--embedding", default="patches", metavar="KIND",
        help="how pictures are described: patches (default, needs no weights), backbone:MODEL, "
        "backbone:MODEL:WEIGHTS.pth, task:FILE.py:WEIGHTS (your model), run:ID or FILE.npy",
    )  # fmt: skip
    parser.add_argument(
        "--map", default="tsne", metavar="KIND", help="tsne (default) or pca, which takes no time"
    )
    parser.add_argument("--clusters", type=int, default=20, metavar="N", help="how many (20)")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    parser.add_argument("--seed", type=int, default=0, help="seed of filters, map and clusters")
    parser.add_argument("--detach", action="store_true", help="only start it and print its id")
    parser.add_argument("--json", action="store_true", help="print what was made as JSON on stdout")


def run(asked: argparse.Namespace) -> int:
    """Starts the run, follows it, prints what was made. Raises Misuse and the like."""
    from recipe_core import pipeline, recipe

    place = asked.workspace or recipe.default_workspace()
    run_id = pipeline.start_embed(
        place, embedding=asked.embedding, map=asked.map, clusters=asked.clusters,
        device=asked.device, seed=asked.seed,
    )  # fmt: skip
    if asked.detach:
        print(run_id)
        return 0
    made = dict(followed(place, run_id).result)
    print(json.dumps({"schema": 1, **made}, ensure_ascii=False) if asked.json else told(made))
    return 0


def told(made: dict[str, Any]) -> str:
    """What was made, for people."""
    exact = "exact" if made["exact"] else f"approximate, {made['recall']:.1%} of the true ones"
    return "\n".join([
        f"{made['pictures']:,} pictures by {made['embedding']}, {made['dimensions']} numbers each.",
        f"Neighbours: {made['neighbours']} each, {exact}. Clusters: {made['clusters']}. "
        f"Map: {made['map']}.",
        "Columns: map_x, map_y, embedding_cluster, embedding_outlier (at 2, one in a hundred lies "
        "so far out). Look at them in Browse, or: recipe samples --sort=-embedding_outlier",
    ])  # fmt: skip
