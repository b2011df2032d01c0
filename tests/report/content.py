"""Made-up results for the report's tests."""

import numpy as np

from genus.metrics.evaluate import evaluate
from genus.report.content import (
    ClassCount,
    Fact,
    LeaderboardRow,
    PredictionRow,
    ReportContent,
    Reproduce,
    SkippedRow,
)
from genus.report.pictures import choose_pictures

THUMBNAIL = "data:image/jpeg;base64,/9j/4AAQSkZJRgABAQ=="
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "</script><!--",
    "{{ 7 * 7 }}{% raw %}",
    "' onmouseover='alert(3)",
    "&lt;b&gt; \u202ereversed 雛菊 \x00\x1b\udcff",
    "https://example.org/fetch.js",
)


def make_content(
    n: int = 120, classes: tuple[str, ...] = ("cat", "dog", "fox"), *, skill: float = 2.5, seed: int = 0
) -> ReportContent:
    """Fill every part of a report."""
    rng = np.random.default_rng(seed)
    c = len(classes)
    y = rng.integers(0, c, n)
    logits = rng.normal(size=(n, c)) + skill * (np.arange(c) == y[:, None])
    proba = np.exp(logits)
    proba /= proba.sum(1, keepdims=True)
    predicted, sure = proba.argmax(1), proba.max(1)
    chosen = set(choose_pictures(y, predicted, sure).tolist())
    return ReportContent(
        title=classes[0],
        evaluation=evaluate(y, proba, classes),
        tested_on=f"{n} images of {classes[0]}",
        facts=tuple(Fact(f"Fact {i}", classes[i % c]) for i in range(5)),
        leaderboard=(
            LeaderboardRow(classes[0], 0.91, 0.88, 0.94, 1.3, 212.0, is_winner=True),
            LeaderboardRow("second", 0.85, 0.81, 0.88, 0.01, None),
            LeaderboardRow("third", note="not tried: the time was up"),
        ),
        predictions=tuple(
            PredictionRow(
                name=f"{classes[y[i]]}/{i}.jpg",
                true=classes[y[i]],
                predicted=classes[predicted[i]],
                confidence=float(sure[i]),
                thumbnail=THUMBNAIL if i in chosen else None,
            )
            for i in range(n)
        ),
        class_counts=tuple(ClassCount(name, 3 * i, i) for i, name in enumerate(classes)),
        skipped=tuple(SkippedRow(f"{name}.jpg", f"not an image: {name}") for name in classes[:5]),
        notes=(f"a note on {classes[0]}",),
        reproduce=Reproduce((f"genus train {classes[0]}/",), (Fact("Seed", "0"),)),
        created="Made by Genus.",
    )
