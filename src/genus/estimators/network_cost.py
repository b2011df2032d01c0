"""What training a network would cost: a few images and one step are timed, and added up."""

import time
from dataclasses import dataclass

import numpy as np

from genus.estimators.activations import open_prefix
from genus.estimators.network_options import NetworkOptions
from genus.estimators.network_plan import (
    Material,
    NetworkPlan,
    check_network,
    deeper_recipe,
    plan_network,
    recipe_to_go_on,
)
from genus.estimators.network_trainer import frozen_prefix, planned_network, trained_part
from genus.features.feature_set import FeatureSet
from genus.features.runtime import Runtime

_SHARE_LEARNED_FROM = 0.8  # of the training images; the others judge
_TIMED = 8  # pictures


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """A plan and what it would take.

    Attributes
    ----------
    plan : NetworkPlan
    device : str
        Where it would be trained, and with which numbers.
    seconds, seconds_again : float
        Until the network can be compared; and for going on with all images, should it be taken.
    """

    plan: NetworkPlan
    device: str
    seconds: float
    seconds_again: float


def network_cost(
    options: NetworkOptions,
    material: Material,
    n_final: int,
    feature_set: FeatureSet,
    runtime: Runtime,
    *,
    decoding: float,
) -> NetworkCost:
    """Plan a network's training and time a little of it.

    Parameters
    ----------
    options : NetworkOptions
    material : Material
    n_final : int
        How many images it would learn from in the end.
    feature_set : FeatureSet
        The frozen features'.
    runtime : Runtime
    decoding : float
        Seconds that an image takes to decode on one core.
    """
    check_network(options, material.n_classes)
    from genus.cnn.timing import seconds_an_image

    place = options.place()
    plan = plan_network(options, material, on_processor=place.device.type == "cpu")
    whole = planned_network(plan, material.n_classes, seed=0)
    network = trained_part(whole, plan)
    a_view = _prefix_seconds(plan, feature_set, runtime) * plan.n_views
    prepared = n_final * (decoding + a_view) / runtime.n_workers(n_final)
    an_image = seconds_an_image(network, place, plan.recipe.batch_size) * plan.recipe.epochs
    if plan.then_all == "always":
        deeper = deeper_recipe(plan.recipe)
        an_image += seconds_an_image(whole, place, deeper.batch_size) * deeper.epochs
    return NetworkCost(
        plan,
        place.name,
        prepared + _SHARE_LEARNED_FROM * material.n_images * an_image * plan.recipe.mean_area,
        n_final * an_image * recipe_to_go_on(plan.recipe, plan.recipe.epochs).epochs / plan.recipe.epochs,
    )


def _prefix_seconds(plan: NetworkPlan, feature_set: FeatureSet, runtime: Runtime) -> float:
    """Return how long the frozen beginning takes for a picture on one core; 0 where there is none."""
    prefix = frozen_prefix(plan, feature_set)
    if prefix is None:
        return 0.0
    runner = open_prefix(prefix, plan.size, runtime, n_images=_TIMED)
    pixels = np.zeros((_TIMED, plan.size, plan.size, 3), np.uint8)
    runner(pixels)  # the first run allocates
    begun = time.perf_counter()
    runner(pixels)
    return (time.perf_counter() - begun) / _TIMED
