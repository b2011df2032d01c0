"""What networks are trained to make small, and where a linear classifier begins."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")

from sklearn.datasets import load_digits  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

from genus.cnn.losses import balanced_weights, class_loss, label_loss  # noqa: E402
from genus.cnn.probe import fit_probe  # noqa: E402


def batch(n: int = 12, c: int = 4) -> tuple["torch.Tensor", "torch.Tensor"]:
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(n, c)).astype(np.float32))
    return logits, torch.from_numpy(rng.integers(0, c, n))


def test_the_loss_of_classes_is_pytorchs() -> None:
    logits, codes = batch()
    for smoothing in (0.0, 0.2):
        expected = torch.nn.functional.cross_entropy(
            logits, codes, reduction="sum", label_smoothing=smoothing
        )
        found = class_loss(logits, torch.eye(4)[codes], smoothing=smoothing, weights=None)
        torch.testing.assert_close(found, expected)


def test_balanced_classes_weigh_the_same() -> None:
    codes = np.array([0] * 8 + [1] * 2 + [3] * 2)
    weights = balanced_weights(codes, 4)
    mass = [float(weights[c]) * (codes == c).sum() for c in range(4)]
    assert mass == pytest.approx([4, 4, 0, 4]), "the third class does not occur"
    logits, _ = batch()
    targets = torch.eye(4)[torch.from_numpy(codes)]
    by_class = [
        float(class_loss(logits[codes == c], targets[codes == c], smoothing=0.0, weights=None))
        / (codes == c).sum()
        for c in (0, 1, 3)
    ]
    whole = class_loss(logits, targets, smoothing=0.0, weights=weights) / len(codes)
    assert float(whole) == pytest.approx(np.mean(by_class), rel=1e-5)


def test_labels_that_are_unknown_cost_nothing() -> None:
    logits, _ = batch()
    values = torch.zeros(12, 4)
    values[:, 0] = 1
    values[:, 2] = -1
    changed = logits.clone()
    changed[:, 2] += 5
    plain, moved = (label_loss(x, values, smoothing=0.0, weights=None) for x in (logits, changed))
    torch.testing.assert_close(plain, moved)
    known = values[:, [0, 1, 3]]
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, [0, 1, 3]], known) * 12
    torch.testing.assert_close(plain, expected)
    assert float(label_loss(logits, torch.full((12, 4), -1.0), smoothing=0.0, weights=None)) == 0


def test_presence_and_absence_weigh_the_same_where_labels_are_balanced() -> None:
    values = np.array([[1, 0]] * 2 + [[0, 0]] * 6 + [[-1, 1]] * 2)
    weights = balanced_weights(values, 2)
    assert weights[0].tolist() == pytest.approx([8 / 12, 8 / 4])
    assert weights[1].tolist() == pytest.approx([10 / 16, 10 / 4])


def test_a_probe_is_as_good_as_logistic_regression() -> None:
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    linear = torch.nn.Linear(64, 10)
    fit_probe(linear, X[:1200], y[:1200])
    with torch.no_grad():
        found = linear(torch.from_numpy(X[1200:])).argmax(1).numpy()
    ours = (found == y[1200:]).mean()
    theirs = LogisticRegression(C=0.01, max_iter=500).fit(X[:1200], y[:1200]).score(X[1200:], y[1200:])
    assert ours >= theirs - 0.02


def test_a_probe_learns_several_labels_an_image() -> None:
    X, y = load_digits(return_X_y=True)
    X, values = X.astype(np.float32), np.eye(10, dtype=np.int64)[y]
    values[::5, 2] = -1
    linear = torch.nn.Linear(64, 10)
    fit_probe(linear, X[:1200], values[:1200])
    with torch.no_grad():
        found = (linear(torch.from_numpy(X[1200:])) > 0).numpy()
    assert (found == (np.eye(10)[y[1200:]] == 1)).mean() > 0.97
