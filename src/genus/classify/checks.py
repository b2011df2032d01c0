"""The contract that every head keeps, as one function to hold a head to it.

Used by the project's own tests and offered to others through `genus.testing`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.errors import GenusError


class HeadContractError(GenusError, AssertionError):
    """A head breaks the contract; the message says which law."""


def check_head(head: Any, *, n_features: int = 24, random_state: int = 0, tolerance: float = 1e-4) -> None:
    """Fit clones of `head` on small made-up features and hold them to every law of a head.

    Parameters
    ----------
    head : classifier
        An unfitted head.
    n_features : int, default 24
        Number of feature columns to try it on.
    random_state : int, default 0
        Seed of the made-up data.
    tolerance : float, default 1e-4
        Largest relative difference between the head and its exported graph.

    Raises
    ------
    HeadContractError
        A law is broken.

    Examples
    --------
    >>> from genus.classify.prototype import PrototypeHead
    >>> check_head(PrototypeHead())
    """
    X, y = made_up_features(n_features, random_state)
    _check_clone(head)
    fitted = _clone(head).fit(X, y)
    _check_outputs(fitted, X, y)
    _check_export(fitted, X, tolerance)
    _check_determinism(head, fitted, X, y)
    _check_row_order(fitted, X)
    _check_imbalance(head, X, y)
    _check_refusals(head, X, y)


def made_up_features(n_features: int, random_state: int) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    """Return rectified mixtures of three classes, like pooled CNN features: `X (90, n_features)`, `y (90,)`."""
    rng = np.random.default_rng(random_state)
    codes = np.repeat([0, 1, 2], 30)
    centers = rng.standard_normal((3, n_features)) * 1.5
    X = np.maximum(centers[codes] + rng.standard_normal((90, n_features)), 0).astype(np.float32)
    return X, np.array(["ant", "bee", "zebra crossing"])[codes]


def exported_logits(head: Any, X: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits that ONNX Runtime computes from the head's exported graph."""
    import onnxruntime

    from genus.graph import GraphBuilder

    graph = GraphBuilder()
    graph.output(head.export(graph, "features"), "logits", np.float32, ["N", len(head.classes_)])
    model = graph.model([("features", np.float32, ["N", X.shape[1]])])
    _require(
        all(node.domain in ("", "ai.onnx") for node in model.graph.node),
        "export uses plain ONNX operators only",
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["logits"], {"features": X})[0], np.float32)


def _require(holds: bool | np.bool_, law: str) -> None:
    if not holds:
        raise HeadContractError(f"broken law: {law}.")


def _clone(head: Any) -> Any:
    from sklearn.base import clone

    return clone(head)


def _check_clone(head: Any) -> None:
    copy = _clone(head)
    _require(repr(copy) == repr(head), "a clone has the same parameters")
    _require(not hasattr(copy, "classes_"), "nothing is learned before fit")


def _check_outputs(head: Any, X: NDArray[np.float32], y: NDArray[np.str_]) -> None:
    logits, proba, predicted = head.logits(X), head.predict_proba(X), head.predict(X)
    _require(list(head.classes_) == sorted(set(y)), "classes_ are the sorted labels")
    _require(head.n_features_in_ == X.shape[1], "n_features_in_ is the number of columns")
    _require(
        logits.shape == proba.shape == (len(X), len(head.classes_)), "logits and proba are (n, n_classes)"
    )
    _require(logits.dtype == np.float32, "logits are float32")
    _require(np.isfinite(logits).all(), "logits are finite")
    _require(np.allclose(proba.sum(axis=1), 1, atol=1e-5), "probabilities sum to one")
    _require((head.classes_[proba.argmax(axis=1)] == predicted).all(), "predict is the most probable class")
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    _require(np.allclose(proba, exp / exp.sum(axis=1, keepdims=True), atol=1e-5), "proba is softmax(logits)")
    _require((predicted == y).mean() > 0.8, "separable classes are learned")
    _require(isinstance(head.n_stored_examples, int), "n_stored_examples is a number")


def _check_export(head: Any, X: NDArray[np.float32], tolerance: float) -> None:
    rows = np.concatenate([X, np.zeros_like(X[:1]), -X[:1]])  # an empty row and negative values, too
    ours, theirs = head.logits(rows), exported_logits(head, rows)
    scale = max(1.0, float(np.abs(ours).max()))
    _require(np.abs(ours - theirs).max() <= tolerance * scale, "the exported graph gives the same logits")
    _require(
        np.abs(exported_logits(head, rows[:1]) - theirs[:1]).max() <= tolerance * scale,
        "the exported graph takes any number of rows",
    )


def _check_determinism(head: Any, fitted: Any, X: NDArray[np.float32], y: NDArray[np.str_]) -> None:
    before = X.copy()
    again = _clone(head).fit(X, y)
    _require(np.array_equal(again.logits(X), fitted.logits(X)), "the same data and seed give the same head")
    _require(np.array_equal(before, X), "the input is left as it was")


def _check_row_order(fitted: Any, X: NDArray[np.float32]) -> None:
    order = np.random.default_rng(1).permutation(len(X))
    ours = fitted.logits(X)
    scale = max(1.0, float(np.abs(ours).max()))
    _require(
        np.abs(fitted.logits(X[order]) - ours[order]).max() <= 1e-4 * scale, "rows do not affect each other"
    )


def _check_imbalance(head: Any, X: NDArray[np.float32], y: NDArray[np.str_]) -> None:
    keep = np.r_[0:30, 30:60, 60:63]
    for class_weight in (None, "balanced"):
        uneven = _clone(head)
        if "class_weight" in uneven.get_params():
            uneven.set_params(class_weight=class_weight)
        logits = uneven.fit(X[keep], y[keep]).logits(X)
        _require(np.isfinite(logits).all() and logits.shape[1] == 3, "uneven classes are accepted")


def _check_refusals(head: Any, X: NDArray[np.float32], y: NDArray[np.str_]) -> None:
    broken = X.copy()
    broken[[3, 5]] = np.nan
    for bad_X, bad_y, expected in ((broken, y, "2 of 90"), (X[:30], y[:30], "1 class")):
        try:
            _clone(head).fit(bad_X, bad_y)
        except ValueError as error:
            _require(expected in str(error), f"the refusal says {expected!r}")
        else:
            raise HeadContractError(f"broken law: bad data is refused with a ValueError saying {expected!r}.")
