"""Adds to the trials of a search what builds on them: mixtures of heads, and labels that help one another."""

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genus.classify.candidates import Candidate
from genus.classify.cooccurrence import CooccurrenceHead, fit_cooccurrence, moved
from genus.classify.ensemble import EnsembleHead, greedy_shares, mixture_logits
from genus.classify.truth import Truth
from genus.classify.workshop import Trial, Workshop

_MEMBERS = 4
LEAST_SHARE = 0.1
_FLOOR = 1e-12  # keeps logarithms finite
_RIDGES = (3.0, 30.0)
_MOST_WORK = 5e10  # rows times labels cubed, folds and settings: about ten seconds


def add_mixture(shop: Workshop) -> None:
    """Add a mixture of the best trials; its weights for a fold are chosen on the other folds."""
    start = time.perf_counter()
    members = _library(shop)
    logits, shares = mix([trial.logits for trial in members], shop.truth, shop.fold)
    kept = [(trial, float(share)) for trial, share in zip(members, shares, strict=True) if share > 0]
    if len(kept) < 2:
        return
    head = EnsembleHead(
        heads=[trial.head() for trial, _ in kept],
        weights=[share for _, share in kept],
        temperatures=[1 / trial.scaling.scale for trial, _ in kept],
        biases=[trial.scaling.bias for trial, _ in kept] if shop.truth.several else None,
    )
    candidate = Candidate("ensemble", head, ({},), {}, "ensemble")
    note = " + ".join(f"{share:.2f} {trial.candidate.name}" for trial, share in kept)
    seconds = time.perf_counter() - start
    shop.trials.append(shop.trial(candidate, {}, logits, seconds=seconds, n_fits=0, note=note))


def few_shares(members: Sequence[NDArray[np.float32]], truth: Truth) -> NDArray[np.float64]:
    """Choose the shares of a mixture of many by forward selection, and keep the few large ones."""
    own = np.stack([truth.likelihoods(logits) for logits in members])
    return _pruned(greedy_shares(own.reshape(len(own), -1)))


def pair_shares(pair: Sequence[NDArray[np.float32]], truth: Truth) -> NDArray[np.float64]:
    """Choose the shares of two classifiers in a logarithmic pool, each 5% at least, by likelihood.

    Notes
    -----
    They are drawn a little to equal ones, as strongly as two rows would draw, one for either. Without that, on a few
    dozen rows, one of the two is often left out by luck.

    Examples
    --------
    >>> from genus.classify.truth import OneClass
    >>> sure, other = np.float32([[3, 0], [0, 1], [3, 0], [0, 1]]), np.float32([[1, 0], [0, 3], [1, 0], [0, 3]])
    >>> pair_shares([sure, other], OneClass(np.array([0, 1, 0, 1])))
    array([0.5, 0.5])
    """
    tried = np.arange(1, 20) / 20

    def likely(second: float) -> float:
        own = truth.likelihoods(
            mixture_logits(pair, [1 - second, second], several=truth.several, pool="logarithmic")
        )
        return float(np.log(np.maximum(own, _FLOOR)).sum() + np.log(second * (1 - second)))

    best = max(tried.tolist(), key=likely)
    return np.array([1 - best, best])


def mix(
    members: Sequence[NDArray[np.float32]],
    truth: Truth,
    fold: NDArray[np.intp],
    pool: str = "linear",
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Mix what several classifiers say of rows that they were not fitted on.

    Parameters
    ----------
    members : sequence of m (n, c) float32 arrays
        Calibrated logits.
    truth : Truth
        Of the n rows.
    fold : (n,) int array
    pool : {"linear", "logarithmic"}
        As in `EnsembleHead`; a logarithmic one is of two, with the shares of `pair_shares`, a linear one of those that
        `few_shares` takes.

    Returns
    -------
    (n, c) float32 array
        Logits of the mixture; its shares for the rows of a fold are chosen on the other folds.
    (m,) float64 array
        The shares chosen on all rows, with the sum 1.
    """
    choose = few_shares if pool == "linear" else pair_shares
    mixed = np.empty_like(members[0])
    for f in np.unique(fold):
        rows = fold == f
        shares = choose([one[~rows] for one in members], truth.take(~rows)).tolist()
        mixed[rows] = mixture_logits([one[rows] for one in members], shares, several=truth.several, pool=pool)
    return mixed, choose(members, truth)


def add_cooccurrence(shop: Workshop, *, chain: bool) -> None:
    """Add the best trial with its labels moved by one another, all at once or, with `chain`, one after the other.

    What moves the rows of a fold is learned on the other folds.
    """
    values, base = shop.truth.y, shop.best()
    n_labels = values.shape[1]
    name = "chain" if chain else "cooccurrence"
    work = float(len(values)) * n_labels**3 * shop.n_folds * len(_RIDGES)
    if n_labels < 2 or work > _MOST_WORK:
        return
    # the commonest first: what is often there is known best
    order = np.argsort(-(values == 1).sum(axis=0), kind="stable").tolist() if chain else None
    for ridge in _RIDGES:
        start = time.perf_counter()
        logits = np.empty_like(base.logits)
        for f in range(shop.n_folds):
            rows = shop.fold == f
            coef, intercept = fit_cooccurrence(base.logits[~rows], values[~rows], ridge, order)
            logits[rows] = moved(base.logits[rows], coef, intercept, order)
        head = _cooccurring(base, values, ridge, order)
        candidate = Candidate(name, head, ({},), {}, name)
        seconds, note = time.perf_counter() - start, f"on {base.candidate.name}, ridge {ridge:g}"
        shop.trials.append(shop.trial(candidate, {}, logits, seconds=seconds, n_fits=0, note=note))


def _cooccurring(
    base: Trial, values: NDArray[np.int8], ridge: float, order: Sequence[int] | None
) -> CooccurrenceHead:
    coef, intercept = fit_cooccurrence(base.logits, values, ridge, order)
    return CooccurrenceHead(base.head(), base.scaling.scale, base.scaling.bias, coef, intercept, order)


def _library(shop: Workshop) -> list[Trial]:
    """Return the trials a mixture may choose from: the best of every head, since like heads add little."""
    by_name: dict[str, Trial] = {}
    finished = [trial for trial in shop.trials if trial.n_fits == shop.n_folds]
    for trial in shop.rank(finished or shop.trials):
        by_name.setdefault(trial.candidate.name, trial)
    return list(by_name.values())


def _pruned(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep the few large shares: a member costs a fit and its weights in the file."""
    smallest = max(LEAST_SHARE, float(np.sort(shares)[-_MEMBERS:].min()))
    kept = np.where(shares >= smallest, shares, 0)
    kept[np.argsort(-kept, kind="stable")[_MEMBERS:]] = 0
    pruned: NDArray[np.float64] = kept / kept.sum()
    return pruned
