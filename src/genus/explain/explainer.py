"""Where in an image a model finds the evidence for a class."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import Dataset
from genus.errors import ParameterError
from genus.explain.evidence import by_leaving_out, by_linearising, goes_by_map, log_odds
from genus.explain.examples import Example, nearest_examples
from genus.explain.explanation import Explanation
from genus.explain.gradients import GradientMaps
from genus.explain.head_graph import head_function, output_names
from genus.explain.hiding import N_MASKS, N_PIECES, by_masks, by_pieces
from genus.explain.views import N_VIEWS, by_views, centred, resized
from genus.features.runtime import Runtime
from genus.images.decode import decode
from genus.images.preprocess import LoadedImage, load_image
from genus.images.source import ImageSource, as_source
from genus.model_file import ModelFile
from genus.progress import SILENT, Progress

Maps = NDArray[np.float32]
Pixels = NDArray[np.uint8]

METHODS = ("auto", "combined", "views", "places", "linear", "occlusion", "grad-cam", "layer-cam")
"""How evidence is found: by several views together with hidden pieces and random masks, by views alone, by leaving
places of the feature map out of the pooling, by linearising the classifier at the image, by hiding pieces of the
picture, by gradients. "auto" is "combined"."""
_LOOKS = ("views", "places", "linear")  # at the feature map
_GRADIENTS = ("grad-cam", "layer-cam")
_PIECES_ALONE = 9  # along a side, where nothing else is asked
_SIDE = 130  # of the combined map
_MASKS = np.float32(2)  # what masks count, where pieces count 1
_SMOOTH = 2.6  # pieces have hard edges
_RANKED = 5

_RUNS = {
    "combined": 1 + N_VIEWS + N_MASKS + N_PIECES**2 + 1,
    "views": 1 + N_VIEWS,
    "occlusion": 1 + _PIECES_ALONE**2 + 1,
}


class Explainer:
    """Explains what a model says of images.

    Parameters
    ----------
    model : ModelFile
        From `genus.model_file.read_model_file`; of a trained classifier, `model_`.
    method : str, default "auto"
        One of `METHODS`.
    layers : sequence of int or None
        For "grad-cam" and "layer-cam": numbers of convolutions, as `genus cnn show` counts them; None for the last.
    runtime : Runtime or None
        Engine and limits.
    n_images : int, default 1
        About how many images will be explained: with many the engine that is slower to start is won back.

    Attributes
    ----------
    method_ : str
        What "auto" stands for.
    layers_ : tuple of int or None
        Whose maps the gradients are of, where they were named.
    looks_ : bool
        Whether the network's feature map is looked at.
    n_runs_ : int
        How many predictions an image costs.

    Raises
    ------
    ParameterError
        The model does not allow the method.
    MissingExtraError
        The method needs PyTorch, and there is none.

    Notes
    -----
    "places" and "linear" cost one prediction, "views" 15, "occlusion" 83, "combined" 100. All but "occlusion" look at
    the main network's feature map; "combined" also hides parts of the picture, so it sees all that the model goes by,
    and does without the views where the model has no feature map, or does not go by it. None of these needs a
    gradient; "grad-cam" and "layer-cam" do, and PyTorch.

    Examples
    --------
    >>> from sklearn.datasets import load_sample_image
    >>> from genus.predictor import built_in
    >>> explainer = Explainer(built_in().model, method="places")
    >>> found, = explainer.explain(load_sample_image("flower.jpg"), classes=["daisy"])
    >>> found.label, found.method, found.evidence.shape
    ('daisy', 'places', (9, 9))
    """

    def __init__(
        self,
        model: ModelFile,
        *,
        method: str = "auto",
        layers: Sequence[int] | None = None,
        runtime: Runtime | None = None,
        n_images: int = 1,
    ) -> None:
        if method not in METHODS:
            raise ParameterError(f"method must be one of {', '.join(METHODS)}, not {method!r}.")
        self.method_ = "combined" if method == "auto" else method
        if layers is not None and self.method_ not in _GRADIENTS:
            raise ParameterError(f"layers are for {' and '.join(_GRADIENTS)}, not for {method!r}.")
        self.layers_ = None if layers is None else tuple(layers)
        self.model = model
        self.runtime = runtime or Runtime()
        self._head = head_function(model)
        has_map = "feature_map" in output_names(model) and self._head is not None
        outputs = ["probabilities", "logits", "embedding", *["feature_map"] * has_map]
        n_runs = n_images * _RUNS.get(self.method_, 1)
        self._run = model.open(engine=self.runtime.engine, outputs=outputs, n_images=n_runs)
        self.looks_ = has_map and self.method_ in (*_LOOKS, "combined") and self._goes_by_map()
        if self.method_ in _LOOKS and not self.looks_:
            raise ParameterError(
                f"method={method!r}: this model has no feature map to look at, or does not go by its means. "
                "Take auto or occlusion."
            )
        self._gradients = GradientMaps(model, method, layers) if self.method_ in _GRADIENTS else None
        self.n_runs_ = _RUNS.get(self.method_, 1) - (self.method_ == "combined" and not self.looks_) * N_VIEWS

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
        if classes is not None and not len(classes):
            raise ParameterError("classes must name at least one; None stands for the most probable ones.")
        if wanted is None and (not isinstance(top, (int, np.integer)) or top < 1):
            raise ParameterError(f"top must be a number of classes from 1 on, not {top!r}.")
        loaded = load_image(source, self.model.preprocess, self.runtime.limits)
        found = self._run(loaded.pixels[None])
        proba = found["probabilities"][0]
        ranked = np.argsort(-proba, kind="stable")
        codes = ranked[:top] if wanted is None else wanted
        evidence, extents = self._maps(source, loaded, found, codes)
        size = loaded.info.height, loaded.info.width
        region = self.model.preprocess.region(*size)
        names = self.model.classes
        ranking = tuple((names[c], float(proba[c])) for c in ranked[:_RANKED].tolist())
        return tuple(
            Explanation(
                source.name,
                names[c],
                float(proba[c]),
                one,
                self.method_,
                size,
                region,
                ranking,
                extent,
                loaded.pixels,
            )
            for c, one, extent in zip(codes.tolist(), evidence, extents, strict=True)
        )

    def examples(
        self, images: Sequence[Any], data: Dataset, *, n: int = 3, progress: Progress = SILENT
    ) -> tuple[tuple[Example, ...], ...]:
        """Find the labelled images that look most like each image to the model.

        Parameters
        ----------
        images : sequence of path, array, PIL image or ImageSource
        data : Dataset
            With labels: the training images, usually.
        n : int, default 3
            How many for each image.
        progress : Progress

        Returns
        -------
        tuple of tuple of Example
            See `genus.explain.examples.nearest_examples`.

        Raises
        ------
        DataError
            No image of `data` has a label, or none can be read.
        """
        sources = [one if isinstance(one, ImageSource) else as_source(one) for one in images]
        return nearest_examples(self.model, data, sources, n=n, runtime=self.runtime, progress=progress)

    def check_classes(self, classes: Sequence[str] | None) -> None:
        """Raise a ParameterError if the model does not know one of the classes."""
        if classes is not None:
            self._codes(classes)

    def _goes_by_map(self) -> bool:
        side = self.model.preprocess
        noise = np.random.default_rng(0).integers(0, 256, (1, side.height, side.width, 3), np.uint8)
        found = self._run(noise)
        return self._head is not None and goes_by_map(self._head, found["embedding"], found["feature_map"])

    def _codes(self, classes: Sequence[str]) -> NDArray[np.int64]:
        known = {name: code for code, name in enumerate(self.model.classes)}
        if unknown := [name for name in classes if name not in known]:
            shown = ", ".join(self.model.classes[:8]) + (" ..." if len(known) > 8 else ".")
            raise ParameterError(f"the model knows no class {unknown[0]!r}; it knows {shown}")
        return np.array([known[name] for name in classes], np.int64)

    def _maps(
        self,
        source: ImageSource,
        loaded: LoadedImage,
        found: dict[str, NDArray[np.float32]],
        codes: NDArray[np.int64],
    ) -> tuple[Maps, Sequence[NDArray[np.float32] | None]]:
        """Return the evidence for each class, and where that is seen if something more is known of it."""
        unknown: Sequence[None] = [None] * len(codes)
        if self._gradients is not None:
            return self._gradients(loaded.pixels, codes), unknown
        if self.method_ in ("places", "linear"):
            way = by_leaving_out if self.method_ == "places" else by_linearising
            return way(self._score_features, found["embedding"][0], found["feature_map"][0], codes), unknown
        if self.method_ == "occlusion":
            return by_pieces(self._score_pictures, loaded.pixels, codes, n=_PIECES_ALONE), unknown
        seen = None
        if self.looks_:
            closer = _Closer(self, source, loaded)
            seen = by_views(self._run, self._score_features, closer, codes)
            if self.method_ == "views":
                return seen, unknown
        pieces = np.stack([_even(one) for one in by_pieces(self._score_pictures, loaded.pixels, codes)])
        guess = pieces if seen is None else pieces + np.stack([_even(one) for one in seen])
        masks = by_masks(self._score_pictures, loaded.pixels, codes, guess=guess)
        return _together(masks, pieces), unknown if seen is None else list(seen)

    def _score_pictures(self, pictures: Pixels) -> NDArray[np.float32]:
        found = self._run(pictures)
        if self._head is not None:
            return self._score_features(found["embedding"])
        return log_odds(found["logits"], several=self.model.multilabel)

    def _score_features(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        scores = np.zeros((0, 0), np.float32) if self._head is None else self._head(rows)
        return log_odds(scores, several=self.model.multilabel)


class _Closer:
    """A picture at several times the side that the model sees, decoded when the first is wanted."""

    def __init__(self, explainer: Explainer, source: ImageSource, loaded: LoadedImage) -> None:
        self._preprocess = explainer.model.preprocess
        self._limits = explainer.runtime.limits
        self._source, self._loaded = source, loaded
        self._whole: Pixels | None = None

    def __call__(self, zoom: float) -> Pixels:
        """Return the picture at `zoom` times the side."""
        side = self._preprocess
        if zoom == 1:
            return self._loaded.pixels
        height, width = round(side.height * zoom), round(side.width * zoom)
        if (self._loaded.info.height, self._loaded.info.width) == (side.height, side.width):
            # taken as preprocessed: nothing is cut off
            larger = cv2.resize(self._loaded.pixels, (width, height), interpolation=cv2.INTER_CUBIC)
            return np.asarray(larger, np.uint8)
        closer = replace(side, height=height, width=width)
        if self._whole is None:
            twice = replace(side, height=2 * side.height, width=2 * side.width)
            self._whole = decode(self._source, twice.at_least, self._limits).pixels
        return closer.apply(self._whole)


def _even(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring a map to the size and the unit in which maps are added."""
    return centred(resized(evidence, _SIDE, _SIDE))


def _together(masks: Maps, pieces: Maps) -> Maps:
    """Bring what masks and pieces say of each class together."""
    smooth = (np.asarray(cv2.GaussianBlur(one, (0, 0), _SMOOTH), np.float32) for one in pieces)
    return np.stack([_MASKS * _even(one) + other for one, other in zip(masks, smooth, strict=True)])
