"""Networks of one's own: their last map is looked at only where the classifier's features are its means."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")

from estimators.networks import WEAK, beside, pictures, small
from genus import Explainer
from genus.errors import ParameterError
from genus.estimators.network_result import NETWORK
from genus.explain.evidence import begins_with_means
from genus.model_file import ModelFile


def alone(network: str, **changes: Any) -> ModelFile:
    """A model of digits that goes by this network and nothing else."""
    found = beside(WEAK, small(network, **changes), refit=False).fit(*pictures())
    assert found.result_.network is not None and found.result_.network.chosen == NETWORK
    return found.model_


@pytest.mark.parametrize("neck", ["flatten-dense16", "gap-dense64"])
def test_what_the_pooling_does_not_average_is_found_by_hiding(neck: str) -> None:
    model = alone(f"conv8-norm-pool-conv32-norm-pool-{neck}")
    explainer = Explainer(model)
    (found,) = explainer.explain(pictures()[0][7])
    assert not explainer.looks_ and explainer.n_runs_ == Explainer(model, method="combined").n_runs_ < 100
    assert np.isfinite(found.evidence).all() and found.evidence.max() > 0
    for method in ("views", "places", "linear"):
        with pytest.raises(ParameterError, match="does not go by its means. Take auto or occlusion"):
            Explainer(model, method=method)


def test_what_it_averages_is_looked_at() -> None:
    explainer = Explainer(alone("conv16-norm-pool-conv32-norm-gap", epochs=30), method="places")
    (found,) = explainer.explain(pictures()[0][7])
    assert explainer.looks_ and found.evidence.shape == (8, 8)


def test_features_that_are_averaged_with_those_of_the_mirrored_picture_are_means_all_the_same() -> None:
    rng = np.random.default_rng(0)
    maps, mirrored = rng.gamma(0.5, size=(2, 3, 40, 5, 5)).astype(np.float32)
    assert begins_with_means((maps.mean((2, 3)) + mirrored.mean((2, 3))) / 2, maps)
    assert not begins_with_means(maps.mean((2, 3))[:, :20], maps)
