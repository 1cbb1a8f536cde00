"""Does the whole measure find planted labels, whoever predicts, and say what does not fit?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from recipe_core import recipe
from recipe_core.data.label_noise.estimate import auroc
from recipe_core.kernel.errors import Misuse
from recipe_core.kernel.nouns import Finding
from recipe_core.store import columns
from recipe_core.store.workspace import Workspace

N, C = 300, 3
KINDS = ("apple", "pear", "plum")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of three classes, every tenth of them in the next class's folder."""
    folder = tmp_path_factory.mktemp("noisy")
    for i in range(N):
        given = KINDS[(shows(i) + (i % 10 == 0)) % C]
        (folder / "data" / given).mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 255, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "data" / given / f"{i:03}.png")
    recipe.scan(folder / "data", folder / "w", engine="here", check_ids=["corruption"])
    return folder / "w"


def shows(i: int) -> int:
    return i // 10 % C


def numbers(place: Path) -> np.ndarray:
    return np.array([int(Path(p).stem) for p in recipe.evidence(place).texts("path")])


def vectors(place: Path) -> Path:
    true = np.array([shows(i) for i in numbers(place)])
    noise = np.random.default_rng(0).normal(size=(N, 5)) * 0.3
    path = place.parent / "vectors.npy"
    np.save(path, (np.eye(C, 5)[true] + noise).astype(np.float32))
    return path


def probabilities(place: Path) -> Path:
    true = np.array([shows(i) for i in numbers(place)])
    z = 4 * np.eye(C)[true] + np.random.default_rng(1).normal(size=(N, C))
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    path = place.parent / "p.npy"
    np.save(path, p)
    return path


def check_found(place: Path, finding: Finding) -> None:
    wrong = numbers(place) % 10 == 0
    n = finding.numbers
    assert n["noise_rate_low"] <= 0.1 <= n["noise_rate_high"]
    assert abs(n["noise_rate"] - 0.1) < 0.03
    found = recipe.samples(place)
    score = found["label_error_probability"].to_numpy()
    assert np.isfinite(score).all() and score.min() >= 0 and score.max() <= 1
    assert auroc(score, wrong) > 0.98
    suggested = np.array(found["suggested_label"].to_pylist())
    assert (suggested == [KINDS[shows(i)] for i in numbers(place)]).mean() > 0.95
    assert finding.verdict == "fail"
    assert recipe.samples(place, "label_error_probability > 0.5").num_rows == len(finding.subjects)


def test_own_vectors_own_probabilities_and_both(place: Path) -> None:
    for options in (
        {"embedding": str(vectors(place))},
        {"embedding": "none", "probabilities": probabilities(place)},
        {"embedding": str(vectors(place)), "probabilities": probabilities(place)},
    ):
        check_found(place, recipe.noise(place, **options))


def test_the_same_seed_says_the_same(place: Path) -> None:
    options = {"embedding": str(vectors(place)), "seed": 3}
    first = recipe.noise(place, **options)
    again = recipe.noise(place, **options)
    assert first.numbers == again.numbers


def test_a_training_run_is_heard_and_named(place: Path) -> None:
    options = {"embedding": "none", "probabilities": probabilities(place)}
    assert "training" not in recipe.noise(place, **options).summary
    margin = np.where(numbers(place) % 10 == 0, -1.0, 1.0)
    rows = {"row": np.arange(N), "training_margin": margin}
    recipe.add_columns(place, "training", pa.table(rows))
    finding = recipe.noise(place, **options)
    assert finding.numbers["trained_on"] == N and "training run" in finding.summary
    columns.remove(Workspace(place), "training")


def test_a_plain_scan_does_not_start_it_but_keeps_it(place: Path) -> None:
    recipe.noise(place, embedding=str(vectors(place)))
    report = recipe.scan(place.parent / "data", place, engine="here")
    (finding,) = (f for f in report.findings if f.check == "label_noise")
    assert finding.verdict == "fail"
    assert recipe.samples(place)["label_error_probability"].null_count == 0
    fresh = recipe.scan(place.parent / "data", place.parent / "fresh", engine="here")
    (unasked,) = (f for f in fresh.findings if f.check == "label_noise")
    assert unasked.verdict == "skipped" and "recipe noise" in unasked.summary


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda p: p[:-1], r"shape \(300, 3\)"),
        (lambda p: p[:, :2], r"shape \(300, 3\)"),
        (np.log, "are no probabilities"),
        (lambda p: np.where(np.arange(N)[:, None] == 7, np.nan, p), "first row 7"),
        (lambda p: (p > 0.5).astype(int), "floats"),
    ],
)
def test_probabilities_that_do_not_fit_are_refused(place: Path, spoil: object, said: str) -> None:
    path = place.parent / "bad.npy"
    np.save(path, spoil(np.load(probabilities(place))))  # type: ignore[operator]
    with pytest.raises(Misuse, match=said):
        recipe.noise(place, embedding="none", probabilities=path)


def test_embeddings_that_do_not_fit_are_refused(place: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "short.npy", np.zeros((N - 1, 4), np.float32))
    for kind, said in (
        (str(tmp_path / "short.npy"), "one row of floats"), ("stickers", "is no embedding"),
        ("none", "--probabilities"), (str(tmp_path / "none.npy"), "cannot be read"),
    ):  # fmt: skip
        with pytest.raises(Misuse, match=said):
            recipe.noise(place, embedding=kind)
