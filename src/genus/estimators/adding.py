"""Adding images and classes to a finished model, without the images that it learned from."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.few import NEVER, judged_row
from genus.classify.few_calibration import calibration_near
from genus.classify.fitted import FittedHead
from genus.classify.head import softmax
from genus.classify.leaderboard import LeaderboardRow
from genus.classify.memory import POWER, Memory, remembered
from genus.classify.truth import ABSENT
from genus.data.dataset import Dataset, SkippedImage
from genus.data.order import natural_key
from genus.data.splits import stratified_folds
from genus.errors import DataError, ParameterError
from genus.estimators.division import find_groups
from genus.estimators.learned import Learned
from genus.estimators.parity import measure_parity, parity_note
from genus.estimators.provenance import data_hash, provenance_of
from genus.estimators.result import IN_TURN, TrainingResult
from genus.features.feature_set import FeatureSet
from genus.features.runtime import Runtime
from genus.features.stream import extract
from genus.features.table import FeatureTable
from genus.judgement import EvaluationResult, evaluate_predictions
from genus.metrics.evaluation import unmeasured
from genus.model_file import ModelFile, build_model_file, image_marks, joined_marks
from genus.normalize import Bounds, normalize_blocks
from genus.progress import SILENT, Progress
from genus.wording import count

_MOST_NUMBERS = 4_000_000  # of a memory, 8 MB; with more classes than that it is left out
_MOST_FOLDS = 5
_LARGEST_DIFFERENCE = 0.05  # between features of the same image, in parts of their length

Codes = NDArray[np.int64]


def memory_of(learned: Learned, rows: Codes) -> dict[str, Any]:
    """Return the detail `memory` of a model that learns from these images; empty where it would be too large."""
    X, n_classes = learned.table.X[rows], len(learned.classes)
    if n_classes * X.shape[1] > _MOST_NUMBERS:
        return {}
    return {"memory": remembered(X, learned.codes[rows], n_classes, _bounds(learned.table)).to_dict()}


@dataclass(frozen=True, slots=True, eq=False)
class _Added:
    """What is added to a model: images that it has not seen, and what it remembers of the others."""

    data: Dataset
    table: FeatureTable
    groups: Codes
    skipped: tuple[SkippedImage, ...]
    notes: tuple[str, ...]
    known: tuple[str, ...]
    classes: tuple[str, ...]
    codes: Codes
    memory: Memory

    @property
    def order(self) -> Codes:
        """The classes in the order of people, as codes: the known ones come first, then the new ones."""
        return np.array(
            sorted(range(len(self.classes)), key=lambda c: natural_key(self.classes[c])), np.int64
        )


def add_images(
    model: ModelFile,
    dataset: Dataset,
    *,
    runtime: Runtime | None = None,
    random_state: int | None = 0,
    command: str | None = None,
    progress: Progress = SILENT,
) -> tuple[ModelFile, TrainingResult]:
    """Return a model that knows these images and classes beside its own.

    Parameters
    ----------
    model : ModelFile
        With a memory: any that this version trained on one class an image, unless told not to.
    dataset : Dataset
        Labelled images, of new classes or of known ones. Images that the model has learned from already are left out.
    runtime : Runtime or None
        Engine, workers, cache, limits.
    random_state : int or None, default 0
        Seed of the folds in which the new images judge.
    command : str or None
        Kept in the model file.
    progress : Progress
        Told what is being done.

    Returns
    -------
    ModelFile
        Its classifier is a linear discriminant analysis, whatever the old one's was.
    TrainingResult
        Its figures are of the new images only, each judged by what the old ones and the other new ones teach.

    Raises
    ------
    ParameterError
        The model has no memory, or gives several labels an image.
    DataError
        There are no labelled images that can be read and are new, or the networks are not those of the model.
    """
    begun, runtime = time.perf_counter(), runtime or Runtime()
    memory = _memory(model)
    feature_set = FeatureSet.from_dict(dict(model.features))
    added = _read(model, memory, dataset, feature_set, runtime, progress)
    bounds = _bounds(added.table)
    Z = normalize_blocks(added.table.X, bounds, POWER)
    folds, logits = _judged(added, Z, bounds, random_state)
    judged = folds != NEVER
    calibration = calibration_near(logits[judged], added.codes[judged], 1.0)
    proba = np.asarray(softmax(calibration.apply(logits[judged])), np.float32)
    grown = added.memory.with_rows(Z, added.codes, len(added.classes))
    grown = replace(grown, counts=grown.counts[added.order], means=grown.means[added.order])
    head = FittedHead(grown.head(bounds), calibration)
    seconds = time.perf_counter() - begun
    row = judged_row(
        head.head,
        "lda",
        "accuracy",
        np.log(np.maximum(proba, 1e-12)),
        added.codes[judged],
        folds[judged],
        size=Z.shape,
        seconds=seconds,
    )
    test = _evaluate(added, judged, proba, random_state)
    details = _details(model, added, grown, row, test, head) | {
        "provenance": _provenance(model, added, command, random_state)
    }
    names = tuple(added.classes[c] for c in added.order)
    file = build_model_file(feature_set, head, names, details)
    parity = measure_parity(file, head, added.table.X, added.data.sources, runtime)
    file = file.with_details(parity=parity)
    total = {"total": round(time.perf_counter() - begun, 3)}
    return file, _result(model, added, file, row, test, total)


def _memory(model: ModelFile) -> Memory:
    if model.multilabel:
        raise ParameterError(
            f"{_named(model)} gives several labels an image: it cannot be added to. Train on all images together."
        )
    if "network" in model.details.get("head", {}).get("params", {}):
        raise ParameterError(
            f"{_named(model)} contains a network that was trained for these classes: none can be added to it. "
            "Train on all images together."
        )
    if "memory" not in model.details:
        raise ParameterError(
            f"{_named(model)} remembers nothing of its images, so none can be added: it was trained by an older Genus, "
            "without a memory, or has too many classes for one. Train on all images together."
        )
    return Memory.from_dict(model.details["memory"])


def _named(model: ModelFile) -> str:
    return "the model" if model.path is None else f"{model.path}"


def _read(
    model: ModelFile,
    memory: Memory,
    dataset: Dataset,
    feature_set: FeatureSet,
    runtime: Runtime,
    progress: Progress,
) -> _Added:
    """Compute the features of the new images, and leave out those that the model has learned from."""
    if dataset.is_multilabel or not dataset.counts():
        found = "several labels an image" if dataset.is_multilabel else "no labels"
        raise DataError(f"{dataset.origin}: {found} found; what is added needs one class an image.")
    labelled = dataset.labelled()
    table = extract(labelled.sources, feature_set, runtime=runtime, progress=progress)
    new = np.flatnonzero(~np.asarray(model.has_seen(table.content_hashes), bool))
    if not len(new):
        n = f"{len(labelled):,}"
        why = (
            f"the model has learned from all {n} labelled images already"
            if len(table.kept)
            else f"none of the {n} labelled images can be read"
        )
        raise DataError(f"{dataset.origin}: nothing to add: {why}.")
    notes = list(dataset.notes)
    if len(new) < len(table.kept):
        notes.append(
            f"{count(len(table.kept) - len(new), 'image')} left out: the model has learned from them already"
        )
    data, table = labelled.take(table.kept[new]), table.take(new)
    _check_same_networks(model, data, table, runtime)
    groups, more = find_groups(data, table)
    classes = (*model.classes, *(name for name in data.classes if name not in model.classes))
    code = {name: c for c, name in enumerate(classes)}
    codes = np.array([code[label or ""] for label in data.labels or ()], np.int64)
    skipped = (*dataset.skipped, *table.skipped)
    return _Added(data, table, groups, skipped, (*notes, *more), model.classes, classes, codes, memory)


def _check_same_networks(model: ModelFile, data: Dataset, table: FeatureTable, runtime: Runtime) -> None:
    """Raise a DataError if the features computed here are not those that the model computes."""
    from genus.images.preprocess import load_pixels

    pixels = load_pixels(data.sources[0], model.preprocess, runtime.limits)[0]
    own = model.open(engine="onnxruntime", outputs=("embedding",))(pixels[None])["embedding"][0]
    off = float(np.linalg.norm(own - table.X[0]) / max(1e-12, float(np.linalg.norm(own))))
    if off > _LARGEST_DIFFERENCE:
        raise DataError(
            f"{_named(model)}: its networks are not those of this installation (features differ by {off:.0%}), so "
            "nothing can be added. Train on all images together."
        )


def _judged(
    added: _Added, Z: NDArray[np.float32], bounds: tuple[Bounds, ...], seed: int | None
) -> tuple[Codes, NDArray[np.float32]]:
    """Judge each new image by what the model remembers and the other new images; classes of one image cannot."""
    codes, groups = added.codes, added.groups
    folds = np.full(len(Z), NEVER, np.int64)
    n_units = np.array([len(np.unique(groups[codes == c])) for c in range(len(added.classes))])
    n_known = np.zeros(len(added.classes), np.int64)
    n_known[: len(added.memory.counts)] = added.memory.counts
    rows = np.flatnonzero(((n_known > 0) | (n_units >= 2))[codes])
    if len(rows):
        keys = [added.table.content_hashes[i] for i in rows]
        n_folds = int(np.clip(n_units.max(), 2, _MOST_FOLDS))
        folds[rows] = stratified_folds(codes[rows], keys, groups[rows], n_folds=n_folds, random_state=seed)
    logits = np.full((len(Z), len(added.classes)), ABSENT, np.float32)
    for f in np.unique(folds[rows]):
        out = folds == f
        head = added.memory.with_rows(Z[~out], codes[~out], len(added.classes)).head(bounds)
        logits[np.ix_(out, head.classes_)] = head.logits(added.table.X[out])
    return folds, logits


def _evaluate(
    added: _Added, judged: NDArray[np.bool_], proba: NDArray[np.float32], seed: int | None
) -> EvaluationResult:
    if not judged.any():
        nothing = unmeasured(
            added.classes, "each new class has a single image, and there are no others to judge"
        )
        return EvaluationResult(nothing, (), np.zeros(0, str), proba, added.classes, (), (), 0.0)
    data = added.data.take(np.flatnonzero(judged))
    return evaluate_predictions(data, proba, added.classes, random_state=seed)


def _details(
    model: ModelFile,
    added: _Added,
    grown: Memory,
    row: LeaderboardRow,
    test: EvaluationResult,
    head: FittedHead,
) -> dict[str, Any]:
    """Return the details of the new file; what held for the old classifier only is left out."""
    counts = dict(model.details.get("counts", {}))
    for name, n in added.data.counts().items():
        counts[name] = counts.get(name, 0) + n
    return {
        "head": {
            "name": "lda",
            "params": {k: str(v) for k, v in row.params.items()},
            "n_stored_examples": 0,
        },
        "metrics": test.evaluation.to_dict(),
        "leaderboard": [row.to_dict()],
        "calibration": head.calibration.to_dict(),
        "counts": counts,
        "learned_from": joined_marks(
            model.details.get("learned_from", ""), image_marks(added.table.content_hashes)
        ),
        "memory": grown.to_dict(),
    }


def _provenance(
    model: ModelFile, added: _Added, command: str | None, random_state: int | None
) -> dict[str, Any]:
    before = dict(model.details.get("provenance", {}))
    earlier = before.pop("added_to", [])
    return {
        **provenance_of(command, random_state),
        "data": added.data.origin,
        "data_hash": data_hash(added.table.content_hashes, added.data),
        "n_images": len(added.data),
        "split": {"kind": IN_TURN, "n_train": len(added.data), "n_test": len(added.data)},
        "refit_on_all": True,
        "added_to": [
            *earlier,
            {key: before.get(key) for key in ("data", "data_hash", "n_images", "created")},
        ],
    }


def _result(
    model: ModelFile,
    added: _Added,
    file: ModelFile,
    row: LeaderboardRow,
    test: EvaluationResult,
    seconds: dict[str, float],
) -> TrainingResult:
    new = added.classes[len(added.known) :]
    named = f"{count(len(new), 'new class', 'new classes')}: {_listed(new)}" if new else "no new class"
    notes = [
        f"added {count(len(added.data), 'image')} to {_named(model)}, which knew {len(added.known)} classes; {named}",
        "the figures are of the new images only: how good the model is on its old classes now was not measured",
    ]
    dropped = [words for key, words in _DROPPED.items() if key in model.details]
    if dropped:
        notes.append(f"what held for the old classifier only was left out: {', '.join(dropped)}")
    parity = dict(file.details["parity"])
    return TrainingResult(
        origin=added.data.origin,
        n_images=len(added.data),
        classes=file.classes,
        counts=added.data.counts(),
        n_train=len(added.data),
        n_test=len(test.names),
        test_kind=IN_TURN,
        metric="accuracy",
        leaderboard=(row,),
        winner=row,
        not_tried=(),
        test=test,
        skipped=added.skipped,
        notes=(*notes, *added.notes, *parity_note(parity)),
        features=FeatureSet.from_dict(dict(file.features)).name,
        seconds=seconds,
        provenance=dict(file.details["provenance"]),
        parity=parity,
    )


_DROPPED = {
    "conformal": "sets of names",
    "learning_curve": "the learning curve",
    "costs": "costs of mistakes",
    "taxonomy": "the tree of the classes",
    "unknown": "telling unknown images",
}


def _listed(names: Sequence[str], limit: int = 5) -> str:
    return ", ".join(names[:limit]) + (" ..." if len(names) > limit else "")


def _bounds(table: FeatureTable) -> tuple[Bounds, ...]:
    return tuple((block.start, block.stop) for block in table.blocks)
