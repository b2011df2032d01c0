"""Evidence by gradients through the file: Grad-CAM and Layer-CAM. Needs PyTorch, the extra `cnn`."""

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from genus.errors import MissingExtraError, ParameterError
from genus.explain.layers import Layer, find_layers
from genus.explain.views import centred, resized
from genus.model_file import ModelFile

Maps = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_LEAST_SIZE = 2
_FUSED = 2  # sizes of maps: finer ones show edges, whatever the class


class GradientMaps:
    """Asks a model's layers how the score of a class changes with what they see.

    Parameters
    ----------
    model : ModelFile
    method : {"grad-cam", "layer-cam"}
    layers : sequence of int or None
        Numbers of convolutions, as `genus cnn show` counts them; None for the last one (Grad-CAM), or the last of each
        of the two coarsest sizes (Layer-CAM).

    Raises
    ------
    MissingExtraError
        PyTorch is not installed.
    ParameterError
        There is no such layer.
    EngineError
        The file has an operator that cannot be replayed.

    Notes
    -----
    Grad-CAM weighs each map of a layer by its mean gradient: Selvaraju et al. (2017), "Grad-CAM: visual explanations
    from deep networks via gradient-based localization", ICCV. Layer-CAM weighs each place of each map by its own
    gradient where that is above 0, so finer layers can be used: Jiang et al. (2021), "LayerCAM: exploring hierarchical
    class activation maps for localization", IEEE TIP. Either costs one run forth and back a class, in PyTorch.
    """

    def __init__(self, model: ModelFile, method: str, layers: Sequence[int] | None = None) -> None:
        if find_spec("torch") is None:
            raise MissingExtraError(f"method={method!r}", "cnn")
        from genus.cnn.replay import Replay

        self.method = method
        self._several = model.multilabel
        self._replay = Replay(model.data)
        found = find_layers(model)
        self._chosen = self._default(model, found) if layers is None else _numbered(found, layers)

    def __call__(self, pixels: Pixels, codes: NDArray[np.int64]) -> Maps:
        """Return the maps of some classes, (k, h, w) float32, for a picture (side, side, 3)."""
        return np.stack([self._of_class(pixels, code) for code in codes.tolist()])

    def _of_class(self, pixels: Pixels, code: int) -> NDArray[np.float32]:
        names = [layer.tensor for layer in self._chosen]
        slopes = self._replay.slopes(pixels[None], names, code, several=self._several)
        maps = [self._map(slopes[name].activations, slopes[name].gradients) for name in names]
        if len(maps) == 1:
            return maps[0]
        finest = max(one.shape for one in maps)
        return np.asarray(sum(centred(resized(one, *finest)) for one in maps), np.float32)

    def _map(self, activations: Maps, gradients: Maps) -> NDArray[np.float32]:
        if self.method == "grad-cam":
            maps = np.einsum("nc,nchw->nhw", gradients.mean(axis=(2, 3)), activations)
        else:
            maps = (np.maximum(gradients, 0) * activations).sum(axis=1)
        if len(maps) == 2:  # the second saw the mirror image
            maps = maps[:1] + maps[1:, :, ::-1]
        return np.asarray(maps[0], np.float32)

    def _default(self, model: ModelFile, layers: Sequence[Layer]) -> list[Layer]:
        """Return a network's last layer of each of the coarsest sizes, of those that are nowhere below 0.

        It is the first network that the classifier goes by, and layers behind those that it goes by are left out.
        """
        side = model.preprocess
        picture = np.random.default_rng(0).integers(0, 256, (1, side.height, side.width, 3), np.uint8)
        names = [layer.tensor for layer in layers]
        seen = self._replay.slopes(picture, names, 0, several=self._several, every=False)
        used = [layer for layer in layers if layer.tensor in seen and seen[layer.tensor].gradients.any()]
        if not used:
            raise ParameterError(
                f"method={self.method!r}: the classifier of this model goes by none of its convolutions. Take auto."
            )
        last: dict[int, Layer] = {}
        for layer in used:
            if layer.network != used[0].network:
                continue
            found = seen[layer.tensor].activations
            before = last.get(found.shape[2])
            if before is None or found.min() >= 0 or seen[before.tensor].activations.min() < 0:
                last[found.shape[2]] = layer
        # what is smaller weighs channels, and has no places
        sizes = [size for size in sorted(last) if size >= _LEAST_SIZE] or sorted(last)
        return [last[size] for size in sizes[: 1 if self.method == "grad-cam" else _FUSED]]


def _numbered(layers: Sequence[Layer], numbers: Sequence[int]) -> list[Layer]:
    for number in numbers:
        if not 1 <= number <= len(layers):
            raise ParameterError(f"there is no layer {number}; the model has {len(layers)} convolutions.")
    return [layers[number - 1] for number in numbers]
