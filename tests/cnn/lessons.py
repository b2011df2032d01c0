"""A small thing to learn: handwritten digits, and a network that learns them in seconds."""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from genus.cnn.augmentation import PRESETS, Augmentation
from genus.cnn.devices import choose_place
from genus.cnn.lesson import Circumstances, Lesson
from genus.cnn.network import Network
from genus.cnn.networks import make_network
from genus.cnn.pixels import store_pixels
from genus.cnn.recipe import Recipe
from genus.cnn.training_examples import PixelExamples
from genus.images.preprocess import Preprocess
from genus.images.source import as_source

SIDE, N, N_TRAIN = 16, 400, 300
NET = "conv8-norm-pool-conv16-norm-pool-flatten-drop0.2-dense32"
RECIPE = Recipe(epochs=3, learning_rate=1e-2, averaging=0.8, augmentation=PRESETS["none"])


def pictures(n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Digits (n, 16, 16, 3) uint8 and which they are."""
    seen = load_digits()
    grey = (seen.images[:n] * 15.9).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    return np.stack([grey] * 3, axis=3), seen.target[:n].astype(np.int64)


def examples(augmentation: Augmentation = PRESETS["none"], n: int = N, seed: int = 0) -> PixelExamples:
    store = store_pixels([as_source(one) for one in pictures(n)[0]], Preprocess(SIDE, SIDE))
    return PixelExamples(store, augmentation, SIDE, seed=seed, n_classes=10)


def lesson(augmentation: Augmentation = PRESETS["none"], *, targets: np.ndarray | None = None) -> Lesson:
    """The first 300 digits to learn from, 100 others to look at after each epoch."""
    codes = pictures()[1] if targets is None else targets
    rows, validation = np.arange(N_TRAIN), np.arange(N_TRAIN, N)

    def judge(logits: np.ndarray) -> float:
        wanted = codes[validation]
        right = (logits > 0) == (wanted == 1) if codes.ndim == 2 else logits.argmax(1) == wanted
        return float(right.mean())

    return Lesson(examples(augmentation), codes, rows, validation, judge)


def network(name: str = NET, seed: int = 0) -> Network:
    return make_network(name, 10, size=SIDE, random_state=seed)


def here(**more: Any) -> Circumstances:
    """On the processor, in float32."""
    return Circumstances(choose_place("cpu", "float32"), **more)


def checkpoint(folder: Path, **more: Any) -> Circumstances:
    """A checkpoint after each step."""
    return here(checkpoint=folder / "net.checkpoint", every=0.0, **more)
