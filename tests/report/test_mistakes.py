"""Beside a wrong name stands the evidence for it, in the picture."""

from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from genus.model_file import ModelFile
from genus.report.content import PredictionRow, ReportContent
from genus.report.label_content import LabelReportContent
from genus.report.mistakes import with_evidence
from squares import classifier, in_corner, looks_earlier, picture, squares

from .content import make_content

CORNERS = ((0, 0), (1, 1))


def looks_last() -> ModelFile:
    pictures, names, _ = squares(24)
    return classifier(features="efficientnet-lite0@96").fit(pictures, names).model_


def page(model: ModelFile, folder: Path) -> ReportContent:
    """A page on which blue squares were called blue, and red is said to be right."""
    rows = []
    for i, corner in enumerate(CORNERS):
        Image.fromarray(picture("blue", corner, i)).save(folder / f"{i}.png")
        rows.append(PredictionRow(str(folder / f"{i}.png"), "red", "blue", 0.9))
    rows.append(PredictionRow(str(folder / "gone.png"), "red", "blue", 0.8))
    Image.fromarray(picture("red", (0, 1), 2)).save(folder / "right.png")
    rows.append(PredictionRow(str(folder / "right.png"), "red", "red", 0.99))
    content = replace(make_content(), predictions=tuple(rows))
    result: Any = SimpleNamespace(classes=list(model.classes))
    found = with_evidence(content, model, result)
    assert isinstance(found, ReportContent)
    return found


@pytest.mark.parametrize("model", [looks_last, looks_earlier])
def test_the_evidence_for_a_wrong_name_is_where_it_was_seen(model: Any, tmp_path: Path) -> None:
    found = page(model(), tmp_path).predictions
    for i, corner in enumerate(CORNERS):
        shown = found[i].evidence
        assert shown is not None
        jpeg = np.frombuffer(b64decode(shown.partition(",")[2]), np.uint8)
        coloured = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[:, :, ::-1].astype(float)
        plain = cv2.resize(picture("blue", corner, i), coloured.shape[1::-1], interpolation=cv2.INTER_AREA)
        changed = cv2.GaussianBlur(np.abs(coloured - plain).sum(axis=2), (0, 0), 8)
        assert in_corner(changed, corner)


def test_of_several_labels_it_is_that_for_the_one_it_was_surest_about_and_wrong(tmp_path: Path) -> None:
    path = str(tmp_path / "0.png")
    Image.fromarray(picture("blue", (0, 1), 0)).save(path)
    evaluation: Any = None
    row = PredictionRow(path, "red", "blue, red", 0.9, about="blue")
    assert row.explained == "blue" and replace(row, about=None).explained == "blue, red"
    model = looks_last()
    result: Any = SimpleNamespace(classes=list(model.classes))
    found = with_evidence(LabelReportContent("squares", evaluation, predictions=(row,)), model, result)
    assert found.predictions[0].evidence is not None


def test_what_cannot_be_read_or_was_right_has_none(tmp_path: Path) -> None:
    gone, right = page(looks_earlier(), tmp_path).predictions[2:]
    assert gone.evidence is None and right.evidence is None
