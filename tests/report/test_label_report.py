"""The page of several labels an image: complete, bounded, and nothing but text where names are shown."""

import re

import numpy as np
import pytest

from genus.errors import ParameterError
from genus.metrics.labels import evaluate_labels
from genus.report.content import PredictionRow
from genus.report.label_content import LabelReportContent
from genus.report.label_views import MAX_CURVES, MAX_TOGETHER, curves_view, together_view
from genus.report.page import render_report

PIXEL = "data:image/png;base64,iVBORw0KGgo="


def content(names: list[str], n: int = 80, seed: int = 0, **more: object) -> LabelReportContent:
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, len(names))) < 0.3).astype(np.int8)
    truth[:, -1] = 0  # the last one is on no image
    proba = np.clip(rng.random(truth.shape) * 0.6 + 0.3 * truth, 0, 1)
    evaluation = evaluate_labels(truth, proba, names, np.full(len(names), 0.5))
    return LabelReportContent("pets", evaluation, **more)  # type: ignore[arg-type]


def test_the_page_holds_every_label_and_is_complete_in_itself() -> None:
    page = render_report(content(["ant", "bee", "cat"]))
    for part in ("Finds", "Mean average precision", "named", "Together", "Named from"):
        assert part in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert page.count('type="range"') == 2, "the label on no image has no curve"


def test_names_are_text_whatever_they_hold() -> None:
    page = render_report(content(["</script><b>x</b>", "'quoted'", "ü & co", "\udcff"]))
    assert "<b>x</b>" not in page
    page.encode("utf-8")


def test_many_labels_stay_small() -> None:
    many = content([f"label {i}" for i in range(300)], n=60)
    page = render_report(many)
    assert page.count("data-curve=") - 2 <= MAX_CURVES
    assert len(together_view(many.evaluation).names) == MAX_TOGETHER
    assert "not shown" in page and "not drawn" in page
    assert len(page) < 2_000_000


def test_a_curve_ends_where_everything_is_found_and_marks_the_threshold() -> None:
    for view in curves_view(content(["ant", "bee", "cat"]).evaluation):
        points = [tuple(map(float, point.split(","))) for point in view.line.split()]
        assert points[-1][0] == 100
        assert 0 <= view.at < view.n_points
        assert view.x == pytest.approx(100 * (view.row.recall or 0), abs=1)


def test_what_goes_together_is_a_share_of_the_rows_images() -> None:
    truth = np.array([[1, 1], [1, 0], [1, 0], [1, 1]], np.int8)
    view = together_view(evaluate_labels(truth, truth * 0.9, ["a", "b"], [0.5, 0.5]))
    assert view.names == ("a", "b")
    assert view.rows[0][1].share == 0.5 and view.rows[1][0].share == 1


def test_pictures_are_shown_with_what_was_said_and_what_is() -> None:
    rows = (
        PredictionRow("1.jpg", "ant, bee", "ant", 0.97, PIXEL),
        PredictionRow("2.jpg", "nothing", "nothing", 0.9, PIXEL),
    )
    page = render_report(content(["ant", "bee", "cat"], predictions=rows))
    assert "Surest mistakes" in page and "ant, bee" in page and page.count(PIXEL) == 2
    bad = (PredictionRow("1.jpg", "a", "b", 0.5, "https://example.org/x.png"),)
    with pytest.raises(ParameterError, match="data URI"):
        render_report(content(["ant", "bee"], predictions=bad))


def test_it_is_said_whether_the_surest_mistake_was_a_label_too_many_or_one_too_few() -> None:
    """Also of labels with commas in them."""
    names = ["ant, red", "bee"]
    rows = tuple(
        PredictionRow(
            f"{missed}.png", "bee", "ant, red", 0.9, PIXEL, about=names[missed], missed=bool(missed)
        )
        for missed in (0, 1)
    )
    page = render_report(content(names, predictions=rows))
    assert "90% sure of <bdi>ant, red</bdi>" in page and "90% sure of no <bdi>bee</bdi>" in page
