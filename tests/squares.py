"""Pictures whose class is the colour of a square in one corner: where the evidence must be is known."""

from functools import cache

import numpy as np
from sklearn.linear_model import LogisticRegression

from genus import FeatureExtractor, ImageClassifier
from genus.classify.given_head import GivenLinearHead
from genus.model_file import ModelFile

SIDE, SQUARE = 224, 80
COLOURS = {"red": (210, 40, 30), "blue": (30, 60, 210)}
NAMES = (
    "red",
    "blue",
    "none",
)  # a third class without a square, or the one would be the absence of the other


def picture(colour: str, corner: tuple[int, int], seed: int) -> np.ndarray:
    """Grey noise with a coloured square in one corner: (down, right) of 0 and 1."""
    rng = np.random.default_rng(seed)
    found = np.repeat(rng.integers(90, 160, (SIDE, SIDE, 1), np.uint8), 3, axis=2)
    top, left = (10 + place * (SIDE - SQUARE - 20) for place in corner)
    if colour in COLOURS:
        found[top : top + SQUARE, left : left + SQUARE] = COLOURS[colour]
    return found


def squares(n: int = 60) -> tuple[list[np.ndarray], list[str], list[tuple[int, int]]]:
    names = [NAMES[i % 3] for i in range(n)]
    corners = [((i // 3) % 2, (i // 6) % 2) for i in range(n)]
    return (
        [picture(name, corner, i) for i, (name, corner) in enumerate(zip(names, corners, strict=True))],
        names,
        corners,
    )


def classifier(**changes: object) -> ImageClassifier:
    return ImageClassifier(
        **{"features": "efficientnet-lite0@224", "heads": ["logistic"], "random_state": 0, **changes}
    )


def looks_earlier() -> ModelFile:
    """A model whose classifier leaves the features of the network's last layer out, as training may find better."""
    return looks_past_the_first("efficientnet-lite0@96/middle")


@cache
def looks_past_the_first(features: str) -> ModelFile:
    """A model whose classifier leaves out what the last layer of the first network makes."""
    pictures, names, _ = squares(24)
    later = 1280
    X = FeatureExtractor(features).transform(pictures)[:, later:]
    linear = LogisticRegression(C=100.0).fit(X, names)
    coef, intercept = (np.asarray(one, np.float32) for one in (linear.coef_, linear.intercept_))
    head = GivenLinearHead(coef, intercept, start=later)
    return classifier(features=features, heads=[head]).fit(pictures, names).model_


def in_corner(evidence: np.ndarray, corner: tuple[int, int]) -> bool:
    """Whether the largest evidence is in that quarter of the picture."""
    row, column = np.unravel_index(int(evidence.argmax()), evidence.shape)
    return (row * 2 // evidence.shape[0], column * 2 // evidence.shape[1]) == corner


def place_of(corner: tuple[int, int]) -> tuple[int, int]:
    """Where the square begins: top and left."""
    top, left = (10 + place * (SIDE - SQUARE - 20) for place in corner)
    return top, left
