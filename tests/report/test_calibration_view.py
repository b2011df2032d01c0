"""What a report says of calibration: what was chosen, what that changed, and how it would be without."""

from dataclasses import replace

import numpy as np
import pytest

from genus.classify.calibration import Calibration
from genus.metrics.calibration import reliability_bins
from genus.metrics.labels import evaluate_labels
from genus.report.calibration import CalibrationContent, calibration_view
from genus.report.charts import reliability_plot
from genus.report.label_content import LabelReportContent
from genus.report.page import render_report

from .content import make_content

TRIED = {"none": 0.9, "temperature": 0.4, "platt": 0.3, "isotonic": 0.31}


def bins(low: float, high: float):
    rng = np.random.default_rng(0)
    sure = rng.uniform(low, high, 200)
    return reliability_bins(sure, rng.random(200) < 0.9)


@pytest.mark.parametrize(
    ("method", "said"), [("platt", "a bias for each"), ("isotonic", "a rising curve for each")]
)
@pytest.mark.parametrize("several", [False, True])
def test_the_method_and_what_it_changed_are_said(method, said, several) -> None:
    found = Calibration(method, n=90, ece_before=0.25, ece_after=0.02, tried=TRIED)
    view = calibration_view(CalibrationContent(found, bins(0.3, 0.5)), several=several)
    assert f"{said} {'label' if several else 'class'}" in view.finding
    assert "from 25.0% to 2.0%" in view.finding
    assert [row.log_loss for row in view.methods] == list(TRIED.values())
    assert sum(row.is_chosen for row in view.methods) == 1
    assert view.before == bins(0.3, 0.5)


def test_where_nothing_was_changed_no_line_is_drawn() -> None:
    view = calibration_view(CalibrationContent(Calibration(tried=TRIED), bins(0.3, 0.5)), several=False)
    assert view.before == ()
    assert "nothing made the probabilities better" in view.finding
    assert (
        calibration_view(CalibrationContent(Calibration(tried={"none": 1.0})), several=False).finding
        == "Not calibrated."
    )
    assert calibration_view(None, several=False).finding == ""


def test_the_line_before_lies_within_the_frame() -> None:
    plot = reliability_plot(bins(0.8, 1.0), before=bins(0.1, 0.4))
    points = [tuple(map(float, pair.split(","))) for pair in plot.before.split()]
    assert len(points) == len(bins(0.1, 0.4))
    assert all(0 <= x <= plot.size and 0 <= y <= plot.size for x, y in points)
    assert reliability_plot(bins(0.8, 1.0)).before == ""


@pytest.mark.parametrize("several", [False, True])
def test_both_pages_show_it(several) -> None:
    content = make_content()
    if several:
        truth = np.random.default_rng(0).integers(0, 2, (80, 2)).astype(np.int8)
        content = LabelReportContent(
            "pets", evaluate_labels(truth, truth * 0.6 + 0.2, ["a", "b"], [0.5, 0.5])
        )
    assert 'class="before"' not in render_report(content)
    known = CalibrationContent(
        Calibration("platt", n=90, ece_before=0.3, ece_after=0.1, tried=TRIED), bins(0.3, 0.5)
    )
    page = render_report(replace(content, calibration=known))
    assert 'class="before"' in page
    assert "from 30.0% to 10.0%" in page
    assert "Ways to calibrate that were tried" in page
