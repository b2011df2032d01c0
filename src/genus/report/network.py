"""A network that was trained beside the frozen features, in words and as the section of a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genus.cnn.augmentation import Augmentation
from genus.estimators.network_result import BOTH, FROZEN, NETWORK, Contestant, NetworkResult
from genus.report.augmentation_words import augmentation_facts
from genus.report.candidate_words import NAMES, network_title
from genus.report.content import Fact
from genus.report.network_chart import EpochPlot, loss_plot, score_plot
from genus.report.words import duration, percent, rate
from genus.wording import count

_WAYS = {FROZEN: "frozen features", NETWORK: "the network", BOTH: "both together"}
_ENDS = {
    "time": "the time was over",
    "no better for a while": "no better for a while",
    "not finite": "the loss was no number any more",
}


def network_finding(result: NetworkResult) -> str:
    """Say in one sentence whether the network was worth it.

    Examples
    --------
    >>> ways = Contestant("frozen features", 0.931, 0.21), Contestant("network", 0.94, 0.19)
    >>> found = NetworkResult("resnet10", "trained from scratch", 64, "accuracy", "rbf", 1324, 331, ways, "network", {},
    ...                       {}, 0, 93.0, 150.0)
    >>> print(network_finding(found))
    Of 331 images that neither had learned from, frozen features get 93.1% right, the network 94.0%; the network was
    taken.
    """
    scores = [_score(one.score, result.metric) for one in result.contestants]
    names = [_WAYS[one.name] for one in result.contestants]
    first = f"{names[0]} get {scores[0]} right"
    where = f"Of {count(result.n_validation, 'image')} that neither had learned from"
    if result.metric != "accuracy":
        where = f"On {count(result.n_validation, 'image')} that neither had learned from"
        first = f"the {_metric(result)} of {names[0]} is {scores[0]}"
    others = [f"{name} {score}" for name, score in zip(names[1:], scores[1:], strict=True)]
    if result.metric != "accuracy":
        others = [f"that of {other}" for other in others]
    return f"{where}, {', '.join([first, *others])}; {_verdict(result)}."


def _verdict(result: NetworkResult) -> str:
    chosen = result.contestant(result.chosen)
    by_score = sorted(result.contestants, key=lambda one: one.score, reverse=result.metric != "log_loss")
    reason = ""
    if chosen is not None and chosen.score != by_score[0].score:
        reason = "too close to tell apart, and "
    if result.chosen == FROZEN:
        return f"{reason}the network was not worth it"
    return f"{reason}{_WAYS[result.chosen]} {'were' if result.chosen == BOTH else 'was'} taken"


def elsewhere(result: NetworkResult) -> str:
    """Say of a network's row on the leaderboard what its score stands on.

    Examples
    --------
    >>> ways = Contestant("frozen features", 0.931, 0.21), Contestant("network", 0.94, 0.19)
    >>> elsewhere(NetworkResult("resnet10", "", 64, "accuracy", "rbf", 1324, 331, ways, "network", {}, {}, 0, 1.0, 1.0))
    'on 331 validation images, on which the frozen features have 93.1%'
    """
    frozen = result.contestant(FROZEN)
    where = f"on {count(result.n_validation, 'validation image')}"
    if frozen is None:
        return where
    return f"{where}, on which the frozen features have {_score(frozen.score, result.metric)}"


def planned_network_words(plan: Mapping[str, Any]) -> str:
    """Say which network would be trained, and how.

    Parameters
    ----------
    plan : mapping
        As `genus.estimators.result.TrainingPlan` has it.

    Examples
    --------
    >>> recipe = {"epochs": 12, "batch_size": 32, "learning_rate": 0.001}
    >>> plan = {"network": "resnet10", "size": 64, "how": "trained from scratch", "recipe": recipe, "device": "cpu"}
    >>> print(planned_network_words(plan))
    resnet10 at 64 pixels, trained from scratch: 12 epochs, batches of 32 images, learning rate up to 0.001, on cpu
    """
    recipe = plan["recipe"]
    return (
        f"{network_title(plan['network'], plan['size'])}, {plan['how']}: {count(recipe['epochs'], 'epoch')}, "
        f"batches of {count(recipe['batch_size'], 'image')}, learning rate up to {recipe['learning_rate']:g}, "
        f"on {plan['device']}"
    )


@dataclass(frozen=True, slots=True)
class WayView:
    """One way to classify in the small table."""

    name: str
    score: str
    log_loss: str
    shares: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class NetworkView:
    """The section about the network.

    Attributes
    ----------
    finding : str
    metric : str
        What the scores are.
    ways : tuple of WayView
    losses, scores : EpochPlot or None
        The training curves; no scores where the metric is the loss itself.
    curve_words : str
        What the curves show.
    facts, augmentation : tuple of Fact
    """

    finding: str
    metric: str
    ways: tuple[WayView, ...]
    losses: EpochPlot
    scores: EpochPlot | None
    curve_words: str
    facts: tuple[Fact, ...]
    augmentation: tuple[Fact, ...]


def network_view(result: NetworkResult | None) -> NetworkView | None:
    """Lay out what became of a network; None where there was none."""
    if result is None:
        return None
    epochs, best = result.history["epochs"], int(result.history["best"])
    frozen = result.contestant(FROZEN)
    losses, scores = loss_plot(epochs, best), None
    if result.metric != "log_loss" and frozen is not None:
        scores = score_plot(epochs, best, frozen.score)
    return NetworkView(
        finding=network_finding(result),
        metric=_metric(result)[:1].upper() + _metric(result)[1:],
        ways=tuple(_way(one, result) for one in result.contestants),
        losses=losses,
        scores=scores,
        curve_words=_curve_words(losses, best),
        facts=network_facts(result),
        augmentation=augmentation_facts(Augmentation.from_dict(result.recipe["augmentation"])),
    )


def network_facts(result: NetworkResult) -> tuple[Fact, ...]:
    """Say what was trained, how, where and how long."""
    history, recipe = result.history, result.recipe
    return (
        Fact("Network", network_title(result.name, result.size)),
        Fact("How", _how(result)),
        Fact("Learned from", _learned_from(result)),
        Fact("Numbers learned", count(int(history["n_parameters"]))),
        Fact("Epochs", _epochs(history, recipe)),
        Fact("Batch", f"{count(int(recipe['batch_size']), 'image')}, {_optimizer(recipe)}"),
        Fact("Learning rate", f"up to {recipe['learning_rate']:g}, {recipe['schedule']}"),
        Fact("Device", str(history["place"])),
        Fact("Time", duration(result.seconds)),
        Fact("Images/s", f"{rate(result.images_per_second)} by the finished network"),
    )


def _how(result: NetworkResult) -> str:
    """Say what was done, and whether pictures grew meanwhile."""
    first = float(result.recipe.get("first_side", 1))  # files of before know none
    if first == 1:
        return result.how
    return f"{result.how}, with pictures that grew from {first:.0%} of their sides"


def _way(one: Contestant, result: NetworkResult) -> WayView:
    names = {
        FROZEN: f"Frozen features ({NAMES.get(result.head, result.head)})",
        NETWORK: "The network",
        BOTH: "Both together",
    }
    parts = zip(one.shares, (_WAYS[FROZEN], _WAYS[NETWORK]), strict=False)
    return WayView(
        name=names[one.name],
        score=_score(one.score, result.metric),
        log_loss=f"{one.log_loss:.3f}",
        shares=", ".join(f"{share:.0%} {name}" for share, name in parts),
        is_chosen=one.name == result.chosen,
    )


def _curve_words(losses: EpochPlot, best: int) -> str:
    taken = f"The vertical line is epoch {best}, whose weights were taken."
    grey = " Grey: the learning rate, in parts of the highest." if losses.rate else ""
    return (
        f"{taken} The loss in training is that of altered images and softened labels, so it may lie above that of the "
        f"validation images.{grey}"
    )


def _learned_from(result: NetworkResult) -> str:
    images = count(result.n_train, "image")
    return images if result.n_views == 0 else f"{images}, {count(result.n_views, 'view')} of each"


def _epochs(history: dict[str, Any], recipe: dict[str, Any]) -> str:
    done, end = len(history["epochs"]), _ENDS.get(str(history["stopped"]), "")
    if not end:
        return count(done)
    return f"{count(done)} of {count(int(recipe['epochs']))}: {end}"


def _optimizer(recipe: dict[str, Any]) -> str:
    return {"adamw": "AdamW", "sgd": "SGD"}.get(str(recipe["optimizer"]), str(recipe["optimizer"]))


def _metric(result: NetworkResult) -> str:
    return result.metric.replace("_", " ").replace("log loss", "log-loss").replace("f1", "F1")


def _score(value: float, metric: str) -> str:
    return f"{value:.3f}" if metric == "log_loss" else percent(value, 1)
