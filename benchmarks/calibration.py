"""Can confidences be believed? Calibration error and log-loss on images set aside, before and after calibration.

`python benchmarks/calibration.py [--quick]` sets a quarter of every set aside, with three seeds (stratified, exact and
near duplicates on one side). On the rest each head, as it is by default, is cross-validated in five folds; what those
predictions say is what every calibration learns from. The head is then fitted on all of the rest, and its scores for
the images set aside are calibrated: not at all, by temperature, Platt, isotonic, and by what Genus chooses. Beside
them scikit-learn's `CalibratedClassifierCV` around a `FrozenEstimator` that hands on the very same scores.

The calibration error is over 15 bins of equal number (top confidence; with several labels all decisions). Figures are
means over sets and seeds. Prints Markdown; writes benchmarks/out/calibration.json.
"""

import argparse
import json
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from genus.classify.calibration_choice import choose_calibration
from genus.classify.heads import HEADS
from genus.classify.truth import LabelSetsTruth, OneClass, Truth
from genus.data.dataset import Dataset
from genus.data.duplicates import duplicate_groups
from genus.data.read import read_dataset
from genus.data.splits import split_off, stratified_folds
from genus.features.feature_set import feature_set_for
from genus.features.stream import extract
from genus.metrics.calibration import reliability_bins
from real_sets import OUT, SINGLE_LABEL, data_folder, load_set

SEEDS = (0, 1, 2)
TEST_SHARE = 0.25
N_FOLDS = 5
N_BINS = 15
LABEL_SETS = ("ucmerced", "bccd", "coco128")
ONE_CLASS_HEADS = ("logistic", "linear_svm", "knn", "lda", "prototype", "rbf", "mlp")
LABEL_HEADS = ("logistic", "linear_svm", "knn", "rbf")
OURS = {
    False: ("none", "temperature", "platt", "isotonic", "auto"),
    True: ("none", "platt", "isotonic", "auto"),
}
PEERS = ("temperature", "sigmoid", "isotonic")


@dataclass(frozen=True)
class Figures:
    """How one calibration of one head did on one draw."""

    dataset: str
    seed: int
    head: str
    method: str
    chosen: str
    error: float
    log_loss: float
    accuracy: float


@dataclass(frozen=True)
class Scores:
    """A head's scores: out of fold on the images learned from, and on those set aside."""

    learned: NDArray[np.float32]
    aside: NDArray[np.float32]
    fold: NDArray[np.intp]
    truth: Truth
    truth_aside: Truth


