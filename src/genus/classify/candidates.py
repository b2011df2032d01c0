"""Which heads with which settings a search tries."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from genus.classify.heads import HEADS
from genus.errors import ParameterError

Grid = tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One head with the settings that are tried together on one feature set.

    Parameters
    ----------
    name : str
        The head's name.
    template : head
        Unfitted; a setting overrides its parameters.
    grid : tuple of dict
        The settings.
    features : dict
        Values of the head's `power`, `blocks`, `use` and `class_weight`.
    stage : str
        See `PlannedCandidate`.
    """

    name: str
    template: Any
    grid: Grid
    features: dict[str, Any]
    stage: str = "heads"

    def head(self, setting: Mapping[str, Any]) -> Any:
        """Return an unfitted head with this setting."""
        from sklearn.base import clone

        known = self.template.get_params(deep=False)
        return clone(self.template).set_params(
            **{k: v for k, v in {**self.features, **setting}.items() if k in known}
        )

    def describe(self, setting: Mapping[str, Any]) -> dict[str, Any]:
        """Return what tells this setting from the others, for people."""
        return {**setting, **{k: v for k, v in self.features.items() if v is not None and k != "blocks"}}

    def with_features(self, setting: Mapping[str, Any], stage: str, **changes: Any) -> "Candidate":
        """Return a candidate of the one given setting on changed features."""
        return replace(self, grid=(dict(setting),), features={**self.features, **changes}, stage=stage)


def _grid(**axes: Sequence[Any]) -> Grid:
    """Return the product of the axes, the last axis fastest."""
    settings: list[dict[str, Any]] = [{}]
    for name, values in axes.items():
        settings = [{**setting, name: value} for setting in settings for value in values]
    return tuple(settings)


# A head may stand in a list more than once: its grids are then searched side by side on several cores.
LISTS: dict[str, tuple[tuple[str, Grid], ...]] = {
    "fast": (
        ("logistic", _grid(C=(10.0, 60.0, 300.0))),
        ("prototype", _grid()),
        ("lda", _grid(shrinkage=(0.2, 0.4))),
        ("rbf", _grid(gamma=(1.5,), alpha=(0.03, 0.15))),
    ),
    "balanced": (
        ("logistic", _grid(C=(5.0, 20.0, 80.0, 320.0))),
        ("prototype", _grid()),
        ("knn", _grid(n_neighbors=(5, 15, 40))),
        ("lda", _grid(shrinkage=(0.1, 0.2, 0.4, 0.6))),
        ("rbf", _grid(gamma=(0.75,), alpha=(0.03, 0.3))),
        ("rbf", _grid(gamma=(1.5,), alpha=(0.01, 0.03, 0.1, 0.3))),
        ("rbf", _grid(gamma=(2.5,), alpha=(0.03, 0.1))),
        ("linear_svm", _grid(C=(1.0, 3.0))),
    ),
    "best": (
        ("logistic", _grid(C=(2.5, 10.0, 40.0, 160.0, 640.0))),
        ("prototype", _grid()),
        ("knn", _grid(n_neighbors=(3, 10, 20, 50), temperature=(0.03, 0.08))),
        ("lda", _grid(shrinkage=(0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8))),
        *(
            ("rbf", _grid(gamma=(gamma,), alpha=(0.003, 0.01, 0.03, 0.1, 0.3, 1.0)))
            for gamma in (0.5, 1.0, 1.5, 2.0, 3.0)
        ),
        ("linear_svm", _grid(C=(0.3, 1.0, 3.0, 10.0))),
        ("mlp", _grid(hidden=(128,))),
    ),
}

# The same for several labels a row: heads that learn each label beside its absence.
LABEL_LISTS: dict[str, tuple[tuple[str, Grid], ...]] = {
    "fast": (
        ("logistic", _grid(C=(10.0, 60.0, 300.0))),
        ("rbf", _grid(gamma=(1.5,), alpha=(0.03, 0.15))),
    ),
    "balanced": (
        ("logistic", _grid(C=(4.0, 16.0, 64.0, 256.0))),
        ("knn", _grid(n_neighbors=(5, 15, 40))),
        ("rbf", _grid(gamma=(0.75,), alpha=(0.03, 0.3))),
        ("rbf", _grid(gamma=(1.5,), alpha=(0.01, 0.03, 0.1, 0.3))),
        ("rbf", _grid(gamma=(2.5,), alpha=(0.03, 0.1))),
        ("linear_svm", _grid(C=(1.0, 3.0, 10.0))),
    ),
    "best": (
        ("logistic", _grid(C=(2.0, 8.0, 32.0, 128.0, 512.0))),
        ("knn", _grid(n_neighbors=(3, 10, 20, 50), temperature=(0.03, 0.08))),
        *(
            ("rbf", _grid(gamma=(gamma,), alpha=(0.003, 0.01, 0.03, 0.1, 0.3, 1.0)))
            for gamma in (0.5, 1.0, 1.5, 2.0, 3.0)
        ),
        ("linear_svm", _grid(C=(0.3, 1.0, 3.0, 10.0))),
    ),
}

POWERS: dict[str, tuple[float, ...]] = {"fast": (), "balanced": (1.0,), "best": (1.0, 0.7, 0.35)}
DEFAULT_POWER = 0.5
MAX_ROWS = {
    "fast": 5_000,
    "balanced": 10_000,
    "best": 20_000,
}  # more cost time and seldom change which head is best
ENSEMBLES = {"fast": False, "balanced": True, "best": True}


def first_candidates(
    heads: str | Sequence[Any] | None,
    features: Mapping[str, Any],
    random_state: int | None = 0,
    *,
    several: bool = False,
) -> tuple[str, list[Candidate]]:
    """Return the list's name and the candidates that do not depend on any result.

    Parameters
    ----------
    heads : "fast", "balanced", "best", or a sequence of head names and unfitted heads
        None means "balanced". A head given as an object is tried as it is.
    features : mapping
        `power`, `blocks`, `use` and `class_weight` to start with.
    random_state : int or None
        Given to the heads that take one and are not given as objects.
    several : bool, default False
        Whether a row may have several labels.
    """
    lists = LABEL_LISTS if several else LISTS
    if heads is None or isinstance(heads, str):
        level = heads or "balanced"
        if level in HEADS and level not in LISTS:
            return "balanced", list(_named([level], features, random_state, lists))
        if level not in LISTS:
            raise ParameterError(
                f"heads={heads!r}: expected {', '.join(map(repr, LISTS))} or a list of heads."
            )
        return level, [
            Candidate(name, _template(name, random_state), grid, dict(features))
            for name, grid in lists[level]
        ]
    chosen = list(_named(heads, features, random_state, lists))
    if not chosen:
        raise ParameterError(f"heads={heads!r}: expected at least one head.")
    return "balanced", chosen


def _template(name: str, random_state: int | None) -> Any:
    head = HEADS.get(name)()
    return head.set_params(random_state=random_state) if "random_state" in head.get_params() else head


def _named(
    heads: Iterable[Any],
    features: Mapping[str, Any],
    random_state: int | None,
    lists: Mapping[str, tuple[tuple[str, Grid], ...]],
) -> Iterator[Candidate]:
    for head in heads:
        if not isinstance(head, str):
            own = {k: v for k, v in head.get_params(deep=False).items() if k in features}
            yield Candidate(type(head).__name__, head, ({},), {**features, **own})
            continue
        template = _template(head, random_state)
        grids = [grid for name, grid in lists["balanced"] if name == head] or [({},)]
        for grid in grids:
            yield Candidate(head, template, grid, dict(features))
