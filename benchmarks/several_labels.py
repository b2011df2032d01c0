"""Several labels an image: ranking and naming against one-vs-rest logistic regression at 0.5, on the same features.

`python benchmarks/several_labels.py [--quick]` sets a quarter of each multi-label set aside, three times, each label
in proportion and duplicates together. On the rest train: `genus` (the preset `balanced` as it is, thresholds tuned on
its own out-of-fold predictions), and scikit-learn's `OneVsRestClassifier(LogisticRegression())` on the very same
features, standardised, or scaled to unit length with C=100; both name a label from 0.5 on. "genus at 0.5" is the
same model without its thresholds. Figures are over the labels that a test image has: means of the three draws, with
the mean 95% interval of one.

Prints Markdown; writes benchmarks/out/several_labels.json.
"""

import argparse
import json
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from genus.data.dataset import Dataset
from genus.data.duplicates import duplicate_groups
from genus.data.read import read_dataset
from genus.data.splits import split_off
from genus.estimators.classifier import ImageClassifier
from genus.features.feature_set import feature_set_for
from genus.features.stream import extract
from genus.features.table import FeatureTable
from genus.metrics.evaluation import Figure
from genus.metrics.labels import evaluate_labels
from real_sets import OUT, data_folder

SETS = ("ucmerced", "bccd", "coco128")
SEEDS = (0, 1, 2)
TEST_SHARE = 0.25
SHOWN = ("mean_average_precision", "macro_f1", "micro_f1", "subset_accuracy")
PEERS = {
    "logistic regression, standardised": lambda: make_pipeline(
        StandardScaler(), OneVsRestClassifier(LogisticRegression(max_iter=2000))
    ),
    "logistic regression, unit length, C=100": lambda: make_pipeline(
        Normalizer(), OneVsRestClassifier(LogisticRegression(C=100.0, max_iter=2000))
    ),
}

Answers = dict[str, tuple[NDArray[Any], NDArray[Any]]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the smallest set, one draw")
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", message="Label not|.*is present in all training")
    results = {}
    print("| set | method | mean average precision | mean F1 | F1 of all decisions | sets entirely right |")
    print("|---|---|---:|---:|---:|---:|")
    for name in SETS[-1:] if args.quick else SETS:
        results[name] = measure(name, SEEDS[:1] if args.quick else SEEDS)
    OUT.mkdir(exist_ok=True)
    (OUT / "several_labels.json").write_text(json.dumps(results, indent=1), "utf-8")


def measure(name: str, seeds: tuple[int, ...]) -> dict[str, Any]:
    data = read_dataset(data_folder() / name / "labels.csv")
    table = extract(data.sources, feature_set_for("balanced"))
    data = data.take(table.kept)
    runs = [answers(data, table, seed) for seed in seeds]
    found = {}
    for method in runs[0][1]:
        draws = [judged(truth, *answer[method], data.classes) for truth, answer in runs]
        found[method] = {key: averaged([draw[key] for draw in draws]) for key in SHOWN}
        show(name, method, found[method])
    return {
        method: {key: [figure.value, figure.low, figure.high] for key, figure in figures.items()}
        for method, figures in found.items()
    }


def judged(
    truth: NDArray[Any], proba: NDArray[Any], named: NDArray[Any], names: tuple[str, ...]
) -> dict[str, Figure]:
    """Score the ranking by `proba`, and the sets in `named`."""
    half = np.full(len(names), 0.5)
    ranked = evaluate_labels(truth, proba, names, half)
    sets = evaluate_labels(truth, named.astype(float), names, half)
    return {key: (ranked if key == SHOWN[0] else sets).figure(key) for key in SHOWN}


def averaged(figures: list[Figure]) -> Figure:
    """Average the draws; their test images overlap, so the interval stays as wide as that of one."""
    value, low, high = (
        float(np.mean([getattr(f, end) for f in figures])) for end in ("value", "low", "high")
    )
    return replace(figures[0], value=value, low=low, high=high)


def answers(data: Dataset, table: FeatureTable, seed: int) -> tuple[NDArray[Any], Answers]:
    """Return the truth of the test images, and each method's probabilities and names."""
    assert data.label_sets is not None
    values = data.label_sets.values
    groups = duplicate_groups(table.content_hashes, table.hashes, table.X)
    aside = split_off(values, table.content_hashes, groups, size=TEST_SHARE, random_state=seed)
    rows, test = np.flatnonzero(~aside), np.flatnonzero(aside)
    # the images set aside judge; none is needed inside the training, so as few as may be go there
    model = ImageClassifier(random_state=seed, test_size=0.05).fit(data.take(rows))
    proba = spread(model.predict_proba(data.take(test)), model.classes_, data.classes)
    cuts = model.result_.test.thresholds
    assert cuts is not None
    sets = spread(model.predict_proba(data.take(test)) >= np.asarray(cuts.values), cuts.names, data.classes)
    found = {"genus": (proba, sets), "genus at 0.5": (proba, proba >= 0.5)}
    for method, make in PEERS.items():
        # scikit-learn cannot fit a label that all rows have, or none
        able = np.flatnonzero(values[rows].any(axis=0) & ~values[rows].all(axis=0))
        peer = make().fit(table.X[rows], values[rows][:, able])
        scores = np.tile((values[rows].mean(axis=0) > 0.5).astype(float), (len(test), 1))
        scores[:, able] = peer.predict_proba(table.X[test])
        found[method] = (scores, scores >= 0.5)
    return values[test], found


def spread(answer: NDArray[Any], names: Any, every: tuple[str, ...]) -> NDArray[Any]:
    """Put columns where `every` has their names; what the model does not know is never named."""
    column = {str(name): i for i, name in enumerate(names)}
    out = np.zeros((len(answer), len(every)), answer.dtype)
    for to, name in enumerate(every):
        if name in column:
            out[:, to] = answer[:, column[name]]
    return out


def show(name: str, method: str, figures: dict[str, Figure]) -> None:
    print(f"| {name} | {method} | {' | '.join(figures[key].text() for key in SHOWN)} |", flush=True)


if __name__ == "__main__":
    main()
