"""What the frozen beginning of a network makes of images: computed once, by the engines, for a network to go on from.

In training the beginning would be computed in every epoch, and by PyTorch. Here it is computed once for each of a few
augmented views of every image, by the engine that is fastest, in int8 where the network has it.
"""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genus.features.engines import Runner, open_runner
from genus.features.in_order import in_order
from genus.features.runtime import Runtime
from genus.features.trained import FrozenPrefix
from genus.graph import GraphBuilder
from genus.progress import SILENT, Progress
from genus.room import room

if TYPE_CHECKING:
    from genus.cnn.augment import Augmenter
    from genus.cnn.pixels import PixelStore

_BATCH = 16

Activations = NDArray[np.float16]


def activation_shape(prefix: FrozenPrefix, size: int) -> tuple[int, int, int]:
    """Return channels, height and width of what the prefix makes of a picture of `size` pixels."""
    found = prefix.backbone.build_prefix(GraphBuilder(), "x", size, prefix.n_blocks)
    return found.n_channels, found.side, found.side


def compute_activations(
    store: "PixelStore",
    prefix: FrozenPrefix,
    augmenter: "Augmenter",
    n_views: int,
    *,
    rows: NDArray[np.int64] | None = None,
    seconds: float | None = None,
    runtime: Runtime,
    progress: Progress = SILENT,
) -> list[Activations]:
    """Compute views of images.

    Parameters
    ----------
    store : PixelStore
        Of n images.
    prefix : FrozenPrefix
        What is computed.
    augmenter : Augmenter
        Makes the views; its side is what the prefix sees.
    n_views : int
        At least 1: the first are the images as they are.
    rows : (k,) int64 or None
        The images that are wanted; the others stay 0. None: all.
    seconds : float or None
        When as much time will be over, no further view is begun.
    runtime : Runtime
    progress : Progress

    Returns
    -------
    list of (n, c, h, w) float16
        One a view; fewer than `n_views`, but at least one, where the time did not suffice.

    Notes
    -----
    2 * c * h * w bytes a view of an image: 68 KiB after 13 blocks of Lite2 at 260 pixels.
    """
    from genus.cnn.views import evaluation_view

    side, wanted = augmenter.side, np.arange(len(store)) if rows is None else rows
    views, n = room((n_views, len(store), *activation_shape(prefix, side)), np.float16), len(wanted)
    runner = open_prefix(prefix, side, runtime, n_images=n_views * n)

    def work(piece: tuple[int, NDArray[np.int64]]) -> int:
        view, some = piece
        images = store.batch(some)
        seen = augmenter(images, view, some) if view else evaluation_view(images, side, fit=augmenter.fit)
        pixels = np.ascontiguousarray(seen.permute(0, 2, 3, 1).numpy())
        views[view, some] = runner(pixels)["activations"]
        return len(some)

    begun, n_done = time.monotonic(), 0
    with progress.task("the network's frozen beginning", total=n_views * n, unit="views") as task:
        for view in range(n_views):
            for done in in_order(work, _pieces(view, wanted), runtime.n_workers(n)):
                task.advance(done)
            n_done = view + 1
            if seconds is not None and (time.monotonic() - begun) * (n_done + 1) / n_done > seconds:
                break
    return list(views[:n_done])


def open_prefix(prefix: FrozenPrefix, side: int, runtime: Runtime, *, n_images: int) -> Runner:
    """Load a frozen beginning: from pixels uint8 (n, side, side, 3) to `activations`."""
    return open_runner(
        _graph(prefix, side),
        engine=runtime.engine,
        workers=runtime.n_workers(n_images),
        outputs=["activations"],
        n_images=n_images,
        allow_bf16=prefix.backbone.tolerates_bf16,
    )


def _pieces(view: int, rows: NDArray[np.int64]) -> Iterable[tuple[int, NDArray[np.int64]]]:
    for start in range(0, len(rows), _BATCH):
        yield view, rows[start : start + _BATCH]


def _graph(prefix: FrozenPrefix, side: int) -> bytes:
    b = GraphBuilder()
    found = prefix.backbone.build_prefix(b, b.op("Cast", "images", to=1), side, prefix.n_blocks)
    b.output(found.tensor, "activations", np.float32, ["N", found.n_channels, found.side, found.side])
    return bytes(b.model([("images", np.uint8, ["N", side, side, 3])]).SerializeToString())
