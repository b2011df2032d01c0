"""Learning curves: what is measured, and what a forecast may say."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genus.classify.learning_curve import CurvePoint, LearningCurve, forecasts, learning_curve
from genus.classify.prototype import PrototypeHead

shares = st.lists(st.floats(0, 1), min_size=3, max_size=5)


def points_of(values: list[float]) -> list[CurvePoint]:
    return [CurvePoint(4.0 * 2**i, value, 0.0, 1.0) for i, value in enumerate(values)]


class TestForecast:
    @given(shares, st.integers(1, 100_000), st.floats(0.5, 5000))
    def test_it_never_falls_and_stays_below_100_percent(
        self, values: list[float], n: int, now: float
    ) -> None:
        found = forecasts(points_of(values), n, now)
        gains = [step.gain for step in found]
        assert np.isfinite([[s.gain, s.low, s.high, s.accuracy] for s in found]).all()
        assert all(a <= b + 1e-9 for a, b in zip([0.0, *gains], gains, strict=False))
        assert all(step.low <= step.gain <= step.high for step in found)
        assert all(-1e-9 <= step.accuracy <= 1 + 1e-9 for step in found)

    def test_a_steep_curve_promises_more_than_a_flat_one(self) -> None:
        steep, flat = (
            forecasts(points_of(values), 1000, 40)[-1].gain
            for values in ([0.4, 0.55, 0.66, 0.74], [0.9, 0.91, 0.91, 0.915])
        )
        assert steep > 0.05 > 0.03 > flat

    def test_more_judges_make_it_surer(self) -> None:
        few, many = (forecasts(points_of([0.5, 0.6, 0.68, 0.74]), n, 32)[-1] for n in (20, 20_000))
        assert many.high - many.low < few.high - few.low

    def test_two_points_are_no_curve(self) -> None:
        assert forecasts(points_of([0.5, 0.6]), 100, 10) == ()

    def test_it_reaches_no_further_than_three_times_as_many_more(self) -> None:
        assert max(step.more for step in forecasts(points_of([0.5, 0.6, 0.7]), 100, 20)) <= 60


class TestMeasuring:
    def test_accuracy_grows_with_the_images(self) -> None:
        curve = self.curve(80)
        sizes, found = zip(*((p.per_class, p.accuracy) for p in curve.points), strict=True)
        assert list(sizes) == sorted(sizes)
        assert found[-1] > found[0]
        assert LearningCurve.from_dict(json.loads(json.dumps(curve.to_dict(), allow_nan=False))) == curve

    def test_the_seed_decides_the_parts(self) -> None:
        assert self.curve(40) == self.curve(40)

    def test_one_image_a_class_has_no_curve(self) -> None:
        X, codes = np.eye(3, dtype=np.float32), np.arange(3)
        out = np.zeros((3, 3), np.float32)
        assert learning_curve(PrototypeHead(), X, codes, np.array([0, -1, -1]), out, now=1) is None

    def test_classes_that_are_missing_in_a_part_count_as_wrong(self) -> None:
        codes = np.repeat([0, 1], [60, 2])
        X = np.eye(2, dtype=np.float32)[codes]
        curve = learning_curve(
            PrototypeHead(), X, codes, np.arange(62) % 2, np.eye(2, dtype=np.float32)[codes], now=31
        )
        assert curve is not None
        assert all(0.5 < point.accuracy <= 1 for point in curve.points)

    @staticmethod
    def curve(n_each: int) -> LearningCurve:
        rng = np.random.default_rng(0)
        codes = np.repeat(np.arange(3), n_each)
        X = np.maximum(rng.normal(size=(len(codes), 30)) + np.eye(30)[codes] * 2, 0).astype(np.float32)
        folds = np.arange(len(codes)) % 5
        logits = np.zeros((len(codes), 3), np.float32)
        for f in range(5):
            logits[folds == f] = PrototypeHead().fit(X[folds != f], codes[folds != f]).logits(X[folds == f])
        found = learning_curve(PrototypeHead(), X, codes, folds, logits, now=n_each)
        assert found is not None
        return found
