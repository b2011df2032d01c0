"""What a network says of images as they are."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genus.cnn.devices import Place, is_out_of_memory, precision
from genus.cnn.network import Network
from genus.cnn.training_examples import Rows, TrainingExamples

_BATCH = 128
_PIXELS = 1 << 20  # of a batch on a card, if they are more than those of a usual batch


def logits_of_network(
    network: Network, examples: TrainingExamples, rows: Rows, place: Place
) -> NDArray[np.float32]:
    """Return the logits (n, c) of images as they are."""
    return _computed(network, examples, rows, place, network.forward, network.n_classes)


def embeddings_of_network(
    network: Network, examples: TrainingExamples, rows: Rows, place: Place
) -> NDArray[np.float32]:
    """Return the embeddings (n, e) of images as they are."""
    return _computed(network, examples, rows, place, network.embedding, network.n_features)


def _computed(
    network: Network,
    examples: TrainingExamples,
    rows: Rows,
    place: Place,
    compute: Callable[[Tensor], Tensor],
    width: int,
) -> NDArray[np.float32]:
    """Compute all rows, in smaller batches where memory does not suffice."""
    was_training = network.training
    network.to(place.device).eval()
    size = _BATCH
    if place.device.type == "cuda":
        size = max(_BATCH, _PIXELS // max(1, network.size) ** 2)
    try:
        while True:
            try:
                batches = [rows[i : i + size] for i in range(0, len(rows), size)]
                return np.concatenate(_batch_by_batch(examples, batches, place, compute, width))
            except RuntimeError as error:
                if size == 1 or not is_out_of_memory(error):
                    raise
            size //= 2
    finally:
        network.train(was_training)


@torch.inference_mode()
def _batch_by_batch(
    examples: TrainingExamples,
    batches: Sequence[Rows],
    place: Place,
    compute: Callable[[Tensor], Tensor],
    width: int,
) -> list[NDArray[np.float32]]:
    found = [np.zeros((0, width), np.float32)]
    with precision(place):
        for images in examples.plain(batches, place.device):
            inputs = images.contiguous(memory_format=torch.channels_last)
            found.append(compute(inputs).float().cpu().numpy())
    return found
