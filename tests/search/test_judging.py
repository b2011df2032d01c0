"""What "alike" means: tuned where that is better on what was held out, and scores that can be believed."""

from dataclasses import replace

import numpy as np
import pytest

from genus.errors import DataError, ParameterError
from genus.search import identity, judging, storage, strangers
from genus.search.identity import Acquaintance, acquaint
from genus.search.judging import Material, can_be_judged, choose_metric
from genus.search.metric import RAW, TUNINGS, Metric, centred, tuned
from genus.search.retrieval import query_figures, retrieval_of
from genus.search.sampling import pair_odds, sample_rows
from genus.search.storage import StoredRows
from genus.search.strangers import acquaint_tuned

from .rows import clouds

FEW = TUNINGS[:2]


def material(n: int = 240, **changes: object) -> Material:
    rows, codes = clouds(n, 32, **changes)
    return Material(rows, codes, np.arange(n))


def test_labels_that_mean_something_tune_the_metric() -> None:
    choice = choose_metric(material(), tunings=FEW)
    assert choice.metric.is_tuned and choice.metric.name == choice.chosen.name
    gained = choice.chosen.retrieval.mean_average_precision - choice.base.retrieval.mean_average_precision
    assert gained > 0.05
    fresh, codes = clouds(400, 32, seed=0)
    new = slice(240, None)  # of the same centres, never seen
    figures = {}
    for metric in (RAW, choice.metric):
        rows = metric.apply(fresh)
        scores, same = rows[new] @ rows[:240].T, codes[new][:, None] == codes[:240]
        figures[metric.name] = retrieval_of(query_figures(scores, same, np.ones_like(same)))
    promised = choice.chosen.retrieval.mean_average_precision
    found = figures[choice.metric.name].mean_average_precision
    assert found > figures["raw"].mean_average_precision and found == pytest.approx(promised, abs=0.08)


def test_labels_that_mean_nothing_do_not() -> None:
    given = material()
    shuffled = np.random.default_rng(0).permutation(given.codes)
    choice = choose_metric(Material(given.rows, shuffled, given.groups), tunings=FEW)
    assert not choice.metric.is_tuned and choice.base is choice.chosen


def test_a_metric_is_one_linear_map_and_keeps_all_directions() -> None:
    given = material()
    base = centred(given.rows)
    metric = tuned(base, given.rows, given.codes, TUNINGS[0])
    assert metric.directions is not None and base.directions is not None
    assert metric.directions.shape == base.directions.shape == (32, 32)
    assert np.linalg.matrix_rank(metric.directions) == 32
    np.testing.assert_allclose(np.linalg.norm(metric.apply(given.rows), axis=1), 1, rtol=1e-5)
    assert centred(given.rows[:20]) is RAW


def test_scores_say_how_often_a_pair_is_of_one_class() -> None:
    choice = choose_metric(material(480, spread=0.6), tunings=())
    rows, codes = clouds(900, 32, spread=0.6)
    rows = choice.metric.apply(rows)
    new, same = rows[480:] @ rows[:480].T, codes[480:, None] == codes[:480]
    said = choice.chosen.likeness.of(new)
    assert ((said > 0) & (said < 1)).all()
    for low, high in ((0.0, 0.2), (0.2, 0.6), (0.6, 1.0)):
        chosen = (said >= low) & (said < high)
        assert chosen.sum() > 1000 and said[chosen].mean() == pytest.approx(same[chosen].mean(), abs=0.06)
    order = np.argsort(new.ravel())
    assert (np.diff(said.ravel()[order]) >= 0).all()


def test_copies_are_no_evidence() -> None:
    rows, codes = clouds(60, 32)
    twice = Material(np.concatenate([rows, rows]), np.concatenate([codes, codes]), np.tile(np.arange(60), 2))
    choice = choose_metric(twice, tunings=())
    assert choice.base.own.max() < 0.999


@pytest.mark.parametrize(
    ("codes", "groups", "can"),
    [
        ([0, 0, 1, 1], [0, 1, 2, 3], True),
        ([0, 0, 1, 1], [0, 0, 1, 2], False),
        ([0, 0, 0, 1], [0, 1, 2, 3], False),
        ([], [], False),
    ],
)
def test_two_classes_need_two_different_images_each(codes: list[int], groups: list[int], can: bool) -> None:
    rows = np.zeros((len(codes), 2), np.float32)
    assert can_be_judged(Material(rows, np.array(codes, np.int64), np.array(groups, np.int64))) is can


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3])
def test_strangers_are_accepted_no_more_often_than_promised(rate: float) -> None:
    """Averaged over who is enrolled: the promise is one about chance."""
    accepted = []
    for seed in range(8):
        rows, codes = clouds(600, 24, n_classes=60, spread=0.4, seed=seed)
        enrolled = codes < 40
        known = acquaint(StoredRows(rows[enrolled]), codes[enrolled])
        threshold = known.threshold(rate)
        strangers = (rows[~enrolled] @ rows[enrolled].T).max(axis=1)
        accepted.append(float((strangers > threshold).mean()))
        assert 0 <= known.accepted(threshold) <= 1
    assert np.mean(accepted) <= rate + 0.03


