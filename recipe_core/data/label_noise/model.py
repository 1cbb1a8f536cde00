"""Which labels are wrong, given what a classifier that has not seen them says? One likelihood.

The given label y of a picture is its true class k, seen through a noise matrix:

    P(y | x) = Σ_k  softmax(A f(x) + b)_k  T_ky      T_kk = 1 - e_k, T_kj = e_k Q_kj

f are out-of-fold answers of a classifier that was fitted to the given labels; A, b turn them into
probabilities of the true class, and T says how often class k is given as j. Both are fitted at once
by maximum likelihood. What a classifier merely confuses bends A; what is mislabelled gives T: a
class that is recognised without doubt and yet labelled otherwise. Without A every systematic
confusion of a weak classifier passes for wrong labels (confident learning: 24 % noise where there
is none).

The noise layer is that of Sukhbaatar et al., "Training Convolutional Networks with Noisy Labels",
2014, put on top of out-of-fold scores instead of into the training.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from threadpoolctl import ThreadpoolController

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

RIDGES = (10.0, 30.0, 300.0, 10_000.0)
"""Precisions of the normal prior on A's departures from a multiple of the identity, per standard
deviation of f. The more classes, the more there is to overfit, the stiffer it must be."""
SPREADS = (0.1, 30.0)
"""Dirichlet priors on where a class's wrong labels go: as if so many more were seen in each cell.
The first lets every pair of classes have a rate of its own, the second pulls them together."""
CLEARLY = 2.0
"""Standard errors by which another prior must be likelier to be preferred."""
FOR_PAIRS = 0.04
"""The mean gain of a sample's log likelihood, in its standard deviations, that rates of pairs of
their own must bring besides: at CIFAR-10's 10,000 test pictures 0.054 to 0.11 where 5 or 10 % of
the labels went astray in pairs, at most 0.027 where they went anywhere (15 planted sets)."""
CERTAIN = 0.9
ITERATIONS = 150
START_SCALE, STEEPEST = 8.0, 5.0
START_NOISE, MUCH_NOISE, LEAST_NOISE = 0.08, 0.4, 0.03


@dataclass(frozen=True)
class Priors:
    """What is believed before anything is seen: see RIDGES and SPREADS."""

    ridge: float = RIDGES[0]
    spread: float = SPREADS[0]


@dataclass(frozen=True)
class Fitted:
    """A fitted noise model over n samples and c classes.

    true    (n, c) float32 P(true class | picture, given label), rows sum to 1
    clean   (n, c) float32 P(true class | picture)
    matrix  (c, c) float64 T: P(given class j | true class i), rows sum to 1
    loss    penalised negative log likelihood
    state   the parameters, to start a nearby fit from
    """

    true: Floats
    clean: Floats
    matrix: Doubles
    loss: float
    state: Doubles

    def wrong(self, labels: Codes) -> Floats:
        """(n,) float32 P(the given label is wrong)."""
        own = self.true[np.arange(len(labels)), labels]
        return np.asarray(np.clip(1 - own, 0, 1), np.float32)


def fitted(
    answers: Floats, labels: Codes, *, weights: Doubles | None = None, start: Doubles | None = None,
    priors: Priors | None = None, iterations: int = ITERATIONS,
) -> Fitted:  # fmt: skip
    """The most likely noise model.

    answers  (n, m) float32, m >= c: one column per class (a large value speaks for it), then any
             further columns that may help
    labels   (n,) int64 given classes 0 … c - 1
    weights  (n,) how often each sample counts (a bootstrap)
    start    `state` of a nearby fit; without it three are tried: the likelihood has a hill where A
             explains the wrong labels and some where T does, of all classes or (from little noise
             often) of all but one; the highest counts
    """
    problem = _Problem(answers, labels, weights, priors or Priors())
    if start is not None:
        return problem.solution(problem.climbed(problem.awake(start), iterations))
    neutral, much = problem.neutral(START_NOISE), problem.neutral(MUCH_NOISE)
    by_noise = [problem.climbed(s, 60, fixed=(1,)) for s in (neutral, much)]
    ends = [problem.climbed(s, iterations) for s in (neutral, *by_noise)]
    return problem.solution(min(ends, key=lambda v: problem.loss(v)[0]))


def with_rate(answers: Floats, labels: Codes, first: Fitted, rate: float, priors: Priors) -> Fitted:
    """The most likely noise model near the first of which this share of labels is wrong.

    T's directions stay, all its e_k are moved by one factor; A and b answer to that.
    """
    problem = _Problem(answers, labels, None, priors)
    share = first.true.mean(0).astype(np.float64)
    noise = 1 - np.diag(first.matrix)
    factor = rate / max(float(share @ noise), 1e-9)
    moved = np.clip(noise * factor, 1e-6, 0.95)
    start = first.state.copy()
    start[problem.parts[3]] = np.log(moved / (1 - moved))
    return problem.solution(problem.climbed(start, 60, fixed=(3, 4)))


@dataclass(frozen=True)
class Choice:
    """A noise model, the priors it was fitted under, and the models under other priors, where the
    samples cannot tell which is right."""

    fit: Fitted
    priors: Priors
    rivals: tuple[Fitted, ...]


def chosen(answers: Floats, labels: Codes, rng: np.random.Generator) -> Choice:
    """The noise model under priors under which held-out samples are likely.

    Of A the loosest: a stiff one leaves to T what is merely confused, or takes from it. But a loose
    one may call every picture uncertain where a stiffer one, as likely, finds them certain and
    their labels wrong: it is passed over. Of T the stiffest: few wrong labels that go anywhere are
    found better when all pairs are one. Each is kept unless another is clearly better.
    """
    half = rng.random(len(labels)) < 0.5

    def tried(priors: Priors) -> _Tried:
        fit = fitted(answers, labels, priors=priors)
        return _Tried(_held_out(answers, labels, half, fit.state, priors), fit, priors)

    every = [tried(Priors(r, SPREADS[0])) for r in RIDGES]
    likeliest = max(every, key=lambda t: float(t.held.sum()))
    near = [t for t in every if not _clearly_worse(t, likeliest)]
    loose = next((t for t in near if _finds_them_easy(t.fit, labels)), near[0])
    others = tuple(t.fit for t in near if t is not loose)
    stiff = tried(Priors(loose.priors.ridge, SPREADS[1]))
    if _clearly_worse(stiff, loose, FOR_PAIRS):
        return Choice(loose.fit, loose.priors, others)
    rivals = others if _clearly_worse(loose, stiff) else (loose.fit, *others)
    return Choice(stiff.fit, stiff.priors, rivals)


@dataclass(frozen=True)
class _Tried:
    """A noise model, its priors, and (n,) log likelihoods of samples left out."""

    held: Doubles
    fit: Fitted
    priors: Priors


def _finds_them_easy(fit: Fitted, labels: Codes) -> bool:
    """Whether of every class half as many pictures as are labelled so certainly are of it.

    Anchor points of a class, of which a few would do to tell wrong labels from pictures that could
    be either (Liu and Tao, "Classification with Noisy Labels by Importance Reweighting", TPAMI
    2016); but a few are soon made up for a weak classifier.
    """
    half = np.bincount(labels, minlength=fit.clean.shape[1]) // 2
    places = np.minimum(len(labels) - half, len(labels) - 1)
    return bool((np.sort(fit.clean, axis=0)[places, np.arange(len(half))] >= CERTAIN).all())


def _clearly_worse(one: _Tried, other: _Tried, least: float = 0.0) -> bool:
    """Whether samples are less likely under the first than chance explains, and not by little."""
    worse = other.held - one.held
    return bool(worse.mean() > max(CLEARLY / np.sqrt(len(worse)), least) * worse.std())


def _held_out(
    answers: Floats, labels: Codes, half: npt.NDArray[np.bool_], start: Doubles, priors: Priors
) -> Doubles:
    """(n,) log likelihood of each half's samples under the model that fits the other."""
    found = np.empty(len(labels))
    halved = Priors(priors.ridge / 2, priors.spread / 2)
    for part in (half, ~half):
        problem = _Problem(answers, labels, part.astype(np.float64), halved)
        fit = problem.solution(problem.climbed(start, 40))
        given = (fit.clean * fit.matrix.T[labels]).sum(1)
        found[~part] = np.log(given[~part] + 1e-30)
    return found


