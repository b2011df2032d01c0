"""Linear support vector machine with squared hinge loss."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from genus.classify.bench import Bench, Floats
from genus.classify.head import LinearHead
from genus.classify.linear_solver import linear_path
from genus.classify.logistic import penalties, tolerance


class LinearSVMHead(LinearHead):
    """One-against-rest linear SVM with L2 loss (squared hinge) and L2 penalty.

    Its scores are margins, not log-probabilities; calibration turns them into probabilities.

    Parameters
    ----------
    C : float, default 1.0
        Inverse strength of the penalty, as in scikit-learn; on unit-length rows 0.3 to 10 is the useful range.
    power, blocks, use
        Normalisation of the features; see `BlockNormalizer`.
    class_weight : None, "balanced" or dict
        "balanced" gives every class the same total weight.

    Attributes
    ----------
    coef_ : (n_classes, w) float32 array
    intercept_ : (n_classes,) float32 array
    classes_ : (n_classes,) array
    n_features_in_ : int

    Notes
    -----
    Same cost as `LogisticHead`. Squared hinge: Fan et al. (2008), "LIBLINEAR: a library for large linear
    classification", JMLR; here the intercept is not penalised.

    Examples
    --------
    >>> X = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.2, 0.8]]
    >>> LinearSVMHead().fit(X, ["cat", "cat", "dog", "dog"]).predict([[1.0, 0.2]])
    array(['cat'], dtype='<U3')
    """

    learns_label_sets = True
    weighs_labels = True

    def __init__(
        self,
        C: float = 1.0,
        *,
        power: float = 0.5,
        blocks: Sequence[tuple[int, int]] | None = None,
        use: Sequence[int] | None = None,
        class_weight: Any = None,
    ) -> None:
        self.C = C
        self.power = power
        self.blocks = blocks
        self.use = use
        self.class_weight = class_weight

    def _path(
        self, bench: Bench, grid: Sequence[Mapping[str, Any]], *, final: bool
    ) -> Iterator[tuple[Floats, Floats]]:
        return linear_path(bench, penalties(grid, self.C), "squared_hinge", tolerance(bench, final))
