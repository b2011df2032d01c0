"""The features of many images, and what is known of each image beside them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import SkippedImage
from genus.features.feature_set import Block
from genus.images.decode import ImageInfo


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTable:
    """Features of the images that could be read, in the order of their sources.

    Attributes
    ----------
    X : (n, d) float32
        One row an image.
    blocks : tuple of Block
        Which columns each branch of the feature set made.
    kept : (n,) int64
        For each row the index of its source, ascending.
    infos : tuple of n ImageInfo
        Size, format and content hash of each image.
    hashes : (n,) uint64
        Perceptual hashes.
    skipped : tuple of SkippedImage
        The sources that could not be read, in their order, with the reason.
    n_cached : int
        How many rows came from the cache.
    seconds : float
        How long it took.

    Examples
    --------
    >>> info = ImageInfo(4, 3, "PNG", "RGB", 99, "ab" * 16)
    >>> table = FeatureTable(np.ones((1, 8), np.float32), (Block("lbp@64", 0, 8),), np.array([0]), (info,),
    ...                      np.zeros(1, np.uint64), (), n_cached=0, seconds=0.5)
    >>> len(table), table.content_hashes == ("ab" * 16,), table.images_per_second
    (1, True, 2.0)
    """

    X: NDArray[np.float32]
    blocks: tuple[Block, ...]
    kept: NDArray[np.int64]
    infos: tuple[ImageInfo, ...]
    hashes: NDArray[np.uint64]
    skipped: tuple[SkippedImage, ...]
    n_cached: int
    seconds: float

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows: NDArray[np.int64]) -> "FeatureTable":
        """Return the table of some of its rows."""
        infos = tuple(self.infos[i] for i in rows)
        return replace(self, X=self.X[rows], kept=self.kept[rows], infos=infos, hashes=self.hashes[rows])

    @property
    def content_hashes(self) -> tuple[str, ...]:
        """The content hash of each image."""
        return tuple(info.content_hash for info in self.infos)

    @property
    def images_per_second(self) -> float:
        """How many images were read, from the cache too, in a second."""
        return len(self) / max(self.seconds, 1e-9)

    def to_dict(self) -> dict[str, Any]:
        """Return a summary in plain values for JSON: counts and times, not the features."""
        return {
            "n_images": len(self),
            "n_features": self.X.shape[1],
            "blocks": [{"name": b.name, "start": b.start, "stop": b.stop} for b in self.blocks],
            "skipped": [{"source": s.source, "reason": s.reason} for s in self.skipped],
            "n_cached": self.n_cached,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True, eq=False)
class FeatureBatch:
    """Features of a few images.

    Attributes
    ----------
    indices : (n,) int64
        Index of each row's source, ascending.
    X : (n, d) float32
        One row an image.
    infos : tuple of n ImageInfo
    hashes : (n,) uint64
        Perceptual hashes.
    skipped : dict of int to SkippedImage
        The images of this batch that could not be read, by the index of their source.
    n_cached : int
        How many rows came from the cache.
    """

    indices: NDArray[np.int64]
    X: NDArray[np.float32]
    infos: tuple[ImageInfo, ...]
    hashes: NDArray[np.uint64]
    skipped: dict[int, SkippedImage]
    n_cached: int
