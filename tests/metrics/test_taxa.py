"""Predictions in a tree: where to stop, how good they are by level, how far off their mistakes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genus.errors import DataError, ParameterError
from genus.metrics.sure import SureTaxa, measure_sure
from genus.metrics.taxa import evaluate_taxa
from genus.metrics.taxon_labels import TaxonLabels
from genus.taxonomy import TOP, Taxonomy

TREE = Taxonomy.of_paths(["animal/cat", "animal/dog", "plant/rose", "plant/oak"], ["kingdom", "species"])


def drawn(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw honest probabilities, and the classes that came true."""
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet([0.4] * 4, n)
    return proba, (proba.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from([0.8, 0.9, 0.95]))
def test_stopping_in_time_keeps_its_word(seed: int, asked: float) -> None:
    sure = SureTaxa.of(TREE, *drawn(seed, 2000))
    proba, codes = drawn(seed + 5000, 2000)
    row = measure_sure(sure, proba, np.array(TREE.classes)[codes], asked)
    assert row.covered > asked - 0.035  # four standard errors of two samples


@given(st.integers(0, 1000))
def test_the_surer_it_shall_be_the_higher_it_stops(seed: int) -> None:
    sure = SureTaxa.of(TREE, *drawn(seed, 200))
    proba, _ = drawn(seed + 1, 50)
    depth = np.append(TREE.depth, 0)
    steps = [depth[sure.taxa(proba, asked)[0]] for asked in (0.5, 0.8, 0.95, 0.999)]
    assert all(np.all(deeper >= higher) for deeper, higher in zip(steps, steps[1:], strict=False))


def test_few_images_make_sure_of_nothing() -> None:
    sure = SureTaxa.of(TREE, *drawn(0, 5))
    assert set(sure.taxa(drawn(1, 10)[0], 0.99)[0].tolist()) == {TOP}


@pytest.mark.parametrize("coverage", [0, 1, -0.1, float("nan")])
def test_coverage_lies_between_none_and_all(coverage: float) -> None:
    with pytest.raises(ParameterError, match="coverage"):
        SureTaxa.of(TREE, *drawn(0, 50)).taxa(drawn(1, 3)[0], coverage)


def test_what_the_file_holds_gives_the_same_answers() -> None:
    sure = SureTaxa.of(TREE, *drawn(0, 300))
    proba, _ = drawn(1, 100)
    again = SureTaxa.from_dict(sure.to_dict())
    assert np.array_equal(again.taxa(proba, 0.9)[0], sure.taxa(proba, 0.9)[0])


def test_scores_that_do_not_fit_the_tree_are_refused() -> None:
    with pytest.raises(DataError, match="do not go with"):
        SureTaxa.of(TREE, np.full((2, 3), 1 / 3), [0, 1])


def test_a_perfect_model_is_right_at_every_level() -> None:
    proba, codes = np.eye(4)[[0, 1, 2, 3]], np.arange(4)
    found = evaluate_taxa(SureTaxa.of(TREE, proba, codes), proba, np.array(TREE.classes)[codes])
    assert [row.accuracy for row in found.levels] == [1.0, 1.0]
    assert [row.rank for row in found.levels] == ["kingdom", "species"]
    assert not found.pairs


def test_a_mistake_within_the_kingdom_is_half_as_bad() -> None:
    proba = np.eye(4)[[1, 1, 2, 3]]  # a cat taken for a dog
    truth = np.array(TREE.classes)[[0, 1, 2, 3]]
    found = evaluate_taxa(SureTaxa.of(TREE, proba, [0, 1, 2, 3]), proba, truth)
    figures = {figure.name: figure.value for figure in found.figures}
    assert figures["mistake_distance"] == 1
    assert figures["hierarchical_f1"] == pytest.approx(7 / 8)
    assert [row.accuracy for row in found.levels] == [1.0, 0.75]
    assert [(pair.within, pair.n) for pair in found.pairs] == [("animal", 1)]


def test_labels_may_name_a_taxon_above_the_classes() -> None:
    found = TaxonLabels.of(
        ["cat", "animal", "plant/oak", "fungus"],
        ["animal/cat", "animal/dog", "plant/rose", "plant/oak"],
        TREE,
    )
    assert found.codes.tolist() == [0, -1, 3, -1]
    assert found.coarse.tolist() == [False, True, False, False]
