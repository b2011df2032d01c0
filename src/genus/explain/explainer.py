"""Where in an image a model finds the evidence for a class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.errors import ParameterError
from genus.explain.evidence import by_hiding, by_leaving_out, by_linearising, log_odds
from genus.explain.explanation import Explanation
from genus.explain.head_graph import head_function, output_names
from genus.features.runtime import Runtime
from genus.images.preprocess import load_image
from genus.images.source import ImageSource, as_source
from genus.model_file import ModelFile

METHODS = ("auto", "places", "linear", "occlusion")
"""How evidence is found: by leaving places of the feature map out of the pooling, by linearising the classifier at the
image, or by hiding pieces of the picture; "auto" is the first where the model allows it, else the last."""


class Explainer:
    """Explains what a model says of images.

    Parameters
    ----------
    model : ModelFile
        From `genus.model_file.read_model_file`; of a trained classifier, `model_`.
    method : {"auto", "places", "linear", "occlusion"}, default "auto"
        See `METHODS`.
    runtime : Runtime or None
        Engine and limits.

    Attributes
    ----------
    method_ : str
        What "auto" stands for with this model.

    Raises
    ------
    ParameterError
        The model does not allow the method.

    Notes
    -----
    "places" costs one run of the model and one of its classifier for each place (81 with the usual network), "linear"
    two of its classifier for each feature of the main network; both see what that network adds, as it is the only one
    whose feature map the file gives out. "occlusion" costs 82 runs of the model and sees all of it.

    Examples
    --------
    >>> from sklearn.datasets import load_sample_image
    >>> from genus.predictor import built_in
    >>> found, = Explainer(built_in().model).explain(load_sample_image("flower.jpg"), classes=["daisy"])
    >>> found.label, found.method, found.evidence.shape
    ('daisy', 'places', (9, 9))
    """

    def __init__(self, model: ModelFile, *, method: str = "auto", runtime: Runtime | None = None) -> None:
        if method not in METHODS:
            raise ParameterError(f"method must be one of {', '.join(METHODS)}, not {method!r}.")
        self.model = model
        self.runtime = runtime or Runtime()
        has_map = "feature_map" in output_names(model)
        self._head = head_function(model)
        sees_places = has_map and self._head is not None
        if method in ("places", "linear") and not sees_places:
            raise ParameterError(
                f"method={method!r}: this model has no feature map to look at. Take occlusion."
            )
        self.method_ = ("places" if sees_places else "occlusion") if method == "auto" else method
        outputs = ["probabilities", "logits", "embedding"]
        if self.method_ != "occlusion":
            outputs.append("feature_map")
        self._run = model.open(engine=self.runtime.engine, outputs=outputs)

    def explain(
        self, image: Any, *, classes: Sequence[str] | None = None, top: int = 1
    ) -> tuple[Explanation, ...]:
        """Find the evidence for some classes in one image.

        Parameters
        ----------
        image : path, array, PIL image or ImageSource
        classes : sequence of str or None
            The classes; None for the most probable ones.
        top : int, default 1
            How many of these.

        Returns
        -------
        tuple of Explanation
            In the order of `classes`, or the most probable first.

        Raises
        ------
        ImageError
            The image cannot be read.
        ParameterError
            The model does not know a class, or `top` is no number from 1 on.
        """
        source = image if isinstance(image, ImageSource) else as_source(image)
        wanted = None if classes is None else self._codes(classes)
        if wanted is None and (not isinstance(top, int) or top < 1):
            raise ParameterError(f"top must be a number of classes from 1 on, not {top!r}.")
        loaded = load_image(source, self.model.preprocess, self.runtime.limits)
        found = self._run(loaded.pixels[None])
        proba = found["probabilities"][0]
        codes = np.argsort(-proba, kind="stable")[:top] if wanted is None else wanted
        size = loaded.info.height, loaded.info.width
        region = self.model.preprocess.region(*size)
        maps = self._maps(loaded.pixels, found, codes)
        return tuple(
            Explanation(source.name, self.model.classes[c], float(proba[c]), one, self.method_, size, region)
            for c, one in zip(codes.tolist(), maps, strict=True)
        )

    def check_classes(self, classes: Sequence[str] | None) -> None:
        """Raise a ParameterError if the model does not know one of the classes."""
        if classes is not None:
            self._codes(classes)

    def _codes(self, classes: Sequence[str]) -> NDArray[np.int64]:
        known = {name: code for code, name in enumerate(self.model.classes)}
        if unknown := [name for name in classes if name not in known]:
            shown = ", ".join(self.model.classes[:8]) + (" ..." if len(known) > 8 else ".")
            raise ParameterError(f"the model knows no class {unknown[0]!r}; it knows {shown}")
        return np.array([known[name] for name in classes], np.int64)

    def _maps(
        self, pixels: NDArray[np.uint8], found: dict[str, NDArray[np.float32]], codes: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        if self.method_ == "occlusion":
            return by_hiding(self._score_pictures, pixels, codes)
        way = by_leaving_out if self.method_ == "places" else by_linearising
        return way(self._score_features, found["embedding"][0], found["feature_map"][0], codes)

    def _score_pictures(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        found = self._run(pictures)
        if self._head is not None:
            return self._score_features(found["embedding"])
        return log_odds(found["logits"], several=self.model.multilabel)

    def _score_features(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        scores = np.zeros((0, 0), np.float32) if self._head is None else self._head(rows)
        return log_odds(scores, several=self.model.multilabel)