class Given(ClassifierMixin, BaseEstimator):
    """Hands on scores as a scikit-learn classifier's."""

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> "Given":
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X: NDArray[Any]) -> NDArray[Any]:
        return X[:, 1] - X[:, 0] if X.shape[1] == 2 else X

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        return self.classes_[X.argmax(axis=1)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the smallest sets, one draw")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    found: list[Figures] = []
    OUT.mkdir(exist_ok=True)
    for several, names in ((False, SINGLE_LABEL), (True, LABEL_SETS)):
        kind: list[Figures] = []
        for name in ("hymenoptera", "coco128")[several : several + 1] if args.quick else names:
            for seed in SEEDS[:1] if args.quick else SEEDS:
                kind += figures(name, seed, several=several)
            every = [asdict(f) for f in (*found, *kind)]
            (OUT / "calibration.json").write_text(json.dumps(every, indent=1), "utf-8")
        found += kind
        print_tables(kind, "several labels an image" if several else "one class an image")


def figures(name: str, seed: int, *, several: bool) -> Iterator[Figures]:
    """Yield what each head and calibration does on one draw."""
    for head, scores in scores_of(name, seed, several=several):
        for method in OURS[several]:
            calibration, _ = choose_calibration(scores.learned, scores.truth, scores.fold, method)
            logits = calibration.apply(scores.aside)
            yield Figures(name, seed, head, method, calibration.method, *judged(logits, scores.truth_aside))
        if isinstance(scores.truth, OneClass):
            for method in PEERS:
                peer = CalibratedClassifierCV(
                    FrozenEstimator(Given().fit([], scores.truth.codes)), method=method
                )
                peer.fit(scores.learned, scores.truth.codes)
                proba = np.maximum(peer.predict_proba(scores.aside), 1e-7)
                measured = judged(np.log(proba), scores.truth_aside)
                yield Figures(name, seed, head, f"scikit-learn {method}", method, *measured)


def judged(logits: NDArray[Any], truth: Truth) -> tuple[float, float, float]:
    """Return calibration error, log-loss and the share of decisions that are right."""
    sure, right = truth.confidence(logits)
    bins = reliability_bins(sure, right, N_BINS)
    error = sum(b.n * abs(b.confidence - b.accuracy) for b in bins) / len(sure)
    share = right.mean() if not truth.several else ((sure >= 0.5) == right).mean()
    return float(error), truth.log_loss(np.asarray(logits, np.float64)), float(share)


def scores_of(name: str, seed: int, *, several: bool) -> Iterator[tuple[str, Scores]]:
    """Yield each head's scores."""
    data = read_dataset(data_folder() / name / "labels.csv") if several else load_set(name)
    table = extract(data.sources, feature_set_for("balanced"))
    data = data.take(table.kept)
    groups = duplicate_groups(table.content_hashes, table.hashes, table.X)
    y = truths(data)
    aside = split_off(y, table.content_hashes, groups, size=TEST_SHARE, random_state=seed)
    rows, test = np.flatnonzero(~aside), np.flatnonzero(aside)
    if several:  # a label that all have, or none, is nothing to learn
        y = y[:, y[rows].any(axis=0) & ~y[rows].all(axis=0)]
    keys = [table.content_hashes[i] for i in rows]
    fold = stratified_folds(y[rows], keys, groups[rows], n_folds=N_FOLDS, random_state=seed)
    kind = LabelSetsTruth if several else OneClass
    blocks = tuple((block.start, block.stop) for block in table.blocks)
    for head in LABEL_HEADS if several else ONE_CLASS_HEADS:
        make = HEADS.get(head)
        learned = np.empty((len(rows), y.shape[1] if several else int(y.max()) + 1), np.float32)
        for f in range(N_FOLDS):
            others, held = rows[fold != f], rows[fold == f]
            fitted = make().set_params(blocks=blocks).fit(table.X[others], y[others])
            learned[fold == f] = fitted.logits(table.X[held])
        fitted = make().set_params(blocks=blocks).fit(table.X[rows], y[rows])
        yield head, Scores(learned, fitted.logits(table.X[test]), fold, kind(y[rows]), kind(y[test]))


def truths(data: Dataset) -> NDArray[Any]:
    if data.label_sets is not None:
        return np.asarray(data.label_sets.values, np.int8)
    return np.unique(np.asarray(data.labels), return_inverse=True)[1]


def print_tables(found: list[Figures], title: str) -> None:
    """Print the means over all, then head by head and set by set."""
    before = mean(found, "error", method="none")
    print(f"\n### {title}\n\n| calibration | calibration error | of uncalibrated | log-loss | right |")
    print("|---|---:|---:|---:|---:|")
    for method in dict.fromkeys(f.method for f in found):
        error, loss, right = (mean(found, key, method=method) for key in ("error", "log_loss", "accuracy"))
        print(f"| {called(method)} | {error:.1%} | {error / before:.2f} | {loss:.3f} | {right:.1%} |")
    for key in ("head", "dataset"):
        print(f"\n| {key} | uncalibrated | chosen | ratio | log-loss | chosen | what was chosen |")
        print("|---|---:|---:|---:|---:|---:|---|")
        for value in dict.fromkeys(getattr(f, key) for f in found):
            part = [f for f in found if getattr(f, key) == value]
            plain, chosen = (mean(part, "error", method=method) for method in ("none", "auto"))
            losses = " | ".join(f"{mean(part, 'log_loss', method=method):.3f}" for method in ("none", "auto"))
            counts = Counter(f.chosen for f in part if f.method == "auto").most_common()
            said = ", ".join(f"{called(method)} {n}" for method, n in counts)
            print(f"| {value} | {plain:.1%} | {chosen:.1%} | {chosen / plain:.2f} | {losses} | {said} |")
    print(flush=True)


def called(method: str) -> str:
    return {"none": "uncalibrated", "auto": "chosen by Genus"}.get(method, method)


def mean(found: list[Figures], key: str, *, method: str) -> float:
    return float(np.mean([getattr(f, key) for f in found if f.method == method]))


if __name__ == "__main__":
    main()
