"""What is a description of pictures without downloaded weights good for? `recipe embed` on photos.

    python benchmarks/embedded.py                     clothing and cifar10 below RECIPE_REAL_DATA
    python benchmarks/embedded.py --data clothing

Label noise's classifier (kernel ridge) out of fold on the whole description, of one layer of
patches and of two. Neighbours: the share of a picture's ten nearest that have its label, and a
linear classifier out of fold, on raw pixels (16 × 16, colour), on the description with other
whitening, and on it as it is.
Approximate neighbours: the limit above which they are used is lowered, and the vectors repeated
with noise. Copies: edited files among the others, found by hashes alone, and with the embedding.
Strangers: pictures of another kind, one at a time among all the others: the share of the set that
lies less far out (0.5 by chance), and how many are among the first hundredth; beside the distance
to the ten nearest alone, which the score was before.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from near_copies import groups_of_copies
from PIL import Image, ImageDraw, ImageOps

from recipe_core import recipe
from recipe_core.data.embedded_pairs import EDITS
from recipe_core.data.flat_map import flat
from recipe_core.data.label_noise.folds import copy_groups, stratified_folds
from recipe_core.data.label_noise.measure import FOLDS, labelled
from recipe_core.data.label_noise.model import shares
from recipe_core.data.label_noise.smoother import smoother
from recipe_core.data.outlying import outlying
from recipe_core.images import neighbours
from recipe_core.images.embedding import FILTERS, Compact, compact
from recipe_core.images.embedding_patches import PatchEmbedding
from recipe_core.images.embedding_two_layers import TwoLayers
from recipe_core.images.neighbours import nearest, recall
from recipe_core.images.squares import side_for, squares
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.progress import silent
from recipe_core.store.workspace import Workspace

DATA = Path(os.environ.get("RECIPE_REAL_DATA", "../shared/data"))
KIN = 10
EACH = 30  # strangers of a kind
EDITED = 80
Pictures = list[Image.Image]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="clothing,cifar10")
    for name in parser.parse_args().data.split(","):
        with tempfile.TemporaryDirectory(prefix="embedded-") as folder:
            figures(name, Path(folder))


def figures(name: str, folder: Path) -> None:
    recipe.scan(DATA / name, folder / "w", engine="here", check_ids=["near_duplicates"])
    started = time.process_time()
    about = recipe.embed(folder / "w", device="cpu")
    print(f"\n{name}: {about['pictures']:,} pictures; `recipe embed` took "
          f"{time.process_time() - started:.0f} s of processor time.\n")  # fmt: skip
    evidence = recipe.evidence(folder / "w")
    files = recipe.files(Workspace(folder / "w"), evidence)
    made = compact(evidence, files, "patches", folder=files.folder, progress=silent)
    vectors = np.asarray(made.vectors, np.float32)
    labels = np.array(evidence.texts("label"))[made.rows]
    classifier(evidence, files)
    kin(vectors, labels, [files.thumbnail(int(r)) or b"" for r in made.rows])
    approximate(vectors)
    copies(name, folder / "copies")
    strangers(name, made, folder / "strangers")


def classifier(evidence: Evidence, files: Files) -> None:
    rows, labels, _ = labelled(evidence)
    small, _ = squares(evidence, files, rows, side_for(evidence, rows), silent)
    folds = stratified_folds(labels, copy_groups(evidence, rows), FOLDS, 0)
    targets = shares(labels, int(labels.max()) + 1)
    print("| the whole description | right out of fold | s to describe |\n|---|--:|--:|")
    for what, layers, n in (
        ("one layer", PatchEmbedding, 2000),
        ("two layers", TwoLayers, FILTERS),
    ):
        started = time.perf_counter()
        described = layers(small, n_filters=n).of(small).astype(np.float16)
        seconds = time.perf_counter() - started
        said = smoother(described, folds)(targets - targets.mean(0)).argmax(1)
        print(f"| {what}, {n:,} filters | {(said == labels).mean():.3f} | {seconds:.0f} |",
              flush=True)  # fmt: skip
    print()


def kin(vectors: np.ndarray, labels: np.ndarray, thumbnails: list[bytes]) -> None:
    spread = vectors.std(0)
    ways = {
        "raw pixels": np.stack([_pixels(t) for t in thumbnails]),
        "not whitened": vectors * spread,
        "half whitened (what is used)": vectors,
        "fully whitened": vectors / spread,
    }
    print("| by | of the ten nearest, with its label | linear classifier |\n|---|--:|--:|")
    for way, values in ways.items():
        near, _ = nearest(np.asarray(values, np.float32), KIN)
        same = float((labels[near] == labels[:, None]).mean())
        print(f"| {way} | {same:.3f} | {_linear(values, labels):.3f} |", flush=True)
    near, _ = nearest(vectors, KIN)
    for how in ("tsne", "pca"):
        apart = flat(vectors, how, 0, silent)
        kept = [len(set(a) & set(b)) / KIN for a, b in zip(near, _nearest_on(apart), strict=True)]
        print(f"\nThe {how} map keeps {np.mean(kept):.0%} of the ten nearest.", end="")
    print(flush=True)


def _pixels(jpeg: bytes) -> np.ndarray:
    import simplejpeg

    picture = Image.fromarray(simplejpeg.decode_jpeg(jpeg, "RGB"))
    return np.asarray(picture.resize((16, 16)), np.float32).ravel() / 255


def _linear(values: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy out of five folds of a ridge classifier, whose strength is chosen in each."""
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(0, 5, 6)))
    return float(cross_val_score(model, values, labels, cv=5).mean())


