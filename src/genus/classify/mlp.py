"""A small neural network on the features."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.bench import Bench, Floats
from genus.classify.head import Head, softmax
from genus.errors import ParameterError
from genus.graph import GraphBuilder

_LEAST_STEPS = 200  # a few rows make few steps an epoch, and so need more epochs
_DECAY_MEAN, _DECAY_SQUARE = np.float32(0.9), np.float32(0.999)


class MLPHead(Head):
    """One hidden layer of rectified units, trained by Adam with decoupled weight decay.

    Parameters
    ----------
    hidden : int, default 128
        Number of hidden units.
    n_epochs : int, default 20
        Passes over the data, more where these make fewer than 200 steps; the learning rate falls to zero along a
        cosine.
    learning_rate : float, default 0.003
        Largest step size.
    weight_decay : float, default 0.01
        Share by which the weights shrink in each step, times the learning rate.
    batch_size : int, default 64
        Rows in a step.
    power, blocks, use
        Normalisation of the features; see `BlockNormalizer`.
    class_weight : None, "balanced" or dict
        "balanced" gives every class the same total weight.
    random_state : int or None, default 0
        Initial weights and order of the rows.

    Attributes
    ----------
    layers_ : tuple of float32 arrays
        `(W1 (w, hidden), b1, W2 (hidden, n_classes), b2)`.
    classes_ : (n_classes,) array
    n_features_in_ : int

    Notes
    -----
    O(n_epochs n hidden d). Loshchilov and Hutter (2019), "Decoupled weight decay regularization", ICLR.

    Examples
    --------
    >>> X = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.2, 0.8]]
    >>> MLPHead(n_epochs=50).fit(X, ["cat", "cat", "dog", "dog"]).predict([[1.0, 0.2]])
    array(['cat'], dtype='<U3')
    """

    def __init__(
        self,
        hidden: int = 128,
        *,
        n_epochs: int = 20,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.01,
        batch_size: int = 64,
        power: float = 0.5,
        blocks: Sequence[tuple[int, int]] | None = None,
        use: Sequence[int] | None = None,
        class_weight: Any = None,
        random_state: int | None = 0,
    ) -> None:
        self.hidden = hidden
        self.n_epochs = n_epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.power = power
        self.blocks = blocks
        self.use = use
        self.class_weight = class_weight
        self.random_state = random_state

    def _learn(self, bench: Bench) -> None:
        if min(self.hidden, self.n_epochs, self.batch_size) < 1 or self.learning_rate <= 0:
            raise ParameterError(
                f"hidden={self.hidden!r}, n_epochs={self.n_epochs!r}, batch_size={self.batch_size!r}, "
                f"learning_rate={self.learning_rate!r}: expected positive numbers."
            )
        rng = np.random.default_rng(self.random_state)
        Z = bench.Z.astype(np.float32, copy=False)
        targets = bench.one_hot.astype(np.float32)
        weights = (bench.weights / bench.weights.mean()).astype(np.float32)
        mean = Z.mean(axis=0)
        # one scale for all columns: columns that hardly vary must not be blown up into noise
        scale = np.float32(1 / max(float(np.sqrt(np.mean((Z - mean) ** 2))), 1e-6))
        layers = self._descend(rng, (Z - mean) * scale, targets, weights)
        first = layers[0] * scale
        self.layers_ = (first, layers[1] - mean @ first, layers[2], layers[3])

    def _descend(
        self,
        rng: np.random.Generator,
        Z: NDArray[np.float32],
        targets: NDArray[np.float32],
        weights: NDArray[np.float32],
    ) -> list[NDArray[np.float32]]:
        layers = _initial(rng, Z.shape[1], self.hidden, targets.shape[1])
        means, squares = [np.zeros_like(v) for v in layers], [np.zeros_like(v) for v in layers]
        batches = -(-len(Z) // self.batch_size)
        n_epochs = max(self.n_epochs, -(-_LEAST_STEPS // batches))
        n_steps, step = n_epochs * batches, 0
        for _ in range(n_epochs):
            for rows in np.array_split(rng.permutation(len(Z)), batches):
                rate = np.float32(self.learning_rate * 0.5 * (1 + np.cos(np.pi * step / n_steps)))
                step += 1
                slopes = _slopes(layers, Z[rows], targets[rows], weights[rows])
                for layer, slope, mean, square in zip(layers, slopes, means, squares, strict=True):
                    _adam(layer, slope, mean, square, rate, step)
                    if layer.ndim == 2:
                        layer *= np.float32(1 - rate * self.weight_decay)
        return layers

    def _score(self, Z: NDArray[np.float32]) -> Floats:
        return forward(self.layers_, Z)[1]

    def _export_scores(self, graph: GraphBuilder, z: str) -> str:
        first, first_bias, second, second_bias = (graph.constant(layer) for layer in self.layers_)
        hidden = graph.op("Relu", graph.op("Add", graph.op("MatMul", z, first), first_bias))
        return graph.op("Add", graph.op("MatMul", hidden, second), second_bias)


def forward(layers: Sequence[NDArray[np.float32]], Z: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Return the hidden activations (n, hidden) and the logits (n, n_classes)."""
    hidden = np.maximum(Z @ layers[0] + layers[1], 0)
    return hidden, hidden @ layers[2] + layers[3]


def _slopes(
    layers: Sequence[NDArray[np.float32]],
    Z: NDArray[np.float32],
    targets: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> tuple[Floats, ...]:
    hidden, logits = forward(layers, Z)
    error = (softmax(logits) - targets) * (weights / np.float32(len(Z)))[:, None]
    back = (error @ layers[2].T) * (hidden > 0)
    return Z.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0)


def _adam(layer: Floats, slope: Floats, mean: Floats, square: Floats, rate: np.float32, step: int) -> None:
    """Move `layer` and its running moments in place."""
    mean += (1 - _DECAY_MEAN) * (slope - mean)
    square += (1 - _DECAY_SQUARE) * (slope * slope - square)
    unbiased = np.float32(rate * np.sqrt(1 - float(_DECAY_SQUARE) ** step) / (1 - float(_DECAY_MEAN) ** step))
    layer -= unbiased * mean / (np.sqrt(square) + np.float32(1e-8))


def _initial(rng: np.random.Generator, width: int, hidden: int, n_classes: int) -> list[NDArray[np.float32]]:
    def he(rows: int, columns: int) -> NDArray[np.float32]:
        return rng.standard_normal((rows, columns), dtype=np.float32) * np.float32(np.sqrt(2 / rows))

    return [
        he(width, hidden),
        np.zeros(hidden, np.float32),
        he(hidden, n_classes),
        np.zeros(n_classes, np.float32),
    ]
