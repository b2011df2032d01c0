"""A trained network as an ONNX graph of plain operators, and its classifier as arrays: PyTorch is done with then.

Layers are written one by one (`genus.cnn.operators`), batch normalisation folded into the convolutions. A network with
layers that are not known there goes through PyTorch's own exporter.
"""

import copy
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genus.cnn.network import Network, output_shape
from genus.cnn.operators import UnwritableLayerError, write
from genus.errors import ParameterError
from genus.graph import OPSET, GraphBuilder

PIXELS, ACTIVATIONS = "images", "activations"
"""What the input of a network that reads pixels is called, and that of one that goes on from another."""


def export_network(network: Network) -> bytes:
    """Write everything before the classifier as ONNX.

    Parameters
    ----------
    network : Network
        It is left as it is, on its device and in its mode.

    Returns
    -------
    bytes
        A serialised graph of opset 17. Input: `images`, float32 [N, size, size, 3], RGB in 0..255; or `activations`,
        float32 [N, c, h, w], where the network is the rest of one that was cut. Outputs: `embedding`, float32
        [N, n_features], and `feature_map`, float32 [N, d, h, w].

    Raises
    ------
    ParameterError
        It has a layer that cannot be written, not by PyTorch's exporter either.

    Examples
    --------
    >>> from genus.cnn.networks import make_network
    >>> import onnx
    >>> model = onnx.load_model_from_string(export_network(make_network("conv8-norm-pool-gap", 3, size=16)))
    >>> [node.op_type for node in model.graph.node][:6]
    ['Transpose', 'Sub', 'Mul', 'Conv', 'Relu', 'MaxPool']
    """
    still = copy.deepcopy(network).cpu().float().eval()
    try:
        return _written(still)
    except UnwritableLayerError:
        return _traced(still)


def classifier_weights(network: Network) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the classifier as arrays: `coef` (n_classes, n_features) and `intercept` (n_classes,).

    Examples
    --------
    >>> from genus.cnn.networks import make_network
    >>> coef, intercept = classifier_weights(make_network("conv8-pool-gap", 3, size=16))
    >>> coef.shape, intercept.shape
    ((3, 8), (3,))
    """
    linear = network.classifier
    coef = linear.weight.detach().float().cpu().numpy()
    intercept = torch.zeros(network.n_classes) if linear.bias is None else linear.bias.detach()
    return coef.copy(), intercept.float().cpu().numpy().copy()


def _written(network: Network) -> bytes:
    b = GraphBuilder()
    x = b.op("Transpose", PIXELS, perm=[0, 3, 1, 2]) if network.reads_pixels else ACTIVATIONS
    feature_map = write(network.body, b, write(network.normalise, b, x))
    embedding = write(network.neck, b, feature_map)
    channels, *sides = network.input_shape
    shape: list[int | str] = ["N", *sides, channels] if network.reads_pixels else ["N", channels, *sides]
    b.output(embedding, "embedding", np.float32, ["N", network.n_features])
    b.output(feature_map, "feature_map", np.float32, ["N", *_map_shape(network)])
    model = b.model([(PIXELS if network.reads_pixels else ACTIVATIONS, np.float32, shape)])
    return bytes(model.SerializeToString())


def _map_shape(network: Network) -> tuple[int, int, int]:
    whole = nn.Sequential(network.normalise, network.body)
    return output_shape(whole, network.input_shape)


class _Outputs(nn.Module):
    """A network with the input and the outputs that the file has."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        pixels = x.permute(0, 3, 1, 2) if self.network.reads_pixels else x
        feature_map = self.network.feature_map(pixels)
        return self.network.neck(feature_map), feature_map


def _traced(network: Network) -> bytes:
    """Let PyTorch's exporter write the network: the one that traces, as the newer one needs packages of its own."""
    channels, *sides = network.input_shape
    shape = (2, *sides, channels) if network.reads_pixels else (2, channels, *sides)
    name = PIXELS if network.reads_pixels else ACTIVATIONS
    file = io.BytesIO()
    try:
        with _quietly():
            torch.onnx.export(
                _Outputs(network),
                (torch.zeros(shape),),
                file,  # type: ignore[arg-type]  # a path, says its signature; this exporter writes to files, too
                input_names=[name],
                output_names=["embedding", "feature_map"],
                dynamic_axes={tensor: {0: "N"} for tensor in (name, "embedding", "feature_map")},
                opset_version=OPSET,
                dynamo=False,
            )
    except Exception as error:  # the exporter's own, and whatever a layer raises
        raise ParameterError(
            f"{network.name}: cannot be written as ONNX: {str(error).splitlines()[0]}"
        ) from error
    return file.getvalue()


@contextmanager
def _quietly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