def _nearest_on(places: np.ndarray) -> np.ndarray:
    from scipy.spatial import KDTree

    return KDTree(places).query(places, KIN + 1)[1][:, 1:]


def approximate(vectors: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    many = np.tile(vectors, (-(-250_000 // len(vectors)), 1))[:250_000]
    many += rng.normal(size=many.shape).astype(np.float32) * vectors.std(0) * 0.5
    print(
        "\n| approximate neighbours | vectors | recall of the ten nearest | s |\n|---|--:|--:|--:|"
    )
    for what, some, limit in (("limit lowered", vectors, 1000),
                              ("repeated with noise", many, neighbours.EXACT)):  # fmt: skip
        started = time.perf_counter()
        near, _ = nearest(some, KIN, exact=limit)
        seconds = time.perf_counter() - started
        print(f"| {what} | {len(some):,} | {recall(some, near):.3f} | {seconds:.0f} |", flush=True)


# -- copies -------------------------------------------------------------------------------------


def copies(name: str, folder: Path) -> None:
    """Edited files of EDITED pictures, each edit in a data set of its own with all the others."""
    paths = sorted(p for p in (DATA / name).rglob("*") if p.suffix in (".jpg", ".png"))
    chosen = np.random.default_rng(7).permutation(len(paths))[:EDITED]
    print("\n| copies | planted | found by hashes | with the embedding | other pairs by it alone |"
          "\n|---|--:|--:|--:|--:|")  # fmt: skip
    for what, edit in EDITS.items():
        shutil.copytree(DATA / name, folder / "data")
        told = {}
        for i in chosen.tolist():
            with Image.open(paths[i]) as picture:
                edited = edit(picture.convert("RGB"), np.random.default_rng(i))
            copy = folder / "data" / f"copy_{i}{paths[i].suffix}"
            edited.save(copy, quality=90)
            told[copy.name] = paths[i].relative_to(DATA / name).as_posix()
        recipe.scan(folder / "data", folder / "w", engine="here", format="folder",
                    check_ids=["near_duplicates"])  # fmt: skip
        before, known = _found(folder / "w", told)
        recipe.embed(folder / "w", map="pca", device="cpu")
        after, every = _found(folder / "w", told)
        print(f"| {what} | {len(told)} | {before} | {after} | "
              f"{every - known - (after - before)} |", flush=True)  # fmt: skip
        shutil.rmtree(folder)


def _found(place: Path, told: dict[str, str]) -> tuple[int, int]:
    """Copies that share a group with their original; and pairs of a copy and what is kept."""
    groups = groups_of_copies(place)
    hits = sum(any({copy, of} <= g for g in groups) for copy, of in told.items())
    return hits, sum(len(g) - 1 for g in groups)


# -- strangers ----------------------------------------------------------------------------------


def strangers(name: str, made: Compact, folder: Path) -> None:
    vectors = np.asarray(made.vectors, np.float32)
    size = (32, 32) if name == "cifar10" else (480, 360)
    print("\n| strangers | n | lie farther out than | in the first 1 % | by the ten nearest alone "
          "| in the first 1 % |\n|---|--:|--:|--:|--:|--:|")  # fmt: skip
    for kind, pictures in _kinds(name).items():
        by_score, by_nearest = [], []
        for one in _described(pictures, size, made, folder / kind):
            both = np.concatenate([vectors, one[None]])
            near, cosines = nearest(both, KIN)
            by_score.append(_beyond(outlying(both, near, cosines)))
            by_nearest.append(_beyond(1 - cosines.mean(1)))
        told = [f"{np.mean(b):.2f} | {(np.array(b) > 0.99).sum()}" for b in (by_score, by_nearest)]
        print(f"| {kind} | {len(by_score)} | {' | '.join(told)} |", flush=True)


def _beyond(scores: np.ndarray) -> float:
    """The share of the others that score less than the last."""
    return float((scores[:-1] < scores[-1]).mean())


def _described(
    pictures: Pictures, size: tuple[int, int], made: Compact, folder: Path
) -> Iterator[np.ndarray]:
    (folder / "data").mkdir(parents=True)
    for i, picture in enumerate(pictures):
        ImageOps.fit(picture.convert("RGB"), size).save(folder / "data" / f"{i:03}.png")
    recipe.scan(folder / "data", folder / "w", engine="here", check_ids=["corruption"])
    evidence = recipe.evidence(folder / "w")
    files = recipe.files(Workspace(folder / "w"), evidence)
    assert made.describe is not None
    yield from made.describe(lambda i: files.thumbnail(i) or b"", len(evidence))


def _kinds(name: str) -> dict[str, Pictures]:
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(0)
    other = "clothing" if name == "cifar10" else "cifar10"
    digits = [Image.fromarray((255 - 15 * d).astype(np.uint8)) for d in load_digits().images[:EACH]]
    return {
        "photos of raccoons": _photos(DATA / "raccoon" / "images"),
        f"pictures of {other}": _photos(DATA / other),
        "digits": [d.resize((256, 256), Image.Resampling.BICUBIC) for d in digits],
        "pages of text": [_page(rng) for _ in range(EACH)],
        "noise": [Image.fromarray(rng.integers(0, 256, (240, 320, 3), dtype=np.uint8))
                  for _ in range(EACH)],
    }  # fmt: skip


def _photos(folder: Path) -> Pictures:
    paths = sorted(p for p in folder.rglob("*") if p.suffix in (".jpg", ".png"))
    return [Image.open(p) for p in paths[:: len(paths) // EACH][:EACH]]


def _page(rng: np.random.Generator) -> Image.Image:
    page = Image.new("RGB", (480, 360), "white")
    pen = ImageDraw.Draw(page)
    for y in range(20, 340, 22):
        letters = "".join(chr(rng.integers(97, 123)) for _ in range(int(rng.integers(10, 60))))
        pen.text((20, y), letters, fill="black", font_size=int(rng.integers(12, 18)))
    return page


if __name__ == "__main__":
    main()
