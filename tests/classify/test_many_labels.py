"""Very many labels: methods compared on some, judged on all; stragglers among the fits finished by themselves."""

import numpy as np
import pytest

from genus.classify import many_labels
from genus.classify.fitted import fit_final
from genus.classify.logistic import LogisticHead
from genus.classify.selection import select


def made(n: int = 160, n_labels: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows whose labels are directions in their features, from common to rare."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 6))
    X = np.maximum(hidden @ rng.normal(size=(6, 40)) + 0.3 * rng.normal(size=(n, 40)), 0).astype(np.float32)
    shares = np.linspace(0.5, 0.03, n_labels)
    scores = hidden @ rng.normal(size=(6, n_labels))
    cuts = np.array([np.quantile(scores[:, j], 1 - shares[j]) for j in range(n_labels)])
    return X, (scores > cuts).astype(np.int8), np.arange(n) % 4


@pytest.fixture
def few_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_labels, "MOST_COMPARED", 20)


@pytest.mark.usefixtures("few_compared")
class TestManyLabels:
    @pytest.mark.parametrize("heads", ["fast", "balanced"])
    def test_the_winner_is_judged_on_all_of_them(self, heads: str) -> None:
        X, Y, folds = made()
        found = select(X, Y, folds, heads=heads, metric="mean_average_precision")
        assert found.logits.shape == Y.shape and len(found.classes) == 90
        assert "methods were compared on 20 of the 90 labels" in found.notes
        assert found.winner_row in found.leaderboard and "labels" not in found.winner_row.note
        assert any(row.note.endswith("on 20 labels") for row in found.leaderboard)
        fitted = fit_final(found, X, Y)
        assert fitted.logits(X).shape == Y.shape

    def test_it_chooses_as_well_as_with_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        X, Y, folds = made()
        some = select(X, Y, folds, heads="fast", metric="mean_average_precision").winner_row.score
        monkeypatch.setattr(many_labels, "MOST_COMPARED", 1000)
        every = select(X, Y, folds, heads="fast", metric="mean_average_precision")
        assert some > every.winner_row.score - 0.02
        assert not any("compared" in note for note in every.notes)

    def test_a_seed_chooses_the_labels(self) -> None:
        X, Y, folds = made()
        a, b, c = (
            select(X, Y, folds, heads="fast", metric="macro_f1", random_state=seed) for seed in (0, 0, 1)
        )
        assert np.array_equal(a.logits, b.logits) and a.winner_row.params == b.winner_row.params
        assert c.logits.shape == a.logits.shape

    def test_rare_labels_are_compared_on_last(self) -> None:
        X, Y, folds = made()
        Y[:, 30:] = 0
        Y[:3, 30:] = 1  # on fewer images than there are folds
        found = select(X, Y, folds, heads=["logistic"], metric="mean_average_precision")
        compared = [row for row in found.leaderboard if row.note]
        assert compared and all(np.isfinite(row.score) for row in compared)

    def test_the_time_budget_holds(self) -> None:
        X, Y, folds = made()
        found = select(X, Y, folds, heads="balanced", metric="macro_f1", time_budget=1e-9)
        assert found.stopped_early and found.not_tried and found.logits.shape == Y.shape


def test_many_fits_at_once_come_out_as_one_by_one() -> None:
    X, Y, _ = made(n_labels=130)
    Y[:, 0] = 0
    Y[7, 0] = 1  # a straggler: one image against all others
    together = LogisticHead(C=30.0).fit(X, Y)
    for label in (0, 1, 64, 129):
        alone = LogisticHead(C=30.0).fit(X, Y[:, [label, 1]])
        assert np.allclose(together.logits(X)[:, label], alone.logits(X)[:, 0], atol=2e-3)