def test_what_is_promised_counts_names_and_not_their_images() -> None:
    """Names of very like images: a hundred of one name are one comparison, and uneven numbers of them mislead."""
    accepted, accepted_by_images = [], []
    for seed in range(60):
        rows, codes = clouds(1000, 8, n_classes=50, spread=0.1, seed=seed)
        enrolled = codes < 25
        many = codes % 5 == 0
        kept = np.flatnonzero(enrolled & (many | (np.arange(len(codes)) < 150)))  # few images of the others
        known = acquaint(StoredRows(rows[kept]), codes[kept])
        assert known.n_names == 25 >= known.names_needed(0.05) == 20
        own_names = replace(known, names=np.arange(len(kept)))
        strangers = (rows[~enrolled] @ rows[kept].T).max(axis=1)
        accepted.append(float((strangers > known.threshold(0.05)).mean()))
        accepted_by_images.append(float((strangers > own_names.threshold(0.05)).mean()))
    assert np.mean(accepted) <= 0.05 < np.mean(accepted_by_images)


def test_a_rate_that_cannot_be_shown_is_refused() -> None:
    rows, codes = clouds(20, n_classes=5)
    known = acquaint(StoredRows(rows), codes)
    with pytest.raises(
        DataError, match=r"with 20 images of others: it takes 124. Enrol more, or allow 0.0595"
    ):
        known.threshold(0.01)
    with pytest.raises(ParameterError, match="above 0 and below 1"):
        known.threshold(0)


@pytest.mark.parametrize("n_names", [0, 1])
def test_with_one_name_nobody_is_a_stranger(n_names: int) -> None:
    rows, _ = clouds(30)
    with pytest.raises(DataError, match="identify needs at least two names"):
        acquaint(StoredRows(rows), np.full(30, n_names - 1))


def test_strangers_have_seen_one_name_less() -> None:
    """With two names a stranger is compared with twice as many as those that were measured."""
    values = np.float32(np.arange(199) / 200)
    none = np.empty(0, np.float32)
    names = np.arange(199)
    half, whole = Acquaintance(values, none, none, names, 0.5), Acquaintance(values, none, none, names)
    assert half.threshold(0.1) == whole.threshold(0.05) > whole.threshold(0.1)
    rows, codes = clouds(40, n_classes=2)
    assert acquaint(StoredRows(rows), codes).share == 0.5


def test_it_is_measured_in_blocks_and_of_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, codes = clouds(90, n_classes=9)
    codes[::10] = -1  # not enrolled
    scores = np.where((codes >= 0)[None, :], rows @ rows.T, -1)
    same = codes[:, None] == codes
    wanted = np.where(same, -1, scores).max(axis=1)[codes >= 0]
    own = np.where(same & ~np.eye(90, dtype=bool), scores, -1).max(axis=1)[codes >= 0]
    monkeypatch.setattr(storage, "_BLOCK_ROWS", 7)
    monkeypatch.setattr(identity, "_AT_ONCE", 5)
    found = acquaint(StoredRows(rows), codes)
    np.testing.assert_allclose(found.strangers, wanted, atol=1e-6)
    np.testing.assert_allclose(found.own, own, atol=1e-6)
    monkeypatch.setattr(identity, "_MOST", 10)
    later = np.flatnonzero(codes >= 3)
    assert len(acquaint(StoredRows(rows), codes).strangers) == 10
    assert len(acquaint(StoredRows(rows), codes, later).strangers) == 10


def test_strangers_to_a_tuned_metric_are_compared_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    given = material(400, n_classes=8, spread=0.8)
    monkeypatch.setattr(judging, "_MOST_JUDGED", 90)
    monkeypatch.setattr(judging, "_is_better", lambda found, plain: True)
    choice = choose_metric(given, tunings=FEW)
    assert choice.metric.is_tuned
    known = acquaint_tuned(StoredRows(given.rows), given.codes, given, choice)
    assert len(known.strangers) == 400 and known.share == 7 / 8
    few = slice(0, 80)
    sampled = acquaint_tuned(StoredRows(given.rows[few]), given.codes[few], given, choice)
    assert known.strangers.mean() > sampled.strangers.mean()
    monkeypatch.setattr(strangers, "_MOST", 50)
    assert len(acquaint_tuned(StoredRows(given.rows), given.codes, given, choice).strangers) == 50
    five = np.where(given.codes < 5, given.codes, -1)
    assert len(acquaint_tuned(StoredRows(given.rows), five, given, choice).strangers) == 0


def test_samples_of_many_small_classes_keep_pairs() -> None:
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.arange(3000) % 1000)
    chosen = sample_rows(codes, 300, rng)
    assert np.unique(codes[chosen], return_counts=True)[1].tolist() == [3] * 100
    assert (np.diff(chosen) > 0).all()
    uneven = np.concatenate([np.zeros(5000, np.int64), 1 + np.arange(400) // 2])
    sizes = np.unique(uneven[sample_rows(uneven, 200, rng)], return_counts=True)[1]
    assert sizes.max() <= 20 and (sizes >= 2).all() and len(sizes) > 80
    few = np.arange(3000) % 3
    assert len(sample_rows(few, 300, rng)) == 300 and set(few[sample_rows(few, 300, rng)]) == {0, 1, 2}


def test_scores_of_a_sample_of_classes_mean_what_they_do_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    given = material(960, n_classes=240, spread=0.8)
    monkeypatch.setattr(judging, "_MOST_JUDGED", 80)
    likeness = choose_metric(given, tunings=()).chosen.likeness
    rows = centred(given.rows).apply(given.rows)
    said = likeness.of((rows @ rows.T)[~np.eye(960, dtype=bool)])
    assert 1 / 2 < said.mean() * (pair_odds(given.codes) + 1) < 2


def test_a_metric_may_be_empty() -> None:
    assert Metric("raw").apply(np.zeros((1, 3), np.float32)).tolist() == [[0, 0, 0]]
