"""`FeatureExtractor`: images in, feature vectors out, as a scikit-learn transformer."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from genus.data.dataset import Dataset
from genus.errors import DataError, ImageError, ParameterError
from genus.features.feature_set import PRESETS, FeatureSet, PrecisionName, parse_feature_set
from genus.features.runtime import Runtime
from genus.features.stream import extract
from genus.images.source import ImageSource, as_source


class FeatureExtractor(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Turn images into feature vectors.

    It learns nothing: `fit` only checks the parameters. Features are kept in the user's cache, so the
    second pass over the same images, another fold or another classifier, costs next to nothing.

    Parameters
    ----------
    features : str or FeatureSet, default "balanced"
        A preset ("fast", "balanced", "best"), a description such as "efficientnet-lite2@320" or "hog@64+lbp@64"
        (see `genus.features.feature_set.parse_feature_set`), or a feature set.
    precision : {"int8", "float32"}, default "int8"
        How networks are computed; has no effect on a `FeatureSet`, which has its own.
    runtime : Runtime or None, default None
        Engine, workers, batch size and cache; None for the defaults. Does not change results.
    on_error : {"raise", "nan"}, default "raise"
        What to do with an image that cannot be read: raise `ImageError`, or give a row of NaN.

    Notes
    -----
    The vectors are raw pooled features. Linear classifiers gain from signed square root and scaling to unit
    length, as `genus.classify` does it; scikit-learn's `Normalizer` is the nearest to it.

    Examples
    --------
    >>> images = np.zeros((2, 40, 60, 3), np.uint8)
    >>> images[1, :, 30:] = 255
    >>> extractor = FeatureExtractor("thumbnail@32")
    >>> extractor.transform(images).shape
    (2, 3072)
    >>> extractor.get_feature_names_out()[:2]
    array(['thumbnail@32_0', 'thumbnail@32_1'], dtype=object)
    """

    def __init__(
        self,
        features: str | FeatureSet = "balanced",
        *,
        precision: PrecisionName = "int8",
        runtime: Runtime | None = None,
        on_error: Literal["raise", "nan"] = "raise",
    ) -> None:
        self.features = features
        self.precision = precision
        self.runtime = runtime
        self.on_error = on_error

    def fit(self, X: object, y: object = None) -> Self:
        """Check the parameters; nothing is learned.

        Parameters
        ----------
        X, y : ignored

        Raises
        ------
        ParameterError
            A parameter has a value that cannot work.
        """
        if self.on_error not in ("raise", "nan"):
            raise ParameterError(f"on_error must be 'raise' or 'nan', not {self.on_error!r}.")
        (self.runtime or Runtime()).n_workers(1)
        self._feature_set()
        return self

    def transform(self, X: object) -> NDArray[np.float32]:
        """Compute the features of images.

        Parameters
        ----------
        X : list, array, series or Dataset of n images
            Paths, encoded bytes, arrays (h, w, 3), PIL images or `ImageSource`.

        Returns
        -------
        (n, d) float32

        Raises
        ------
        ImageError
            An image cannot be read and `on_error` is "raise".
        DataError
            `X` is no list of images.
        """
        self.fit(X)
        sources = _sources(X)
        table = extract(sources, self._feature_set(), runtime=self.runtime)
        if not table.skipped:
            return table.X
        if self.on_error == "raise":
            raise ImageError(table.skipped[0].source, table.skipped[0].reason)
        rows = np.full((len(sources), table.X.shape[1]), np.nan, np.float32)
        rows[table.kept] = table.X
        return rows

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Name the columns: the branch and a number.

        Parameters
        ----------
        input_features : ignored
        """
        blocks = self._feature_set().blocks
        return np.array([f"{b.name}_{i}" for b in blocks for i in range(b.stop - b.start)], object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.input_tags.allow_nan = False
        return tags

    def _feature_set(self) -> FeatureSet:
        if isinstance(self.features, FeatureSet):
            return self.features
        return parse_feature_set(PRESETS.get(self.features, self.features), precision=self.precision)


def _sources(X: object) -> list[ImageSource]:
    return [
        image if isinstance(image, ImageSource) else as_source(image, _name(image, i))
        for i, image in enumerate(_images(X))
    ]


def _name(image: object, index: int) -> str | None:
    return None if isinstance(image, str) or hasattr(image, "__fspath__") else f"image {index}"


def _images(X: object) -> Iterator[object]:
    """Go through whatever holds images; refuse what is one image, or none."""
    if isinstance(X, Dataset):
        return iter(X.sources)
    values = X.to_numpy() if hasattr(X, "to_numpy") else X
    if (
        isinstance(values, np.ndarray)
        and values.dtype == object
        and values.ndim == 2
        and values.shape[1] == 1
    ):
        values = values[:, 0]  # a table's one column, as ColumnTransformer hands it over
    single = isinstance(values, str | bytes) or hasattr(values, "__fspath__")
    flat = isinstance(values, np.ndarray) and values.dtype.kind not in "OUT" and values.ndim < 3
    if single or flat or not isinstance(values, Iterable):
        raise DataError(
            f"expected a list of images (paths, arrays (h, w, 3), bytes or PIL images), got {_describe(X)}. "
            "For one image write [image]; for a folder use genus.read_dataset(folder)."
        )
    return iter(values)


def _describe(X: object) -> str:
    shape = getattr(X, "shape", None)
    return f"one {type(X).__name__}" if shape is None else f"an array of shape {tuple(shape)}"