@cache
def _linear_algebra() -> ThreadpoolController:
    """The libraries that multiply matrices. Waking a second thread for ones as small as these takes
    longer than the product: on two cores a fit to 10,000 samples took 1.6 instead of 0.2 s."""
    return ThreadpoolController()


def shares(labels: Codes, c: int) -> Floats:
    """(n, c) float32: 1 in the column of each label."""
    found = np.zeros((len(labels), c), np.float32)
    found[np.arange(len(labels)), labels] = 1
    return found


class _Problem:
    """The likelihood of one data set as a function of one vector: log a, D, b, h, q.

    Inside, a class is a row and a sample a column: NumPy takes maxima and sums over ten rows many
    times faster than over ten columns, which were half of the work.
    """

    def __init__(
        self, answers: Floats, labels: Codes, weights: Doubles | None, priors: Priors
    ) -> None:
        self.n, self.m = answers.shape
        self.c = int(labels.max()) + 1
        scale = np.maximum(answers.std(0), 1e-6)
        scale[: self.c] = max(float(answers[:, : self.c].std()), 1e-6)
        self.f = np.ascontiguousarray((answers / scale).T, np.float32)
        self.labels = labels
        self.weights = None if weights is None else np.asarray(weights, np.float32)
        self.total = float(self.n if weights is None else weights.sum())
        self.given = shares(labels, self.c)
        self.ridge, self.spread = priors.ridge, priors.spread
        self.off = ~np.eye(self.c, dtype=bool)
        self._first_scale = float(np.log(START_SCALE * scale[0]))
        ends = np.cumsum([1, self.m * self.c, self.c, self.c, self.c * self.c])
        self.parts = [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]

    def neutral(self, noise: float) -> Doubles:
        """Probabilities as a classifier's usually are, such a share of wrong labels anywhere."""
        v = np.zeros(self.parts[-1].stop)
        v[0] = self._first_scale
        v[self.parts[3]] = np.log(noise / (1 - noise))
        return v

    def awake(self, start: Doubles) -> Doubles:
        """The start with at least a little noise: where there is none its slope vanishes."""
        v = start.copy()
        v[self.parts[3]] = np.maximum(v[self.parts[3]], np.log(LEAST_NOISE / (1 - LEAST_NOISE)))
        v[self.parts[4]] -= v[self.parts[4]].reshape(self.c, self.c).max(1).repeat(self.c)
        v[self.parts[4]] = np.maximum(v[self.parts[4]], -4)
        return v

    def climbed(self, start: Doubles, iterations: int, *, fixed: tuple[int, ...] = ()) -> Doubles:
        """The parameters at the top of the hill; those of the `fixed` parts stay where they are."""

        def loss(v: Doubles) -> tuple[float, Doubles]:
            value, slope = self.loss(v)
            for part in fixed:
                slope[self.parts[part]] = 0
            return value, slope

        options = {"maxiter": iterations}
        with _linear_algebra().limit(limits=1, user_api="blas"):
            found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
        return np.asarray(found.x, np.float64)

    def loss(self, v: Doubles) -> tuple[float, Doubles]:
        """Penalised negative log likelihood per sample, and its gradient."""
        scale, depart, noise, to = self._named(v)
        clean = self._clean(v)
        true, given = self._true(clean, self._matrix(noise, to))
        logs = np.log(given.astype(np.float64))
        if self.weights is not None:
            logs = logs * self.weights
            true, clean = true * self.weights, clean * self.weights
        pull = clean - true
        link = (self.f @ pull.T).astype(np.float64)
        counts = (true @ self.given).astype(np.float64)
        value = -float(logs.sum()) + 0.5 * self.ridge * float((depart**2).sum())
        value -= self.spread * float(np.log(np.where(self.off, to, 1) + 1e-300).sum())
        slope = np.empty_like(v)
        slope[0] = scale * np.trace(link[: self.c])
        slope[self.parts[1]] = (link + self.ridge * depart).ravel()
        slope[self.parts[2]] = pull.sum(1)
        away = np.where(self.off, counts, 0)
        slope[self.parts[3]] = counts.sum(1) * noise - away.sum(1)
        more = away + self.spread * self.off
        slope[self.parts[4]] = np.where(self.off, more.sum(1, keepdims=True) * to - more, 0).ravel()
        return value / self.total, slope / self.total

    def solution(self, v: Doubles) -> Fitted:
        """What the parameters say of every sample."""
        _, _, noise, to = self._named(v)
        clean, matrix = self._clean(v), self._matrix(noise, to)
        true, _ = self._true(clean, matrix)
        loss = self.loss(v)[0] * self.total
        return Fitted(np.ascontiguousarray(true.T), np.ascontiguousarray(clean.T), matrix, loss, v)

    def _named(self, v: Doubles) -> tuple[float, Doubles, Doubles, Doubles]:
        depart = v[self.parts[1]].reshape(self.m, self.c)
        noise = 1 / (1 + np.exp(-np.clip(v[self.parts[3]], -30, 30)))
        raw = np.where(self.off, v[self.parts[4]].reshape(self.c, self.c), -np.inf)
        to = np.exp(raw - raw.max(1, keepdims=True))
        return float(np.exp(min(v[0], STEEPEST))), depart, noise, to / to.sum(1, keepdims=True)

    def _clean(self, v: Doubles) -> Floats:
        """(c, n) P(true class | picture)."""
        link = v[self.parts[1]].reshape(self.m, self.c).copy()
        link[: self.c].ravel()[:: self.c + 1] += np.exp(min(v[0], STEEPEST))
        z = link.T.astype(np.float32) @ self.f
        z += v[self.parts[2]].astype(np.float32)[:, None]
        z -= z.max(0)
        np.exp(z, out=z)
        z /= z.sum(0)
        return np.asarray(z, np.float32)

    def _true(self, clean: Floats, matrix: Doubles) -> tuple[Floats, Floats]:
        """(c, n) P(true class | picture, given label) and (n,) P(given label | picture)."""
        joint = clean * np.take(matrix.astype(np.float32), self.labels, axis=1)
        given = joint.sum(0) + np.float32(1e-30)
        joint /= given
        return joint, given

    def _matrix(self, noise: Doubles, to: Doubles) -> Doubles:
        matrix = noise[:, None] * to
        matrix.ravel()[:: self.c + 1] = 1 - noise
        return np.asarray(matrix)
