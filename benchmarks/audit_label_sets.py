"""Wrong labels where an image may have several: `python benchmarks/audit_label_sets.py [--quick]` prints Markdown.

UC Merced's 17 labels and COCO128's 71, as if all were right; in a tenth of the images one label is left out, or one
that the image has not is added (the more frequent ones more often). The images are ranked by the audit, and by
cleanlab's label quality scores (as they are by default) on out-of-fold probabilities of scikit-learn's logistic
regression, one a label, on the same features (standardised). AP is the average precision of that ranking, P@k the share
of changed images among the k ranked first, where k is how many were changed. Some labels were wrong before; both are
charged for finding these.

It needs the package cleanlab, which Genus does not depend on.
"""

import argparse
import json
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audit import last_layer, precision
from genus.audit.finding import SUSPECT
from genus.data.dataset import Dataset
from genus.data.read import read_dataset
from genus.estimators.audit import Audit
from genus.features.feature_set import feature_set_for
from genus.features.stream import extract
from real_sets import OUT, data_folder

SETS = {"UC Merced": "ucmerced", "COCO128": "coco128"}
SHARE = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the small set only")
    names = ["COCO128"] if parser.parse_args().quick else list(SETS)
    print("| set | images | changed | AP, audit | AP, cleanlab | P@k, audit | P@k, cleanlab | look wrong |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    found = [measure(name) for name in names]
    OUT.mkdir(exist_ok=True)
    (OUT / "audit_label_sets.json").write_text(json.dumps(found, indent=1), "utf-8")


def measure(name: str) -> dict[str, Any]:
    data = read_dataset(data_folder() / SETS[name] / "labels.csv", multilabel=True)
    noisy, wrong = changed(data)
    audit = Audit.of(noisy, preset="fast", checks=["labels"])
    severity = {row.image: row.severity for row in audit.rows if row.issue == "label"}
    ours = np.array([severity[image] for image in noisy.names])
    theirs = 1 - cleanlab_scores(noisy)
    k, suspect = int(wrong.sum()), ours >= SUSPECT
    row: dict[str, Any] = {
        "set": name,
        "n": len(wrong),
        "changed": k,
        "ap": float(average_precision_score(wrong, ours)),
        "ap_cleanlab": float(average_precision_score(wrong, theirs)),
        "precision": precision(ours, wrong, k),
        "precision_cleanlab": precision(theirs, wrong, k),
        "suspect": int(suspect.sum()),
        "suspect_wrong": float(wrong[suspect].mean()),
    }
    ranked = f"{row['ap']:.3f} | {row['ap_cleanlab']:.3f} | {row['precision']:.1%} | {row['precision_cleanlab']:.1%}"
    look = f"{row['suspect']} ({row['suspect_wrong']:.0%} of them were changed)"
    print(f"| {name} | {row['n']:,} | {k} | {ranked} | {look} |", flush=True)
    return row


def changed(data: Dataset) -> tuple[Dataset, NDArray[np.bool_]]:
    """Return the data with labels left out or added, and in which images."""
    assert data.label_sets is not None
    rng = np.random.default_rng(0)
    values = data.label_sets.values.copy()
    frequency = (values == 1).mean(axis=0)
    chosen = rng.permutation(len(values))[: round(SHARE * len(values))]
    for number, image in enumerate(chosen.tolist()):
        present, absent = np.flatnonzero(values[image] == 1), np.flatnonzero(values[image] == 0)
        if number % 2 and len(present):
            values[image, rng.choice(present)] = 0
        else:
            values[image, rng.choice(absent, p=frequency[absent] / frequency[absent].sum())] = 1
    wrong = (values != data.label_sets.values).any(axis=1)
    return replace(data, label_sets=replace(data.label_sets, values=values)), wrong


def cleanlab_scores(data: Dataset) -> NDArray[np.float64]:
    from cleanlab.multilabel_classification import get_label_quality_scores

    assert data.label_sets is not None
    values = data.label_sets.values
    features = feature_set_for("fast")
    X = extract(data.sources, features).X
    plain = last_layer(X, features)
    model = make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression(max_iter=200, C=0.01)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a label that no image of a fold has
        folds = KFold(5, shuffle=True, random_state=0)
        proba = cross_val_predict(model, plain, values, cv=folds, method="predict_proba")
    return np.asarray(get_label_quality_scores([np.flatnonzero(row == 1).tolist() for row in values], proba))


if __name__ == "__main__":
    main()
