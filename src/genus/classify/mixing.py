"""Adds a mixture of the best heads of a search to its trials."""

import time

import numpy as np
from numpy.typing import NDArray

from genus.classify.candidates import Candidate
from genus.classify.ensemble import EnsembleHead, greedy_shares, mixture_logits
from genus.classify.workshop import Trial, Workshop

_MEMBERS = 4
_LEAST_SHARE = 0.1


def add_mixture(shop: Workshop) -> None:
    """Add a mixture of the best trials; its weights for a fold are chosen on the other folds."""
    start = time.perf_counter()
    members = _library(shop)
    own = np.stack([shop.truth.likelihoods(trial.logits) for trial in members])
    logits = np.empty_like(members[0].logits)
    for f in range(shop.n_folds):
        rows = shop.fold == f
        shares = _pruned(greedy_shares(own[:, ~rows].reshape(len(own), -1)))
        calibrated = [trial.logits[rows] for trial in members]
        logits[rows] = mixture_logits(calibrated, shares.tolist(), several=shop.truth.several)
    shares = _pruned(greedy_shares(own.reshape(len(own), -1)))
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


def _library(shop: Workshop) -> list[Trial]:
    """Return the trials a mixture may choose from: the best of every head, since like heads add little."""
    by_name: dict[str, Trial] = {}
    finished = [trial for trial in shop.trials if trial.n_fits == shop.n_folds]
    for trial in shop.rank(finished or shop.trials):
        by_name.setdefault(trial.candidate.name, trial)
    return list(by_name.values())


def _pruned(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep the few large shares: a member costs a fit and its weights in the file."""
    smallest = max(_LEAST_SHARE, float(np.sort(shares)[-_MEMBERS:].min()))
    kept = np.where(shares >= smallest, shares, 0)
    kept[np.argsort(-kept, kind="stable")[_MEMBERS:]] = 0
    pruned: NDArray[np.float64] = kept / kept.sum()
    return pruned
