"""Findings in words."""

from dataclasses import replace

import numpy as np
import pytest

from genus.metrics.evaluate import evaluate
from genus.report.words import headline, percent, span, trust


def _evaluation(right: int, n: int, sure: float = 0.9) -> object:
    wrong_last = np.arange(n) >= right
    proba = np.full((n, 2), 1 - sure)
    proba[:, 0] = sure
    return evaluate(wrong_last.astype(int), proba, ["cat", "dog"])


@pytest.mark.parametrize(
    ("right", "n", "sentence", "promise"),
    [
        (470, 500, "Right on 94 of 100 new images.", "With 95% confidence, 92 to 96 of 100."),
        (9_960, 10_000, "Right on 996 of 1,000 new images.", "With 95% confidence, 995 to 997 of 1,000."),
        (
            59_999,
            60_000,
            "Right on 59,999 of 60,000 new images.",
            "With 95% confidence, 59,994 to 60,000 of 60,000.",
        ),
        (
            47,
            50,
            "Right on 47 of 50 test images.",
            "Of 100 new images of the same kind, expect 83 to 98 right.",
        ),
        (
            30,
            30,
            "Right on all 30 test images.",
            "Of 100 new images of the same kind, expect at least 88 right.",
        ),
        (
            0,
            30,
            "Right on none of the 30 test images.",
            "Of 100 new images of the same kind, expect at most 12 right.",
        ),
        (
            1,
            1,
            "Right on the one test image.",
            "Of 100 new images of the same kind, expect at least 20 right.",
        ),
        (
            0,
            1,
            "Wrong on the one test image.",
            "Of 100 new images of the same kind, expect at most 80 right.",
        ),
    ],
)
def test_the_headline_claims_no_more_than_the_images_say(
    right: int, n: int, sentence: str, promise: str
) -> None:
    found = headline(_evaluation(right, n))  # type: ignore[arg-type]
    assert (found.sentence, found.range) == (sentence, promise)


@pytest.mark.parametrize(
    ("right", "n", "sure", "beginning"),
    [
        (900, 1000, 0.9, "Its confidence can be believed"),
        (700, 1000, 0.9, "It is too sure of itself: it says 90% on average and is right 70% of the time."),
        (900, 1000, 0.6, "It is too modest"),
        (5, 6, 0.9, "There are too few images to tell"),
    ],
)
def test_trust_is_said_only_where_it_is_shown(right: int, n: int, sure: float, beginning: str) -> None:
    assert trust(_evaluation(right, n, sure)).startswith(beginning)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0%"),
        (1.0, "100%"),
        (0.999, "99.9%"),
        (0.0004, "0.04%"),
        (0.5, "50%"),
        (0.00000001, "0%"),
        (None, "–"),
    ],
)
def test_percent_keeps_nearly_apart_from_all(share: float | None, text: str) -> None:
    assert percent(share) == text


def test_span_of_unknown_limits_is_empty() -> None:
    assert span(None, 0.5) == ""


def test_images_that_were_learned_from_are_no_proof() -> None:
    found = headline(replace(_evaluation(98, 100), n_seen=40))
    assert found.sentence == "Right on 98 of 100 images, 40 of which it learned from."
    assert "little about new images" in found.range
    assert "all of which" in headline(replace(_evaluation(98, 100), n_seen=100)).sentence
