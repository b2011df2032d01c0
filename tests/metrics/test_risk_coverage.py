"""Answering only the surest images: mistakes counted in order of confidence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.errors import DataError, ParameterError
from genus.metrics.risk_coverage import SHARES, risk_coverage
from genus.report.charts import risk_plot
from genus.report.words import surest

CASES = st.lists(
    st.tuples(st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9]), st.booleans()), min_size=1, max_size=60
)


@given(CASES)
def test_the_end_of_the_curve_is_the_error_of_all(cases: list[tuple[float, bool]]) -> None:
    confidence, right = map(np.array, zip(*cases, strict=True))
    curve = risk_coverage(confidence, right)
    assert curve.error[-1] == pytest.approx(1 - right.mean())
    assert curve.at(1.0).accuracy == pytest.approx(right.mean())
    assert 0 <= curve.ideal_area <= curve.area + 1e-9 <= 1 + 1e-9
    assert (np.diff(curve.confidence) <= 0).all()


@given(CASES, st.randoms(use_true_random=False))
def test_equals_come_in_no_order(cases: list[tuple[float, bool]], random: object) -> None:
    mixed = list(cases)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    one, other = (risk_coverage(*map(np.array, zip(*some, strict=True))) for some in (cases, mixed))
    np.testing.assert_allclose(one.error, other.error)


def test_a_model_that_knows_what_it_knows_is_right_where_it_is_sure() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 2000)
    curve = risk_coverage(confidence, rng.random(2000) < confidence)
    found = [curve.at(share).accuracy for share in SHARES]
    assert found == sorted(found, reverse=True) and found[0] > found[-1] + 0.08
    low, high = curve.band()
    assert ((low <= curve.error + 1e-12) & (curve.error <= high + 1e-12)).all()
    assert curve.to_dict()["surest"][1]["share"] == 0.8


def test_guessing_gains_nothing() -> None:
    rng = np.random.default_rng(0)
    curve = risk_coverage(rng.random(4000), rng.random(4000) < 0.7)
    assert abs(curve.at(0.5).accuracy - 0.7) < 0.03


@pytest.mark.parametrize("n", [1, 2, 7, 500])
@pytest.mark.parametrize("right", [True, False])
def test_every_curve_can_be_drawn(n: int, right: bool) -> None:
    plot = risk_plot(risk_coverage(np.linspace(0.5, 1, n), np.full(n, right)))
    heights = [float(point.split(",")[1]) for point in plot.line.split()]
    assert all(0 <= y <= plot.height for y in heights)
    assert plot.y_ticks[0].text == "0%" and len(plot.y_ticks) <= 8


def test_few_images_are_not_parted() -> None:
    assert surest(None) == "" == surest(risk_coverage([0.9] * 5, [True] * 5))


@pytest.mark.parametrize(
    ("confidence", "right"), [([], []), ([0.5], [True, False]), ([np.nan], [True]), ([[0.5]], [[True]])]
)
def test_what_cannot_be_ordered_is_refused(confidence: object, right: object) -> None:
    with pytest.raises(DataError):
        risk_coverage(confidence, right)  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0, 1.5, -1, "half", float("nan")])
def test_a_share_is_between_0_and_1(share: object) -> None:
    with pytest.raises(ParameterError):
        risk_coverage([0.5], [True]).at(share)  # type: ignore[arg-type]
