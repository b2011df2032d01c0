"""Whether the finished file says what the model as trained says."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genus.classify.fitted import FittedHead
from genus.features.runtime import Runtime
from genus.images.preprocess import load_pixels
from genus.images.source import ImageSource
from genus.model_file import ModelFile

N_IMAGES = 8
TOLERANCE = 0.02


def measure_parity(
    model: ModelFile,
    head: FittedHead,
    X: NDArray[np.float32],
    sources: Sequence[ImageSource],
    runtime: Runtime,
) -> dict[str, float]:
    """Run a few images through the finished file and compare with the head on the extracted features.

    Parameters
    ----------
    model : ModelFile
    head : FittedHead
    X : (n, d) float32
        Features of the images.
    sources : sequence of n ImageSource
        Of which the first few are run.
    runtime : Runtime

    Returns
    -------
    dict of str to float
        For each engine the largest difference in probability.
    """
    pixels = [load_pixels(source, model.preprocess, runtime.limits)[0] for source in sources[:N_IMAGES]]
    expected = head.predict_proba(X[: len(pixels)])
    found: dict[str, float] = {}
    for engine in ("onnxruntime",):
        proba = model.open(engine=engine)(np.stack(pixels))["probabilities"]
        found[engine] = round(float(np.abs(proba - expected).max()), 5)
    return found


def parity_note(parity: dict[str, float]) -> tuple[str, ...]:
    """Say where the file differs noticeably."""
    off = {engine: value for engine, value in parity.items() if value > TOLERANCE}
    return tuple(
        f"the file run by {engine} differs by up to {value:.3f} in probability from the model as trained"
        for engine, value in off.items()
    )
