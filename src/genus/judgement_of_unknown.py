"""How saying "unknown" does on labelled images, some of which may be of classes that the model does not know.

No scikit-learn is imported here, for the same reason as in `genus.predictor`.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import Dataset
from genus.judgement import EvaluationResult
from genus.metrics.sure import SureTaxa
from genus.metrics.taxon_labels import TaxonLabels
from genus.metrics.unknown import KnownScores, measure_rejection
from genus.taxonomy import TOP


def with_rejection(
    result: EvaluationResult,
    data: Dataset,
    novelty: NDArray[np.float32],
    scores: KnownScores,
    classes: tuple[str, ...],
    sure: SureTaxa | None = None,
) -> EvaluationResult:
    """Add to a result how rejecting the usual share of known images did.

    Parameters
    ----------
    result : EvaluationResult
    data : Dataset
        Of the n images that were judged, all labelled.
    novelty : (n,) float32
    scores : KnownScores
        The model's.
    classes : tuple of str
        The model's.
    sure : SureTaxa or None
        The tree that they form: what stands anywhere in it is known.
    """
    labels = [label or "" for label in data.labels or ()]
    if data.is_multilabel:
        known = np.ones(len(data), np.bool_)
    elif sure is None:
        known = np.isin(labels, classes)
    else:
        known = TaxonLabels.of(labels, classes, sure.taxonomy).places != TOP
    if not known.any() or not len(scores.values):
        return result
    return replace(result, rejection=measure_rejection(novelty, known, scores))
