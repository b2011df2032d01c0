"""Predictions held against labels that are taxa: classes, or what stands above some.

No scikit-learn is imported here, for the same reason as in `genus.predictor`.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import Dataset
from genus.metrics.sure import SureTaxa
from genus.metrics.taxon_labels import TaxonLabels, put_together
from genus.taxonomy import TOP
from genus.wording import count

if TYPE_CHECKING:
    from genus.metrics.taxa import TaxonomyEvaluation

_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class JudgedInTree:
    """The figures in the tree, and the images that can be judged as to their class.

    Attributes
    ----------
    data : Dataset
        The images whose label names a class, under the model's own name for it, and those whose label the tree does
        not know. Where no label names a class: all, and the classes are put together to the labels' taxa.
    proba : (k, c) float32
        Of these images.
    classes : tuple of c str
    taxa : TaxonomyEvaluation or None
        Of all images that have a place in the tree; None if none has.
    notes : tuple of str
    """

    data: Dataset
    proba: NDArray[np.float32]
    classes: tuple[str, ...]
    taxa: "TaxonomyEvaluation | None"
    notes: tuple[str, ...]


def judge_in_tree(
    data: Dataset, proba: NDArray[np.float32], classes: tuple[str, ...], sure: SureTaxa
) -> JudgedInTree:
    """Find the taxon of each label, and judge as deep as the labels go.

    Parameters
    ----------
    data : Dataset
        Of n labelled images.
    proba : (n, c) float32
    classes : tuple of c str
    sure : SureTaxa
        The tree that the classes form.
    """
    from genus.metrics.taxa import evaluate_taxa

    names = [label or "" for label in data.labels or ()]
    labels = TaxonLabels.of(names, classes, sure.taxonomy)
    known, coarse = labels.places != TOP, labels.coarse
    if not known.any():
        return JudgedInTree(data, proba, classes, None, ())
    taxa = evaluate_taxa(sure, proba[known], labels.places[known], coarse[known])
    if coarse.any() and (labels.codes < 0).all():
        merged, summed, codes = put_together(sure.taxonomy, classes, proba, labels.places)
        called = _renamed(data, merged, codes)
        return JudgedInTree(called, summed.astype(np.float32), merged, taxa, (_merged_note(merged, classes),))
    called = _renamed(data, classes, labels.codes)
    if not coarse.any():
        return JudgedInTree(called, proba, classes, taxa, ())
    rows = np.flatnonzero(~coarse)
    found = sorted({names[i] for i in np.flatnonzero(coarse)})
    shown = ", ".join(found[:_SHOWN]) + (" ..." if len(found) > _SHOWN else "")
    note = (
        f"labelled with a taxon above the classes ({shown}): {count(int(coarse.sum()), 'image')}, which count in the "
        "figures of the tree only, where a prediction below the label is right"
    )
    return JudgedInTree(called.take(rows), proba[rows], classes, taxa, (note,))


def _merged_note(merged: tuple[str, ...], classes: tuple[str, ...]) -> str:
    return (
        f"no label is as fine as the model's classes; these were put together, {len(classes):,} to {len(merged):,}, "
        "and a prediction below an image's label is right"
    )


def _renamed(data: Dataset, classes: tuple[str, ...], codes: NDArray[np.int64]) -> Dataset:
    """Give the labels the names that the classes have; others stay."""
    labels = data.labels or ()
    renamed = tuple(
        label if code < 0 else classes[code] for label, code in zip(labels, codes.tolist(), strict=True)
    )
    return replace(data, labels=renamed)
