"""Do the weighed signs find more than the noise model alone, and mean what they say?"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from recipe_core.data.label_noise import estimate as estimating
from recipe_core.data.label_noise import planting
from recipe_core.data.label_noise.estimate import auroc, estimate
from recipe_core.data.label_noise.measure import votes
from recipe_core.data.label_noise.model import SPREADS, Fitted, Priors, fitted, shares
from recipe_core.data.label_noise.signs import LEAST_WRONG, Answers, learned, seen
from recipe_core.kernel.progress import silent
from tests.data.label_noise import asked

N, C = 1000, 5


@cache
def clusters() -> tuple[np.ndarray, np.ndarray]:
    """(vectors, true classes): five clouds that overlap, as classes do for a weak classifier."""
    rng = np.random.default_rng(0)
    true = np.arange(N) % C
    middles = rng.normal(size=(C, 12)) * 0.9
    return (middles[true] + rng.normal(size=(N, 12))).astype(np.float32), true


@cache
def classifiers() -> tuple[Answers, Answers]:
    return asked.classifiers(*clusters())


def given(kind: str, rate: float, seed: int) -> np.ndarray:
    return asked.flipped(clusters()[1], rate, seed, kind)


@pytest.mark.parametrize(("kind", "rate"), [("even", 0.4), ("cycle", 0.3), ("even", 0.1)])
def test_more_is_found_than_by_the_noise_model_alone(kind: str, rate: float) -> None:
    answers, near = classifiers()
    labels = given(kind, rate, 1)
    wrong = labels != clusters()[1]
    found = estimate(answers, near, labels, seed=0, progress=silent)
    alone = fitted(answers(shares(labels, C)), labels)
    assert auroc(found.wrong, wrong) > auroc(alone.wrong(labels), wrong)
    # true labels that are drawn are harder to tell than real ones: never more than is found
    assert 0.7 < found.found.mean() < auroc(found.wrong, wrong) + 0.02


@pytest.mark.parametrize(("kind", "rate"), [("even", 0.2), ("cycle", 0.3)])
def test_the_score_is_a_probability(kind: str, rate: float) -> None:
    answers, near = classifiers()
    score, wrong = [], []
    for seed in range(3):
        labels = given(kind, rate, seed)
        score.append(estimate(answers, near, labels, seed=seed, progress=silent).wrong)
        wrong.append(labels != clusters()[1])
    p, y = np.concatenate(score), np.concatenate(wrong)
    for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 0.7), (0.7, 0.9), (0.9, 1.01)):
        some = (p >= low) & (p < high)
        spread = 3 * np.sqrt(0.25 / max(some.sum(), 1))
        assert abs(p[some].mean() - y[some].mean()) < 0.06 + spread, (low, high)


def test_a_sign_that_tells_nothing_weighs_nothing_and_one_that_is_reversed_is_turned() -> None:
    rng = np.random.default_rng(0)
    wrong = rng.random(20_000) < 0.2
    signs = np.stack([wrong + rng.normal(size=20_000), rng.normal(size=20_000),
                      -2.0 * wrong + rng.normal(size=20_000)], 1)  # fmt: skip
    weights = learned([signs[:9000], signs[9000:]], [wrong[:9000], wrong[9000:]])
    # two Gaussians of spread 1 that lie d apart: the log odds rise by d for each unit
    np.testing.assert_allclose(weights.slope, [1, 0, -2], atol=0.15)
    assert abs(weights.wrong(signs.astype(np.float32)).mean() - wrong.mean()) < 0.01


def test_too_few_planted_labels_teach_nothing() -> None:
    rng = np.random.default_rng(0)
    signs = rng.normal(size=(500, 4)).astype(np.float32)
    wrong = np.arange(500) < LEAST_WRONG - 1
    weights = learned([signs], [wrong])
    np.testing.assert_allclose(weights.wrong(signs), 1 / (1 + np.exp(-signs[:, 0])), rtol=1e-5)


def test_signs_are_of_the_given_label_whatever_its_number() -> None:
    """Classes with other numbers have the same signs."""
    answers, near = classifiers()
    labels = given("even", 0.2, 0)
    order = np.array([3, 0, 4, 1, 2])
    back = np.argsort(order)

    def renamed(by: Answers) -> Answers:
        def answer(shared: np.ndarray) -> np.ndarray:
            said = by(shared[:, order])  # column order[k] of the new numbers is class k
            blocks = said.reshape(N, -1, C)[:, :, back]
            return np.ascontiguousarray(blocks.reshape(N, -1))

        return answer

    one = shares(labels, C)
    assert np.allclose(renamed(answers)(shares(order[labels], C))[:, :C][:, order],
                       answers(one)[:, :C], atol=1e-5)  # fmt: skip
    found = []
    for by, votes_by, ls in (
        (answers, near, labels), (renamed(answers), renamed(near), order[labels]),
    ):  # fmt: skip
        said = by(shares(ls, C))
        fit = fitted(said, ls)
        found.append(seen(by, votes_by, ls, said, fit, Priors()).signs)
    apart = np.abs(found[0] - found[1]).mean(0) / found[0].std(0)
    assert apart.max() < 0.05  # two climbs end within a hair of each other


def test_votes_count_neighbours() -> None:
    near = np.array([[1, 2], [0, 2], [0, -1]])
    labels = np.array([0, 1, 1])
    np.testing.assert_allclose(votes(near, shares(labels, 2)), [[0, 1], [0.5, 0.5], [0.5, 0]])
    half = np.array([[1, 0], [0.5, 0.5], [0, 1]], np.float32)
    np.testing.assert_allclose(votes(near, half)[0], [0.25, 0.75])


def test_a_repeat_keeps_a_bounded_number_of_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, near = classifiers()
    kept: list[int] = []

    def counted(signs: list[np.ndarray], wrong: list[np.ndarray]) -> object:
        kept.extend(len(s) for s in signs)
        return learned(signs, wrong)

    monkeypatch.setattr(planting, "MOST_LEARNED", 100)
    monkeypatch.setattr(planting, "learned", counted)
    estimate(answers, near, given("even", 0.2, 0), seed=0, progress=silent)
    assert set(kept) == {100}


def test_what_may_be_confusion_where_pairs_have_rates_of_their_own() -> None:
    """One pair of 5 classes goes astray (20 %), the others 0.5 % each: those are not sure."""
    matrix = np.full((5, 5), 0.005)
    matrix[1, 2] = 0.2
    np.fill_diagonal(matrix, 0)
    np.fill_diagonal(matrix, 1 - matrix.sum(1))
    even = np.full((1000, 5), 0.2, np.float32)
    fit = Fitted(even, even, matrix, 0.0, np.empty(0))
    labels = np.arange(1000) % 5
    unsure = estimating._unsure(fit, labels, Priors(30.0, SPREADS[0]))
    np.testing.assert_allclose(unsure[0], 0.2 * 15 * 0.005, rtol=1e-4)  # three pairs of each class
    np.testing.assert_allclose(unsure[1:].mean(), unsure[0], rtol=1e-4)
    assert not estimating._unsure(fit, labels, Priors(30.0, SPREADS[1])).any()
    worse = np.where(np.eye(5, dtype=bool), 0.6, 0.1)
    much = estimating._unsure(Fitted(even, even, worse, 0.0, np.empty(0)), labels, Priors())
    np.testing.assert_allclose(much[0], estimating.MOST_CONFUSED, rtol=1e-4)
