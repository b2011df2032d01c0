"""A linear probe: the best linear classifier on what a network makes of images now, where its fine-tuning begins.

Kumar et al., "Fine-tuning can distort pretrained features and underperform out-of-distribution" (2022): a network whose
classifier begins by chance first unlearns what it knows.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genus.cnn.losses import class_loss, label_loss
from genus.cnn.mixing import soft_targets

_STEPS = 60
_PENALTY = 0.05  # on the squared weights, of features with unit variance, over the mean loss
_LEAST_SPREAD = 0.05


def fit_probe(
    classifier: nn.Linear, embeddings: NDArray[np.float32], targets: NDArray[np.integer[Any]]
) -> None:
    """Fill in the weights of a linear classifier.

    Parameters
    ----------
    classifier : nn.Linear
        From e features to c scores; overwritten.
    embeddings : (n, e) float32
    targets : (n,) codes of classes, or (n, c) of 1, 0 and -1 (unknown)

    Notes
    -----
    Logistic regression with a penalty on the squared weights, of features brought to mean 0 and variance 1; L-BFGS.

    Examples
    --------
    >>> classifier = nn.Linear(2, 2)
    >>> fit_probe(classifier, np.float32([[9, 1], [8, 2], [1, 9], [2, 8]]), np.array([0, 0, 1, 1]))
    >>> classifier(torch.tensor([[7.0, 3.0]])).argmax().item()
    0
    """
    x = torch.from_numpy(embeddings)
    mean, spread = x.mean(0), x.std(0, correction=0) + _LEAST_SPREAD
    z = (x - mean) / spread
    several = targets.ndim == 2
    wanted = soft_targets(torch.from_numpy(np.asarray(targets, np.int64)), classifier.out_features)
    weight = torch.zeros(classifier.out_features, x.shape[1], requires_grad=True)
    bias = torch.zeros(classifier.out_features, requires_grad=True)
    search = torch.optim.LBFGS([weight, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")
    measure = label_loss if several else class_loss

    def loss() -> Tensor:
        search.zero_grad()
        found = measure(z @ weight.T + bias, wanted, smoothing=0.0, weights=None) / len(z)
        total = found + _PENALTY * weight.square().mean(0).sum() / 2
        total.backward()  # type: ignore[no-untyped-call]
        return total

    search.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        classifier.weight.copy_(weight / spread)
        classifier.bias.copy_(bias - classifier.weight.cpu() @ mean)
